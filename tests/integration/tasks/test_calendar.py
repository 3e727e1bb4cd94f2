"""Calendars that subscribe to tasks: keys that can be taken back, and a feed that other programs read."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import icalendar
import pytest
from rest_framework.test import APIClient

from techtrack.accounts.domain.access import Role
from techtrack.core import clock
from techtrack.tasks.models import CalendarFeed
from tests import factories
from tests.factories import NOW, make_task

FEEDS = "/api/calendar-feeds/"
CALENDAR = "/api/tasks/calendar.ics"
SOON = NOW + timedelta(hours=3)


@pytest.fixture(autouse=True)
def the_clock(monkeypatch):
    """``the_clock[0]`` is what time it is."""
    times = [NOW]
    monkeypatch.setattr(clock, "now", lambda: times[0])
    return times


@pytest.fixture
def subscribe(api):
    """``subscribe(olga, everything=True)``: path and query of a new feed."""

    def make(who, **fields):
        answer = api(who).post(FEEDS, {"name": "Phone", **fields}, format="json")
        assert answer.status_code == 201, answer.content
        parts = urlsplit(answer.json()["url"])
        return f"{parts.path}?{parts.query}"

    return make


def fetch(address, **headers):
    return APIClient().get(address, **headers)


def titles(answer):
    assert answer.status_code == 200, answer.content
    return [str(event["SUMMARY"]) for event in icalendar.Calendar.from_ical(answer.content).events]


class TestKey:
    def test_is_shown_once_and_kept_as_a_hash(self, api, olga):
        made = api(olga).post(FEEDS, {"name": "Phone"}, format="json")
        assert made["Cache-Control"] == "no-store"
        key = made.json()["url"].partition("?key=")[2]
        feed = CalendarFeed.objects.get()
        assert (len(key), len(feed.digest), key in str(vars(feed))) == (43, 64, False)
        assert "url" not in api(olga).get(f"{FEEDS}{feed.pk}/").json()
        assert api(olga).get(FEEDS).json()["results"] == [api(olga).get(f"{FEEDS}{feed.pk}/").json()]

    def test_opens_nothing_once_it_is_taken_back(self, api, olga, subscribe):
        address = subscribe(olga)
        assert fetch(address).status_code == 200
        assert api(olga).delete(f"{FEEDS}{CalendarFeed.objects.get().pk}/", HTTP_IF_MATCH='"1"').status_code == 204
        answer = fetch(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "feed_gone")

    def test_opens_nothing_once_its_owner_is_gone(self, olga, subscribe):
        address = subscribe(olga)
        olga.is_active = False
        olga.save()
        assert fetch(address).status_code == 404

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            pytest.param("", 400, id="none"),
            pytest.param("?key=", 400, id="an empty one"),
            pytest.param("?key=" + "x" * 201, 400, id="a long one"),
            pytest.param("?key=" + "x" * 43, 404, id="a guess"),
            pytest.param("?key=%ff", 404, id="garbage"),
            pytest.param("?key=x&when=now", 400, id="a parameter too many"),
        ],
    )
    def test_that_is_none_opens_nothing(self, db, query, status):
        answer = fetch(f"{CALENDAR}{query}")
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")

    def test_is_its_owners_own(self, api, olga, adam, subscribe):
        subscribe(olga)
        number = CalendarFeed.objects.get().pk
        client = api(adam)
        assert client.get(FEEDS).json()["count"] == 0
        assert client.get(f"{FEEDS}{number}/").status_code == 404
        for send in (client.put, client.patch, client.delete):
            assert send(f"{FEEDS}{number}/", {"name": "x"}, format="json").status_code == 404

    def test_is_for_people(self, db, api, olga):
        key = factories.make_key(olga, scope="write")
        client = APIClient()
        client.force_authenticate(olga, token=olga.access().__class__(**{**_parts(olga), "key_id": key.pk}))
        answer = client.post(FEEDS, {"name": "x"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_by_key")

    def test_is_one_of_fifty(self, api, olga, monkeypatch):
        monkeypatch.setattr("techtrack.tasks.services.feeds.MOST_FEEDS", 1)
        found = [api(olga).post(FEEDS, {"name": "x"}, format="json").status_code for _ in range(2)]
        assert found == [201, 409]

    def test_notes_now_and_then_that_it_was_used(self, olga, subscribe, the_clock):
        address, seen = subscribe(olga), []
        for _ in range(3):
            fetch(address)
            seen.append(CalendarFeed.objects.get().last_read)
            the_clock[0] += timedelta(minutes=40)
        assert seen == [NOW, NOW, NOW + timedelta(minutes=80)]


def _parts(user):
    access = user.access()
    return {name: getattr(access, name) for name in ("user_id", "username", "everywhere", "at")}


class TestFeed:
    def test_shows_what_is_due_to_its_owner(self, olga, erik, robot, subscribe):
        make_task(olga, title="Mine", due_date=SOON)
        make_task(erik, title="Shared", shared_with=[olga], due_date=SOON + timedelta(hours=1))
        make_task(erik, title="Taken", owners=[olga], due_date=SOON + timedelta(hours=2))
        make_task(olga, title="Some day")
        make_task(erik, title="At the site", asset_id=robot.pk, due_date=SOON + timedelta(hours=3))
        make_task(olga, title="Thrown away", due_date=SOON, deleted_at=NOW)
        make_task(erik, title="Private", due_date=SOON)
        assert titles(fetch(subscribe(olga))) == ["Mine", "Shared", "Taken"]
        assert titles(fetch(subscribe(olga, everything=True))) == ["Mine", "Shared", "Taken", "At the site"]

    def test_follows_what_its_owner_may_see(self, olga, erik, robot, subscribe):
        make_task(erik, title="At the site", asset_id=robot.pk, due_date=SOON)
        address = subscribe(olga, everything=True)
        olga.memberships.all().delete()
        assert titles(fetch(address)) == []

    def test_forgets_what_was_finished_long_ago(self, olga, subscribe):
        for title, state, days in (("old", "done", 91), ("late", "open", 91), ("fresh", "done", 1)):
            make_task(olga, title=title, state=state, due_date=NOW - timedelta(days=days))
        assert titles(fetch(subscribe(olga))) == ["late", "✓ fresh"]

    def test_says_what_the_task_says(self, olga, robot, subscribe):
        drawer = factories.make_category(olga, name="Oil; and, more")
        task = make_task(
            olga,
            title="Lubricate",
            description="Two lines\nof words",
            asset_id=robot.pk,
            category=drawer,
            priority=4,
            due_date=SOON,
            estimated_seconds=7200,
            reminders=[{"before": "PT15M"}, {"at": "2026-11-21T11:00:00Z"}],
        )
        (event,) = icalendar.Calendar.from_ical(fetch(subscribe(olga)).content).events
        assert str(event["UID"]).startswith(f"task-{task.pk}@")
        assert (event.start, event.end) == (SOON, SOON + timedelta(hours=2))
        assert str(event["DESCRIPTION"]) == "Two lines\nof words"
        assert (str(event["LOCATION"]), event.categories, event["PRIORITY"]) == ("Robot 1", ["Oil; and, more"], 1)
        assert str(event["URL"]).endswith(f"/tasks/#task-{task.pk}")
        assert [time.trigger for time in event.alarms.times] == [SOON - timedelta(minutes=15), NOW + timedelta(hours=1)]

    def test_tells_nobody_into_which_drawer_others_put_it(self, olga, erik, subscribe):
        make_task(erik, owners=[olga], due_date=SOON, category=factories.make_category(erik, name="Chores of olga"))
        assert b"Chores" not in fetch(subscribe(olga)).content

    def test_that_has_not_changed_is_not_sent_again(self, olga, subscribe, the_clock):
        task, address = make_task(olga, due_date=SOON), subscribe(olga)
        first = fetch(address)
        assert first["ETag"].startswith('"')
        the_clock[0] += timedelta(minutes=5)
        again = fetch(address, HTTP_IF_NONE_MATCH=first["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        task.change(expected=None, now=NOW, title="Other")
        assert fetch(address, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200

    def test_is_a_calendar_for_whoever_asks_and_for_no_cache_of_others(self, olga, subscribe):
        answer = fetch(subscribe(olga), HTTP_ACCEPT="text/calendar")
        assert answer["Content-Type"] == "text/calendar; charset=utf-8"
        assert "private" in answer["Cache-Control"]

    def test_asks_as_much_of_the_database_for_many_as_for_few(self, olga, subscribe, django_assert_num_queries):
        address = subscribe(olga)
        fetch(address)
        for _ in range(30):
            make_task(olga, due_date=SOON)
        with django_assert_num_queries(3):
            fetch(address)


class TestKhal:
    """A calendar of the terminal, which reads with a library of its own."""

    CONFIG = """
