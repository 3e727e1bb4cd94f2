"""Checks and rebuilds of the store in the background: one of a kind at a time, each a row with its progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Asset
from techtrack.core import events
from techtrack.core.errors import Conflict
from techtrack.telemetry.events import StoreRunAsked
from techtrack.telemetry.models import RunKind, RunState, StoreRun
from techtrack.telemetry.store import checking, rebuilding, survey
from techtrack.telemetry.store.survey import Problem, Step

# Problems that a row keeps; how many more there are it counts.
KEPT = 200
# A run tells of itself every second or so; one that was silent for so long has lost its process.
SILENT = timedelta(minutes=2)
OPEN = (RunState.WAITING, RunState.RUNNING)


class OneAtATime(Conflict):
    """Such a run is waiting or at work already."""

    code = "one_at_a_time"


def ask_for_run(*, kind: RunKind, by: Access, now: datetime) -> StoreRun:
    """Ask for a check or a rebuild of everything; the compactor's process does it.

    Raises:
        OneAtATime: one of the kind is waiting or at work.
    """
    by.require(Role.ADMIN, None)
    give_up_lost_runs(now=now)
    try:
        with transaction.atomic():
            run = StoreRun.objects.create(kind=kind, by_id=by.user_id or None, created_at=now)
            events.publish(StoreRunAsked(run.pk))
    except IntegrityError:
        raise OneAtATime(f"a {kind} is waiting or at work; see /api/store/runs/?state=running") from None
    return run


def give_up_lost_runs(*, now: datetime) -> int:
    """Mark the runs whose process ended before they did; returns how many."""
    lost = StoreRun.objects.filter(state=RunState.RUNNING, beat_at__lt=now - SILENT)
    return lost.update(state=RunState.INTERRUPTED, finished_at=now, error="its process ended before it did")


def take_run(*, now: datetime) -> StoreRun | None:
    """Take the run that has waited longest; None where none waits. Nobody else gets it."""
    run = StoreRun.objects.filter(state=RunState.WAITING).order_by("pk").first()
    if run is None:
        return None
    mine = StoreRun.objects.filter(pk=run.pk, state=RunState.WAITING)
    if not mine.update(state=RunState.RUNNING, started_at=now, beat_at=now, total=survey.total(None)):
        return None
    run.refresh_from_db()
    return run


def steps(*, kind: str, now: datetime, assets: Iterable[int] | None = None) -> Iterator[Step]:
    """Do what a run does, piece by piece."""
    return checking.check(assets) if kind == RunKind.CHECK else rebuilding.rebuild(now, assets)


def report_run(*, run: StoreRun, hours: int, problems: Iterable[Problem], now: datetime) -> bool:
    """Write how far a run has come; says whether it is still ours to go on with."""
    problems = list(problems)
    room = max(0, KEPT - len(run.problems))
    run.problems += described(problems[:room])
    mine = StoreRun.objects.filter(pk=run.pk, state=RunState.RUNNING)
    return bool(
        mine.update(done=F("done") + hours, found=F("found") + len(problems), problems=run.problems, beat_at=now)
    )


def finish_run(*, run: StoreRun, now: datetime, error: str = "") -> None:
    """Close a run, done or failed with ``error``."""
    state = RunState.FAILED if error else RunState.DONE
    StoreRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=state, finished_at=now, error=error)


def described(problems: Iterable[Problem]) -> list[Mapping[str, Any]]:
    """Return problems as people and clients read them: the asset's id and name, the hour in UTC, what is wrong."""
    problems = list(problems)
    ids = {problem.asset for problem in problems if problem.asset is not None}
    names = dict(Asset.objects.filter(pk__in=ids).values_list("pk", "name"))
    return [
        {
            "asset": problem.asset,
            "name": names.get(problem.asset or 0),
            "hour": problem.when,
            "detail": problem.detail,
        }
        for problem in problems
    ]
