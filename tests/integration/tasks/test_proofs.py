"""Done is not mended: telemetry proves a repair while the asset runs, or the work is open again."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from techtrack.accounts.queries import access_of
from techtrack.alerts import services as alerts
from techtrack.alerts.models import Rule
from techtrack.core.clock import to_micros
from techtrack.tasks import services
from techtrack.tasks.events import ProofEnded
from techtrack.tasks.models import Proof, Task, TaskEdit
from techtrack.tasks.queries import proofs
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.upkeep import (
    DAY,
    HOUR,
    MINUTE,
    finish,
    prove,
    raise_alert,
    raised,
    returned,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule(plant):
    return factories.make_rule(site=plant, open_task={"title": "Cool it"})


@pytest.fixture
def machine(robot):
    """It runs while its speed is above 100."""
    robot.type.running = {"parameter": "speed", "above": 100}
    robot.type.save()
    return robot


@pytest.fixture
def alert(machine, rule):
    """Raised and returned before the work was done."""
    found = raise_alert(machine, rule, at=NOW - DAY)
    returned(found, at=NOW - HOUR)
    return found


@pytest.fixture
def task(alert, olga):
    """Olga's work on it."""
    data = {"title": "Cool it", "asset": alert.asset, "alert": alert}
    return services.create_task(by=access_of(olga), data=data, now=NOW - DAY)


@pytest.fixture
def done(task, olga):
    return finish(task, olga, now=NOW)


def proof():
    return Proof.objects.get()


def well(machine, start=NOW, end=NOW + 2 * HOUR, speed=1500.0):
    send(machine, start, end, speed=speed, temperature=60.0)


class TestBeginning:
    def test_begins_when_the_work_is_done(self, done):
        assert (proof().phase, proof().attempt, proof().rule_id) == ("waiting", 1, done.alert.rule_id)

    @pytest.mark.parametrize("state", ["cancelled", "on_hold", "in_progress"])
    def test_does_not_begin_before(self, task, olga, state):
        finish(task, olga, now=NOW, state=state)
        assert not Proof.objects.exists()

    def test_does_not_begin_for_work_on_nothing_that_was_found(self, olga, machine):
        people = factories.make_alert(machine)
        for data in ({"asset": machine}, {"asset": machine, "alert": people}, {}):
            task = services.create_task(by=access_of(olga), data={"title": "Look"} | data, now=NOW)
            finish(task, olga, now=NOW)
        assert not Proof.objects.exists()

    def test_does_not_begin_where_the_rule_does_not_want_it(self, task, rule, olga):
        Rule.objects.filter(pk=rule.pk).update(open_task={"title": "Cool it", "verify": {"wanted": False}})
        finish(task, olga, now=NOW)
        assert not Proof.objects.exists()

    def test_ends_when_the_work_is_taken_up_again(self, done, olga):
        finish(done, olga, now=NOW + HOUR, state="in_progress")
        assert proof().phase == ""
        prove(NOW + 2 * HOUR)
        assert proof().phase == ""

    def test_begins_anew_each_time(self, done, olga, machine):
        well(machine)
        prove(NOW + HOUR / 2)
        finish(done, olga, now=NOW + HOUR, state="in_progress")
        finish(done, olga, now=NOW + 2 * HOUR)
        assert (proof().attempt, proof().ran, proof().seen, proof().phase) == (2, 0, None, "waiting")


