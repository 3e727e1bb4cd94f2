"""What the audit log tells, as people read it: with names and personal words as far as they are still known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from techtrack.accounts.domain import chain
from techtrack.accounts.models import ApiKey, AuditEntry, AuditWord, User
from techtrack.core.clock import from_micros, isoformat

READ_AT_ONCE = 1000
_PLAIN = ("actor", "session", "via", "address", "agent", "request_id", "action", "object_type", "object_id")


def told(entries: Sequence[AuditEntry]) -> list[dict[str, Any]]:
    """Return entries as they are shown."""
    names = _names({entry.actor for entry in entries})
    digests = {word for entry in entries for word in chain.mentioned(entry.before) | chain.mentioned(entry.after)}
    words = dict(AuditWord.objects.filter(pk__in=digests).values_list("digest", "value")) if digests else {}
    return [_told(entry, names, words) for entry in entries]


def all_told(entries: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    """Yield every one of ``entries`` in the order in which they were written, some at a time: the log may be long."""
    rows, last = entries.order_by("pk"), 0
    while some := list(rows.filter(pk__gt=last)[:READ_AT_ONCE]):
        yield from told(some)
        last = some[-1].pk


def told_of_person(user_id: int) -> Iterator[dict[str, Any]]:
    """Yield what the log tells that a person did, for that person."""
    return all_told(AuditEntry.objects.filter(actor=f"user:{user_id}"))


def _told(entry: AuditEntry, names: dict[str, str], words: dict[str, str]) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "position": entry.position,
        "at": isoformat(from_micros(entry.at)),
        **{name: getattr(entry, name) for name in _PLAIN},
        "actor_name": names.get(entry.actor),
        "site": entry.site_id,
        "before": _read(entry.before, words),
        "after": _read(entry.after, words),
        "hash": entry.hash or None,
    }


def _read(text: str, words: dict[str, str]) -> Any:
    try:
        return chain.resolved(json.loads(text), words)
    except ValueError:
        # Somebody has been at it: verifying tells that, and whoever looks should see what stands there.
        return {"unreadable": text}


def _names(actors: Iterable[str]) -> dict[str, str]:
    ids: dict[str, set[int]] = {"user": set(), "key": set()}
    for actor in actors:
        kind, _, number = actor.partition(":")
        if number.isdigit() and kind in ids:
            ids[kind].add(int(number))
    users = User.objects.filter(pk__in=ids["user"]).values_list("pk", "username") if ids["user"] else []
    keys = ApiKey.objects.filter(pk__in=ids["key"]).values_list("pk", "name") if ids["key"] else []
    return {f"user:{pk}": name for pk, name in users} | {f"key:{pk}": name for pk, name in keys}
