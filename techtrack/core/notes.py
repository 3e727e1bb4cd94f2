"""Notes that outlive the process that wrote them: what it has done, and had no time yet to commit."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

# Bytes of a note with its end of line; longer ones are no notes.
WIDTH = 64
_SUFFIX = ".notes"


class Notes:
    """A file in ``folder`` with a line for each note, held by this process as long as it lives.

    A note costs microseconds, where a commit may wait for others. It is in the hands of the system, so it stays when
    the process is killed; when the machine loses power it may be gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._file: int | None = None

    def add(self, text: str) -> int:
        """Write a note of ASCII letters down, and return its place.

        Raises:
            OSError: it cannot be written; what was to be noted must do without.
        """
        with self._lock:
            if self._file is None:
                self._file = _opened(self._folder)
            place = next(number for number in range(len(self._taken) + 1) if number not in self._taken)
            self._write(place, text)
            self._taken.add(place)
        return place

    def strike(self, place: int) -> None:
        """Blot a note out: what it said is committed, or needs no note any more."""
        with self._lock:
            self._write(place, "")
            self._taken.discard(place)

    def left_behind(self) -> Iterator[list[str]]:
        """The notes of each process that is gone; they go with the next step of the iterator, not before."""
        for file in sorted(self._folder.glob(f"*{_SUFFIX}")):
            with _of_the_dead(file) as text:
                if text is not None:
                    yield [line for line in text.split() if line]
                    file.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have what is noted."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
            self._file = None
            self._taken.clear()

    def __del__(self) -> None:
        self.close()

    def _write(self, place: int, text: str) -> None:
        assert self._file is not None  # noqa: S101 - it was opened for the first note
        os.pwrite(self._file, text.encode("ascii").ljust(WIDTH - 1)[: WIDTH - 1] + b"\n", place * WIDTH)


def _opened(folder: Path) -> int:
    """Make a file and lock it; under its own name it appears only then, or others would take it for one of the dead."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = uuid4().hex
    draft = folder / f"{name}.draft"
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    draft.rename(folder / f"{name}{_SUFFIX}")
    return file


@contextmanager
def _of_the_dead(path: Path) -> Iterator[str | None]:
    """What stands in a file whose process is gone, held meanwhile; None where it lives, or another reads it."""
    try:
        opened = path.open("r+", encoding="ascii", errors="replace")
    except FileNotFoundError:
        yield None
        return
    with closing(opened) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        # Whoever was here before has read it, and deleted it.
        yield file.read() if path.exists() else None
