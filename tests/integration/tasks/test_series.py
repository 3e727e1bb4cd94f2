"""Tasks that come again: the next one is made when one is done, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.tasks import queries, services
from techtrack.tasks.models import Task, TaskEdit
from tests import factories
from tests.integration.tasks.racing import losers, race

TASKS = "/api/tasks/"
# A Friday; in Berlin clocks changed on the Sunday behind it.
FRIDAY = "2026-03-27T07:00:00Z"
THEN = datetime(2026, 3, 27, 6, 0, tzinfo=UTC)
WEEKLY = {"title": "Clean", "recurrence": "FREQ=WEEKLY;COUNT=3", "due_date": FRIDAY}


@pytest.fixture(autouse=True)
def _then(monkeypatch):
    """An hour before the first task is due."""
    monkeypatch.setattr(clock, "now", lambda: THEN)


def url(task):
    return f"{TASKS}{task if isinstance(task, int) else task.pk}/"


@pytest.fixture
def make(api):
    def post(user, **body):
        answer = api(user).post(TASKS, {**WEEKLY, **body}, format="json")
        assert answer.status_code == 201, answer.content
        return answer.json()

    return post


@pytest.fixture
def finish(api):
    def patch(user, task, state="done"):
        answer = api(user).patch(url(task["id"]), {"state": state}, format="json")
        assert answer.status_code == 200, answer.content

    return patch


def unfinished():
    return Task.objects.filter(state="open").get()


class TestRule:
    def test_begins_with_the_due_date_on_the_clock_of_the_person(self, make, olga):
        olga.time_zone = "Europe/Berlin"
        olga.save()
        made = make(olga)
        assert made["recurrence"] == "FREQ=WEEKLY;COUNT=3"
        assert made["recurrence_terms"] == {"timezone": "Europe/Berlin", "dtstart": "2026-03-27T08:00:00"}

    def test_without_a_due_date_gives_the_task_its_first_date(self, make, olga):
        terms = {"timezone": "Europe/Berlin", "dtstart": "2026-03-26T06:00:00"}
        made = make(olga, due_date=None, recurrence="FREQ=WEEKLY;BYDAY=SU;COUNT=2", recurrence_terms=terms)
        assert made["due_date"] == "2026-03-29T04:00:00Z"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"recurrence": "FREQ=DAILY"}, "/recurrence", id="without an end"),
            pytest.param({"recurrence": "FREQ=SECONDLY;COUNT=9"}, "/recurrence", id="every second"),
            pytest.param({"recurrence": "FREQ=MINUTELY;COUNT=9"}, "/recurrence", id="every minute"),
            pytest.param({"recurrence": "x" * 501}, "/recurrence", id="a long one"),
            pytest.param({"recurrence": 7}, "/recurrence", id="a number"),
            pytest.param({"recurrence": "daily"}, "/recurrence", id="no rule"),
            pytest.param({"recurrence_terms": []}, "/recurrence_terms", id="a list of terms"),
            pytest.param({"recurrence_terms": {"colour": 1}}, "/recurrence_terms/colour", id="an unknown term"),
            pytest.param({"recurrence_terms": {"timezone": "x"}}, "/recurrence_terms/timezone", id="an unknown zone"),
            pytest.param({"recurrence_terms": {"timezone": 7}}, "/recurrence_terms/timezone", id="a number for a zone"),
            pytest.param({"recurrence_terms": {"dtstart": 7}}, "/recurrence_terms/dtstart", id="a number for a start"),
            pytest.param({"recurrence_terms": {"anchor": "x"}}, "/recurrence_terms/anchor", id="an unknown anchor"),
            pytest.param({"recurrence_terms": {"catch_up": 1}}, "/recurrence_terms/catch_up", id="no policy"),
            pytest.param({"recurrence_terms": {"exdate": "x"}}, "/recurrence_terms/exdate", id="a text for a list"),
            pytest.param(
                {"recurrence_terms": {"rdate": ["x"]}}, "/recurrence_terms/rdate/0", id="no time among the added"
            ),
        ],
    )
    def test_that_is_none_is_refused_with_its_place(self, api, olga, body, pointer):
        answer = api(olga).post(TASKS, {**WEEKLY, **body}, format="json")
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (400, [pointer])
        assert not Task.objects.exists()

    def test_is_needed_where_there_are_terms(self, api, olga):
        terms = {"recurrence_terms": {"anchor": "completed"}}
        sent = {"title": "x", **terms}
        made = api(olga).post(TASKS, {"title": "x"}, format="json").json()
        for answer in (
            api(olga).post(TASKS, sent, format="json"),
            api(olga).put(url(made["id"]), sent, format="json"),
            api(olga).patch(url(made["id"]), terms, format="json"),
        ):
            found = answer.json()
            assert (answer.status_code, found["code"], found["errors"][0]["pointer"]) == (
                400,
                "no_rule",
                "/recurrence_terms",
            )

    def test_is_taken_off_with_the_terms_that_were_read(self, api, make, olga):
        made = make(olga)
        changed = api(olga).put(url(made["id"]), {**made, "recurrence": None}, format="json")
        assert (changed.status_code, changed.json()["recurrence_terms"]) == (200, {})

    @pytest.mark.parametrize("none", [None, ""])
    def test_is_taken_off_with_its_terms(self, api, make, finish, olga, none):
        made = make(olga)
        changed = api(olga).patch(url(made["id"]), {"recurrence": none}, format="json").json()
        assert (changed["recurrence"], changed["recurrence_terms"], changed["due_date"]) == (None, {}, FRIDAY)
        finish(olga, made)
        assert Task.objects.count() == 1

    def test_is_taken_off_by_a_put_that_leaves_it_out(self, api, make, olga):
        made = make(olga)
        assert api(olga).put(url(made["id"]), {"title": "Clean"}, format="json").json()["recurrence"] is None

    def test_keeps_the_terms_that_a_patch_does_not_name(self, api, make, olga):
        made = make(olga, recurrence_terms={"timezone": "Asia/Tokyo"})
        changed = api(olga).patch(url(made["id"]), {"recurrence_terms": {"catch_up": "all"}}, format="json").json()
        assert changed["recurrence_terms"] == {
            "timezone": "Asia/Tokyo",
            "dtstart": "2026-03-27T16:00:00",
            "catch_up": "all",
        }

    def test_is_put_back_as_it_was_read(self, api, make, olga):
        made = make(olga)
        again = api(olga).put(url(made["id"]), made, format="json").json()
        names = ("recurrence", "recurrence_terms", "due_date")
        assert {name: again[name] for name in names} == {name: made[name] for name in names}


class TestDone:
    def test_makes_the_next_one_as_this_one_was(self, api, make, finish, olga, erik, vera, robot):
        drawer = factories.make_category(olga)
        said = {
            "description": "With a brush",
            "priority": 4,
            "category": drawer.pk,
            "start_date": "2026-03-27T05:00:00Z",
            "estimated_time": "PT30M",
            "owners": sorted([olga.pk, erik.pk]),
            "shared_with": [{"user": vera.pk, "level": "comment"}],
            "equipment": robot.pk,
        }
        made = make(olga, **said)
        finish(erik, made)
        following = api(olga).get(url(unfinished())).json()
        for name in ("title", "recurrence", "recurrence_terms", *said):
            assert following[name] == made[name] or name == "start_date", name
        assert (following["start_date"], following["due_date"]) == ("2026-04-03T05:00:00Z", "2026-04-03T07:00:00Z")
        assert (following["created_by"], following["completed_at"]) == (olga.pk, None)
        assert TaskEdit.objects.get(task=following["id"]).by == erik

    def test_keeps_the_time_of_day_when_clocks_change(self, make, finish, olga):
        finish(olga, make(olga, recurrence_terms={"timezone": "Europe/Berlin"}))
        assert unfinished().due_date == datetime(2026, 4, 3, 6, 0, tzinfo=UTC)

    def test_ends_with_the_series(self, make, finish, olga):
        finish(olga, make(olga, recurrence="FREQ=DAILY;COUNT=2"))
        due = unfinished().due_date
        finish(olga, {"id": unfinished().pk})
        assert (due.day, Task.objects.count()) == (28, 2)

    def test_again_makes_no_other(self, make, finish, olga):
        made = make(olga)
        for state in ("done", "open", "done", "done"):
            finish(olga, made, state)
        assert Task.objects.count() == 2

    def test_as_it_is_made_makes_the_next_one(self, make, olga):
        make(olga, state="done")
        assert unfinished().due_date == datetime(2026, 4, 3, 7, 0, tzinfo=UTC)

    def test_is_not_what_is_cancelled_or_deleted(self, api, make, finish, olga):
        finish(olga, make(olga), "cancelled")
        api(olga).delete(url(make(olga)["id"]))
        assert Task.objects.count() == 2

    def test_counts_from_then_where_that_is_the_anchor(self, make, finish, olga, monkeypatch):
        made = make(olga, recurrence="FREQ=DAILY;INTERVAL=10;COUNT=3", recurrence_terms={"anchor": "completed"})
        services.update_task(
            task=queries.whole(made["id"]),
            by=access_of(olga),
            changes={"state": "done"},
            expected=None,
            now=datetime(2026, 5, 1, 12, 0, tzinfo=UTC),
        )
        assert unfinished().due_date == datetime(2026, 5, 11, 7, 0, tzinfo=UTC)

    def test_of_a_task_that_was_put_off_goes_on_by_the_calendar(self, api, make, finish, olga):
        made = make(olga, recurrence="FREQ=WEEKLY;COUNT=30")
        api(olga).patch(url(made["id"]), {"due_date": "2026-03-29T07:00:00Z"}, format="json")
        services.update_task(
            task=queries.whole(made["id"]),
            by=access_of(olga),
            changes={"state": "done"},
            expected=None,
            now=datetime(2026, 3, 28, 12, 0, tzinfo=UTC),
        )
        assert unfinished().due_date == datetime(2026, 4, 3, 7, 0, tzinfo=UTC)

    def test_of_one_in_many_makes_its_next(self, api, make, olga):
        ids = [make(olga)["id"] for _ in range(3)]
        items = [{"action": "update", "id": pk, "body": {"state": "done"}} for pk in ids]
        assert api(olga).post(f"{TASKS}bulk/", {"items": items}, format="json").status_code == 200
        assert sorted(Task.objects.filter(state="open").values_list("follows", flat=True)) == sorted(ids)

    def test_goes_with_what_undoes_it(self, api, make, olga):
        made = make(olga)
        items = [
            {"action": "update", "id": made["id"], "body": {"state": "done"}},
            {"action": "update", "id": made["id"], "body": {"title": ""}},
        ]
        assert api(olga).post(f"{TASKS}bulk/", {"items": items}, format="json").status_code == 207
        assert Task.objects.get().state == "open"

    @pytest.mark.django_db(transaction=True)
    def test_by_many_at_once_makes_one(self, olga, make_task):
        due = datetime(2026, 3, 27, 7, 0, tzinfo=UTC)
        task = make_task(olga, recurrence="FREQ=WEEKLY;COUNT=9", due_date=due)

        def finish():
            mine = queries.whole(task.pk)
            return services.update_task(
                task=mine, by=access_of(olga), changes={"state": "done"}, expected=None, now=THEN
            )

        assert losers(race(*[finish] * 6)) == []
        assert Task.objects.filter(follows=task).count() == 1
        assert Task.objects.count() == 2
