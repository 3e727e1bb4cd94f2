"""Reads what may hide alerts: what the pure decision is made of."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from techtrack.accounts.domain.zones import check_zone
from techtrack.alerts.domain.recurrence import Recurrence
from techtrack.alerts.domain.suppression import FLOOD, FLOODING, Cause, Quiet, Scene, Span, Subject, Windows
from techtrack.alerts.models import Alert, AlertEvent, Rule, Silence, Suppression
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND, to_micros
from techtrack.core.errors import Invalid

HEAD = "hiding"
# What an alert hid returns a while after it: fifty sensors behind a gateway are not fifty alerts because it is back.
# That takes two of their readings, and this at least.
SHORTEST_PATIENCE, LONGEST_PATIENCE = timedelta(minutes=1), timedelta(days=1)
FLOOD_WINDOW = timedelta(minutes=10)
FOR_EVER = 2**62
COLUMNS = (
    "pk",
    "asset",
    "asset__parent",
    "asset__site",
    "asset__type__slug",
    "asset__tags",
    "rule__inhibited_by",
    "asset__expected_interval",
    "asset__type__expected_interval",
    "rule",
    "severity",
    "parameter",
    "condition",
    "suppressed_by",
)
FLAGS = ("is_open", "active", "worked", "silenced")
_PARENT = len(FLAGS) + COLUMNS.index("asset__parent")
_log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """An alert as the decision needs it, and whether there is work or a silence that may hide it."""

    subject: Subject
    is_open: bool
    active: bool
    worked: bool
    silenced: bool


def look(rows: QuerySet[Alert], *, now: datetime) -> list[Seen]:
    """Return what matters of alerts: one query, and one per level of the assets above theirs."""
    worked = _live_work(now).filter(asset=OuterRef("asset"))
    may = {"worked": Exists(worked), "silenced": Exists(_live_silences(now))}
    # Columns, and not objects: there may be thousands, and mostly all is as it should be.
    found = list(rows.annotate(**may).values_list(*FLAGS, *COLUMNS))
    parents = _parents({row[_PARENT] for row in found if row[_PARENT]})
    return [Seen(_subject(row[len(FLAGS) :], parents), *row[: len(FLAGS)]) for row in found]


def candidates(*, now: datetime) -> QuerySet[Alert]:
    """Return the alerts that are hidden, or that something might hide now."""
    active = Q(active=True, rule__isnull=False)
    if not _live_silences(now).exists():
        work = Q(asset__in=_live_work(now).values("asset"))
        inhibited = Q(rule__in=Rule.objects.exclude(inhibited_by=[]).values("pk"))
        active &= Q(asset__parent__isnull=False) | work | inhibited
    return Alert.objects.filter(~Q(suppressed_by="") | active).order_by("pk")


def scene(seen: Sequence[Seen], *, now: datetime, raised: Collection[int]) -> Scene:
    """Read what hides these alerts, of which some were just ``raised``; what none of them asks for is not read."""
    found = [one.subject for one in seen]
    explained = [subject for subject in found if subject.rule and (subject.above or subject.inhibited_by)]
    worked = {one.subject.asset for one in seen if one.worked}
    silenced = any(one.silenced for one in seen)
    return Scene(
        causes=_causes(explained, now) if explained else {},
        work=_work(worked, now) if worked else {},
        quiets=[quiet for quiet in quiets(now) if quiet.windows.covers(to_micros(now))] if silenced else (),
        flooding=_flooding(found, now, raised),
    )


def quiets(now: datetime) -> list[Quiet]:
    """Return the silences and maintenance windows that are not over; one that cannot be read hides nothing."""
    found = []
    for row in _not_over(now).order_by("pk"):
        try:
            found.append(Quiet.of(row.pk, row.site_id, timetable(row), row.matchers))
        except Invalid:
            # Such as a zone that the system has no longer: one row must not stop the judge for all.
            _log.exception("silence %s cannot be read and hides nothing", row.pk)
    return found


def next_change(*, now: datetime) -> int | None:
    """Return when next a window begins or ends (µs), of silences or work."""
    at = to_micros(now)
    windows = chain((quiet.windows for quiet in quiets(now)), _spans(now))
    changes = (one.next_change(at) for one in windows)
    return min((change for change in changes if change is not None and change < FOR_EVER), default=None)


def timetable(silence: Silence) -> Windows:
    """Return when a silence holds.

    Raises:
        Invalid: its rule or zone is none.
    """
    end = to_micros(silence.ends_at) if silence.ends_at else FOR_EVER
    check_zone(silence.timezone, pointer="/timezone")
    if not silence.rrule:
        return Span(to_micros(silence.starts_at), end)
    return _recurrence(silence.rrule, silence.starts_at, silence.duration or timedelta(0), silence.timezone, end)


@lru_cache(maxsize=1000)
def _recurrence(rrule: str, starts_at: datetime, duration: timedelta, zone: str, end: int) -> Recurrence:
    local = starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return replace(Recurrence.of(rrule, start=local, duration=duration, zone=zone), until=end)


def _not_over(now: datetime) -> QuerySet[Silence]:
    return Silence.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now))


def _live_silences(now: datetime) -> QuerySet[Silence]:
    return _not_over(now).filter(starts_at__lte=now)


def _live_work(now: datetime) -> QuerySet[Suppression]:
    return Suppression.objects.filter(Q(until=None) | Q(until__gt=now), starts_at__lte=now)


def _spans(now: datetime) -> list[Span]:
    rows = Suppression.objects.filter(Q(until__gt=now) | Q(starts_at__gt=now)).values_list("starts_at", "until")
    return [Span(to_micros(start), to_micros(until) if until else FOR_EVER) for start, until in rows]


def _work(assets: Collection[int], now: datetime) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    rows = _live_work(now).filter(asset__in=assets).order_by("pk")
    for asset, by in rows.values_list("asset", "by"):
        found[asset].append(by)
    return found


def _parents(assets: set[int]) -> dict[int, int | None]:
    """Return the parent of each of ``assets`` and of all that is above."""
    known: dict[int, int | None] = {}
    while assets:
        known |= dict(Asset.objects.filter(pk__in=assets).values_list("pk", "parent_id"))
        assets = {parent for parent in known.values() if parent} - set(known)
    return known


def _subject(row: tuple[Any, ...], parents: dict[int, int | None]) -> Subject:
    """Make one of COLUMNS."""
    alert, asset, parent, site, slug, tags, inhibited_by, interval, usual, *rest = row
    patience = min(max(2 * (interval or usual or timedelta(0)), SHORTEST_PATIENCE), LONGEST_PATIENCE)
    above: list[int] = []
    while parent and parent not in above:
        above.append(parent)
        parent = parents.get(parent)
    sets = frozenset(tags), frozenset(inhibited_by or ())
    return Subject(alert, asset, tuple(above), site, slug, *sets, patience // MICROSECOND, *rest)


def _causes(found: Sequence[Subject], now: datetime) -> dict[int, list[Cause]]:
    """Return by asset the active alerts there, and those that have just returned and hide some of ``found``."""
    assets = {asset for subject in found for asset in subject.above}
    assets |= {subject.asset for subject in found if subject.inhibited_by}
    wanted = Q(asset__in=assets, active=True)
    hiders = [subject.hidden_by.partition(":") for subject in found]
    alerts = [int(number) for kind, _, number in hiders if kind == "alert"]
    rules = [int(number) for kind, _, number in hiders if kind == "rule"]
    if alerts or rules:
        returned = Q(active=False, returned_at__isnull=False, updated_at__gt=now - LONGEST_PATIENCE)
        wanted |= Q(returned, pk__in=alerts) | Q(returned, rule__in=rules, asset__in=assets)
    causes: dict[int, list[Cause]] = defaultdict(list)
    rows = Alert.objects.filter(wanted, late=False).order_by("pk")
    columns = ("active", "updated_at", "pk", "asset", "rule", "condition")
    for active, changed, pk, asset, rule, condition in rows.values_list(*columns):
        gone = None if active else (now - changed) // MICROSECOND
        causes[asset].append(Cause(pk, asset, rule, condition, gone))
    return causes


def _flooding(found: Sequence[Subject], now: datetime, raised: Collection[int]) -> set[int]:
    """Return which of ``raised`` are more than an asset may raise in a while, and what is a flood until it calms."""
    new = {subject.alert for subject in found if subject.severity in FLOODING and subject.alert in raised}
    held = {subject.alert: subject.asset for subject in found if subject.hidden_by == FLOOD}
    if not new and not held:
        return set()
    happened: dict[int, list[int]] = defaultdict(list)
    assets = {subject.asset for subject in found if subject.alert in new or subject.alert in held}
    rows = AlertEvent.objects.filter(kind="raised", recorded_at__gt=now - FLOOD_WINDOW, alert__asset__in=assets)
    for asset, alert in rows.order_by("pk").values_list("alert__asset", "alert"):
        happened[asset].append(alert)
    further = {alert for alerts in happened.values() for alert in alerts[settings.FLOOD_RAISES :]}
    wild = {asset for asset, alerts in happened.items() if len(alerts) > settings.FLOOD_RAISES}
    return (new & further) | {alert for alert, asset in held.items() if asset in wild}
