"""Reads of what the platform sees of itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from techtrack.accounts.domain.access import Scope
from techtrack.accounts.models import ApiKey
from techtrack.alerts.judge import NAME as JUDGE
from techtrack.notifications import queries as notifications
from techtrack.notifications.models import LETTER, Channel, Delivery, DeliveryState
from techtrack.telemetry import queries as telemetry
from techtrack.watch.domain import facts
from techtrack.watch.domain.facts import Facts, Limits
from techtrack.watch.domain.following import Habit, Mark
from techtrack.watch.models import Check, Heartbeat

# After so long nobody expects a dead process back, and nobody mends what was given up.
REMEMBERED = timedelta(days=1)
# Beats come at two thirds of the pace of looks: who missed four of them is taken for dead.
MISSED = 3
LOCAL = {"", "localhost", "127.0.0.1", "::1"}
MIB = 1 << 20
Memories = dict[tuple[str, str], dict[str, Any]]


def moment(here: datetime) -> datetime:
    """The time by the database's clock, by which all processes are compared; ``here`` where it is this machine's."""
    if connection.vendor != "postgresql":
        return here
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def limits() -> Limits:
    """What is trouble here, as the settings say."""
    return Limits(dead=MISSED * settings.WATCH_SECONDS, disk=settings.LEAST_DISK * MIB)


def look(at: datetime) -> Facts:
    """See everything at once."""
    known: Memories = {(row.kind, row.subject): row.memory or {} for row in Check.objects.filter(memory__isnull=False)}
    # First how far the judge is: what comes in meanwhile is not its delay.
    judged = telemetry.consumed(JUDGE)
    head = telemetry.head()
    return Facts(
        at=at,
        head=head,
        judged=head if judged is None else judged,
        mark=_mark(known.get(("judge_lag", ""))),
        processes=tuple(_process(row, at) for row in heartbeats(at)),
        channels=tuple(_channels(at)),
        sources=tuple(_sources(at, known)),
        dead_letters=_dead_letters(at),
        untold=notifications.groups_put_off(),
    )


def heartbeats(at: datetime) -> list[Heartbeat]:
    """The processes of the last day."""
    return list(Heartbeat.objects.filter(beat_at__gt=at - REMEMBERED))


def troubles() -> list[Check]:
    """What is believed to be wrong at this moment."""
    return list(Check.objects.filter(active=True))


def folders() -> list[Path]:
    """The folders of this machine whose disks must not fill: ours, and the database's if it is here."""
    database = settings.DATABASES["default"]
    found = {settings.HOME}
    if connection.vendor == "sqlite":
        found.add(Path(database["NAME"]).absolute().parent)
    elif database["HOST"] in LOCAL or database["HOST"].startswith("/"):
        found |= _data_folder()
    return sorted(found)


def _data_folder() -> set[Path]:
    with connection.cursor() as cursor:
        # Not SHOW: for whoever may not know it, it is no row here and an error there.
        cursor.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
        return {Path(folder) for (folder,) in cursor.fetchall()}


def _process(row: Heartbeat, at: datetime) -> facts.Process:
    return facts.Process(
        name=str(row),
        works=row.kind != "web",
        age=max(0.0, (at - row.beat_at).total_seconds()),
        up=max(0.0, (at - row.started_at).total_seconds()),
        ended=row.ended_at is not None,
        loops=row.loops,
        disks=tuple(facts.Disk(folder, free) for folder, free in row.disks.items()),
    )


def _channels(at: datetime) -> list[facts.Channel]:
    rows = Channel.objects.filter(enabled=True).values_list("pk", "name", "failing_since")
    return [facts.Channel(pk, name, max(0.0, (at - since).total_seconds())) for pk, name, since in rows if since]


def _sources(at: datetime, known: Memories) -> list[facts.Source]:
    rows = ApiKey.objects.filter(scope=Scope.INGEST, created_by__is_active=True)
    return [
        facts.Source(pk, name, last_used, _habit(known.get(("silent_source", str(pk)))))
        for pk, name, last_used, expires in rows.values_list("pk", "name", "last_used", "expires_at")
        if last_used and (expires is None or expires > at)
    ]


def _dead_letters(at: datetime) -> int:
    # By the last attempt: a message is tried for a day before it is given up.
    rows = Delivery.objects.filter(state=DeliveryState.DEAD, next_attempt_at__gt=at - REMEMBERED)
    # Of letters about accounts many go to addresses that strangers made up.
    return rows.filter(channel__enabled=True).exclude(event=LETTER).count()


def _mark(raw: dict[str, Any] | None) -> Mark | None:
    return Mark(**raw | {"at": datetime.fromisoformat(raw["at"])}) if raw else None


def _habit(raw: dict[str, Any] | None) -> Habit | None:
    return Habit(**raw | {"seen": datetime.fromisoformat(raw["seen"])}) if raw else None
