"""Follows the proofs of repairs: telemetry proves them, or the work is open again, with what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import internal
from techtrack.alerts.models import Alert
from techtrack.core import events
from techtrack.core.clock import MICROSECOND, to_micros
from techtrack.core.errors import NotFound
from techtrack.tasks import queries
from techtrack.tasks.domain import proving
from techtrack.tasks.domain.proving import Look, Phase
from techtrack.tasks.events import ProofEnded
from techtrack.tasks.models import Proof, State, Task
from techtrack.tasks.queries import planning, proofs
from techtrack.tasks.services.recording import record
from techtrack.tasks.services.tasks import AnotherTaskIsOpen, update_task

# A proof is looked at about so often while the asset runs as long as it must.
LOOKS, SOONEST, LATEST = 20, timedelta(seconds=1), timedelta(minutes=1)
# What was measured at the end of its patience may still come.
LAG = timedelta(minutes=5)
BY = internal("prover")


def follow_proof(row: Proof, *, now: datetime) -> None:
    """Follow a proof (as ``proofs.due`` gives it) up to what is known by now.

    However many follow it at once, one of them writes: the others find that its ``steps`` moved.
    """
    terms, proof, warned, more = proofs.terms_of(row), _proof(row), row.warned, False
    if row.rule_id is None or row.asset_id is None or row.asset_id != row.task.asset_id:
        # Nothing is left that could tell whether the work has helped.
        proof = replace(proof, phase=Phase.EXPIRED, ended=to_micros(now))
    elif evidence := proofs.seen(row, now=now):
        proof, warned, more = proving.follow(proof, evidence.found.looks, terms), evidence.found.warned, evidence.more
    proof = proving.lapse(proof, terms, now=to_micros(now - LAG))
    look_at = now if more else now + min(max(terms.run * MICROSECOND / LOOKS, SOONEST), LATEST)
    _write(row, proof, warned=warned, look_at=look_at, now=now)


@transaction.atomic
def refute_by(*, alert: Alert, now: datetime) -> Task | None:
    """Open a task again whose work an alert refutes that was just raised; None where it refutes none.

    Call it in the transaction that raised the alert.
    """
    row = proofs.under_way(rule_id=alert.rule_id, asset_id=alert.asset_id) if alert.rule_id else None
    if row is None or row.asset is None or row.rule_id is None or row.since is None:
        return None
    one = proofs.against(row.rule_id, row.asset.pk, since=row.since)
    if one is None or one.start < row.since or not proofs.ran_at(row.asset, alert.parameter, one.start):
        return None
    look = Look(one.start, running=True, violation=one.violation)
    proof = proving.follow(_proof(row), [look], proofs.terms_of(row))
    wrote = proof.phase is Phase.REFUTED and _write(row, proof, warned=row.warned, look_at=now, now=now)
    return row.task if wrote else None


def _proof(row: Proof) -> proving.Proof:
    told = {"seen": row.seen, "running": row.running, "ran": row.ran}
    return proving.Proof(since=row.since or 0, phase=Phase(row.phase), **told)  # type: ignore[arg-type]


@transaction.atomic
def _write(row: Proof, proof: proving.Proof, *, warned: int, look_at: datetime, now: datetime) -> bool:
    """Write where a proof stands, and what follows from that; False where somebody has written it since."""
    evidence, over = _evidence(row, proof), proof.phase in proving.OVER
    # The alert, then the task, then its proof, as the judge and whoever works on it: who locks in one order does not
    # deadlock.
    busy = planning.work_on(evidence["alert"]) if evidence else None
    try:
        task = queries.held(row.task_id) if proof.phase.value != row.phase else None
    except NotFound:
        # It was deleted meanwhile.
        return False
    rows = Proof.objects.filter(pk=row.pk, steps=row.steps)
    written = rows.update(
        phase=proof.phase.value,
        seen=proof.seen,
        running=proof.running,
        ran=proof.ran,
        warned=warned,
        ended=proof.ended,
        evidence=evidence,
        look_at=None if over else look_at,
        steps=F("steps") + 1,
    )
    if written and task is not None:
        _tell(task, proof, reopens=busy is None, now=now)
    return bool(written)


def _evidence(row: Proof, proof: proving.Proof) -> dict[str, Any] | None:
    if proof.phase is not Phase.REFUTED or proof.ended is None or row.rule_id is None or row.asset_id is None:
        return None
    one = proofs.against(row.rule_id, row.asset_id, since=row.since or 0, at=proof.ended)
    return proofs.told(one, proof.ended) if one else None


def _tell(task: Task, proof: proving.Proof, *, reopens: bool, now: datetime) -> None:
    """Open a task again that is refuted, and let its history and all who look at it know how far its proof is.

    It stays done where its alert is other work by now, such as what the rule has opened: that is to be done then.
    """
    before = queries.snapshot(task)
    try:
        with transaction.atomic():
            if proof.phase is Phase.REFUTED and reopens:
                update_task(task=task, by=BY, changes={"state": State.OPEN}, expected=None, now=now)
            else:
                _note(task, before, now)
    except AnotherTaskIsOpen:
        _note(task, before, now)
    if proof.phase in proving.OVER:
        events.publish(ProofEnded(task.pk, proof.phase.value, tuple(task.owners)))


def _note(task: Task, before: queries.Snapshot, now: datetime) -> None:
    task.change(expected=None, now=now)
    record(before, queries.whole(task.pk), by=None, now=now)
