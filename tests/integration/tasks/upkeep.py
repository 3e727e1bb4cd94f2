"""Lets time pass at a plant: readings come, meters count, the planner looks, proofs are followed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.assets.models import Asset, AssetState
from techtrack.core.clock import to_micros
from techtrack.tasks import services
from techtrack.tasks.models import Plan, Task
from techtrack.tasks.queries import counting, planning, proofs
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.services import ingest
from tests import factories
from tests.factories import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTE = timedelta(minutes=1)
WEEKLY = {"rrule": "FREQ=WEEKLY;BYDAY=MO", "dtstart": "2026-11-02T06:00"}
# NOW is a Saturday.
MONDAY = datetime.fromisoformat("2026-11-23T06:00:00+00:00")


def make_plan(by: Any, asset: Asset | None = None, *, now: datetime = NOW, **data: Any) -> Plan:
    """A plan as somebody makes it; what asks for it is given as on the wire."""
    names = ("timezone", "schedule", "meters", "conditions", "lead_time", "season")
    triggers = {name: data.pop(name) for name in names if name in data}
    told = {"name": "Grease it", "asset": asset} | data | {"triggers": {"timezone": "UTC"} | triggers}
    return services.create_plan(by=access_of(by), data=told, now=now)


def look(now: datetime) -> list[Task]:
    """Let the planner look at all that is due; return the tasks that it opened."""
    opened = []
    for _ in range(100):
        due = planning.courses_due(now, 50)
        if not due:
            return opened
        found = [services.look_at_course(row, now=now) for row in due]
        opened += [task for task in found if task is not None]
    raise AssertionError("the planner finds no end")


def count(now: datetime) -> None:
    """Let all that is counted be counted."""
    services.reconcile_counting(now=now)
    for _ in range(100):
        meters, logs = counting.meters_due(now, 50), counting.run_logs_due(now, 50)
        if not meters and not logs:
            return
        for meter in meters:
            services.count_meter(meter, now=now)
        for log in logs:
            services.follow_runs(log, now=now)
    raise AssertionError("counting finds no end")


def prove(now: datetime) -> None:
    """Let all proofs be followed once."""
    for proof in proofs.due(now, 50):
        services.follow_proof(proof, now=now)


def send(asset: Asset, start: datetime, end: datetime, *, every: timedelta = MINUTE, **values: float) -> None:
    """Let an asset send the same values for a time, and the judge pass them."""
    steps = int((end - start) / every)
    rows = [Row(asset.pk, to_micros(start + every * step), values) for step in range(steps)]
    if rows:
        ingest(batch=Batch.of(rows), by=internal(), now=max(end, NOW), origin=Origin.IMPORT)
        AssetState.objects.filter(pk=asset.pk).update(last_seen=start + every * (steps - 1))


def finish(task: Task, by: Any, *, now: datetime, state: str = "done") -> Task:
    """Finish a task as a person does."""
    found = Task.objects.whole().get(pk=task.pk)
    return services.update_task(task=found, by=access_of(by), changes={"state": state}, expected=None, now=now)


def raise_alert(asset: Asset, rule: Rule, *, at: datetime, **fields: Any) -> Alert:
    """Raise an alert of a rule, as the judge records it."""
    told = {"rule": rule, "parameter": "temperature", "value": 91.5, "limit": 80.0, "raised_at": at}
    alert = Alert.objects.create(
        asset_id=asset.pk, severity="high", title="Too hot", **(told | factories.STAMPS | fields)
    )
    raised(alert, at=at)
    return alert


def raised(alert: Alert, *, at: datetime) -> None:
    """Record that an alert was raised, perhaps again."""
    Alert.objects.filter(pk=alert.pk).update(active=True, is_open=True, returned_at=None)
    evidence = {"value": alert.value, "limit": alert.limit}
    AlertEvent.objects.create(alert=alert, at=at, recorded_at=at, kind="raised", evidence=evidence)


def returned(alert: Alert, *, at: datetime) -> None:
    """Record that an alert has returned."""
    Alert.objects.filter(pk=alert.pk).update(active=False, is_open=False, returned_at=at)
    AlertEvent.objects.create(alert=alert, at=at, recorded_at=at, kind="returned")
