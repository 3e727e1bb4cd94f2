"""Files of readings as text: plain or gzip, with the position for a progress bar and a digest to know them again."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from techtrack.core.errors import Invalid

GZIP = b"\x1f\x8b"


class BadFile(Invalid):
    """The file is not there, may not be read, or is not text in UTF-8."""

    code = "bad_file"


class Text:
    """The lines of a file, decoded; iterate once, inside ``with``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._raw = self._path.open("rb")
            self.size = self._path.stat().st_size
            zipped = self._raw.read(2) == GZIP
        except OSError as error:
            raise BadFile(f"the file {self._path} cannot be read: {error.strerror}") from None
        self._raw.seek(0)
        plain = gzip.GzipFile(fileobj=self._raw) if zipped else self._raw
        self._text = io.TextIOWrapper(cast("IO[bytes]", plain), encoding="utf-8-sig", newline="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()
        self._raw.close()

    def __iter__(self) -> Iterator[str]:
        line = 0
        try:
            for line, text in enumerate(self._text, 1):  # noqa: B007 - the number is told when reading fails
                yield text
        except UnicodeDecodeError:
            raise BadFile(f"the file {self._path} is not text in UTF-8 (behind line {line})") from None
        except (OSError, EOFError, zlib.error):
            raise BadFile(f"the file {self._path} is damaged behind line {line}") from None

    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._raw.tell()


def digest(path: Path) -> bytes:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
