"""Steps of the loops that keep plants up: the planner, the counter, the prover."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from techtrack.core import clock
from techtrack.tasks import services
from techtrack.tasks.models import AssetMeter, Course, Proof, RunLog
from techtrack.tasks.queries import counting, planning, proofs

_log = logging.getLogger(__name__)
AT_ONCE = 50
Row = TypeVar("Row", AssetMeter, Course, Proof, RunLog)


def plan_work() -> bool:
    """Look at the plans that are to be looked at; True where there are more."""
    now = clock.now()
    due = planning.courses_due(now, AT_ONCE)
    _each(due, lambda row: services.look_at_course(row, now=now), now=now)
    return len(due) == AT_ONCE


def reconcile_plans() -> bool:
    """Begin plans at assets that have come, end them where those are gone, and count what is asked for."""
    now = clock.now()
    services.spread_plans(now=now)
    services.reconcile_counting(now=now)
    return False


def count_use() -> bool:
    """Count meters on and note when assets ran; True where there is more."""
    now = clock.now()
    meters, logs = counting.meters_due(now, AT_ONCE), counting.run_logs_due(now, AT_ONCE)
    more = _each(meters, lambda row: services.count_meter(row, now=now), now=now)
    more += _each(logs, lambda log: services.follow_runs(log, now=now), now=now)
    return any(more) or AT_ONCE in {len(meters), len(logs)}


def prove_repairs() -> bool:
    """Ask telemetry whether repairs have helped; True where there are more to ask about."""
    now = clock.now()
    due = proofs.due(now, AT_ONCE)
    _each(due, lambda proof: services.follow_proof(proof, now=now), now=now)
    return len(due) == AT_ONCE


def _each(rows: Sequence[Row], do: Callable[[Row], object], *, now: datetime) -> list[object]:
    """Do it for each row, and return what that gave; where it fails for some, it is done for all others before."""
    found, failed = [], []
    for row in rows:
        try:
            found.append(do(row))
        except Exception:  # noqa: BLE001 - one that nobody foresaw must not keep the others from being looked at
            _log.exception("%s %s cannot be looked at", row._meta.verbose_name, row.pk)
            services.put_off(row, now=now)
            failed.append(row.pk)
    if failed:
        # Whoever watches the loop is to know; what failed is looked at again in a minute.
        raise RuntimeError(f"{failed} cannot be looked at")
    return found