class TestProving:
    def test_takes_an_hour_of_running(self, done, machine):
        well(machine, end=NOW + 50 * MINUTE)
        prove(NOW + 50 * MINUTE)
        assert (proof().phase, proof().ran) == ("verifying", 49 * 60_000_000)
        well(machine, start=NOW + 50 * MINUTE, end=NOW + 70 * MINUTE)
        prove(NOW + 70 * MINUTE)
        assert (proof().phase, proof().ran) == ("verified", 60 * 60_000_000)
        done.refresh_from_db()
        assert done.state == "done"

    def test_counts_running_time_alone(self, done, machine):
        well(machine, end=NOW + 30 * MINUTE)
        well(machine, start=NOW + 30 * MINUTE, end=NOW + 20 * HOUR, speed=0.0)
        prove(NOW + 20 * HOUR)
        assert proof().phase == "verifying"
        well(machine, start=NOW + 20 * HOUR, end=NOW + 21 * HOUR)
        prove(NOW + 21 * HOUR)
        assert proof().phase == "verified"

    def test_looks_no_further_than_the_judge_has_looked(self, done, machine):
        well(machine)
        machine.state.refresh_from_db()
        machine.state.last_seen = NOW + 10 * MINUTE
        machine.state.save()
        prove(NOW + 2 * HOUR)
        assert proof().ran == 10 * 60_000_000

    def test_leaves_the_rule_its_delay(self, done, machine, rule):
        Rule.objects.filter(pk=rule.pk).update(on_delay=timedelta(minutes=30))
        well(machine, end=NOW + 70 * MINUTE)
        prove(NOW + 70 * MINUTE)
        assert (proof().phase, proof().ran) == ("verifying", 39 * 60_000_000)

    def test_takes_an_asset_without_a_sign_to_run_while_it_sends(self, olga, plant, rule):
        plain = factories.make_equipment(site=plant)
        alert = raise_alert(plain, rule, at=NOW - DAY)
        returned(alert, at=NOW - HOUR)
        data = {"title": "Cool it", "asset": plain, "alert": alert}
        finish(services.create_task(by=access_of(olga), data=data, now=NOW - DAY), olga, now=NOW)
        send(plain, NOW, NOW + 2 * HOUR, temperature=60.0)
        prove(NOW + 2 * HOUR)
        assert proof().phase == "verified"

    def test_is_noted_in_the_history_of_the_task(self, done, machine):
        well(machine)
        prove(NOW + 2 * HOUR)
        told = TaskEdit.objects.filter(task=done).order_by("-pk").first()
        assert (told.by, told.before["verification"], told.after["verification"]) == (None, "waiting", "verified")

    def test_tells_that_it_has_begun(self, done, machine):
        well(machine, end=NOW + 10 * MINUTE)
        prove(NOW + 10 * MINUTE)
        told = TaskEdit.objects.filter(task=done).order_by("-pk").first()
        assert (told.before, told.after) == ({"verification": "waiting"}, {"verification": "verifying"})
        done.refresh_from_db()
        assert done.version == told.version

    def test_ends_once_nobody_can_tell_any_more(self, done, machine):
        prove(NOW + 7 * DAY)
        assert proof().phase == "waiting"
        prove(NOW + 7 * DAY + 6 * MINUTE)
        done.refresh_from_db()
        assert (proof().phase, done.state) == ("expired", "done")

    def test_ends_where_the_rule_is_gone(self, done, erik, rule):
        alerts.delete_rule(rule=Rule.objects.get(pk=rule.pk), by=access_of(erik), expected=None, now=NOW)
        prove(NOW + MINUTE)
        assert proof().phase == "expired"

    def test_waits_where_the_rule_is_switched_off(self, done, machine, rule):
        Rule.objects.filter(pk=rule.pk).update(enabled=False)
        well(machine)
        prove(NOW + 2 * HOUR)
        assert proof().phase == "waiting"

    def test_leaves_a_task_alone_that_was_deleted(self, done, olga, machine):
        services.delete_task(task=done, by=access_of(olga), expected=None, now=NOW)
        well(machine)
        prove(NOW + 2 * HOUR)
        assert proof().phase == "waiting"

    def test_reads_much_in_steps(self, done, machine, monkeypatch):
        monkeypatch.setattr(proofs, "MOST_READINGS", 30)
        Proof.objects.update(run=20 * HOUR)
        well(machine, end=NOW + 24 * HOUR)
        prove(NOW + 24 * HOUR)
        assert 0 < proof().ran < 12 * 60 * 60_000_000
        for _ in range(10):
            prove(NOW + 24 * HOUR)
        assert (proof().phase, proof().ended) == ("verified", to_micros(NOW + 20 * HOUR))


