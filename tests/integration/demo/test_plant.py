"""The demo plant: loaded through the services, once however often, and what its pages show and break."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from itertools import pairwise

import numpy as np
import pytest
from django.test import Client

from techtrack.accounts.domain.access import internal
from techtrack.accounts.models import ApiKey, Site, User
from techtrack.accounts.queries import key_access
from techtrack.alerts.models import Rule
from techtrack.assets.models import Asset
from techtrack.core.clock import to_micros
from techtrack.demo import air, faults, folder, load, plant, story, upkeep
from techtrack.demo.clock import SPAN
from techtrack.notifications.models import Channel, Route
from techtrack.tasks.models import Course, Plan, PlannedTask, Task
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin
from techtrack.telemetry.services import ingest
from tests import factories
from tests.integration.tasks.upkeep import count, look

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_home(tmp_path, settings):
    settings.HOME = tmp_path
    settings.DEMO = True


def replay(one: load.Playing, *, start: datetime, until: datetime) -> None:
    """Send what a recording says of the time from the story's start on."""
    asset = Asset.objects.get(key=one.key)
    when, which = one.loop.between(0, (until - start) // timedelta(microseconds=1))
    columns = {code: column[which] for code, column in one.recording.columns.items()}
    present = {code: column for code, column in columns.items() if not np.isnan(column).all()}
    batch = Batch(np.full(len(when), asset.pk, np.int64), when + to_micros(start), present)
    ingest(batch=batch, by=internal(), now=until, origin=Origin.IMPORT)


def counted() -> dict[str, int]:
    """How many rows of each kind there are, and how many readings."""
    models = (User, Site, Asset, Rule, Channel, Route, ApiKey, Task, Plan, Course)
    readings = sum(telemetry.count(pk) for pk in Asset.objects.values_list("pk", flat=True))
    return {model.__name__: model.objects.count() for model in models} | {"readings": readings}


class TestPlant:
    def test_loaded_twice_is_loaded_once(self, now):
        first = load.load_plant(now)
        rows = counted()
        second = load.load_plant(now + timedelta(hours=1))
        assert counted() == rows
        assert rows["readings"] > 100_000
        assert (second.passwords, second.keys, second.state.start) == (first.passwords, first.keys, first.state.start)
        self._ends_where_the_story_begins(first)
        self._says_where_its_data_come_from()
        self._remembers_what_was_replaced()
        self._has_keys_that_open_no_more_than_they_must(first, now)
        self._shows_its_air(first, now)
        self._plans_by_the_hours_that_its_machines_ran(now)
        self._brings_their_work_when_the_hours_are_full(first, now + timedelta(days=2))

    def _plans_by_the_hours_that_its_machines_ran(self, now):
        count(now)
        assert look(now) == []
        found = Course.objects.filter(plan__name=upkeep.NAME).select_related("asset")
        assert {course.asset.type.slug for course in found} == {"machine"}
        assert len(found) == 10
        for course in found:
            meter = next(one for one in course.outlooks if one["kind"] == "meter")
            # All ten ran nearly always: they come to their hours within the first day.
            assert meter["reason"] == "projected", meter
            assert now < datetime.fromisoformat(meter["due"]) < now + timedelta(days=2)

    def _brings_their_work_when_the_hours_are_full(self, loaded, then):
        for one in loaded.playing:
            if one.key.startswith("machine-"):
                replay(one, start=loaded.state.start, until=then)
        count(then)
        opened = look(then)
        assert {task.asset.key for task in opened} == {f"machine-{number:02}" for number in range(1, 11)}
        for told in PlannedTask.objects.filter(task__in=opened):
            hours = float(told.detail.partition(" of 1840 counted")[0])
            assert (told.kind, told.reason) == ("meter", "reached")
            assert upkeep.HOURS <= hours < upkeep.HOURS + 60

    def _shows_its_air(self, loaded, now):
        start = loaded.state.start
        drawn = air.report(by=internal(), now=now)
        assert (drawn.state, drawn.period, drawn.limits) == ("preliminary", str(now.year), "eu_2030")
        assert air.report(by=internal(), now=now + timedelta(hours=1)) == drawn
        first, *lines = air.told(drawn=drawn, start=start, at=start, url="http://plant.example")
        assert re.match(r"The city's air: \d+, [A-Z][\w ]+, by its \w+\. Log in, and open:", first)
        client = Client()
        client.force_login(User.objects.get(username="vera"))
        index, year, report, dust, beside = (client.get(line.split("plant.example")[1]) for line in lines)
        assert {answer.status_code for answer in (index, year, report, dust, beside)} == {200}
        assert {one["parameter"] for one in index.json()["pollutants"]} >= {"pm2_5", "o3", "co"}
        told = year.json()
        assert told["days"] + told["days_left"] in {365, 366}
        assert {one["limit"]: one for one in told["findings"]}["pm2_5_day"]["used"] > 0
        assert min(one["capture"] for one in told["findings"]) > told["capture_needed"]
        assert "Preliminary: nobody has signed it, and its period is not over" in report.content.decode()
        assert dust.json()["mean_raw"] > dust.json()["mean_corrected"] > 0
        assert len(beside.json()["series"]) == 2
        self._has_an_empty_report_as_the_year_begins(datetime(now.year + 1, 1, 1, 3, tzinfo=UTC))

    def _has_an_empty_report_as_the_year_begins(self, then):
        drawn = air.report(by=internal(), now=then)
        assert (drawn.period, drawn.content["sensors"][0]["index"]) == (str(then.year), None)
        first, *_ = air.told(drawn=drawn, start=then, at=then, url="")
        assert first.startswith("The city's air has no index yet.")

    def _ends_where_the_story_begins(self, loaded):
        assert loaded.state.start + SPAN == loaded.state.clock.wall
        for one in loaded.playing:
            asset = Asset.objects.get(key=one.key)
            _, last = telemetry.extent([asset.pk])
            assert loaded.state.start - timedelta(hours=1) < last <= loaded.state.start, one.key

    def _says_where_its_data_come_from(self):
        for asset in Asset.objects.exclude(key=plant.TRY_ME.key):
            assert asset.attributes.keys() & {"replayed", "simulated", "source"}, asset.key
        assert "SIMULATED" in Asset.objects.get(key="machine-01").attributes["simulated"]
        station = Asset.objects.get(key="aotizhongxin")
        first, last = telemetry.extent([station.pk])
        # Midnight in Shanghai; the record ends an hour before midnight four years later.
        assert first == datetime(2013, 2, 28, 16, tzinfo=UTC)
        assert last == datetime(2017, 2, 28, 15, tzinfo=UTC)

    def _remembers_what_was_replaced(self):
        # azure_maint and azure_failures: on 2015-03-07 component 2 of machine 8 failed and was replaced.
        titles = Task.objects.filter(asset__key="machine-08", state="done").values_list("title", flat=True)
        assert "Replace component 2 after its failure" in titles

    def _has_keys_that_open_no_more_than_they_must(self, loaded, now):
        own = key_access(loaded.keys[load.TRY_ME], "127.0.0.1", now)
        assert own.only_asset == Asset.objects.get(key="try-me").pk
        assert not own.may_use("alerts", writing=False)

    def test_keeps_its_secrets_to_their_owner(self, now):
        load._people(now)
        kept = folder.file("..") / "secrets" / "demo-passwords.json"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert set(json.loads(kept.read_text())) == {one.username for one in story.PEOPLE}

    def test_raises_its_first_alarm_when_it_says(self):
        bearing = plant.things()[0].feed()
        loop, watch = bearing.loop(datetime(2026, 11, 22, tzinfo=UTC)), plant.RULES[0]
        microsecond = timedelta(microseconds=1)
        when, which = loop.between(0, (story.FIRST_ALARM + timedelta(hours=1)) // microsecond)
        values = bearing.recording.columns["vibration_rms"][which]
        limit = watch.conditions[-1]["limit"]
        above = [at for at, value in zip(when.tolist(), values.tolist(), strict=True) if value > limit]
        lasting = [at for at, later in pairwise(above) if later - at < watch.on_delay // microsecond]
        assert lasting[0] * microsecond + watch.on_delay == story.FIRST_ALARM


class TestPages:
    @pytest.fixture
    def browser(self):
        def logged_in(user) -> Client:
            client = Client()
            client.force_login(user)
            return client

        return logged_in

    @pytest.fixture
    def operator(self):
        return factories.make_user("otto", role=story.Role.OPERATOR)

    @pytest.mark.parametrize("path", ["/demo/", "/demo/inbox/", "/demo/inbox/20261121T100000000000-000001/"])
    def test_are_not_there_outside_a_demo(self, browser, adam, settings, path):
        settings.DEMO = False
        assert browser(adam).get(path).status_code == 404

    def test_want_a_login(self):
        assert Client().get("/demo/").status_code == 302

    def test_let_an_operator_break_and_mend(self, browser, operator):
        client = browser(operator)
        assert client.post("/demo/break/overheat/").status_code == 302
        assert faults.broken().keys() == {"overheat"}
        assert b"Mend it" in client.get("/demo/").content
        client.post("/demo/break/overheat/", {"mend": "1"})
        assert faults.broken() == {}

    def test_let_nobody_else_break(self, browser, vera):
        assert browser(vera).post("/demo/break/overheat/").status_code == 403
        assert faults.broken() == {}

    def test_know_what_can_be_broken(self, browser, operator):
        assert browser(operator).post("/demo/break/everything/").status_code == 404

    def test_show_caught_mail_to_whom_it_concerns(self, browser, adam, operator, mallory):
        self._catch("1", story.SHIFT, "For the shift")
        self._catch("2", adam.email, "For adam <b>alone</b>")
        shown = browser(operator).get("/demo/inbox/").content.decode()
        assert "For the shift" in shown
        assert "For adam" not in shown
        assert "For adam &lt;b&gt;" in browser(adam).get("/demo/inbox/").content.decode()
        assert "For the shift" not in browser(mallory).get("/demo/inbox/").content.decode()

    def test_show_one_mail_to_whom_it_concerns(self, browser, adam, operator):
        name = self._catch("2", adam.email, "For adam")
        assert browser(adam).get(f"/demo/inbox/{name}/").status_code == 200
        assert browser(operator).get(f"/demo/inbox/{name}/").status_code == 404

    def _catch(self, number: str, to: str, subject: str) -> str:
        message = EmailMessage()
        message["To"], message["Subject"] = to, subject
        message.set_content("What, where, value")
        name = f"20261121T100000000000-{number:0>6}"
        folder.replace(folder.file("inbox") / f"{name}.eml", message.as_bytes())
        return name
