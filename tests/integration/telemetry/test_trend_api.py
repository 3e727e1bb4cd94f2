"""The trend of a series through its door."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.core.clock import isoformat, to_micros
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.services import ingest
from tests.factories import NOW

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)


@pytest.fixture
def heating(robot):
    """A robot that gets half a degree warmer every hour, from 20 on, for a week until NOW."""
    start = to_micros(NOW - WEEK)
    rows = [
        Row(robot.pk, start + minute * 60_000_000, {"temperature": 20 + minute / 120 + (minute % 3) * 0.01})
        for minute in range(0, 7 * 24 * 60, 5)
    ]
    ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=Origin.IMPORT)
    return robot


def ask(client, asset, query=""):
    answer = client.get(f"/api/equipment/{asset.pk}/trend/?to={isoformat(NOW)}&{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


class TestTrend:
    def test_tells_slope_forecast_and_when_a_limit_is_met(self, api, vera, heating):
        told = ask(api(vera), heating, "parameter=temperature&limit=116&horizon=PT48H")
        assert told["slope"] == pytest.approx(0.5, rel=1e-3)
        assert told["slope_low"] <= told["slope"] <= told["slope_high"]
        assert told["direction"] == "rising"
        assert told["forecast"][-1]["at"] == isoformat(NOW + timedelta(hours=48))
        assert told["forecast"][-1]["value"] == pytest.approx(128, abs=0.2)
        reaches = told["reaches"]
        at = datetime.fromisoformat(reaches["at"])
        assert abs(at - (NOW + timedelta(hours=24))) < timedelta(minutes=30)
        assert reaches["earliest"] <= reaches["at"] <= reaches["latest"]
        assert (reaches["limit"], reaches["reason"]) == (116.0, None)

    @pytest.mark.parametrize("limit", [50, 10, -5], ids=["passed", "below all", "negative"])
    def test_says_why_a_limit_is_not_met(self, api, vera, heating, limit):
        reaches = ask(api(vera), heating, f"limit={limit}")["reaches"]
        assert (reaches["at"], reaches["earliest"], reaches["latest"]) == (None, None, None)
        assert reaches["reason"]

    def test_says_when_it_has_too_little(self, api, vera, robot):
        told = ask(api(vera), robot, "parameter=temperature&limit=5")
        assert (told["slope"], told["forecast"], told["count"]) == (None, [], 0)
        assert told["reason"]
        assert told["reaches"]["reason"]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("parameter=temperature,speed", "?parameter"),
            ("limit=hot", "?limit"),
            ("limit=nan", "?limit"),
            ("horizon=soon", "?horizon"),
            ("horizon=P99999D", "?horizon"),
            ("confidence=1", "?confidence"),
            ("points=3", "?points"),
        ],
    )
    def test_refuses_what_it_cannot_read(self, api, vera, heating, query, pointer):
        answer = api(vera).get(f"/api/equipment/{heating.pk}/trend/?{query}")
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_asks_which_parameter_where_there_are_several(self, api, vera, heating):
        row = Row(heating.pk, to_micros(NOW), {"speed": 1.0})
        ingest(batch=Batch.of([row]), by=internal(), now=NOW, origin=Origin.LIVE)
        answer = api(vera).get(f"/api/equipment/{heating.pk}/trend/")
        assert answer.status_code == 400
        assert "speed, temperature" in answer.json()["detail"]

    def test_shows_an_outsider_nothing(self, api, oscar, heating):
        assert api(oscar).get(f"/api/equipment/{heating.pk}/trend/").status_code == 404
