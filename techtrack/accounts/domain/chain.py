"""The chain of the audit log: each entry is hashed over the one before, so that none can be changed, lost or added."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

# What an entry says, in the order in which it is hashed; all that its row holds but its place and its hash.
COLUMNS = (
    "id",
    "at",
    "actor",
    "session",
    "via",
    "address",
    "agent",
    "request_id",
    "action",
    "object_type",
    "object_id",
    "site_id",
    "person_id",
    "before",
    "after",
)
# The hash before the first.
START = "0" * 64
PERSONAL = "personal:"
_PERSONAL = re.compile(PERSONAL + "([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: a position, from 1, and the hash there."""

    position: int
    hash: str


FIRST = Link(0, START)


class Broken(Exception):
    """The chain does not hold; ``position`` is the first where it does not, None where none can be named."""

    def __init__(self, detail: str, position: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = position


def canonical(value: Any) -> str:
    """Write JSON in the one way in which it is hashed; what is no JSON is written as it looks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr)


def hash_of(previous: Link, content: Sequence[Any]) -> str:
    """Return the hash of the entry behind ``previous`` that says ``content``, in the order of COLUMNS."""
    text = canonical([previous.hash, previous.position + 1, *content])
    # Whatever somebody has written into a column: it is hashed, not complained of.
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def follow(previous: Link, rows: Iterable[tuple[Link, Sequence[Any]]]) -> Link:
    """Walk from ``previous`` through entries in the order of their positions; return where it ended.

    Raises:
        Broken: an entry is missing, was added, or is not what it was.
    """
    for link, content in rows:
        if link.position != previous.position + 1:
            raise Broken(_gap(previous.position + 1, link.position), previous.position + 1)
        if hash_of(previous, content) != link.hash:
            raise Broken(
                f"entry {link.position} is not what was sealed: it, or what stands before it, was changed",
                link.position,
            )
        previous = link
    return previous


def _gap(expected: int, found: Any) -> str:
    return f"entry {expected} is missing: {found} stands where it should"


def commitment(salt: str, person_id: int, value: str) -> str:
    """Return what an entry keeps of a personal value: it proves the value while there is one, and tells nothing."""
    return sha256(canonical([salt, person_id, value]).encode("utf-8", "surrogatepass")).hexdigest()


def mentioned(text: Any) -> set[str]:
    """Return the personal values that the text of an entry stands for."""
    return set(_PERSONAL.findall(text)) if isinstance(text, str) else set()


def resolved(value: Any, known: Mapping[str, str]) -> Any:
    """Put personal values where they are still known, and ``(erased)`` where not."""
    if isinstance(value, dict):
        return {name: resolved(inner, known) for name, inner in value.items()}
    if isinstance(value, str) and (found := _PERSONAL.fullmatch(value)):
        return known.get(found[1], "(erased)")
    return value
