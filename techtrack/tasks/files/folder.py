"""Keeps contents in a folder under what they hash to: written whole or not at all, and never changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from techtrack.core.errors import NotFound, Unavailable

_ENTRIES = "files"
_THUMBNAILS = "thumbnails"
_DRAFTS = "drafts"


class DiskRefuses(Unavailable):
    """The disk is full, or the folder is not ours."""

    code = "disk_refuses"


class FileMissing(NotFound):
    """The table speaks of a file that is not in the folder: a backup without it, or somebody who tidied up."""

    code = "file_missing"


class Folder:
    """A folder below ``root``, made when it is needed; nobody else may read it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def drafted(self, content: bytes, thumbnail: bytes | None) -> Iterator[Draft]:
        """Write contents to the disk, which takes time, without a place yet; what is not kept goes again.

        Raises:
            DiskRefuses: they could not be written.
        """
        draft = Draft(self, content, thumbnail)
        try:
            yield draft
        finally:
            draft.discard()

    def open(self, digest: str, *, thumbnail: bool = False) -> BinaryIO:
        """Open contents for reading.

        Raises:
            FileMissing: they are not there.
        """
        try:
            return self._place(digest, thumbnail=thumbnail).open("rb")
        except FileNotFoundError as error:
            raise FileMissing("the contents of this file are gone") from error

    def remove(self, digest: str) -> None:
        """Delete contents and what was made of them."""
        for thumbnail in (True, False):
            self._place(digest, thumbnail=thumbnail).unlink(missing_ok=True)

    def sweep(self, *, before: datetime) -> None:
        """Delete drafts of processes that died over them."""
        for draft in self._root.glob(f"{_DRAFTS}/*"):
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < before.timestamp():
                    draft.unlink()

    def digests(self, *, before: datetime) -> Iterator[str]:
        """Name the contents that lie here since ``before``, or longer."""
        for file in self._root.glob(f"{_ENTRIES}/*/*"):
            try:
                written = file.stat().st_mtime
            except FileNotFoundError:
                continue
            if written < before.timestamp():
                yield file.name

    def write_draft(self, content: bytes) -> Path:
        """Write contents under a name of their own, and see them on the disk."""
        path = self._root / _DRAFTS / uuid4().hex
        try:
            self._make(path.parent)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise DiskRefuses("the file cannot be stored: the disk is full, or its folder not writable") from error
        return path

    def settle(self, draft: Path, digest: str, *, thumbnail: bool) -> None:
        """Give a draft its place; what lies there already is the same."""
        place = self._place(digest, thumbnail=thumbnail)
        try:
            self._make(place.parent)
            draft.replace(place)
            _sync(place.parent)
        except OSError as error:
            raise DiskRefuses("the file cannot be stored: its folder is not writable") from error

    def _make(self, folder: Path) -> None:
        # One by one: what is made on the way to a folder gets the mode of the process.
        for place in reversed([folder, *folder.parents]):
            if place == self._root or self._root in place.parents:
                place.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _place(self, digest: str, *, thumbnail: bool) -> Path:
        # Folders of some thousand entries at most, whatever the system thinks of larger ones.
        return self._root / (_THUMBNAILS if thumbnail else _ENTRIES) / digest[:2] / digest


class Draft:
    """Contents that are on the disk and have no place yet."""

    def __init__(self, folder: Folder, content: bytes, thumbnail: bytes | None) -> None:
        self._folder = folder
        self._paths: dict[bool, Path] = {}
        try:
            self._paths[False] = folder.write_draft(content)
            if thumbnail is not None:
                self._paths[True] = folder.write_draft(thumbnail)
        except DiskRefuses:
            self.discard()
            raise

    def keep(self, digest: str) -> None:
        """Give the contents their place; call it inside the transaction that speaks of them."""
        for thumbnail, path in self._paths.items():
            self._folder.settle(path, digest, thumbnail=thumbnail)

    def discard(self) -> None:
        """Delete what has got no place."""
        for path in self._paths.values():
            path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """See the name of a file on the disk, too: else it is lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
