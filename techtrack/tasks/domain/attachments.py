"""Which files may be attached to a task, decided by what they hold and not by what they are said to be.

The list is short on purpose: pictures of the machine, its papers, and what its controller logged. Left out are

- SVG and HTML (and other markup): a browser runs the scripts in them, in the name of whoever opens the file;
- office files and other archives: a zip says nothing of what it holds, be it macros, programs, or a petabyte of zeros.
  Whoever wants to show a table or a letter attaches a CSV file or a PDF.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from techtrack.core.errors import Invalid

MEBIBYTE = 2**20
MOST_FILES = 50
MOST_BYTES = 200 * MEBIBYTE
# What file systems take: ext4, APFS and NTFS bound a name at 255 bytes or units.
LONGEST_NAME = 255
TEXTS = ("text/plain", "text/csv")


@dataclass(frozen=True, slots=True)
class Form:
    """What files of one type are called, and how many bytes they may have."""

    endings: tuple[str, ...]
    most: int


FORMS = {
    "image/png": Form((".png",), 20 * MEBIBYTE),
    "image/jpeg": Form((".jpg", ".jpeg"), 20 * MEBIBYTE),
    "image/gif": Form((".gif",), 20 * MEBIBYTE),
    "image/webp": Form((".webp",), 20 * MEBIBYTE),
    "application/pdf": Form((".pdf",), 20 * MEBIBYTE),
    "text/plain": Form((".txt", ".log"), 5 * MEBIBYTE),
    "text/csv": Form((".csv",), 5 * MEBIBYTE),
}
BIGGEST = max(form.most for form in FORMS.values())


class TooLarge(Invalid):
    """The file, or all files of the task together, are larger than is kept."""

    code = "too_large"


class ForbiddenType(Invalid):
    """Files of this type are not taken; the message says why."""

    code = "forbidden_type"


class AnotherType(Invalid):
    """The file is of another type than it says, or than its name says."""

    code = "another_type"


class UnsafeName(Invalid):
    """A name that some system would take for something else."""

    code = "unsafe_name"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that may be kept: its name (NFC) and the type that was found."""

    name: str
    type: str
    size: int

    @property
    def is_image(self) -> bool:
        """Whether there can be a thumbnail of it."""
        return self.type.startswith("image/")


def check(content: bytes, *, name: str, declared: str, pointer: str = "/file") -> Attachment:
    """Pass a file whose name, declared media type and contents agree; ``declared`` empty says nothing.

    Raises:
        UnsafeName, TooLarge, ForbiddenType, AnotherType: see there.
    """
    name = safe_name(name, pointer=pointer)
    if len(content) > BIGGEST:
        # Before anything looks at all of it.
        raise TooLarge(f"{BIGGEST // MEBIBYTE} MiB at most", pointer=pointer)
    said = _said(declared)
    if said in _WHY_NOT:
        raise ForbiddenType(_WHY_NOT[said], pointer=pointer)
    found = _found(content, name, pointer)
    if said and said != found:
        raise AnotherType(f"it says {said[:80]} and is {found}", pointer=pointer)
    form = FORMS[found]
    if not name.lower().endswith(form.endings):
        raise AnotherType(f"what is {found} is called {' or '.join(form.endings)}", pointer=pointer)
    if len(content) > form.most:
        raise TooLarge(f"{form.most // MEBIBYTE} MiB at most of {found}", pointer=pointer)
    return Attachment(name, found, len(content))


def refuse_more(*, count: int, total: int, size: int, pointer: str = "/file") -> None:
    """Pass where a task with ``count`` files of ``total`` bytes may get one more of ``size`` bytes.

    Raises:
        TooLarge: it has too many, or they would be too large together.
    """
    if count >= MOST_FILES:
        raise TooLarge(f"a task has {MOST_FILES} files at most", pointer=pointer)
    if total + size > MOST_BYTES:
        raise TooLarge(f"the files of a task have {MOST_BYTES // MEBIBYTE} MiB at most together", pointer=pointer)


# -- Types ----------------------------------------------------------------------------------------------------------