class TestRefuting:
    def test_opens_the_task_again_with_the_evidence(self, done, alert, machine):
        well(machine)
        raised(alert, at=NOW + 20 * MINUTE)
        prove(NOW + HOUR)
        done.refresh_from_db()
        assert (done.state, done.completed_at, proof().phase) == ("open", None, "refuted")
        assert proof().evidence == {
            "alert": alert.pk,
            "at": "2026-11-21T10:20:00Z",
            "parameter": "temperature",
            "value": 91.5,
            "limit": 80.0,
        }
        told = TaskEdit.objects.filter(task=done).order_by("-pk").first()
        assert (told.by, told.before["state"], told.after["state"], told.after["verification"]) == (
            None,
            "done",
            "open",
            "refuted",
        )

    def test_does_not_take_an_alert_at_rest_for_evidence(self, done, alert, machine):
        well(machine, speed=0.0)
        raised(alert, at=NOW + 20 * MINUTE)
        returned(alert, at=NOW + 30 * MINUTE)
        prove(NOW + HOUR)
        assert proof().phase == "waiting"

    def test_does_not_take_another_assets_alert_for_evidence(self, done, rule, machine, plant):
        well(machine)
        raise_alert(factories.make_equipment(site=plant), rule, at=NOW + 20 * MINUTE)
        prove(NOW + 2 * HOUR)
        assert proof().phase == "verified"

    def test_takes_a_new_alert_of_the_rule_for_evidence(self, done, rule, machine):
        well(machine)
        newer = raise_alert(machine, rule, at=NOW + 20 * MINUTE)
        prove(NOW + HOUR)
        assert proof().evidence["alert"] == newer.pk

    def test_names_the_alert_that_is_there(self, task, alert, rule, olga, machine):
        raised(alert, at=NOW - 10 * MINUTE)
        finish(task, olga, now=NOW)
        # Another one comes and goes while the machine stands still; the old one stays.
        well(machine, end=NOW + 5 * MINUTE, speed=0.0)
        other = raise_alert(machine, rule, at=NOW + MINUTE, parameter="pressure")
        returned(other, at=NOW + 3 * MINUTE)
        well(machine, start=NOW + 5 * MINUTE)
        prove(NOW + 65 * MINUTE)
        assert (proof().phase, proof().evidence["alert"]) == ("refuted", alert.pk)

    def test_lets_what_was_hot_cool_down(self, task, alert, olga, machine):
        raised(alert, at=NOW - 10 * MINUTE)
        finish(task, olga, now=NOW)
        well(machine)
        returned(alert, at=NOW + 10 * MINUTE)
        prove(NOW + 65 * MINUTE)
        assert (proof().phase, proof().ran) == ("verifying", 55 * 60_000_000)

    def test_but_not_for_ever(self, task, alert, olga, machine):
        raised(alert, at=NOW - 10 * MINUTE)
        finish(task, olga, now=NOW)
        well(machine)
        prove(NOW + 65 * MINUTE)
        task.refresh_from_db()
        assert (proof().phase, task.state) == ("refuted", "open")

    def test_writes_to_those_who_did_the_work(self, done, alert, machine, olga, monkeypatch):
        told = []
        monkeypatch.setattr("techtrack.core.events.publish", told.append)
        well(machine)
        raised(alert, at=NOW + 20 * MINUTE)
        prove(NOW + HOUR)
        assert ProofEnded(done.pk, "refuted", (olga.pk,)) in told

    def test_leaves_what_it_found_to_be_read_until_the_work_is_done_again(self, done, alert, machine, olga):
        well(machine)
        raised(alert, at=NOW + 20 * MINUTE)
        prove(NOW + HOUR)
        finish(done, olga, now=NOW + 2 * HOUR, state="in_progress")
        assert (proof().phase, proof().evidence["alert"]) == ("refuted", alert.pk)
        finish(done, olga, now=NOW + 3 * HOUR)
        assert (proof().phase, proof().evidence, proof().attempt) == ("waiting", None, 2)

    def test_leaves_the_work_alone_that_the_alert_is_by_now(self, done, alert, machine):
        well(machine, end=NOW + 10 * MINUTE, speed=0.0)
        raised(alert, at=NOW + 5 * MINUTE)
        other = services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + 5 * MINUTE)
        well(machine, start=NOW + 10 * MINUTE)
        prove(NOW + HOUR)
        done.refresh_from_db()
        assert (proof().phase, done.state, other.state) == ("refuted", "done", "open")
        assert done.version == TaskEdit.objects.filter(task=done).latest("pk").version


class TestRulesThatOpenTasks:
    """Where an alert refutes a repair, its task is opened again instead of another one."""

    def test_open_the_same_task_again(self, done, alert, machine):
        well(machine, end=NOW + 30 * MINUTE)
        raised(alert, at=NOW + 20 * MINUTE)
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + 20 * MINUTE)
        assert (task.pk, Task.objects.count(), proof().phase) == (done.pk, 1, "refuted")
        assert Task.objects.get().state == "open"

    def test_open_the_same_task_again_where_the_clock_of_the_asset_is_ahead(self, done, alert, machine):
        well(machine, end=NOW + 30 * MINUTE)
        raised(alert, at=NOW + 20 * MINUTE)
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + 18 * MINUTE)
        assert (task.pk, Task.objects.count(), proof().phase) == (done.pk, 1, "refuted")

    def test_open_another_one_where_the_asset_stood_still(self, done, alert, machine):
        well(machine, end=NOW + 30 * MINUTE, speed=0.0)
        raised(alert, at=NOW + 20 * MINUTE)
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + 20 * MINUTE)
        assert (task.pk == done.pk, Task.objects.count(), proof().phase) == (False, 2, "waiting")

    def test_open_another_one_once_the_repair_is_proved(self, done, alert, machine):
        well(machine)
        prove(NOW + 2 * HOUR)
        raised(alert, at=NOW + 3 * HOUR)
        services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + 3 * HOUR)
        assert (Task.objects.count(), proof().phase) == (2, "verified")


