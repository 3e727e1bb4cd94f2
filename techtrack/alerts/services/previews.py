"""Previews in the background: asked for, taken by one process, told of as they go on, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.told import columns
from techtrack.alerts.domain.trial import Incident
from techtrack.alerts.events import PreviewAsked
from techtrack.alerts.models import PreviewRun, PreviewState, Rule
from techtrack.alerts.models.lab import LIVE
from techtrack.alerts.queries import Asked
from techtrack.core import events
from techtrack.core.clock import iso_duration, read_duration
from techtrack.core.errors import Conflict, Forbidden

# One that was silent for so long has lost its process.
SILENT = timedelta(minutes=5)
KEPT = timedelta(days=7)
MOST_WAITING = 5


@transaction.atomic
def ask_for_preview(*, asked: Asked, total: int, by: Access, now: datetime) -> PreviewRun:
    """Ask for a preview; the rule lab's loop makes it. Those of last week are forgotten.

    Raises:
        Conflict: several of the caller's are waiting.
        Forbidden: nobody would ever come for it.

    """
    if not by.user_id:
        raise Forbidden("a preview in the background belongs to a person")
    PreviewRun.objects.filter(finished_at__lt=now - KEPT).delete()
    if PreviewRun.objects.filter(by=by.user_id, state__in=LIVE).count() >= MOST_WAITING:
        raise Conflict(f"{MOST_WAITING} previews of yours are waiting or at work; cancel one, or wait")
    run = PreviewRun.objects.create(question=_question(asked), total=total, by_id=by.user_id, created_at=now)
    events.publish(PreviewAsked(run.pk))
    return run


def take_preview(*, now: datetime) -> PreviewRun | None:
    """Take the run that has waited longest; None where none waits. Nobody else gets it."""
    lost = PreviewRun.objects.filter(state=PreviewState.RUNNING, beat_at__lt=now - SILENT)
    lost.update(state=PreviewState.INTERRUPTED, finished_at=now, error="its process ended before it did")
    run = PreviewRun.objects.filter(state=PreviewState.WAITING).order_by("pk").first()
    if run is None:
        return None
    mine = PreviewRun.objects.filter(pk=run.pk, state=PreviewState.WAITING)
    if not mine.update(state=PreviewState.RUNNING, started_at=now, beat_at=now):
        return None
    run.refresh_from_db()
    return run


def report_preview(*, run: PreviewRun, done: int, now: datetime) -> bool:
    """Write how far a run is; says whether it is still wanted."""
    mine = PreviewRun.objects.filter(pk=run.pk, state=PreviewState.RUNNING)
    return bool(mine.update(done=done, beat_at=now))


def finish_preview(*, run: PreviewRun, now: datetime, result: dict[str, Any] | None, error: str = "") -> None:
    """Close a run with its result, or with what went wrong."""
    state = PreviewState.FAILED if error else PreviewState.DONE
    done = run.done if error else run.total
    mine = PreviewRun.objects.filter(pk=run.pk, state=PreviewState.RUNNING)
    mine.update(state=state, finished_at=now, result=result, error=error, done=done)


def cancel_preview(*, run: PreviewRun, now: datetime) -> None:
    """Let a run be; one that is over is forgotten."""
    live = PreviewRun.objects.filter(pk=run.pk, state__in=LIVE)
    if not live.update(state=PreviewState.CANCELLED, finished_at=now):
        PreviewRun.objects.filter(pk=run.pk).delete()


def asked_of(run: PreviewRun) -> Asked:
    """Return what a run was asked, as it was proved then; raises Invalid where it no longer makes sense."""
    told: Mapping[str, Any] = run.question
    definition = {name: value for name, value in told["rule"].items() if name != "scope"}
    sweep = {axis: [_read(value) for value in values] for axis, values in told["sweep"].items()}
    incidents = [Incident(*one) for one in told["incidents"]]
    rule = Rule(pk=told["rule_id"], **columns(definition))
    return Asked(rule, told["assets"], tuple(told["span"]), incidents, sweep, advise=told["advise"])


def _question(asked: Asked) -> dict[str, Any]:
    sweep = {axis: [_written(value) for value in values] for axis, values in asked.sweep.items()}
    return {
        "rule": asked.rule.definition,
        "rule_id": asked.rule.pk,
        "assets": list(asked.assets),
        "span": list(asked.span),
        "incidents": [list(one) for one in asked.incidents],
        "sweep": sweep,
        "advise": asked.advise,
    }


def _written(value: float | timedelta) -> float | str:
    return iso_duration(value) if isinstance(value, timedelta) else value


def _read(value: float | str) -> float | timedelta:
    return (read_duration(value) or timedelta(0)) if isinstance(value, str) else value
