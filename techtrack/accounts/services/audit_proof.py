"""Proving the audit log: every entry against its hash, its ends against what was noted of them, and people's words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Q

from techtrack.accounts.domain import chain
from techtrack.accounts.domain.chain import Broken, Link
from techtrack.accounts.models import AuditCheckpoint, AuditEntry, AuditWord
from techtrack.accounts.services.audit import HEAD, told_of
from techtrack.accounts.services.audit_seal import noted_head, seal_entries
from techtrack.core.models import Head

READ_AT_ONCE = 2000
# What SQLite says of a text that is none.
UNREADABLE = "decode"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found: how many entries are kept, the ends of the chain, and the first fault, if there is one.

    ``noted`` is the position of the head that this machine has noted outside the database, None where it has none.
    """

    intact: bool
    entries: int
    first: int
    last: int
    hash: str
    noted: int | None = None
    position: int | None = None
    detail: str = ""


@dataclass(slots=True)
class _Walk:
    """What is learned on the way along the chain, beside that it holds."""

    start: Link
    end: Link
    noted: Link | None = None
    # Of a personal word: the entry that mentions it, its position, and whose it is.
    words: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    shortened: str = ""


def verify() -> Verdict:
    """Seal what waits, then prove the whole log; where it is broken the verdict says where first, in plain words."""
    walk = _Walk(chain.FIRST, chain.FIRST)
    try:
        walk.noted = noted_head()
        while seal_entries():
            pass
        _prove(walk)
    except Broken as error:
        return _verdict(walk, error)
    except DatabaseError as error:
        if UNREADABLE not in str(error):
            raise
        return _verdict(walk, Broken("something beside the entries cannot be read"))
    return _verdict(walk)


def _verdict(walk: _Walk, error: Broken | None = None) -> Verdict:
    return Verdict(
        intact=error is None,
        entries=walk.end.position - walk.start.position,
        first=walk.start.position + 1,
        last=walk.end.position,
        hash=walk.end.hash,
        noted=walk.noted.position if walk.noted else None,
        position=error.position if error else None,
        detail=error.detail if error else "",
    )


def _prove(walk: _Walk) -> None:
    taken = Head.current(HEAD)
    _prove_entries(walk)
    if walk.end.position < taken:
        raise Broken(f"entries from {walk.end.position + 1} to {taken} are gone from the end", walk.end.position + 1)
    if walk.end.position > (known := Head.current(HEAD)):
        raise Broken(f"entry {known + 1} was added past the sealer", known + 1)
    _prove_beginning(walk)
    _prove_noted(walk)
    _prove_words(walk)


def _prove_entries(walk: _Walk) -> None:
    walk.start = walk.end = _beginning()
    try:
        chain.follow(walk.start, _learn(walk))
    except Broken:
        if _beginning() == walk.start:
            raise
        # What is too old was deleted at this moment: once more, from where it begins now.
        walk.start = walk.end = _beginning()
        chain.follow(walk.start, _learn(walk))


def _beginning() -> Link:
    row = AuditCheckpoint.objects.order_by("-position").first()
    return Link(row.position, row.hash) if row else chain.FIRST


def _learn(walk: _Walk) -> Iterator[tuple[Link, Sequence[Any]]]:
    for position, found, *content in _rows():
        link = Link(position, found)
        yield link, content
        # Here it is proven.
        walk.end = link
        said = dict(zip(chain.COLUMNS, content, strict=True))
        if said.get("action") == "audit.shortened":
            walk.shortened = said["after"]
        for digest in chain.mentioned(said.get("before")) | chain.mentioned(said.get("after")):
            walk.words[digest] = said["id"], position, said["person_id"]
        if walk.noted and walk.noted.position == position and walk.noted.hash != found:
            raise Broken(f"up to entry {position} the log was written anew: another hash was noted of it", position)


def _rows() -> Iterator[tuple[Any, ...]]:
    """Every sealed entry in the order of positions: position, hash, content."""
    sealed = AuditEntry.objects.filter(position__isnull=False).order_by("position")
    columns, position, many = ("position", "hash", *chain.COLUMNS), None, READ_AT_ONCE
    while True:
        some = sealed if position is None else sealed.filter(position__gt=position)
        try:
            rows = list(some.values_list(*columns)[:many])
        except DatabaseError as error:
            if UNREADABLE not in str(error):
                raise
            if many == 1:
                raise Broken(f"entry {(position or 0) + 1} cannot be read", (position or 0) + 1) from error
            many = 1
            continue
        if not rows:
            return
        yield from rows
        position = rows[-1][0]


def _prove_beginning(walk: _Walk) -> None:
    rows = list(AuditCheckpoint.objects.order_by("-position"))
    told = json.loads(walk.shortened) if walk.shortened else None
    if len(rows) > 1 or (rows and told_of(rows[0]) != told):
        raise Broken("the beginning of the log was cut off, and the log does not tell of it", walk.start.position + 1)


def _prove_noted(walk: _Walk) -> None:
    noted = walk.noted
    if noted is None:
        return
    if noted.position > walk.end.position:
        first = walk.end.position + 1
        raise Broken(f"entries from {first} to {noted.position} are gone: {settings.AUDIT_HEAD} knows of them", first)
    if noted.position == walk.start.position and noted != walk.start:
        raise Broken("the beginning of the log is not the one that was noted", noted.position + 1)


def _prove_words(walk: _Walk) -> None:
    for word in AuditWord.objects.order_by("pk").iterator(READ_AT_ONCE):
        entry, position, person = walk.words.pop(word.digest, (None, None, None))
        if entry is None and not _newer(word, walk):
            raise Broken("a personal word was added that no entry mentions")
        good = chain.commitment(word.salt, word.person_id, word.value) == word.digest
        if not good or (entry is not None and (entry, person) != (word.entry_id, word.person_id)):
            raise Broken(f"a personal word in entry {position} was changed", position)
    _prove_forgotten(walk)


def _prove_forgotten(walk: _Walk) -> None:
    """Pass words that are missing because their person was forgotten, or because they were too old just now."""
    people = {person for _, _, person in walk.words.values()}
    told = AuditEntry.objects.filter(action="user.forgotten", person_id__in=people)
    forgotten, start = set(told.values_list("person_id", flat=True)), _beginning()
    missing = [at for _, at, person in walk.words.values() if person not in forgotten and at > start.position]
    if missing:
        raise Broken(f"a personal word of entry {min(missing)} is missing, and nobody was forgotten", min(missing))


def _newer(word: AuditWord, walk: _Walk) -> bool:
    behind = Q(position=None) | Q(position__gt=walk.end.position)
    return AuditEntry.objects.filter(behind, pk=word.entry_id).exists()
