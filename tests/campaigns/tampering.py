"""Ways to tamper with the audit log, past every trigger; each must be found by verifying, whatever it was."""

# ruff: noqa: S608 - the names of tables and columns in these statements are this file's own

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction

from techtrack.accounts.domain import chain
from techtrack.accounts.domain.chain import Link

ENTRY, WORD, CHECKPOINT = "accounts_auditentry", "accounts_auditword", "accounts_auditcheckpoint"
# The columns as they are, not as the code under test says they are.
CONTENT = (
    *("at", "actor", "session", "via", "address", "agent", "request_id", "action", "object_type", "object_id"),
    *("site_id", "person_id", "before", "after"),
)
NUMBERS = {"id", "position", "at", "site_id", "person_id", "entry_id"}
FAR = 1_000_000


class Unchanged(Exception):
    """A tampering that would have left everything as it was; another is tried."""


def disarm() -> None:
    """Take the triggers away, as somebody who owns the database can."""
    if connection.vendor == "sqlite":
        for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit_%%'"):
            do(f"DROP TRIGGER {name}")
    else:
        for table in (ENTRY, WORD, CHECKPOINT):
            do(f"ALTER TABLE {table} DISABLE TRIGGER USER")


def ask(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return rows, past the ORM."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def do(statement: str, *parameters: Any) -> None:
    """Execute a statement, past the ORM."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def different(chance: random.Random, column: str, value: Any) -> Any:
    """Return another value of a column: a byte changed, added or lost; a number moved; something for nothing."""
    if column in NUMBERS:
        if value is None:
            return chance.randrange(FAR)
        nothing = column in {"site_id", "person_id", "position"} and chance.random() < 0.3
        return None if nothing else value + chance.choice([-1, 1, FAR])
    if not value:
        return chance.choice("x0 ")
    place = chance.randrange(len(value))
    kept, rest = value[:place], value[place + 1 :]
    return chance.choice([kept + chr(33 + (ord(value[place]) + chance.randrange(1, 90)) % 94) + rest, kept + rest])


def edit(chance: random.Random) -> str:
    """Change one column of one entry."""
    number, column = _entry(chance), chance.choice(["id", "position", "hash", *CONTENT])
    return _edit(chance, ENTRY, "id", number, column)


def edit_word(chance: random.Random) -> str:
    """Change one column of one personal word."""
    digest = chance.choice(ask(f"SELECT digest FROM {WORD} ORDER BY digest"))[0]
    return _edit(chance, WORD, "digest", digest, chance.choice(["digest", "entry_id", "person_id", "salt", "value"]))


def _edit(chance: random.Random, table: str, key: str, which: Any, column: str) -> str:
    before = ask(f"SELECT {column} FROM {table} WHERE {key} = %s", which)[0][0]
    after = different(chance, column, before)
    if after == before or (after is None and table == WORD):
        raise Unchanged
    do(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", after, which)
    return f"{table}.{column} of {which}: {before!r} became {after!r}"


def garble(chance: random.Random) -> str:
    """Write bytes that are no text."""
    if connection.vendor != "sqlite":
        raise Unchanged
    number, column = _entry(chance), chance.choice(["actor", "before", "after", "agent"])
    do(f"UPDATE {ENTRY} SET {column} = CAST(x'ff41fe' AS TEXT) WHERE id = %s", number)
    return f"{column} of entry {number} is no text"


def delete(chance: random.Random) -> str:
    """Delete one entry."""
    number = _entry(chance)
    do(f"DELETE FROM {ENTRY} WHERE id = %s", number)
    return f"deleted {number}"


def delete_and_close(chance: random.Random) -> str:
    """Delete one entry and move those behind it up."""
    at = chance.choice(_positions())
    do(f"DELETE FROM {ENTRY} WHERE position = %s", at)
    _shift(at, -1)
    do("UPDATE core_head SET last = last - 1 WHERE name = 'audit'")
    return f"deleted {at} and moved up the rest"


def truncate_tail(chance: random.Random) -> str:
    """Delete the newest entries, and let the counter in the database know nothing of them."""
    last = _positions()[-1]
    kept = last - chance.randrange(1, 8)
    do(f"DELETE FROM {ENTRY} WHERE position > %s", kept)
    if chance.random() < 0.7:
        do("UPDATE core_head SET last = %s WHERE name = 'audit'", kept)
    return f"cut off behind {kept}"


def cut_beginning(chance: random.Random) -> str:
    """Delete the oldest entries, with a checkpoint as retention would write it."""
    cut = chance.choice(_positions()[:-1])
    found = ask(f"SELECT hash FROM {ENTRY} WHERE position = %s", cut)[0][0]
    words = ask(f"SELECT id FROM {ENTRY} WHERE position <= %s", cut)
    for (number,) in words:
        do(f"DELETE FROM {WORD} WHERE entry_id = %s", number)
    do(f"DELETE FROM {ENTRY} WHERE position <= %s", cut)
    if chance.random() < 0.8:
        do(f"INSERT INTO {CHECKPOINT} (position, hash, at) VALUES (%s, %s, 0)", cut, found)
    return f"cut off up to {cut}"


def swap(chance: random.Random) -> str:
    """Let two entries change places, or what they say."""
    one, other = chance.sample(_positions(), 2)
    if chance.random() < 0.5:
        do(f"UPDATE {ENTRY} SET position = %s WHERE position = %s", FAR, one)
        do(f"UPDATE {ENTRY} SET position = %s WHERE position = %s", one, other)
        do(f"UPDATE {ENTRY} SET position = %s WHERE position = %s", other, FAR)
        return f"swapped {one} and {other}"
    rows = {at: ask(f"SELECT {', '.join(CONTENT)} FROM {ENTRY} WHERE position = %s", at)[0] for at in (one, other)}
    if rows[one] == rows[other]:
        raise Unchanged
    for at, row in ((one, rows[other]), (other, rows[one])):
        do(f"UPDATE {ENTRY} SET {', '.join(f'{name} = %s' for name in CONTENT)} WHERE position = %s", *row, at)
    return f"swapped what {one} and {other} say"


def insert(chance: random.Random) -> str:
    """Add an entry: in the middle, all behind it moved down; or at the end, with a hash that is right."""
    positions = _positions()
    at = chance.choice([*positions, positions[-1] + 1])
    row = list(ask(f"SELECT {', '.join(CONTENT)} FROM {ENTRY} WHERE position = %s", chance.choice(positions))[0])
    row[CONTENT.index("object_id")] = str(chance.randrange(FAR))
    row[CONTENT.index("before")] = row[CONTENT.index("after")] = "{}"
    _shift(at - 1, 1)
    previous = ask(f"SELECT hash FROM {ENTRY} WHERE position = %s", at - 1)
    content = dict(zip(CONTENT, row, strict=True)) | {"id": FAR}
    link = Link(at - 1, previous[0][0] if previous else chain.START)
    found = chain.hash_of(link, [content[name] for name in chain.COLUMNS])
    names = ["id", "position", "hash", *CONTENT]
    marks = ", ".join(["%s"] * len(names))
    do(f"INSERT INTO {ENTRY} ({', '.join(names)}) VALUES ({marks})", FAR, at, found, *row)
    return f"inserted at {at}"


def seal_anew(chance: random.Random) -> str:
    """Change or remove an entry and compute every hash behind it anew, as the sealer would have."""
    at = chance.choice(_positions())
    what = "removed"
    if chance.random() < 0.5:
        delete_at(at)
    else:
        what = edit_at(chance, at)
    link = chain.FIRST
    columns = ", ".join(chain.COLUMNS)
    for number, *content in ask(f"SELECT id, {columns} FROM {ENTRY} ORDER BY position"):
        link = Link(link.position + 1, chain.hash_of(link, content))
        do(f"UPDATE {ENTRY} SET hash = %s WHERE id = %s", link.hash, number)
    return f"{what}, and sealed anew from {at}"


def edit_at(chance: random.Random, at: int) -> str:
    """Change what the entry at ``at`` says."""
    return _edit(chance, ENTRY, "position", at, chance.choice(CONTENT))


def delete_at(at: int) -> None:
    """Remove the entry at ``at`` without a gap."""
    do(f"DELETE FROM {ENTRY} WHERE position = %s", at)
    _shift(at, -1)
    do("UPDATE core_head SET last = last - 1 WHERE name = 'audit'")


def count_otherwise(chance: random.Random) -> str:
    """Change the counter of the sealer."""
    do("UPDATE core_head SET last = last + %s WHERE name = 'audit'", chance.choice([-3, -1, 1, 5]))
    return "the counter"


def forget_word(chance: random.Random) -> str:
    """Delete a personal word although nobody was forgotten."""
    digest = chance.choice(ask(f"SELECT digest FROM {WORD} ORDER BY digest"))[0]
    do(f"DELETE FROM {WORD} WHERE digest = %s", digest)
    return f"word {digest} deleted"


def add_word(chance: random.Random) -> str:
    """Add a personal word that is in order by itself."""
    digest = chain.commitment("salt", 1, "mallory")
    names = "digest, entry_id, person_id, salt, value"
    do(f"INSERT INTO {WORD} ({names}) VALUES (%s, %s, 1, 'salt', 'mallory')", digest, _entry(chance))
    return "word added"


WAYS: tuple[Callable[[random.Random], str], ...] = (
    *(edit, edit, edit, edit, edit, edit_word, garble, delete, delete_and_close, truncate_tail, cut_beginning),
    *(swap, insert, seal_anew, count_otherwise, forget_word, add_word),
)


def tampered(chance: random.Random, found: Callable[[], bool], ways: Any = WAYS) -> str | None:
    """Tamper once in some way and undo it; return what was done if ``found`` did not find it."""
    noted = settings.AUDIT_HEAD.read_bytes()
    while True:
        try:
            with suppress(Unchanged), transaction.atomic():
                said = _done(chance.choice(ways), chance)
                caught = found()
                transaction.set_rollback(True)
                return None if caught else said
        finally:
            settings.AUDIT_HEAD.write_bytes(noted)


def _done(way: Callable[[random.Random], str], chance: random.Random) -> str:
    try:
        return way(chance)
    except (IntegrityError, DataError) as error:
        # The table itself does not take it: two in one place, or what is too long.
        raise Unchanged from error


def _entry(chance: random.Random) -> int:
    return int(chance.choice(ask(f"SELECT id FROM {ENTRY} ORDER BY id"))[0])


def _positions() -> list[int]:
    return [at for (at,) in ask(f"SELECT position FROM {ENTRY} ORDER BY position")]


def _shift(behind: int, by: int) -> None:
    # In two steps: no two may stand in one place meanwhile.
    do(f"UPDATE {ENTRY} SET position = position + %s WHERE position > %s", FAR, behind)
    do(f"UPDATE {ENTRY} SET position = position - %s WHERE position > %s", FAR - by, FAR)
