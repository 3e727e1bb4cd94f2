"""Reads the environment with types: a wrong value is one plain sentence, and secrets may lie in files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


class BadSetting(Exception):
    """A setting cannot be used; the message is one sentence for the person who set it."""


class Env:
    """The environment, with ``.env`` beneath it; ``NAME_FILE`` names a file that holds the value of NAME.

    ``seen`` records every name that was asked for, so that a test can hold deploy/env.example against it.
    """

    def __init__(self, dotenv: Path) -> None:
        load_dotenv(dotenv)
        self.seen: dict[str, str] = {}

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        self.seen[name] = default
        if path := os.environ.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise BadSetting(f"{name}_FILE={path} cannot be read: {error.strerror}.") from None
        return os.environ.get(name, default)

    def flag(self, name: str, *, default: bool) -> bool:
        """A yes or no."""
        value = self.text(name, "true" if default else "false").lower()
        if value not in TRUE | FALSE:
            raise BadSetting(f"{name}={value} is neither true nor false.")
        return value in TRUE

    def number(self, name: str, default: float, *, kind: Callable[[str], Any] = int) -> Any:
        """A number of the ``kind``."""
        value = self.text(name, str(default))
        try:
            return kind(value)
        except ValueError:
            raise BadSetting(f"{name}={value} is not a number.") from None

    def items(self, name: str, default: str = "") -> list[str]:
        """A list, separated by commas."""
        return [item.strip() for item in self.text(name, default).split(",") if item.strip()]

    def numbers(self, name: str, default: str) -> dict[str, int]:
        """Numbers by name, ``a=1,b=2``; those that are left out are as in ``default``, which names them all."""
        found = _numbers(default.split(","))
        try:
            given = _numbers(self.items(name, default))
        except ValueError:
            raise BadSetting(f"{name} is written as name=number, separated by commas.") from None
        if strange := given.keys() - found.keys():
            raise BadSetting(f"{name} knows no {min(strange)}; it knows {', '.join(found)}.")
        return found | given


def made_folder(path: Path) -> Path:
    """Make a folder of the platform's own, closed to other users.

    Raises:
        BadSetting: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BadSetting(f"The folder {path} cannot be made: {error.strerror}.") from None
    return path


def kept_secret(path: Path) -> str:
    """Return the secret kept in ``path``; on the first run make one, readable by the owner alone.

    Several processes may start at once: O_EXCL lets one write it, the others read what it wrote.

    Raises:
        BadSetting: the folder cannot be written, or the secret is too short to be one.

    """
    try:
        made_folder(path.parent)
        _create(path)
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"The folder {path.parent} cannot be used: {error.strerror}.") from None
    if len(value) < 32:  # noqa: PLR2004 - 256 bits in the shortest usual writing
        raise BadSetting(f"The secret in {path} is too short; delete the file and a new one is made.")
    return value


def older_secrets(path: Path) -> list[str]:
    """Return the secrets that stood in ``path`` before ``rotate_secret``, as long as they are kept."""
    file = _older(path)
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def rotate_secret(path: Path) -> None:
    """Put a new secret in place of the one kept in ``path``, which is kept beside it, and no older one.

    Raises:
        BadSetting: there is none to rotate, or the folder cannot be written.
    """
    try:
        # First the old one to its place: whenever this is interrupted, what was signed stays readable.
        _replace(_older(path), path.read_text(encoding="utf-8"))
        _replace(path, secrets.token_urlsafe(64))
    except OSError as error:
        raise BadSetting(f"The secret in {path} cannot be rotated: {error.strerror}.") from None


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")


def _replace(path: Path, text: str) -> None:
    _write(path, text).replace(path)


def _write(beside: Path, text: str) -> Path:
    """Write a file for the owner alone, durably, under a name of its own."""
    draft = beside.with_name(f".{beside.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _numbers(items: list[str]) -> dict[str, int]:
    pairs = (item.partition("=") for item in items)
    found = {name.strip(): int(number) for name, _, number in pairs}
    if any(number < 0 for number in found.values()):
        raise ValueError
    return found


def _create(path: Path) -> None:
    if path.exists():
        return
    draft = _write(path, secrets.token_urlsafe(64))
    try:
        # A link appears whole or not at all, and fails where another process was first.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