class TestApi:
    @pytest.fixture(autouse=True)
    def _at_noon(self):
        with time_machine.travel(NOW, tick=False):
            yield

    def path(self, task):
        return f"/api/tasks/{task.pk}/verification/"

    def test_tells_how_far_it_is(self, api, done, vera, machine):
        well(machine, end=NOW + 31 * MINUTE)
        prove(NOW + 31 * MINUTE)
        told = api(vera).get(self.path(done)).json()
        assert {name: told[name] for name in ("wanted", "run", "within", "phase", "attempt", "ran", "evidence")} == {
            "wanted": True,
            "run": "PT1H",
            "within": "P7D",
            "phase": "verifying",
            "attempt": 1,
            "ran": "PT30M",
            "evidence": None,
        }
        assert api(vera).get(f"/api/tasks/{done.pk}/").json()["verification"] == "verifying"

    def test_tells_of_work_that_is_not_done(self, api, task, vera):
        told = api(vera).get(self.path(task)).json()
        assert (told["wanted"], told["phase"], told["run"]) == (True, None, "PT1H")

    def test_follows_the_rule(self, api, done, vera, rule, machine):
        verify = {"verify": {"run": "PT20M", "within": "P1D"}}
        Rule.objects.filter(pk=rule.pk).update(open_task=verify)
        told = api(vera).get(self.path(done)).json()
        assert (told["run"], told["within"]) == ("PT20M", "P1D")
        well(machine, end=NOW + 30 * MINUTE)
        prove(NOW + 30 * MINUTE)
        assert proof().phase == "verified"

    def test_is_set_for_a_task_by_those_who_may_write_it(self, api, done, olga, machine):
        answer = api(olga).put(self.path(done), {"run": "PT20M"}, format="json")
        assert (answer.status_code, answer.json()["run"]) == (200, "PT20M")
        well(machine, end=NOW + 30 * MINUTE)
        prove(NOW + 30 * MINUTE)
        assert proof().phase == "verified"

    def test_is_waived_and_wanted_again(self, api, done, olga):
        assert api(olga).put(self.path(done), {"wanted": False}, format="json").json()["phase"] == "waived"
        prove(NOW + 8 * DAY)
        assert proof().phase == "waived"
        assert api(olga).put(self.path(done), {"wanted": True}, format="json").json()["phase"] == "waiting"

    def test_waived_before_the_work_is_done_never_begins(self, api, task, olga):
        api(olga).put(self.path(task), {"wanted": False}, format="json")
        finish(task, olga, now=NOW)
        assert proof().phase == ""

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"run": "P8D"}, "/within", id="longer than there is time"),
            pytest.param({"run": "soon"}, "/run", id="no duration"),
            pytest.param({"run": "P400D"}, "/run", id="too long"),
            pytest.param({"wanted": "perhaps"}, "/wanted", id="no flag"),
            pytest.param({"patience": "P1D"}, "/patience", id="an unknown member"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, api, done, olga, body, pointer):
        answer = api(olga).put(self.path(done), body, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)

    def test_refuses_what_could_never_be_proved(self, api, olga):
        task = services.create_task(by=access_of(olga), data={"title": "Look"}, now=NOW)
        answer = api(olga).put(self.path(task), {"run": "PT1H"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "nothing_to_prove")

    def test_is_no_business_of_others(self, api, done, vera, mallory):
        assert api(vera).put(self.path(done), {"run": "PT1H"}, format="json").status_code == 403
        assert api(mallory).get(self.path(done)).status_code == 404

    def test_asks_for_the_version_that_was_read(self, api, done, olga):
        stale = api(olga).put(self.path(done), {"run": "PT1H"}, format="json", headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")


class TestRuleApi:
    def put(self, api, erik, plant, verify):
        body = {
            "name": "Hot",
            "parameter": "temperature",
            "scope": {"site": plant.pk},
            "conditions": [{"kind": "above", "limit": 80, "severity": "high"}],
            "open_task": {"title": "Cool it", "verify": verify},
        }
        return api(erik).post("/api/rules/", body, format="json")

    def test_takes_how_repairs_are_proved(self, api, erik, plant):
        verify = {"wanted": True, "run": "PT2H", "within": "P3D"}
        assert self.put(api, erik, plant, verify).json()["open_task"]["verify"] == verify

    @pytest.mark.parametrize(
        ("verify", "pointer"),
        [
            pytest.param({"run": 5}, "/open_task/verify/run", id="no duration"),
            pytest.param({"for": "PT1H"}, "/open_task/verify/for", id="an unknown member"),
            pytest.param([], "/open_task/verify", id="no object"),
        ],
    )
    def test_refuses_what_is_none(self, api, erik, plant, verify, pointer):
        answer = self.put(api, erik, plant, verify)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)
