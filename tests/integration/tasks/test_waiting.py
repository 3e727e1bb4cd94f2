"""Rows that fail each time they are looked at keep no other from being looked at."""

from __future__ import annotations

import pytest
import time_machine

from techtrack.tasks import jobs, services
from techtrack.tasks.jobs import upkeep
from techtrack.tasks.models import AssetMeter, Course, Proof, RunLog, Task
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.upkeep import HOUR, WEEKLY, finish, make_plan, raise_alert

pytestmark = pytest.mark.django_db
HOURS = {"kind": "hours", "parameter": "speed", "above": 100.0}


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOW + HOUR, tick=False):
        yield


@pytest.fixture
def rows(erik, olga, robot, station, plant):
    """Two of each kind."""
    robot.type.running = {"parameter": "speed", "above": 100}
    robot.type.save()
    factories.make_equipment(site=plant, type=robot.type)
    rule = factories.make_rule(site=plant)
    for asset in (robot, station):
        make_plan(erik, asset, schedule=WEEKLY, meters=[{"meter": HOURS, "every": 10}])
        alert = raise_alert(asset, rule, at=NOW)
        services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW)
    for task in Task.objects.all():
        finish(task, olga, now=NOW)
    services.reconcile_counting(now=NOW)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("model", "service", "job"),
    [
        pytest.param(Course, "look_at_course", jobs.plan_work, id="courses"),
        pytest.param(AssetMeter, "count_meter", jobs.count_use, id="meters"),
        pytest.param(RunLog, "follow_runs", jobs.count_use, id="logs of runs"),
        pytest.param(Proof, "follow_proof", jobs.prove_repairs, id="proofs"),
    ],
)
def test_another_one_has_its_turn(model, service, job, monkeypatch):
    looked = []

    def fail(row, *, now):
        looked.append(row.pk)
        raise ZeroDivisionError

    monkeypatch.setattr(upkeep, "AT_ONCE", 1)
    monkeypatch.setattr(services, service, fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="cannot be looked at"):
            job()
    assert set(looked) == set(model.objects.values_list("pk", flat=True))
    assert len(looked) == 2
    # Until its moment comes again it costs nothing.
    job()
    assert len(looked) == 2