_MARKUP = "markup is not kept: a browser would run the scripts in it; attach a picture or a PDF"
_ARCHIVE = "archives and office files are not kept: nobody sees what is in them; attach a PDF or a CSV file"
_PROGRAM = "programs are not kept"
_WHY_NOT = dict.fromkeys(
    ("image/svg+xml", "text/html", "application/xhtml+xml", "text/xml", "application/xml", "text/javascript"), _MARKUP
) | dict.fromkeys(("application/zip", "application/x-zip-compressed"), _ARCHIVE)
# How browsers call the same: Windows takes the name of a type from the program that opens it.
_ALIASES = {
    "application/octet-stream": "",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "application/csv": "text/csv",
    "application/vnd.ms-excel": "text/csv",
}
# PNG 1.2, 3.1; ISO/IEC 10918-1, B.2; GIF89a, 17; WebP container, RIFF header; ISO 32000-1, 7.5.2.
_SIGNATURES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")),
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("image/gif", lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    ("image/webp", lambda head: head.startswith(b"RIFF") and head[8:15] == b"WEBPVP8"),
    ("application/pdf", lambda head: head.startswith(b"%PDF-")),
)
_REFUSED = (
    (b"PK\x03\x04", _ARCHIVE),
    (b"PK\x05\x06", _ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _ARCHIVE),  # OLE2, office files until 2003
    (b"\x1f\x8b", _ARCHIVE),
    (b"MZ", _PROGRAM),
    (b"\x7fELF", _PROGRAM),
    (b"#!", _PROGRAM),
)
_BOM = b"\xef\xbb\xbf"
# A tag, a comment, a declaration; "<13>" of a syslog line is none.
_TAG = re.compile(rb"\s*<[A-Za-z!?/]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def _said(declared: str) -> str:
    """Return the media type without its parameters, by its usual name; empty where it says nothing."""
    plain = declared.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def _found(content: bytes, name: str, pointer: str) -> str:
    for kind, fits in _SIGNATURES:
        if fits(content[:32]):
            return kind
    for signature, why in _REFUSED:
        if content.startswith(signature):
            raise ForbiddenType(why, pointer=pointer)
    _refuse_no_text(content.removeprefix(_BOM), pointer)
    # Of two kinds of text no byte says which it is: the name does.
    return next((kind for kind in TEXTS if name.lower().endswith(FORMS[kind].endings)), TEXTS[0])


def _refuse_no_text(content: bytes, pointer: str) -> None:
    if not content:
        raise ForbiddenType("the file is empty", pointer=pointer)
    if _TAG.match(content):
        raise ForbiddenType(_MARKUP, pointer=pointer)
    try:
        content.decode()
        readable = _CONTROL.search(content) is None
    except UnicodeDecodeError:
        readable = False
    if not readable:
        known = ", ".join(kind for kind in FORMS if kind not in TEXTS)
        raise ForbiddenType(f"neither {known} nor text in UTF-8", pointer=pointer)


# -- Names ----------------------------------------------------------------------------------------------------------

# Microsoft, Naming Files, Paths, and Namespaces: devices under any ending, whatever the case.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE | re.DOTALL)
_SEPARATORS = frozenset('/\\:*?"<>|')
# Joiners that Persian and emoji are written with; other signs without a shape turn "gpj.exe" around.
_JOINERS = frozenset("\u200c\u200d")
_SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def safe_name(name: str, *, pointer: str = "/file") -> str:
    """Return a name (NFC) that every system takes for the name of one file, and that looks like what it is.

    Raises:
        UnsafeName: it is none; it is not changed into one, since people look for the name that they gave.
    """
    name = unicodedata.normalize("NFC", name)
    if why := _why_unsafe(name):
        raise UnsafeName(why, pointer=pointer)
    return name


def _why_unsafe(name: str) -> str:
    if any(char not in _JOINERS and unicodedata.category(char) in _SHAPELESS for char in name):
        return "a file's name has no control characters"
    if _SEPARATORS & set(name):
        return "a file's name has no path, and none of : * ? \" < > |"
    if not name or name.startswith((".", " ")) or name.endswith((".", " ")):
        return "a file's name neither begins nor ends with a dot or a space"
    if len(name.encode()) > LONGEST_NAME:
        return f"a file's name has {LONGEST_NAME} bytes at most"
    return "this is the name of a device on Windows" if _DEVICE.fullmatch(name) else ""
