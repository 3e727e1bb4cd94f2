"""What is wrong with files of rules, told with the line at which it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from techtrack.core import plain_yaml
from techtrack.core.errors import Fault, Invalid

OK, FAILED, MISTAKE = 0, 1, 2


def texts_of(path: Path) -> dict[str, str]:
    """Return the text of a file, or of each YAML file of a folder, by its path.

    Raises:
        Invalid: it is no text, or too large, or the folder has none.
        OSError: it cannot be read.

    """
    paths = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not paths:
        raise Invalid(f"there is no YAML file in {path}")
    return {str(one): text_of(one) for one in paths}


def text_of(path: Path) -> str:
    """Return the text of one file; raises as ``texts_of`` does."""
    if path.stat().st_size > plain_yaml.LONGEST:
        raise Invalid(f"{path} is larger than {plain_yaml.LONGEST:,} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"{path} is no text in UTF-8") from None


def refuse(console: Console, error: Exception, texts: Mapping[str, str]) -> int:
    """Print what is wrong, a line for each fault; return the exit code."""
    for line in sentences(error, texts):
        console.print(f"[red]{escape(line)}[/]", soft_wrap=True)
    return MISTAKE


def sentences(error: Exception, texts: Mapping[str, str]) -> list[str]:
    """Return what is wrong, with file, line and member where the error knows them."""
    if isinstance(error, Invalid):
        return [_sentence(fault, texts) for fault in error.faults]
    return [_of_system(error) if isinstance(error, OSError) else str(error)]


def place_of(place: str, texts: Mapping[str, str]) -> tuple[str, int, str]:
    """Return file, line and pointer of a place, told as ``source#pointer``; line 0 where it is in no file."""
    for source, text in texts.items():
        if place.startswith(f"{source}#"):
            pointer = place.removeprefix(f"{source}#")
            return source, plain_yaml.line_of(text, pointer) if pointer else 0, pointer
    return "", 0, place


def _of_system(error: OSError) -> str:
    """Say what the operating system would not do, without its numbers."""
    told: dict[type[OSError], str] = {
        FileNotFoundError: "there is no file or folder {}",
        PermissionError: "{} may not be read or written",
        IsADirectoryError: "{} is a folder",
        NotADirectoryError: "{} is no folder",
    }
    words = told.get(type(error), f"{{}}: {error.strerror or error}")
    return words.format(error.filename or "the file")


def _sentence(fault: Fault, texts: Mapping[str, str]) -> str:
    source, line, pointer = place_of(fault.pointer, texts)
    # What is no YAML names its line itself.
    where = f"{source}:{line}: {pointer[1:]}: " if line else f"{source}: " if source else ""
    return f"{where}{fault.detail}"
