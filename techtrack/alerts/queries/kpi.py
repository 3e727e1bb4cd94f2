"""How the alarm system does: what happened in a time, read in few queries and measured, and how it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Count, F, Func, Max, Q, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.db.models.sql.compiler import SQLCompiler

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.advice import Delays, Identity, Problem, problems
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.kpi import Happenings, Ints, Kind, Measures
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.alerts.models.alerts import AlertQuerySet
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND, from_micros, to_micros
from techtrack.core.errors import Invalid

MOST_EVENTS = 500_000
AT_ONCE = 20_000
# Beside what is measured: what is hidden as it is raised, and what is of no account.
SUPPRESSED, NOTHING = len(Kind), len(Kind) + 1
KINDS: dict[str, int] = {
    "raised": Kind.RAISED,
    "returned": Kind.RETURNED,
    "acknowledged": Kind.ACKNOWLEDGED,
    "suppressed": SUPPRESSED,
    **dict.fromkeys(("unsuppressed", "unshelved", "returned_to_service"), Kind.UNCOVERED),
}
WAITING = "unacknowledged"
HIDING = ("shelved", "suppressed", "out_of_service")
_RANKS = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_MIDDLE = SEVERITIES.index("medium")
_COLUMNS = (
    *("pk", "time", "wall", "kind", "after", "alert_id"),
    *("alert__rule_id", "alert__asset_id", "alert__parameter", "severity"),
)


class TooManyEvents(Invalid):
    """More happened than is measured while somebody waits."""

    code = "too_much"


@dataclass(frozen=True, slots=True)
class Standing:
    """How many alerts are what, at the moment."""

    active: int
    unacknowledged: int
    shelved: int
    suppressed: int
    out_of_service: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured; ``identities`` by their numbers, ``rules`` and ``assets`` are names of those that are told."""

    measures: Measures
    identities: Sequence[Identity]
    standing: Standing
    problems: Sequence[Problem]
    rules: dict[int, str]
    assets: dict[int, str]


