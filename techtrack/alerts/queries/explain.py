"""Why an alert is there: the evidence that is kept of it, gathered anew for whoever asks. No guessing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.evidence import Extreme, Origin, condition_of, origin_of, parameters_of, rises
from techtrack.alerts.domain.kpi import Ints
from techtrack.alerts.domain.tidings import TELLINGS
from techtrack.alerts.domain.wording import RETURNED, Aside, Escalated, Facts, sentence
from techtrack.alerts.models import Alert, AlertEvent, Rule, RuleRevision
from techtrack.alerts.queries.hiders import hiders
from techtrack.assets.domain.units import sign
from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros, read_duration, to_micros
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.gaps import Fill
from techtrack.telemetry.domain.windows import Interval, nice_interval

UTC = ZoneInfo("UTC")
MOST_POINTS = 500
# Of the first and the last bucket of a span often only a part lies in it.
MOST_BUCKETS = MOST_POINTS - 2
MOST_SERIES = 5
MOST_EVENTS = 200
MOST_SIMILAR = 5
MOST_OTHERS = 20
# What is shown before the condition began to hold: as long as the alert lasted, within bounds.
LEAST_BEFORE, MOST_BEFORE = timedelta(minutes=10), timedelta(days=1)
# Alerts that come so soon after may have the same cause.
TOGETHER = timedelta(minutes=10)
_MEASURED = {"raised", "severity_changed"}


@dataclass(frozen=True, slots=True)
class Held:
    """A condition that held, from ``since`` on."""

    since: datetime
    condition: str
    severity: str
    limit: float | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One series around the alert: readings as they came (``interval`` None), or buckets of minimum, maximum, average.

    ``columns`` start with times (µs).
    """

    parameter: str
    unit: str
    interval: Interval | None
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Precedent:
    """A similar alert of the past, with what people said, and the tasks that are known to belong to it."""

    alert: Alert
    alike: str
    comments: list[str] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of why an alert is there; ``span`` (µs) is what ``lines`` show, ``rule`` its rule's name.

    ``ended`` says what made it return, None while it is active.
    """

    alert: Alert
    sentence: str
    rule: str | None
    hidden: list[Aside]
    escalated: list[Escalated]
    ended: str | None
    definition: dict[str, Any]
    held: list[Held]
    origin: Origin | None
    span: tuple[int, int]
    worst: Extreme | None
    lines: list[Line]
    unreadable: list[telemetry.Unreadable]
    events: list[AlertEvent]
    precedents: list[Precedent]
    others: list[Alert]


@dataclass(frozen=True, slots=True)
class _Episode:
    """The last time the alert was raised; ``until`` is None while it is active, ``over`` tells of how it ended."""

    since: datetime
    raised_at: datetime
    until: datetime | None
    held: list[Held]
    escalated: list[Escalated]
    over: AlertEvent | None


def explain(*, alert: Alert, access: Access, now: datetime, zone: tzinfo | None = None) -> Explanation:
    """Gather the evidence of an alert that the caller may see; what it may not see beside it is left out.

    Times in the sentence are those of ``zone``, of the asset's site unless said.
    """
    definition = _definition(alert, access)
    events = _events(alert)
    episode = _episode(alert, events, definition)
    held = episode.held[-1]
    condition = condition_of(definition, held.condition, held.severity)
    span = _span(episode, now)
    codes = parameters_of(alert.parameter, condition, definition)[:MOST_SERIES]
    with telemetry.looking([alert.asset_id], span) as lost:
        subject = telemetry.subjects(Asset.objects.filter(pk=alert.asset_id))[0]
        lines = list(_lines(subject, codes, span, now))
        highest = rises(held.condition, limit=held.limit, value=held.value)
        worst = _worst(subject, codes, (episode.since, episode.until or now), highest=highest)
    origin = origin_of(condition, alert.asset.attributes, limit=held.limit, value=held.value)
    hidden = _hidden(alert, access)
    facts = Facts(
        parameter=" and ".join(codes),
        units={line.parameter: sign(line.unit or "") for line in lines},
        zone=zone or ZoneInfo(subject.zone or "UTC"),
        rule=_rule_name(alert, definition, held),
        revision=alert.revision,
        kind=held.condition,
        condition=condition,
        definition=definition,
        limit=held.limit,
        value=held.value,
        origin=origin,
        since=held.since,
        raised_at=max(episode.raised_at, held.since),
        until=episode.until,
        worst=worst,
        title=alert.title,
        reporter=_reporter(events),
        late=alert.late,
        ended=_ended(alert, episode.over),
        escalated=episode.escalated,
        hidden=hidden,
    )
    return Explanation(
        alert=alert,
        sentence=sentence(facts),
        rule=facts.rule,
        hidden=hidden,
        escalated=episode.escalated,
        ended=facts.ended if episode.until else None,
        definition=definition,
        held=episode.held,
        origin=origin,
        span=span,
        worst=worst,
        lines=lines,
        unreadable=list(lost),
        events=events,
        precedents=_precedents(alert, access),
        others=_others(alert, access, episode),
    )


# -- The rule -------------------------------------------------------------------------------------------------


def _definition(alert: Alert, access: Access) -> dict[str, Any]:
    """Return the rule as it was when it raised the alert, empty where nobody knows.

    Its scope may name assets of other sites: it is left out for those who may not see the rule.
    """
    if alert.rule is None:
        return {}
    number = alert.revision or alert.rule.revision
    kept = RuleRevision.objects.filter(rule=alert.rule_id, number=number).values_list("definition", flat=True).first()
    found: dict[str, Any] = kept or (alert.rule.definition if number == alert.rule.revision else {})
    if Rule.objects.visible_to(access).filter(pk=alert.rule.pk).exists():
        return found
    return {name: value for name, value in found.items() if name not in {"scope", "inhibited_by"}}


def _rule_name(alert: Alert, definition: Mapping[str, Any], held: Held) -> str | None:
    """Return the name of the rule; an alert of one that is gone has it as its title; None where people reported."""
    if alert.rule is not None:
        return str(definition.get("name") or alert.rule.name)
    return alert.title if held.condition else None


# -- What happened --------------------------------------------------------------------------------------------


def _events(alert: Alert) -> list[AlertEvent]:
    """Return the newest events, oldest first; who was told of them, again and again, explains nothing."""
    rows = AlertEvent.objects.filter(alert=alert).exclude(kind__in=TELLINGS)
    rows = rows.select_related("actor", "alert__asset").order_by("-pk")
    return list(rows[:MOST_EVENTS])[::-1]


def _episode(alert: Alert, events: Sequence[AlertEvent], definition: Mapping[str, Any]) -> _Episode:
    raises = [place for place, event in enumerate(events) if event.kind == "raised"]
    recent = events[raises[-1] :] if raises else []
    raised_at = recent[0].at if recent else alert.raised_at
    delay = read_duration(str(definition.get("on_delay") or "PT0S")) or timedelta(0)
    held = [_held(alert, event) for event in recent if event.kind in _MEASURED and event.evidence.get("condition")]
    if held:
        held[0] = Held(held[0].since - delay, *_of(held[0]))
    else:
        held = [Held(raised_at - delay, alert.condition, alert.severity, alert.limit, alert.value)]
    until = None if alert.active else alert.returned_at
    over = next((event for event in reversed(recent) if event.kind == "returned"), None) if until else None
    graver = [_graver(event) for event in recent if event.kind == "escalated"]
    return _Episode(held[0].since, raised_at, until, held, graver, over)


def _held(alert: Alert, event: AlertEvent) -> Held:
    told = event.evidence
    return Held(event.at, told["condition"], told.get("severity", alert.severity), told.get("limit"), told.get("value"))


def _of(held: Held) -> tuple[str, str, float | None, float | None]:
    return held.condition, held.severity, held.limit, held.value


def _graver(event: AlertEvent) -> Escalated:
    before, after = (event.evidence.get(side, {}).get("severity", "") for side in ("before", "after"))
    return Escalated(event.at, before, after)


def _ended(alert: Alert, over: AlertEvent | None) -> str:
    """Say what made it return: mostly a reading; else its rule no longer looked at it, which is no good news."""
    if over is None or over.evidence or over.actor_id or not over.comment:
        return RETURNED
    if over.comment.startswith("the rule was "):
        return f"its {over.comment.removeprefix('the ')}"
    kept = RuleRevision.objects.filter(rule=alert.rule_id, created_at__lte=over.recorded_at).order_by("-number")
    definition = kept.values_list("definition", flat=True).first() if alert.rule_id else None
    off = definition is not None and definition.get("enabled") is False
    return "its rule was switched off" if off else "its rule no longer watched the asset"


def _hidden(alert: Alert, access: Access) -> list[Aside]:
    """Return what hides an alert, in the order in which its state tells of it."""
    found = []
    for how, until, by, reason in (
        ("out_of_service", alert.out_of_service_until, alert.out_of_service_by, alert.out_of_service_reason),
        ("shelved", alert.shelved_until, alert.shelved_by, alert.shelve_reason),
    ):
        if until is not None:
            found.append(Aside(how, by.username if by else "", until, reason))
    if alert.suppressed_by:
        found.append(Aside("suppressed", hiders([alert], access)[alert.suppressed_by]))
    return found


def _reporter(events: Sequence[AlertEvent]) -> str | None:
    first = next((event for event in events if event.kind == "raised"), None)
    return first.actor.username if first and first.actor else None


# -- Readings -------------------------------------------------------------------------------------------------


def _span(episode: _Episode, now: datetime) -> tuple[int, int]:
    end = max(episode.until or now, episode.raised_at)
    before = min(max(end - episode.since, LEAST_BEFORE), MOST_BEFORE)
    # What came at the moment of the end belongs to it.
    return to_micros(episode.since - before), to_micros(end) + 1


def _lines(subject: telemetry.Subject, codes: Sequence[str], span: tuple[int, int], now: datetime) -> Iterator[Line]:
    if not codes:
        return
    found = {one.code: one for one in _buckets(subject, codes, span, ("min", "max", "avg"))}
    few = [code for code, one in found.items() if one.count.sum() <= MOST_POINTS]
    drawn = telemetry.thinned([subject.id], codes=few, span=span, points=MOST_POINTS) if few else {}
    units = telemetry.units([(subject, code) for code in codes])
    for code in codes:
        unit = units[subject.id, code]
        if (subject.id, code) in drawn:
            times, values = drawn[subject.id, code]
            yield Line(code, unit, None, {"time": times, "value": values})
        elif code in found:
            interval = nice_interval(span[1] - span[0], points=MOST_BUCKETS)
            yield Line(code, unit, interval, {"start": found[code].starts, **found[code].columns})
        else:
            yield Line(code, unit, None, {"time": np.empty(0, np.int64), "value": np.empty(0)})


def _buckets(
    subject: telemetry.Subject, codes: Sequence[str], span: tuple[int, int], statistics: Sequence[str]
) -> list[telemetry.SeriesBuckets]:
    interval = nice_interval(span[1] - span[0], points=MOST_BUCKETS)
    question = telemetry.Question([subject], codes, span, interval, UTC, statistics, Fill.NONE, span[1])
    return telemetry.history(question)


def _worst(
    subject: telemetry.Subject, codes: Sequence[str], between: tuple[datetime, datetime], *, highest: bool | None
) -> Extreme | None:
    """Return the reading furthest on the wrong side; the bucket that holds it is read reading by reading."""
    span = to_micros(between[0]), to_micros(between[1]) + 1
    if highest is None or len(codes) != 1 or span[0] >= span[1]:
        return None
    side = "max" if highest else "min"
    found = _buckets(subject, codes, span, (side,))
    # A direction has no highest value.
    if not found or np.isnan(found[0].columns[side]).all():
        return None
    starts, values = found[0].starts, found[0].columns[side]
    place = int(values.argmax() if highest else values.argmin())
    value, bucket = float(values[place]), _bucket(starts, place, span)
    drawn = telemetry.thinned([subject.id], codes=codes, span=bucket, points=MOST_POINTS)
    times, inside = drawn.get((subject.id, codes[0]), (starts[:0], values[:0]))
    there = times[inside == value]
    # Where readings are no longer kept, or cannot be read, the bucket is all that is known of when it was.
    return Extreme(value, from_micros(int(there[0]) if len(there) else bucket[0]), highest)


def _bucket(starts: Ints, place: int, span: tuple[int, int]) -> tuple[int, int]:
    end = int(starts[place + 1]) if place + 1 < len(starts) else span[1]
    return max(int(starts[place]), span[0]), end


# -- Other alerts ---------------------------------------------------------------------------------------------


def _precedents(alert: Alert, access: Access) -> list[Precedent]:
    """Return earlier alerts of the same identity, then of the same rule with assets of the same type; newest first."""
    past = Alert.objects.visible_to(access).filter(raised_at__lt=alert.raised_at).exclude(pk=alert.pk)
    rows = past.select_related("asset", "acknowledged_by").order_by("-raised_at", "-pk")
    mine = Q(rule=alert.rule_id, asset=alert.asset_id, parameter=alert.parameter)
    if alert.rule_id is None:
        # Of rules that are gone, and of what people report, the title says what it was.
        mine &= Q(title=alert.title)
    same = rows.filter(mine)[:MOST_SIMILAR]
    akin = rows.none()
    if alert.rule_id is not None and alert.asset.type_id is not None:
        akin = rows.filter(rule=alert.rule_id, asset__type=alert.asset.type_id).exclude(mine)[:MOST_SIMILAR]
    found = [*(Precedent(one, "identity") for one in same), *(Precedent(one, "type") for one in akin)]
    _tell_apart(found)
    return found


def _tell_apart(found: Sequence[Precedent]) -> None:
    """Add what is known of each from its events: what people said, and tasks that its evidence names."""
    told: dict[int, Precedent] = {one.alert.pk: one for one in found}
    worth = ~Q(comment="") | Q(evidence__has_key="task") | Q(kind="suppressed")
    rows = AlertEvent.objects.filter(worth, alert__in=told).order_by("pk") if told else ()
    for event in rows:
        one = told[event.alert_id]
        if event.comment:
            one.comments.append(event.comment)
        one.tasks.extend(task for task in _tasks(event.evidence) if task not in one.tasks)


def _tasks(evidence: Mapping[str, Any]) -> list[int]:
    after = evidence.get("after")
    kind, _, number = str(after.get("suppressed_by", "") if isinstance(after, Mapping) else "").partition(":")
    found = [int(number)] if kind == "task" and number.isdigit() else []
    return [*found, evidence["task"]] if isinstance(evidence.get("task"), int) else found


def _others(alert: Alert, access: Access, episode: _Episode) -> list[Alert]:
    """Return the alerts that were active when this one was raised, or followed soon, by when they were; first first.

    Of its own asset first, then of its site.
    """
    at, soon = episode.raised_at, episode.raised_at + TOGETHER
    there = Alert.objects.visible_to(access).exclude(pk=alert.pk).select_related("asset")
    there = there.filter(Q(active=True) | Q(returned_at__gte=at), raised_at__lte=soon).order_by("raised_at", "pk")
    near = there.filter(asset=alert.asset_id)[:MOST_OTHERS]
    site = alert.asset.site_id
    around = there.filter(asset__site=site).exclude(asset=alert.asset_id)[:MOST_OTHERS] if site else ()
    return list(chain(near, around))[:MOST_OTHERS]


def duration_of(alert: Alert) -> timedelta | None:
    """Return how long an alert lasted, None while it does."""
    return alert.returned_at - alert.raised_at if alert.returned_at and not alert.active else None
