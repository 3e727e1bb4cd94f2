"""Reads of what telemetry and alerts say of repairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

import numpy as np

from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND, from_micros, isoformat, read_duration, to_micros
from techtrack.tasks.domain.evidence import SETTLING, Episode, Found, Sightings, looks
from techtrack.tasks.domain.proving import Terms, Violation
from techtrack.tasks.models import UNDER_WAY, Proof
from techtrack.tasks.queries.counting import Sign, holding, sign_of
from techtrack.telemetry import queries as telemetry

RUN, PATIENCE = timedelta(hours=1), timedelta(days=7)
MOST_READINGS = 20_000
MOST_EVENTS = 1_000


def due(now: datetime, limit: int) -> Sequence[Proof]:
    """Return proofs that are to be followed, with all that is looked at."""
    rows = Proof.objects.filter(phase__in=UNDER_WAY, look_at__lte=now, task__deleted_at=None)
    rows = rows.select_related("asset__type", "asset__state", "rule", "task")
    return list(rows.order_by("look_at", "pk")[:limit])


def under_way(*, rule_id: int, asset_id: int) -> Proof | None:
    """Return a proof that an alert of the rule at the asset would refute."""
    rows = Proof.objects.filter(rule=rule_id, asset=asset_id, phase__in=UNDER_WAY, task__deleted_at=None)
    return rows.select_related("asset__type", "rule", "task").order_by("since", "pk").first()


def terms_of(proof: Proof) -> Terms:
    """Return what is demanded: of the task itself, else of its rule, else as usual."""
    run, patience = usual_terms(proof.rule)
    run, patience = proof.run or run, proof.patience or patience
    gap = holding(proof.asset) if proof.asset else timedelta(minutes=10)
    return Terms(run // MICROSECOND, max(run, patience) // MICROSECOND, gap // MICROSECOND)


def usual_terms(rule: Rule | None) -> tuple[timedelta, timedelta]:
    """Return how long an asset is to run, and within what time, where a task says nothing of its own."""
    run, patience = (read_duration(str(_wish(rule).get(name, ""))) or None for name in ("run", "within"))
    run = run or RUN
    return run, max(patience or PATIENCE, run)


def is_wanted(rule: Rule) -> bool:
    """Tell whether repairs of what a rule finds are to be proved: all are, unless the rule says no."""
    return _wish(rule).get("wanted") is not False


def _wish(rule: Rule | None) -> Mapping[str, Any]:
    """Return what a rule says of it; of what was stored in another form, nothing."""
    wish = (rule.open_task or {}).get("verify") if rule is not None else None
    return wish if isinstance(wish, dict) else {}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen and judged; ``more``: there are more readings."""

    found: Found
    more: bool


def seen(proof: Proof, *, now: datetime) -> Evidence | None:
    """Look at what came since a proof (with asset, state and rule) was last followed; None where nobody judges it."""
    asset, rule = proof.asset, proof.rule
    if asset is None or rule is None or not rule.enabled or proof.since is None or asset.state.last_seen is None:
        return None
    # What the judge may still find out about must not be proved yet.
    until = to_micros(min(now, asset.state.last_seen) - rule.on_delay)
    start = proof.since if proof.seen is None else proof.seen
    times, running, more = _running(asset, rule.parameter, (start, until + 1))
    if more:
        # What comes behind them is looked at with what comes behind them.
        until = int(times[-1])
    episodes = _episodes(rule.pk, asset.pk, proof.since)
    begun = [one for one in episodes if proof.since <= one.start <= until]
    # When an alert begins is an instant to look at, whatever readings there are.
    starts = [one.start for one in begun]
    ran = [ran_at(asset, rule.parameter, at) for at in starts]
    order = np.argsort(np.concatenate([times, np.array(starts, np.int64)]), kind="stable")
    sightings = Sightings(
        np.concatenate([times, np.array(starts, np.int64)])[order],
        np.concatenate([running, np.array(ran, bool)])[order],
        episodes,
    )
    terms = terms_of(proof)
    settling = min(SETTLING, terms.run)
    found = looks(sightings, since=proof.since, warned=proof.warned, settling=settling, longest_gap=terms.longest_gap)
    return Evidence(found, more)


