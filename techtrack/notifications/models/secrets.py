"""How secret settings lie in a table and are shown: encrypted, and never again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from techtrack.core import sealing
from techtrack.core.errors import Invalid, member

MASK = "********"
_HINT = re.compile(r"[a-z0-9]+://", re.IGNORECASE)


class SecretNeeded(Invalid):
    """A mask stands where a secret is needed that is not known, or that may not go where it would now be sent."""

    code = "secret_needed"


def sealed(config: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return settings with every text of the fields ``names`` encrypted."""
    return {name: _each(value, _seal) if name in names else value for name, value in config.items()}


def opened(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they were given.

    Raises:
        Unreadable: they were encrypted with another key.
    """
    return {name: _each(value, _open) for name, value in config.items()}


def resealed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with every secret encrypted with the present key.

    Raises:
        Unreadable: one was encrypted with a key that is gone.
    """
    return {name: _each(value, _reseal) for name, value in config.items()}


def shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with a mask for each secret; of an address its scheme stays."""
    return {name: _each(value, _mask) for name, value in config.items()}


def completed(new: Mapping[str, Any], old: Mapping[str, Any], *, names: frozenset[str], bound: frozenset[str]) -> Any:
    """Return ``new`` settings in which masks are the secrets that they stand for in ``old``.

    ``bound`` are the fields that say where secrets are sent: with another value there every secret is given anew, or
    whoever may edit a channel could have its secrets sent to a server, or a telephone, of his own.

    Raises:
        SecretNeeded: a mask stands for nothing, or a secret would be sent elsewhere.
    """
    # What is left out becomes what it is by itself, which names no secret.
    moved = sorted(name for name in bound & new.keys() if new[name] != old.get(name))
    result = dict(new)
    for name in names & new.keys():
        value, held = new[name], old.get(name)
        pointer = member("/config", name)
        if isinstance(value, Mapping) and not _is_sealed(value):
            before = held if isinstance(held, Mapping) else {}
            result[name] = {
                key: _kept(item, before.get(key), moved, member(pointer, key)) for key, item in value.items()
            }
        else:
            result[name] = _kept(value, held, moved, pointer)
    return result


def _kept(value: Any, held: Any, moved: list[str], pointer: str) -> Any:
    """The secret that a mask, or its own stored form, stands for; anything else is a new secret."""
    if held is not None and _is_sealed(held) and value in (held, _mask(held)):
        if moved:
            raise SecretNeeded(f"{' and '.join(moved)} has changed: give this secret again", pointer=pointer)
        return _open(held)
    if isinstance(value, str) and value.endswith(MASK):
        raise SecretNeeded("this is the mask of a secret that is not known here: give the secret", pointer=pointer)
    return value


def _is_sealed(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"sealed", "hint"}


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Change a text, or each value of an object of texts."""
    if isinstance(value, Mapping) and not _is_sealed(value):
        return {name: change(item) for name, item in value.items()}
    return change(value)


def _seal(text: Any) -> Any:
    if not isinstance(text, str) or not text:
        return text
    hint = _HINT.match(text)
    return {"sealed": sealing.seal(text), "hint": hint[0] if hint else ""}


def _open(value: Any) -> Any:
    return sealing.unseal(value["sealed"]) if _is_sealed(value) else value


def _reseal(value: Any) -> Any:
    return {**value, "sealed": sealing.resealed(value["sealed"])} if _is_sealed(value) else value


def _mask(value: Any) -> Any:
    return f"{value['hint']}{MASK}" if _is_sealed(value) else value
