"""Sealing the audit log: entries get their place in the chain, whose head is noted outside the database, too."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from techtrack.accounts.domain import chain
from techtrack.accounts.domain.chain import Broken, Link
from techtrack.accounts.models import AuditCheckpoint, AuditEntry
from techtrack.accounts.services.audit import HEAD, note_deed
from techtrack.core.models import Head

SEALED_AT_ONCE = 1000
_log = logging.getLogger(__name__)


def seal_entries() -> bool:
    """Give committed entries their place in the chain, in the order in which they were written; tell whether more wait.

    Raises:
        Broken: the chain does not end where it did: nothing is sealed before somebody has looked at it.
    """
    waiting = AuditEntry.objects.filter(position=None)
    if not waiting.exists():
        return False
    with transaction.atomic():
        # From here on nobody else seals, and what others have sealed is visible.
        before = last = link_at(Head.hold(HEAD))
        rows = []
        for content in waiting.order_by("pk").values_list(*chain.COLUMNS)[:SEALED_AT_ONCE]:
            last = Link(last.position + 1, chain.hash_of(last, content))
            rows.append((last.position, last.hash, content[0]))
        if rows:
            _write_links(rows)
            Head.take_many(HEAD, len(rows))
    if rows:
        _carry_out(before, last)
    return len(rows) == SEALED_AT_ONCE


def accept_head(*, reason: str, now: datetime) -> Link:
    """Take the chain as it ends now for the right one, after a backup was restored; that is recorded, with the reason.

    Raises:
        Broken: its last entry is missing.
    """
    try:
        noted: Any = noted_head()
    except Broken as error:
        noted = error.detail
    told = {"position": noted.position, "hash": noted.hash} if isinstance(noted, Link) else noted
    note_deed(action="audit.accepted", detail={"reason": reason, "noted": told}, now=now)
    settings.AUDIT_HEAD.unlink(missing_ok=True)
    while seal_entries():
        pass
    return link_at(Head.current(HEAD))


def noted_head() -> Link | None:
    """Return the head that was noted outside the database, None where none was.

    Raises:
        Broken: the note cannot be read.
    """
    try:
        told = json.loads(settings.AUDIT_HEAD.read_text(encoding="ascii"))
        return Link(int(told["position"]), str(told["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Broken(
            f"the note of the head in {settings.AUDIT_HEAD} cannot be read ({type(error).__name__})"
        ) from error


def link_at(position: int) -> Link:
    """Return the place of the chain at ``position``.

    Raises:
        Broken: there is none (any more).
    """
    if position == 0:
        return chain.FIRST
    for kind in (AuditEntry, AuditCheckpoint):
        found = kind._default_manager.filter(position=position).values_list("hash", flat=True).first()
        if found is not None:
            return Link(position, found)
    raise Broken(f"entry {position} is missing, although it was sealed", position)


def _write_links(rows: Sequence[tuple[int, str, int]]) -> None:
    table = connection.ops.quote_name(AuditEntry._meta.db_table)
    statement = f"UPDATE {table} SET position = %s, hash = %s WHERE id = %s AND position IS NULL"  # noqa: S608 - ours
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def _carry_out(before: Link, last: Link) -> None:
    """Note the new head outside the database, unless the one noted there is not of this chain: that is evidence."""
    _log.info("audit log: entry %s is sealed as %s", last.position, last.hash)
    noted = noted_head()
    if noted is not None and noted != before and not _passed(noted):
        raise Broken(f"the log does not hold the head that was noted in {settings.AUDIT_HEAD}", noted.position)
    if noted is not None and noted.position >= last.position:
        # Who sealed after us was faster here.
        return
    path = settings.AUDIT_HEAD
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    with temporary.open("w", encoding="ascii") as file:
        file.write(json.dumps({"position": last.position, "hash": last.hash}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _passed(noted: Link) -> bool:
    """Tell whether the chain went through ``noted``, as far as it is kept: on another machine others seal, too."""
    try:
        return link_at(noted.position) == noted
    except Broken:
        return False
