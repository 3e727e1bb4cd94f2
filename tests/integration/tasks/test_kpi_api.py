"""Key figures of maintenance over HTTP, with the vectors of docs/reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from techtrack.assets.models import Asset
from techtrack.core.clock import read_duration, to_micros
from techtrack.tasks.models import Downtime, PlannedTask, Run, RunLog
from techtrack.tasks.queries import kpi
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
KPI = "/api/tasks/kpi/"
START = datetime(2026, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# 720 h, and a moment later.
SPAN = {"from": "2026-10-01T00:00:00Z", "to": "2026-10-31T00:00:00Z"}


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOW, tick=False):
        yield


def down(asset, first, last, **fields):
    ends = None if last is None else START + last * HOUR
    return factories.make_downtime(asset, starts_at=START + first * HOUR, ends_at=ends, **fields)


def ask(client, **query):
    answer = client.get(KPI, SPAN | query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def hours(told, *names):
    """Durations as hours."""
    return [None if told[name] is None else read_duration(told[name]) / HOUR for name in names]


class TestReliability:
    def test_of_three_failures_in_a_month(self, api, vera, robot):
        for first, last in ((100, 104), (300, 302), (600, 606)):
            down(robot, first, last)
        told = ask(api(vera))["reliability"]
        assert (told["failures"], round(told["availability"], 5)) == (3, 0.98333)
        assert hours(told, "mtbf", "mttr", "up", "corrective", "planned") == [236, 4, 708, 12, 0]
        assert told["mtbf_at_least"] is None

    def test_of_no_failure_is_a_lower_bound_and_not_zero(self, api, vera, robot):
        told = ask(api(vera))["reliability"]
        assert (told["failures"], told["mtbf"], told["mttr"]) == (0, None, None)
        assert hours(told, "mtbf_at_least") == [720]

    def test_leaves_planned_time_out_of_both(self, api, vera, robot):
        down(robot, 100, 104)
        down(robot, 200, 220, planned=True)
        told = ask(api(vera))["reliability"]
        assert hours(told, "mtbf", "mttr", "planned") == [696, 4, 20]

    def test_counts_an_open_one_to_now(self, api, vera, robot):
        factories.make_downtime(robot, starts_at=NOW - 5 * HOUR, ends_at=None)
        told = api(vera).get(KPI).json()["reliability"]
        assert hours(told, "corrective", "mttr") == [5, 5]

    def test_clips_to_the_time_that_is_asked_for(self, api, vera, robot):
        down(robot, -10, 5)
        down(robot, 715, 900)
        told = ask(api(vera))["reliability"]
        # The first failure began before: it is not this month's.
        assert (told["failures"], hours(told, "corrective")) == (1, [10])

    def test_of_what_is_scrapped_makes_no_plant_better(self, api, vera, robot, station):
        down(robot, 100, 104)
        Asset.objects.filter(pk=station.pk).update(status="retired")
        told = ask(api(vera))
        assert hours(told["reliability"], "mtbf") == [716]
        assert [one["equipment"] for one in told["assets"]] == [robot.pk]
        # Who asks for it by its id wants to know.
        assert hours(ask(api(vera), sensor=station.pk)["reliability"], "up") == [720]

    def test_is_told_of_each_asset_the_worst_first(self, api, vera, robot, station):
        down(station, 100, 150)
        down(robot, 100, 104)
        told = ask(api(vera))
        assert [(one["name"], one["failures"]) for one in told["assets"]] == [("Station 1", 1), ("Robot 1", 1)]
        assert (told["count"], told["reliability"]["failures"]) == (2, 2)
        alone = ask(api(vera), equipment=robot.pk)
        assert hours(alone["reliability"], "mtbf") == [716]

    def test_counts_operating_time_where_telemetry_tells_of_it(self, api, vera, robot):
        RunLog.objects.create(asset=robot, key="speed:100", begins=to_micros(START), time=to_micros(NOW), look_at=NOW)
        for day in range(30):
            begins = START + 24 * day * HOUR
            Run.objects.create(asset=robot, start=to_micros(begins), end=to_micros(begins + 8 * HOUR))
        down(robot, 2, 6)
        told = ask(api(vera))["reliability"]
        assert hours(told, "up", "operating", "mtbf") == [716, 236, 236]

    def test_takes_an_asset_to_have_run_before_telemetry_tells(self, api, vera, robot):
        half = START + 360 * HOUR
        RunLog.objects.create(asset=robot, key="speed:100", begins=to_micros(half), time=to_micros(NOW), look_at=NOW)
        assert hours(ask(api(vera))["reliability"], "operating") == [360]

    def test_does_not_count_the_time_before_it_was_installed(self, api, vera, robot):
        robot.installation_date = datetime(2026, 10, 16, tzinfo=UTC).date()
        robot.save()
        assert hours(ask(api(vera))["reliability"], "up") == [360]

    def test_of_a_month_adds_up_from_its_halves(self, api, vera, robot):
        for first, last in ((100, 104), (350, 370), (600, 606)):
            down(robot, first, last)
        halves = [
            ask(api(vera), **{"from": first, "to": last})["reliability"]
            for first, last in (("2026-10-01", "2026-10-16"), ("2026-10-16", "2026-10-31"))
        ]
        whole = ask(api(vera))["reliability"]
        for name in ("up", "corrective"):
            assert sum(hours(half, name)[0] for half in halves) == hours(whole, name)[0]
        assert sum(half["failures"] for half in halves) == whole["failures"]


class TestBacklog:
    def test_counts_what_is_late(self, api, olga, robot):
        for days in (-3, -1, 2):
            factories.make_task(olga, due_date=NOW + timedelta(days=days), asset_id=robot.pk)
        factories.make_task(olga)
        factories.make_task(olga, due_date=NOW - timedelta(days=9), state="done")
        assert ask(api(olga))["overdue"] == {"unfinished": 4, "overdue": 2, "longest": "P3D"}
        assert ask(api(olga), equipment=robot.pk)["overdue"]["unfinished"] == 3

    def test_is_the_callers_own(self, api, olga, oscar):
        factories.make_task(olga, due_date=NOW - timedelta(days=1))
        assert ask(api(oscar))["overdue"]["unfinished"] == 0


class TestPlace:
    def test_is_one(self, api, vera, robot, station):
        answer = api(vera).get(KPI, SPAN | {"equipment": robot.pk, "sensor": station.pk})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "?sensor")


class TestCompliance:
    def planned(self, robot, due, *, completed=None, state="open", **fields):
        task = factories.make_task(
            None, automatic=True, asset_id=robot.pk, state=state, completed_at=completed, **fields
        )
        moment = START + due * HOUR
        PlannedTask.objects.create(
            task=task, asset=robot, kind="calendar", reason="scheduled", detail="", due=moment, grace=24 * HOUR
        )

    def test_counts_what_was_done_in_time(self, api, vera, robot):
        self.planned(robot, 100, state="done", completed=START + 90 * HOUR)
        self.planned(robot, 200, state="done", completed=START + 223 * HOUR)
        self.planned(robot, 300, state="done", completed=START + 350 * HOUR)
        self.planned(robot, 400, state="cancelled")
        self.planned(robot, 500)
        self.planned(robot, 600, deleted_at=NOW)
        assert ask(api(vera))["plans"] == {"in_time": 2, "late": 1, "missed": 2, "waiting": 0, "compliance": 0.4}

    def test_does_not_judge_what_still_has_time(self, api, vera, robot):
        self.planned(robot, (NOW - START) / HOUR - 1)
        told = api(vera).get(KPI).json()["plans"]
        assert (told["waiting"], told["compliance"]) == (1, None)

    def test_is_of_the_assets_that_one_sees(self, api, oscar, robot):
        self.planned(robot, 100, state="done", completed=START + 90 * HOUR)
        assert ask(api(oscar))["plans"]["in_time"] == 0


class TestAsking:
    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            pytest.param({"from": "yesterday"}, "?from", id="no time"),
            pytest.param({"from": "2026-11-22"}, "?from", id="what has not come yet"),
            pytest.param({"from": "2024-01-01"}, "?from", id="too long"),
            pytest.param({"site": "plant"}, "?site", id="no id"),
            pytest.param({"timezone": "Mars"}, "?timezone", id="no time zone"),
            pytest.param({"asset": "1"}, "?asset", id="an unknown parameter"),
        ],
    )
    def test_for_nonsense_is_refused(self, api, vera, query, pointer):
        answer = api(vera).get(KPI, query)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)

    def test_for_what_one_does_not_see_finds_nothing(self, api, oscar, robot, plant):
        assert api(oscar).get(KPI, {"equipment": robot.pk}).status_code == 404
        assert api(oscar).get(KPI, {"sensor": robot.pk}).status_code == 404
        assert api(oscar).get(KPI, {"site": plant.pk}).status_code == 404

    def test_for_days_means_those_of_the_site(self, api, vera, plant):
        told = api(vera).get(KPI, {"site": plant.pk, "from": "2026-10-01", "to": "2026-10-02"}).json()
        assert (told["from"], told["to"]) == ("2026-09-30T22:00:00Z", "2026-10-01T22:00:00Z")

    def test_for_too_much_says_so(self, api, vera, robot, monkeypatch):
        monkeypatch.setattr(kpi, "MOST_ROWS", 2)
        for first in (10, 20, 30):
            down(robot, first, first + 1)
        answer = api(vera).get(KPI, SPAN)
        assert (answer.status_code, answer.json()["code"]) == (400, "too_much")

    def test_takes_as_many_queries_for_many_assets_as_for_one(
        self, api, vera, plant, robot, django_assert_max_num_queries
    ):
        for _ in range(30):
            down(factories.make_equipment(site=plant), 5, 6)
        assert Downtime.objects.count() == 30
        with django_assert_max_num_queries(8):
            ask(api(vera))