def kpi(*, access: Access, site_id: int | None, span: tuple[int, int]) -> Report:
    """Measure the alerts that the caller may see, of one site or of all, in ``span`` (start <= time < end, µs).

    Raises:
        TooManyEvents: ask for a shorter time.
    """
    visible = Alert.objects.visible_to(access)
    if site_id is not None:
        visible = visible.filter(asset__site=site_id)
    events, identities = _happenings(visible.filter(late=False), span)
    measures = Measures(events, span)
    rules = {rule.pk: rule for rule in _rules(identities)}
    delays = {pk: Delays(rule.on_delay // MICROSECOND, rule.off_delay // MICROSECOND) for pk, rule in rules.items()}
    found = problems(measures, identities, delays)
    told = [identities[number] for number in _told(measures)]
    wanted = {one.asset for one in told} | {one.identity.asset for one in found if one.identity}
    assets = dict(Asset.objects.filter(pk__in=wanted).values_list("pk", "name"))
    names = {pk: rule.name for pk, rule in rules.items()}
    return Report(measures, identities, _standing(visible), found, names, assets)


class _Micros(Func):
    """A time as µs since 1970, reckoned by the database: to make a moment of each costs more than all the rest."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        # Stored as "2026-11-21 10:00:00", with a point and six digits unless they are zero.
        seconds, rest = (
            "CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER)",
            "CAST(substr(%(expressions)s, 21) AS INTEGER)",
        )
        return self.as_sql(compiler, connection, template=f"({seconds} * 1000000 + {rest})", **context)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        template = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"
        return self.as_sql(compiler, connection, template=template, **context)


def _happenings(visible: AlertQuerySet, span: tuple[int, int]) -> tuple[Happenings, list[Identity]]:
    start, end = (from_micros(edge) for edge in span)
    rows = AlertEvent.objects.filter(at__gte=start, at__lt=end, kind__in=KINDS, alert__in=visible.order_by()).order_by()
    told = rows.annotate(
        time=_Micros("at"),
        wall=_Micros("recorded_at"),
        severity=Coalesce(KT("evidence__severity"), F("alert__severity"), output_field=TextField()),
    ).values_list(*_COLUMNS)
    identities: dict[Identity, int] = {}
    blocks = [_block(_carried(visible, start), identities)]
    found = told[: MOST_EVENTS + 1].iterator(AT_ONCE)
    while chunk := list(islice(found, AT_ONCE)):
        blocks.append(_block(chunk, identities))
    table = np.concatenate(blocks, axis=1)
    if table.shape[1] > MOST_EVENTS:
        raise TooManyEvents(f"more than {MOST_EVENTS} events happened in this time: ask for less", pointer="?from")
    return _in_order(table), list(identities)


def _in_order(table: Ints) -> Happenings:
    """Make of numbers, as of ``_block``, what happened in the order in which it was recorded."""
    _, times, recorded, kinds, alerts, identities, severities, hidden = table[:, np.argsort(table[0], kind="stable")]
    # What is hidden as it is raised is so by an event of its own, written at the same moment.
    covers = kinds == SUPPRESSED
    covered = set(zip(alerts[covers].tolist(), recorded[covers].tolist(), strict=True))
    if covered:
        hidden |= [moment in covered for moment in zip(alerts.tolist(), recorded.tolist(), strict=True)]
    events = Happenings(times, recorded, kinds, alerts, identities, severities, hidden.astype(bool))
    return events.only(kinds < SUPPRESSED)


def _carried(visible: AlertQuerySet, start: datetime) -> list[tuple[Any, ...]]:
    """Return the raises of the alerts that were active when the time began, as rows of ``_COLUMNS``."""
    before = visible.filter(raised_at__lt=start).filter(Q(returned_at=None) | Q(returned_at__gte=start)).order_by()
    raised, returned = Q(events__kind="raised"), Q(events__kind="returned")
    early = Q(events__at__lt=start)
    found = before.annotate(
        since=Max("events__at", filter=raised & early), until=Max("events__at", filter=returned & early)
    ).filter(Q(until=None) | Q(until__lt=F("since")), since__isnull=False)
    rows = found.values_list("since", "pk", "rule_id", "asset_id", "parameter", "severity")
    return [(0, to_micros(since), to_micros(since), "raised", "", *row) for since, *row in rows]


def _block(rows: Sequence[Any], identities: dict[Identity, int]) -> Ints:
    """Turn rows of ``_COLUMNS`` into numbers, a column each; whose alerts they are is counted in ``identities``."""
    if not rows:
        return np.empty((8, 0), np.int64)
    keys, times, walls, kinds, after, alerts, rules, assets, parameters, severities = zip(*rows, strict=True)
    numbers = [
        identities.setdefault(identity, len(identities)) for identity in map(Identity, rules, assets, parameters)
    ]
    ranks = [_RANKS.get(severity, _MIDDLE) for severity in severities]
    hidden = [state in HIDING for state in after]
    codes = [_kind(kind, state) for kind, state in zip(kinds, after, strict=True)]
    return np.array([keys, times, walls, codes, alerts, numbers, ranks, hidden], np.int64)


def _kind(kind: str, after: str) -> int:
    """Return what is measured; what is shown again is told to people only if it waits for them."""
    found = KINDS[kind]
    return NOTHING if found == Kind.UNCOVERED and after != WAITING else found


def _told(measures: Measures) -> set[int]:
    """Return the numbers of the identities that are named in the answer."""
    return {number for number, _ in measures.loudest} | {flood.first for flood in measures.floods}


def _rules(identities: Sequence[Identity]) -> QuerySet[Rule]:
    wanted = {identity.rule for identity in identities if identity.rule is not None}
    return Rule.objects.filter(pk__in=wanted).only("name", "on_delay", "off_delay")


def _standing(visible: AlertQuerySet) -> Standing:
    def of(**facts: Any) -> Count:
        return Count("pk", filter=Q(**facts))

    counts = visible.filter(is_open=True).aggregate(
        active=of(active=True),
        unacknowledged=of(acknowledged_at=None),
        shelved=of(shelved_until__isnull=False),
        suppressed=Count("pk", filter=~Q(suppressed_by="")),
        out_of_service=of(out_of_service_until__isnull=False),
    )
    return Standing(**counts)
