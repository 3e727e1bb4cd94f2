"""The newest values of many assets in one call."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.telemetry.api import latest
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(plant, other_site, robot, station):
    factories.make_parameter("speed", unit="rpm")
    factories.make_reading(robot, at=NOW + timedelta(seconds=1), temperature=71.0)
    factories.make_reading(robot, temperature=1.0, speed=5.0)
    factories.make_reading(station, pm2_5=12.0)
    factories.make_reading(factories.make_equipment(site=other_site), temperature=3.0)
    return robot, station


def ask(client, query=""):
    answer = client.get(f"/api/latest/?{query}")
    assert answer.status_code == 200, answer.content
    return {row["asset"]: row["values"] for row in answer.json()["results"]}


class TestLatest:
    def test_gives_the_newest_of_each_parameter_of_what_one_may_see(self, api, vera, fleet):
        robot, station = fleet
        found = ask(api(vera))
        assert found == {
            robot.pk: {
                "speed": {"timestamp": "2026-11-21T10:00:00Z", "value": 5.0, "unit": "rpm"},
                "temperature": {"timestamp": "2026-11-21T10:00:01Z", "value": 71.0, "unit": ""},
            },
            station.pk: {"pm2_5": {"timestamp": "2026-11-21T10:00:00Z", "value": 12.0, "unit": "ug/m3"}},
        }

    @pytest.mark.parametrize(
        ("query", "assets", "codes"),
        [
            ("asset=robot-1", ["robot"], ["speed", "temperature"]),
            ("asset={robot},robot-1,{station}&parameter=speed", ["robot", "station"], ["speed"]),
            ("site={site}&parameter=pm2_5,speed", ["robot", "station"], ["pm2_5", "speed"]),
            ("type=air-station", ["station"], ["pm2_5"]),
        ],
    )
    def test_narrows(self, api, vera, fleet, query, assets, codes):
        robot, station = fleet
        found = ask(api(vera), query.format(robot=robot.pk, station=station.pk, site=robot.site_id))
        assert list(found) == [{"robot": robot, "station": station}[name].pk for name in assets]
        assert sorted({code for values in found.values() for code in values}) == codes

    def test_shows_outsiders_nothing(self, api, mallory, oscar, fleet):
        assert ask(api(mallory)) == {}
        assert fleet[0].pk not in ask(api(oscar))
        assert api(oscar).get(f"/api/latest/?asset={fleet[0].pk}").status_code == 404

    def test_is_bounded(self, api, vera, fleet, monkeypatch):
        monkeypatch.setattr(latest, "MOST_ASSETS", 1)
        answer = api(vera).get("/api/latest/")
        assert (answer.status_code, answer.json()["code"]) == (400, "too_much")

    @pytest.mark.parametrize("query", ["asset=", "site=x", "parameter=PM2.5", "colour=red", "type=%00"])
    def test_refuses_what_it_cannot_read(self, api, vera, fleet, query):
        assert api(vera).get(f"/api/latest/?{query}").status_code == 400