[calendars]
[[plant]]
path = {home}/calendar
type = calendar
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
default_timezone = UTC
local_timezone = UTC
[sqlite]
path = {home}/khal.db
"""

    def test_shows_the_tasks_of_a_person(self, olga, plant, subscribe, tmp_path):
        press = factories.make_equipment("Press; 1, „Größe“", site=plant)
        boss = factories.make_user("boss", role=Role.ENGINEER, site=plant)
        make_task(boss, title="Grease: the, press", asset_id=press.pk, owners=[olga], due_date=SOON, description="a\nb")
        make_task(olga, title="Done with", state="done", due_date=SOON + timedelta(days=1))
        (tmp_path / "config").write_text(self.CONFIG.format(home=tmp_path))
        feed = tmp_path / "feed.ics"
        feed.write_bytes(fetch(subscribe(olga)).content)
        self.khal(tmp_path, "import", "--batch", "-a", "plant", str(feed))
        form = "{start-long}|{end-long}|{title}|{location}|{description}"
        found = self.khal(tmp_path, "list", "--format", form, "--day-format", "", "2026-11-21", "3d")
        assert found == (
            "2026-11-21 13:00|2026-11-21 13:30|Grease: the, press|Press; 1, „Größe“|a\nb\n"
            "2026-11-22 13:00|2026-11-22 13:30|✓ Done with||\n"
        )

    def khal(self, home, *arguments):
        command = [sys.executable, "-m", "khal", "--config", str(home / "config"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout
