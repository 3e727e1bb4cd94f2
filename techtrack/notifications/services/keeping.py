"""Keeps what messages refer to from being deleted until commit; who changes it, as the judge does, waits for nobody.

PostgreSQL alone needs it: with SQLite others write one after the other. Everybody who writes messages takes routes
before groups, then alerts, then channels, as whoever deletes one of these locks it before what hangs on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import connection

from techtrack.notifications.models import Group

# A share of the key stands in the way of a deletion, not of an UPDATE.
_KEEP_CHANNELS = "SELECT id FROM notifications_channel WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
_KEEP_ALERTS = "SELECT id FROM alerts_alert WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
# Nobody waits for a route that is being deleted: what it was to tell goes with it.
_KEEP_ROUTES = "SELECT id FROM notifications_route WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE SKIP LOCKED"
# Those that are told of now: a group that lives long has had thousands.
_CONCERNED = """
SELECT id FROM alerts_alert
WHERE id IN (SELECT alert_id FROM notifications_notice WHERE group_id = ANY(%s) AND told_at IS NULL)
   OR active AND id IN (SELECT alert_id FROM notifications_notice WHERE group_id = ANY(%s))
ORDER BY id FOR KEY SHARE
"""
# Two tellers, of whatever routes, that tell of one alert: the second sees which channels the first has told. A lock of
# their own, which nobody who judges or deletes asks for; so many places, as each takes room in the database's memory.
_MEET = """
SELECT pg_advisory_xact_lock(%s::int, place)
FROM (SELECT DISTINCT (id %% 64)::int AS place FROM alerts_alert WHERE id = ANY(%s) ORDER BY place) AS places
"""
_TELLING = 0x7E11


def keep_routes(pks: Iterable[int]) -> set[int]:
    """Keep routes; return those that are there, and not about to go."""
    wanted = sorted(set(pks))
    return set(_run(_KEEP_ROUTES, [wanted])) if connection.vendor == "postgresql" else set(wanted)


def keep_alerts(pks: Collection[int]) -> None:
    """Keep alerts."""
    if connection.vendor == "postgresql" and pks:
        _run(_KEEP_ALERTS, [list(pks)])


def keep_alerts_of(groups: Iterable[Group]) -> None:
    """Keep the alerts of which groups tell, and let one teller at a time tell of each."""
    if connection.vendor != "postgresql":
        return
    pks = [group.pk for group in groups]
    found = _run(_CONCERNED, [pks, pks])
    _run(_MEET, [_TELLING, found])


def keep_channels(pks: Iterable[int]) -> set[int]:
    """Keep channels, and so the people whose they are: their deletion begins there. Return those that are there."""
    wanted = sorted(set(pks))
    return set(_run(_KEEP_CHANNELS, [wanted])) if connection.vendor == "postgresql" else set(wanted)


def _run(statement: str, parameters: list[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [row[0] for row in cursor.fetchall()]
