"""Writes of the audit log: entries in the transaction of their cause, forgetting people, and what is too old."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Max

from techtrack.accounts.domain import chain
from techtrack.accounts.events import AuditNoted, LoggedIn
from techtrack.accounts.models import AuditCheckpoint, AuditEntry, AuditWord
from techtrack.core import acting, events
from techtrack.core.auditing import Changed, Denied, SecurityFact
from techtrack.core.clock import to_micros
from techtrack.core.http import current_request_id
from techtrack.core.models import Head

HEAD = "audit"
ANONYMOUS = "anonymous"
LONGEST_TEXT = 4000
FORGOTTEN_AT_ONCE = 10_000
# By hand: it goes along with every write, and the query builder would take as long again as the change itself.
_INSERT = f"""
    INSERT INTO accounts_auditentry (hash, {", ".join(chain.COLUMNS[1:])})
    VALUES ('', {", ".join(["%s"] * (len(chain.COLUMNS) - 1))}) RETURNING id
"""  # noqa: S608 - the names are ours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    action: str
    object_type: str = ""
    object_id: str = ""
    site_id: int | None = None
    person_id: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


def note_change(*, fact: Changed, now: datetime) -> None:
    """Record that a row was created, changed or removed; the caller's transaction carries it."""
    words: dict[str, tuple[str, str]] = {}
    note = _Note(
        action=f"{fact.object_type}.{fact.kind}",
        object_type=fact.object_type,
        object_id=fact.object_id,
        site_id=fact.site_id,
        person_id=fact.person_id,
        before=_without_names(fact.before, fact, words),
        after=_without_names(fact.after, fact, words),
    )
    number = _write(note, acting.current(), now)
    if words:
        AuditWord.objects.bulk_create(
            AuditWord(digest=digest, entry_id=number, person_id=fact.person_id or 0, salt=salt, value=value)
            for digest, (salt, value) in words.items()
        )


def note_security(*, fact: SecurityFact, now: datetime) -> None:
    """Record what happened to somebody's way in."""
    actor = acting.current()
    if isinstance(fact, LoggedIn) and actor.principal == ANONYMOUS:
        actor = replace(actor, principal=f"user:{fact.user_id}")
    note = _Note(action=fact.action, after=fact.detail)
    _write(note if fact.user_id is None else _about(note, fact.user_id), actor, now)


def note_denied(*, fact: Denied, now: datetime) -> None:
    """Record that a known caller was refused a write."""
    told = {"method": fact.method, "path": fact.path, "detail": fact.detail}
    _write(_Note(action="write.denied", after=told), fact.actor, now)


def note_deed(*, action: str, detail: Mapping[str, Any], now: datetime) -> None:
    """Record something done to the log itself."""
    _write(_Note(action=action, object_type="audit", after=detail), acting.current(), now)


@transaction.atomic
def forget_person_in_audit(*, user_id: int, now: datetime) -> None:
    """Erase a person's words; the entries stay, by number, and so does the proof that nothing else is missing."""
    AuditWord.objects.filter(person_id=user_id).delete()
    _write(_about(_Note(action="user.forgotten"), user_id), acting.current(), now)


def forget_old_entries(*, now: datetime) -> bool:
    """Delete entries older than AUDIT_DAYS, some at a time; tell whether more are due.

    A checkpoint remembers the hash up to which they were, so that the rest can still be verified.
    """
    if not settings.AUDIT_DAYS:
        return False
    limit = to_micros(now - timedelta(days=settings.AUDIT_DAYS))
    due = AuditEntry.objects.filter(position__isnull=False, at__lt=limit).order_by("position")
    if not due.exists():
        return False
    with transaction.atomic():
        Head.hold(HEAD)
        some = due.values("position")[:FORGOTTEN_AT_ONCE]
        last = AuditEntry.objects.filter(position__in=some).aggregate(last=Max("position"))["last"]
        _cut(last, AuditEntry.objects.values_list("hash", flat=True).get(position=last), now)
    return due.exists()


def _cut(position: int, found: str, now: datetime) -> None:
    checkpoint = AuditCheckpoint.objects.create(position=position, hash=found, at=to_micros(now))
    AuditCheckpoint.objects.filter(position__lt=checkpoint.position).delete()
    gone = AuditEntry.objects.filter(position__lte=checkpoint.position)
    AuditWord.objects.filter(entry_id__in=gone.values("pk")).delete()
    gone.delete()
    note_deed(action="audit.shortened", detail=told_of(checkpoint), now=now)


def told_of(checkpoint: AuditCheckpoint) -> dict[str, Any]:
    """Return what the log itself says of a checkpoint."""
    return {"position": checkpoint.position, "hash": checkpoint.hash, "at": checkpoint.at}


def _about(note: _Note, user_id: int) -> _Note:
    return replace(note, object_type="user", object_id=str(user_id), person_id=user_id)


def _write(note: _Note, actor: acting.Actor, now: datetime) -> int:
    """Add an entry and return its id."""
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                to_micros(now),
                actor.principal,
                actor.session[:64],
                actor.via[:64],
                actor.address[:64],
                _printable(actor.agent)[:200],
                current_request_id(),
                note.action,
                note.object_type,
                note.object_id,
                note.site_id,
                note.person_id,
                _text(note.before),
                _text(note.after),
            ],
        )
        number = int(cursor.fetchone()[0])
    events.publish(AuditNoted())
    return number


def _without_names(image: Mapping[str, Any], fact: Changed, words: dict[str, tuple[str, str]]) -> dict[str, Any]:
    told = dict(image)
    for name in fact.personal & told.keys():
        value = told[name]
        if fact.person_id is not None and value:
            salt = secrets.token_hex(16)
            digest = chain.commitment(salt, fact.person_id, str(value))
            words[digest] = salt, str(value)
            told[name] = f"{chain.PERSONAL}{digest}"
    return told


def _text(values: Mapping[str, Any]) -> str:
    short = {name: _short(value) for name, value in values.items()}
    return json.dumps(short, cls=DjangoJSONEncoder, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _short(value: Any) -> Any:
    return f"{value[:LONGEST_TEXT]}…" if isinstance(value, str) and len(value) > LONGEST_TEXT else value


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())
