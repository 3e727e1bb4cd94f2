"""Begins and ends the proof of repairs: what is done is to be proved by telemetry, unless a person waives that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access
from techtrack.alerts.models import Alert
from techtrack.core.clock import to_micros
from techtrack.core.errors import Forbidden, Invalid
from techtrack.tasks import queries
from techtrack.tasks.models import UNDER_WAY, Phase, Proof, State, Task
from techtrack.tasks.queries import proofs
from techtrack.tasks.services.recording import recorded


class NothingToProve(Invalid):
    """The task is about no alert of a rule: nobody could say what its work was to change."""

    code = "nothing_to_prove"


def follow_work(task: Task, *, now: datetime) -> None:
    """Begin to prove work that is done, and stop where it is not done any more; in the transaction that changed it."""
    if task.state == State.DONE:
        _begin(task, now)
    else:
        # What refuted it stays to be read until it is done again.
        open_ = Proof.objects.filter(task=task).exclude(phase__in=["", Phase.REFUTED])
        open_.update(phase="", ended=None, look_at=None, steps=F("steps") + 1)


def _begin(task: Task, now: datetime) -> None:
    if task.alert_id is None or task.asset_id is None:
        return
    alert = Alert.objects.select_related("rule").get(pk=task.alert_id)
    if alert.rule is None or alert.asset_id != task.asset_id:
        return
    held = Proof.objects.filter(task=task).first()
    if not (held.wanted if held else proofs.is_wanted(alert.rule)):
        return
    values: dict[str, Any] = {
        "asset_id": task.asset_id,
        "rule_id": alert.rule_id,
        "phase": Phase.WAITING,
        "since": to_micros(now),
        "seen": None,
        "running": False,
        "ran": 0,
        "warned": 0,
        "ended": None,
        "evidence": None,
        "look_at": now,
    }
    begun = Proof.objects.filter(task=task).update(**values, attempt=F("attempt") + 1, steps=F("steps") + 1)
    if not begun:
        Proof.objects.create(task=task, attempt=1, **values)


@transaction.atomic
def set_proof(*, task: Task, by: Access, wish: Mapping[str, Any], expected: int | None, now: datetime) -> Task:
    """Say whether the work of a task is to be proved (``wanted``), for how long (``run``), in what time (``patience``).

    Also while it is being proved. None: as the rule of its alert says, or as usual.

    Raises:
        NothingToProve: see there.
        Invalid: it could never run that long in time.
        Stale: the task has another version than ``expected``.
    """
    if not queries.may_write(by, task):
        raise Forbidden("you may read this task, but not change it")
    task = queries.held(task.pk)
    rule = task.alert.rule if task.alert else None
    if rule is None:
        raise NothingToProve("only work on an alert of a rule is proved")
    usual = proofs.usual_terms(rule)
    if (wish["run"] or usual[0]) > (wish["patience"] or usual[1]):
        raise Invalid("it can never run that long within this time", pointer="/within")
    with recorded(Task.objects.filter(pk=task.pk), by=by, now=now):
        task.change(expected=expected, now=now)
        _wish(task, wish, now)
    return queries.whole(task.pk)


def _wish(task: Task, wish: Mapping[str, Any], now: datetime) -> None:
    Proof.objects.get_or_create(task=task, defaults=dict(wish))
    rows = Proof.objects.filter(task=task)
    rows.update(**wish, steps=F("steps") + 1)
    under_way = Proof.objects.filter(task=task, phase__in=UNDER_WAY)
    if not wish["wanted"]:
        under_way.update(phase=Phase.WAIVED, ended=to_micros(now), look_at=None)
    elif task.state == State.DONE and rows.filter(phase__in=["", Phase.WAIVED]).exists():
        _begin(task, now)
    under_way.update(look_at=now)
