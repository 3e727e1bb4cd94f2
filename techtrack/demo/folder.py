"""Where the demo keeps its things: its own folder below the platform's, and its secrets beside the others."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec
from django.conf import settings


def home() -> Path:
    """Return the demo's folder; made when it is not there."""
    path = Path(settings.HOME) / "demo"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def file(name: str) -> Path:
    """Return the path of one of its files."""
    return home() / name


def replace(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as target:
        target.write(content)
    draft.replace(path)


def read_secrets(name: str) -> dict[str, str]:
    """Return the secrets kept under ``name``, none before the first run."""
    try:
        return msgspec.json.decode(_secrets(name).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def keep_secrets(name: str, values: Mapping[str, str]) -> None:
    """Keep secrets under ``name``, so that the next run prints the same ones."""
    replace(_secrets(name), msgspec.json.format(msgspec.json.encode(dict(values)), indent=2))


def _secrets(name: str) -> Path:
    return Path(settings.HOME) / "secrets" / f"{name}.json"
