"""A preview in the form in which it travels: over the API, into the row of a run, and to the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import isfinite
from typing import Any

import numpy as np

from techtrack.alerts.domain.backtest import Episode
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.kpi import Measures
from techtrack.alerts.domain.trial import Incident, Outcome, leads
from techtrack.alerts.domain.tuning import Advice, Settings
from techtrack.alerts.queries.lab import TOO_OFTEN, Baseline, Cell, Found, Preview, share_of
from techtrack.core.clock import from_micros, iso_duration, isoformat, measured_duration

MOST_EPISODES, MOST_EPISODES_IN_ALL = 200, 2000


def report(preview: Preview) -> dict[str, Any]:
    """Return the whole as JSON knows it: times in UTC, durations as ISO 8601, shares from 0 to 1."""
    asked, outcomes, measures = preview.asked, preview.outcomes, preview.measures
    chatter = np.bincount(measures.chattering.identities, minlength=len(outcomes)).tolist()
    by_asset = {outcome.asset: raises for outcome, raises in zip(outcomes, chatter, strict=True)}
    room = MOST_EPISODES_IN_ALL
    assets = []
    for one in preview.found:
        shown = min(MOST_EPISODES, room)
        assets.append(_asset(one, by_asset.get(one.asset, 0), asked.incidents, shown))
        room -= len(assets[-1]["episodes"])
    return {
        "rule": asked.rule.pk,
        "from": _time(asked.span[0]),
        "to": _time(asked.span[1]),
        "note": "" if asked.assets else "the rule watches no asset that you may see",
        "total": _total(preview, chatter) | {"load": _load(measures, len(measures.annunciations))},
        "assets": assets,
        "incidents": [_incident(one, lead) for one, lead in preview.leads.items()],
        "sweep": [_cell(cell, preview) for cell in preview.cells],
        "advice": _best_advice(preview),
        "warning": _warning(preview.share),
    }


def _total(preview: Preview, chatter: Sequence[int]) -> dict[str, Any]:
    outcomes, incidents = preview.outcomes, preview.asked.incidents
    days: dict[int, int] = {}
    severities: dict[str, int] = {}
    for outcome in outcomes:
        for day, raises in outcome.days().items():
            days[day] = days.get(day, 0) + raises
        for severity, raises in outcome.severities().items():
            severities[severity] = severities.get(severity, 0) + raises
    longest = max((outcome.longest for outcome in outcomes), default=0)
    return {
        "readings": sum(one.readings for one in preview.found),
        **_counted(outcomes, sum(chatter), severities, days),
        "longest": _duration(longest),
        "standing": sum(outcome.standing for outcome in outcomes),
        **_told_incidents(preview.leads, sum(one.false_alarms(incidents) for one in outcomes), incidents),
    }


def _counted(
    outcomes: Sequence[Outcome], chatter: int, severities: Mapping[str, int], days: Mapping[int, int]
) -> dict[str, Any]:
    return {
        "alerts": sum(len(outcome.alerts) for outcome in outcomes),
        "raises": sum(outcome.raises for outcome in outcomes),
        "repeats": sum(outcome.repeats for outcome in outcomes),
        "chattering": chatter,
        "active": _duration(sum(outcome.active for outcome in outcomes)),
        "share": share_of(outcomes),
        "severities": {severity: severities[severity] for severity in reversed(SEVERITIES) if severity in severities},
        "days": [{"day": f"{from_micros(day):%Y-%m-%d}", "raises": days[day]} for day in sorted(days)],
    }


def _load(measures: Measures, raises: int) -> dict[str, Any]:
    peak = int(measures.slots.max(initial=0)) if raises else 0
    return {"per_ten_minutes": measures.average if raises else 0.0, "peak": peak, "flooded": measures.flooded}


def _told_incidents(
    found: Mapping[Incident, int | None], false_alarms: int, incidents: Sequence[Incident]
) -> dict[str, Any]:
    known = [lead for lead in found.values() if lead is not None]
    return {
        "incidents_found": len(known),
        "incidents_missed": len(found) - len(known),
        "lead_time": _duration(sum(known) // len(known)) if known else None,
        "false_alarms": false_alarms if incidents else None,
    }


def _asset(found: Found, chatter: int, incidents: Sequence[Incident], shown: int) -> dict[str, Any]:
    outcome = found.outcome
    told: dict[str, Any] = {"asset": found.asset, "name": found.name, "readings": found.readings, "note": found.note}
    outcomes = [] if outcome is None else [outcome]
    episodes = [] if outcome is None else list(zip(outcome.episodes, outcome.ranks, strict=True))
    known = {} if outcome is None else outcome.leads(incidents)
    severities = {} if outcome is None else outcome.severities()
    days = {} if outcome is None else outcome.days()
    return {
        **told,
        **_counted(outcomes, chatter, severities, days),
        "longest": _duration(0 if outcome is None else outcome.longest),
        "standing": outcome is not None and outcome.standing,
        **_told_incidents(known, sum(one.false_alarms(incidents) for one in outcomes), incidents),
        "episodes": [_episode(*one) for one in episodes[:shown]],
        "episodes_left_out": max(0, len(episodes) - shown),
        "baselines": [_baseline(one) for one in found.baselines if isfinite(one.mean) and isfinite(one.stddev)],
        "advice": None if found.advice is None else _advice(found.advice, found.asset),
    }


def _episode(episode: Episode, rank: int) -> dict[str, Any]:
    return {
        "raised_at": _time(episode.raised),
        "returned_at": None if episode.returned is None else _time(episode.returned),
        "severity": SEVERITIES[rank],
        # What overflowed is no number that JSON could tell.
        "value": episode.value if episode.value is not None and isfinite(episode.value) else None,
        "limit": episode.limit,
    }


def _incident(incident: Incident, lead: int | None) -> dict[str, Any]:
    told = {"name": incident.name, "asset": incident.asset, "from": _time(incident.start), "to": _time(incident.end)}
    return {**told, "found": lead is not None, "lead_time": None if lead is None else _duration(lead)}


def _cell(cell: Cell, preview: Preview) -> dict[str, Any]:
    known = [lead for lead in leads(cell.outcomes, preview.asked.incidents).values() if lead is not None]
    changes = cell.changes
    delay = changes.get("on_delay", preview.asked.rule.on_delay) - preview.asked.rule.on_delay
    return {
        "limit": changes.get("limit"),
        "deadband": changes.get("deadband"),
        "on_delay": _wire(changes.get("on_delay")),
        "off_delay": _wire(changes.get("off_delay")),
        "alerts": sum(len(one.alerts) for one in cell.outcomes),
        "raises": sum(one.raises for one in cell.outcomes),
        "repeats": sum(one.repeats for one in cell.outcomes),
        "active": _duration(sum(one.active for one in cell.outcomes)),
        "share": share_of(cell.outcomes),
        "incidents_found": len(known),
        "lead_time": _duration(sum(known) // len(known)) if known else None,
        "false_alarms": sum(one.false_alarms(preview.asked.incidents) for one in cell.outcomes)
        if preview.asked.incidents
        else None,
        "added_delay": measured_duration(max(delay, timedelta(0))),
        "note": cell.note,
    }


def _best_advice(preview: Preview) -> dict[str, Any] | None:
    """Return the advice for the asset that is most restless: what calms it is tried with the others by a click."""
    advised = [one for one in preview.found if one.advice is not None and one.outcome is not None]
    if not advised:
        return None
    worst = max(advised, key=lambda one: one.outcome.repeats if one.outcome else 0)
    return _advice(worst.advice, worst.asset) if worst.advice else None


def _advice(advice: Advice, asset: int) -> dict[str, Any]:
    settings, (raises, repeats) = advice.settings, advice.before
    changes = changes_of(settings)
    removed = repeats - advice.after[1]
    told = " and ".join(
        [f"a deadband of {settings.deadband:g}"] * (settings.deadband > 0)
        + [f"an on-delay of {changes['on_delay']}"] * (settings.on_delay > 0)
        + [f"an off-delay of {changes['off_delay']}"] * (settings.off_delay > 0)
    )
    detail = f"with {told}, {removed} of {repeats} repeats are gone: {raises} raises become {advice.after[0]}"
    return {
        "asset": asset,
        "changes": changes,
        "raises": {"before": raises, "after": advice.after[0]},
        "repeats": {"before": repeats, "after": advice.after[1]},
        "detail": detail,
    }


def changes_of(settings: Settings) -> dict[str, Any]:
    """Return settings as a PATCH of the rule has them."""
    return {
        "deadband": settings.deadband,
        "on_delay": _wire(timedelta(microseconds=settings.on_delay)),
        "off_delay": _wire(timedelta(microseconds=settings.off_delay)),
    }


def _baseline(baseline: Baseline) -> dict[str, Any]:
    able = baseline.capability
    told = {"kind": baseline.kind, "parameter": baseline.parameter, "mean": baseline.mean, "stddev": baseline.stddev}
    return {**told, "cp": able.cp if able else None, "cpk": able.cpk if able else None}


def _warning(share: float) -> str | None:
    return f"it would be active for {share:.0%} of the stored history" if share > TOO_OFTEN else None


def _wire(value: timedelta | None) -> str | None:
    return None if value is None else iso_duration(value)


def _duration(micros: int) -> str:
    return measured_duration(timedelta(microseconds=micros))


def _time(micros: int) -> str:
    return isoformat(from_micros(micros))
