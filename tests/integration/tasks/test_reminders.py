"""Reminders: set with the task, fired once, told by mail and live."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.core import clock
from techtrack.live.models import LiveEvent
from techtrack.notifications import jobs as sending
from techtrack.notifications.models import LETTER, Delivery
from techtrack.notifications.services import claim_next
from techtrack.tasks import jobs, services
from techtrack.tasks.models import TaskReminder
from tests.factories import NOW, make_task

TASKS = "/api/tasks/"
HOUR = timedelta(hours=1)
SOON = clock.isoformat(NOW + HOUR)


@pytest.fixture(autouse=True)
def the_clock(monkeypatch):
    """``the_clock[0]`` is what time it is."""
    times = [NOW]
    monkeypatch.setattr(clock, "now", lambda: times[0])
    return times


@pytest.fixture
def make(api):
    """``make(olga, due_date=…, reminders=[…])``: the task as its maker is shown it."""

    def post(who, **fields):
        answer = api(who).post(TASKS, {"title": "Oil", **fields}, format="json")
        assert answer.status_code == 201, answer.content
        return answer.json()

    return post


@pytest.fixture
def later(the_clock):
    """``later(HOUR)``: so much later the job looks, and returns who was reminded by then, each time."""

    def wait(time):
        the_clock[0] += time
        jobs.remind_due()
        return told()

    return wait


def told():
    """Whom a letter is owed, in the order of their telling."""
    return list(Delivery.objects.filter(event=LETTER).order_by("created_at").values_list("person", flat=True))


def news():
    return [event for event in LiveEvent.objects.order_by("sequence") if event.payload["type"] == "reminder"]


class TestField:
    def test_says_what_was_wished(self, api, olga, make):
        wishes = [{"at": "2026-11-22T08:00:00Z"}, {"before": "PT1H"}, {"before": "P1D"}]
        made = make(olga, due_date=SOON, reminders=wishes)
        assert made["reminders"] == wishes
        again = api(olga).put(f"{TASKS}{made['id']}/", made, format="json")
        assert (again.status_code, again.json()["reminders"]) == (200, wishes)

    @pytest.mark.parametrize(
        ("reminders", "pointer"),
        [
            pytest.param({}, "/reminders", id="an object"),
            pytest.param(["PT1H"], "/reminders/0", id="a bare duration"),
            pytest.param([{"at": SOON, "before": "PT1H"}], "/reminders/0", id="both"),
            pytest.param([{"at": "2026-11-22"}], "/reminders/0/at", id="a day"),
            pytest.param([{"before": "-PT1H"}], "/reminders/0/before", id="afterwards"),
            pytest.param([{"before": "P400D"}], "/reminders/0/before", id="years before"),
            pytest.param([{"before": "PT1H"}, {"before": "PT60M"}], "/reminders/1", id="the same twice"),
            pytest.param([{"before": f"PT{number}M"} for number in range(21)], "/reminders", id="too many"),
        ],
    )
    def test_that_makes_no_sense_is_refused_at_its_place(self, api, olga, reminders, pointer):
        answer = api(olga).post(TASKS, {"title": "x", "reminders": reminders}, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


class TestFiring:
    def test_happens_once_at_the_moment(self, olga, make, later):
        make(olga, reminders=[{"at": SOON}])
        assert later(HOUR - timedelta(seconds=1)) == []
        assert later(timedelta(seconds=1)) == [olga.pk]
        assert later(HOUR) == [olga.pk]

    def test_happens_so_long_before_it_is_due(self, olga, make, later):
        make(olga, due_date=clock.isoformat(NOW + 3 * HOUR), reminders=[{"before": "PT1H"}, {"before": "PT2H"}])
        assert [len(later(HOUR)) for _ in range(4)] == [1, 2, 2, 2]

    def test_happens_however_late_the_job_looks(self, olga, make, later):
        make(olga, reminders=[{"at": SOON}])
        assert later(timedelta(days=3)) == [olga.pk]

    def test_tells_the_owners_by_mail_and_live(self, olga, erik, robot, make, later, mailoutbox):
        due = clock.isoformat(NOW + HOUR)
        made = make(olga, equipment=robot.pk, owners=[olga.pk, erik.pk], due_date=due, reminders=[{"before": "PT0S"}])
        assert sorted(later(HOUR)) == sorted([olga.pk, erik.pk])
        (event,) = news()
        assert event.topics.split() == [f"users/{pk}/tasks" for pk in sorted([olga.pk, erik.pk])]
        assert event.payload["reminder"] == {"task": made["id"], "due_date": due}
        for delivery in Delivery.objects.all():
            assert sending.send(claim_next(channel_id=delivery.channel_id, now=clock.now()))
        assert sorted(one.to[0] for one in mailoutbox) == ["erik@example.org", "olga@example.org"]
        assert mailoutbox[0].subject == "Reminder: Oil"
        assert "About: Robot 1" in mailoutbox[0].body
        assert "Due: 2026-11-21 11:00 (UTC)" in mailoutbox[0].body

    def test_of_nobodys_task_tells_its_maker(self, olga, later):
        task = make_task(olga, reminders=[{"at": SOON}])
        services.arm_reminders(task, now=NOW)
        assert later(HOUR) == [olga.pk]

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(lambda client, address: client.patch(address, {"state": "done"}, format="json"), id="done"),
            pytest.param(
                lambda client, address: client.patch(address, {"state": "cancelled"}, format="json"), id="off"
            ),
            pytest.param(lambda client, address: client.delete(address), id="deleted"),
        ],
    )
    def test_does_not_happen_when_it_is_over(self, api, olga, make, later, end):
        end(api(olga), f"{TASKS}{make(olga, reminders=[{'at': SOON}])['id']}/")
        assert later(HOUR) == []

    def test_of_one_that_cannot_be_fired_does_not_keep_the_others(self, olga, erik, make, later, monkeypatch):
        make(olga, reminders=[{"at": SOON}])
        make(erik, reminders=[{"at": SOON}])
        first, fire = TaskReminder.objects.order_by("pk")[0].pk, services.fire_reminder

        def broken(*, pk, now):
            return 1 / 0 if pk == first else fire(pk=pk, now=now)

        monkeypatch.setattr(services, "fire_reminder", broken)
        with pytest.raises(RuntimeError, match="cannot be fired"):
            later(HOUR)
        assert told() == [erik.pk]

    def test_of_a_letter_that_comes_too_late_says_nothing(self, api, olga, make, later, mailoutbox):
        made = make(olga, reminders=[{"at": SOON}])
        later(HOUR)
        api(olga).patch(f"{TASKS}{made['id']}/", {"state": "done"}, format="json")
        assert sending.send(claim_next(channel_id=Delivery.objects.get().channel_id, now=clock.now()))
        assert mailoutbox == []


class TestMoving:
    def test_with_the_due_date_fires_anew(self, api, olga, make, later):
        made = make(olga, due_date=SOON, reminders=[{"before": "PT30M"}])
        assert later(HOUR) == [olga.pk]
        address = f"{TASKS}{made['id']}/"
        api(olga).patch(address, {"due_date": clock.isoformat(clock.now() + 2 * HOUR)}, format="json")
        assert later(HOUR) == [olga.pk]
        assert later(HOUR) == [olga.pk, olga.pk]

    def test_into_the_past_fires_nothing(self, api, olga, make, later):
        made = make(olga, due_date=SOON, reminders=[{"before": "PT30M"}])
        api(olga).patch(f"{TASKS}{made['id']}/", {"due_date": clock.isoformat(NOW)}, format="json")
        assert later(HOUR) == []

    def test_of_what_fired_already_does_not_repeat_the_others(self, api, olga, make, later):
        made = make(olga, reminders=[{"at": SOON}])
        later(HOUR)
        more = [{"at": SOON}, {"at": clock.isoformat(NOW + 2 * HOUR)}]
        api(olga).patch(f"{TASKS}{made['id']}/", {"reminders": more}, format="json")
        assert len(later(timedelta(minutes=1))) == 1
        assert len(later(HOUR)) == 2

    def test_away_ends_it(self, api, olga, make, later):
        made = make(olga, reminders=[{"at": SOON}])
        api(olga).patch(f"{TASKS}{made['id']}/", {"reminders": []}, format="json")
        assert later(HOUR) == []
        assert not TaskReminder.objects.exists()

    def test_waits_for_a_due_date(self, api, olga, make, later):
        made = make(olga, reminders=[{"before": "PT0S"}])
        assert later(HOUR) == []
        api(olga).patch(f"{TASKS}{made['id']}/", {"due_date": clock.isoformat(NOW + 2 * HOUR)}, format="json")
        assert later(HOUR) == [olga.pk]