def ran_at(asset: Asset, parameter: str, at: int) -> bool:
    """Tell whether an asset (with its type) ran at an instant (µs), by its newest reading up to then."""
    longest = holding(asset) // MICROSECOND
    times, running, _ = _running(asset, parameter, (at - longest, at + 1))
    return bool(len(times)) and bool(running[-1])


def against(rule_id: int, asset_id: int, *, since: int, at: int | None = None) -> Episode | None:
    """Return the newest alert of a rule at an asset that is active, or was at an instant (µs) after ``since``."""
    found = _episodes(rule_id, asset_id, since)
    if at is None:
        there = [one for one in found if one.end is None]
    else:
        there = [one for one in found if one.start <= at and (one.end is None or at < one.end)]
    return there[-1] if there else None


def told(one: Episode, at: int) -> dict[str, Any]:
    """Return what refuted a proof at an instant (µs), as people are told."""
    broken = one.violation
    words = {"parameter": broken.parameter, "value": _finite(broken.value), "limit": _finite(broken.limit)}
    return {"alert": one.alert, "at": isoformat(from_micros(at)), **words}


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


def _running(asset: Asset, parameter: str, span: tuple[int, int]) -> tuple[Any, Any, bool]:
    """Return when an asset was seen in a span, whether it ran then, and whether there is more to be seen.

    One without a running sign runs while it sends what the rule looks at.
    """
    sign = sign_of(asset)
    pieces = _by_sign(asset.pk, sign, span) if sign else _by_sending(asset.pk, parameter, span)
    found, looked = [], 0
    for piece in pieces:
        found.append(piece)
        looked += len(piece[0])
        if looked >= MOST_READINGS:
            break
    times = np.concatenate([np.empty(0, np.int64), *(times for times, _ in found)])
    running = np.concatenate([np.empty(0, bool), *(running for _, running in found)])
    return times, running, looked >= MOST_READINGS


def _by_sign(asset_id: int, sign: Sign, span: tuple[int, int]) -> Iterator[tuple[Any, Any]]:
    for piece in telemetry.walk(asset_id, span, codes=[sign.parameter], readings=MOST_READINGS):
        times, values = piece.usable(sign.parameter)
        yield times, values > sign.above


def _by_sending(asset_id: int, parameter: str, span: tuple[int, int]) -> Iterator[tuple[Any, Any]]:
    codes = [parameter] if parameter else []
    for piece in telemetry.walk(asset_id, span, codes=codes, readings=MOST_READINGS):
        times = piece.usable(parameter)[0] if parameter else piece.times
        yield times, np.ones(len(times), bool)


def _episodes(rule_id: int, asset_id: int, since: int) -> list[Episode]:
    """Return when alerts of a rule at an asset were active at or after ``since``, in order."""
    happened = AlertEvent.objects.filter(alert__rule=rule_id, alert__asset=asset_id, alert__late=False)
    rows = happened.filter(kind__in=["raised", "returned"]).select_related("alert").order_by("-pk")
    newest = reversed(list(islice(rows.iterator(MOST_EVENTS), MOST_EVENTS)))
    by_alert: dict[int, list[AlertEvent]] = {}
    for event in newest:
        by_alert.setdefault(event.alert_id, []).append(event)
    found = chain.from_iterable(_stretches(events) for events in by_alert.values())
    wanted = [one for one in found if one.end is None or one.end > since]
    return sorted(wanted, key=lambda one: (one.start, one.alert))


def _stretches(events: Sequence[AlertEvent]) -> Iterator[Episode]:
    raised: AlertEvent | None = None
    for event in events:
        if event.kind == "raised" and raised is None:
            raised = event
        elif event.kind == "returned" and raised is not None:
            yield _episode(raised, to_micros(event.at))
            raised = None
    if raised is not None and raised.alert.active:
        yield _episode(raised, None)


def _episode(raised: AlertEvent, end: int | None) -> Episode:
    alert: Alert = raised.alert
    value, limit = (raised.evidence.get(name, getattr(alert, name)) for name in ("value", "limit"))
    violation = Violation(alert.parameter, *(float("nan") if one is None else float(one) for one in (value, limit)))
    return Episode(alert.pk, to_micros(raised.at), end, violation)
