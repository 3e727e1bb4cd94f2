"""Background work of telemetry: folds the log, makes days, drops what is no longer kept; runs checks and rebuilds."""

from __future__ import annotations

import logging
import time

from techtrack.core import clock
from techtrack.telemetry import services
from techtrack.telemetry.models import StoreRun
from techtrack.telemetry.store import compaction, days, retention
from techtrack.telemetry.store.compaction import Overtaken
from techtrack.telemetry.store.survey import Problem

# How often (s) is looked for days and for old readings while nothing was folded.
DAYS_EVERY, RETENTION_EVERY = 10.0, 600.0
REPORT_EVERY = 1.0
_log = logging.getLogger(__name__)


class Compactor:
    """Does the next piece of upkeep: folding goes first, then days, then retention."""

    def __init__(self) -> None:
        self._next_days = 0.0
        self._next_retention = 0.0

    def work(self) -> bool:
        """Do one bounded piece; says whether there may be more at once. Two processes may do this at once."""
        try:
            if compaction.compact(clock.now()) is not None:
                self._next_days = 0.0
                return True
        except Overtaken:
            # What the other one committed is right; it also goes on.
            return False
        return self._make_days() or self._drop_old()

    def _make_days(self) -> bool:
        if time.monotonic() < self._next_days:
            return False
        more = days.build(clock.now()) > 0
        self._next_days = 0.0 if more else time.monotonic() + DAYS_EVERY
        return more

    def _drop_old(self) -> bool:
        if time.monotonic() < self._next_retention:
            return False
        more = retention.drop(clock.now()) > 0
        self._next_retention = 0.0 if more else time.monotonic() + RETENTION_EVERY
        return more


def run_next() -> bool:
    """Do the check or rebuild that waits, if one does; says whether another may wait."""
    services.give_up_lost_runs(now=clock.now())
    run = services.take_run(now=clock.now())
    if run is None:
        return False
    try:
        ours = _run(run)
    except Exception as error:
        # Whatever it was, who started the run sees it there; the loop logs it and goes on.
        services.finish_run(run=run, now=clock.now(), error=f"{type(error).__name__}: {error}")
        raise
    if ours:
        services.finish_run(run=run, now=clock.now())
    return True


def _run(run: StoreRun) -> bool:
    """Go through the store; says whether the run was still ours at the end."""
    hours, problems, told = 0, list[Problem](), time.monotonic()
    for step in services.steps(kind=run.kind, now=clock.now()):
        hours += step.hours
        problems += step.problems
        if time.monotonic() - told >= REPORT_EVERY:
            if not services.report_run(run=run, hours=hours, problems=problems, now=clock.now()):
                return False
            hours, problems, told = 0, [], time.monotonic()
    return services.report_run(run=run, hours=hours, problems=problems, now=clock.now())
