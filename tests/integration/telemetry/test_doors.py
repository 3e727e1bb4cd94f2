"""The doors for readings: what they take, refuse, give back, and to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import Scope
from techtrack.accounts.queries import access_of_key
from techtrack.core.clock import isoformat, to_micros
from techtrack.telemetry import services
from techtrack.telemetry.models import Segment
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
AT = "2026-11-21T10:00:00Z"
HOT = {"temperature": 71.3, "speed": 1480}


def post(client, path, body):
    return client.post(path, body, format="json")


def body_of(asset, name="equipment", at=AT, **values):
    return {name: asset.pk, "timestamp": at, "values": values or HOT}


class TestPostingOne:
    def test_answers_with_the_reading_its_address_and_its_tag(self, api, olga, robot):
        answer = post(api(olga), "/api/data/", body_of(robot))
        assert answer.status_code == 201
        assert answer.json() == {
            "id": f"{robot.pk}-{to_micros(NOW)}",
            "equipment": robot.pk,
            "timestamp": AT,
            "values": HOT,
        }
        again = api(olga).get(answer["Location"].removeprefix("http://testserver"))
        assert again.json() == answer.json()
        assert again["ETag"] == answer["ETag"]

    def test_takes_the_key_of_an_asset(self, api, olga, robot):
        assert post(api(olga), "/api/data/", {"equipment": "robot-1", "values": HOT}).status_code == 201

    def test_knows_sensors_under_their_own_name(self, api, olga, station):
        answer = post(api(olga), "/api/measurements/", body_of(station, "sensor", pm2_5=12.1))
        assert answer.status_code == 201
        assert answer.json()["sensor"] == station.pk

    def test_registers_a_parameter_it_did_not_know(self, api, olga, erik, robot):
        post(api(olga), "/api/data/", body_of(robot, torque=3.5))
        listed = api(erik).get("/api/parameters/").json()["results"]
        assert "torque" in [parameter["code"] for parameter in listed]

    def test_refuses_a_parameter_that_a_strict_type_does_not_have(self, api, olga, plant):
        strict = factories.make_type("strict", strict=True, parameters=[{"code": "speed"}])
        asset = factories.make_equipment("Strict", site=plant, type=strict)
        answer = post(api(olga), "/api/data/", body_of(asset, torque=3.5))
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/values/torque"]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"values": {"temperature": "hot"}}, "/values/temperature", id="text"),
            pytest.param({"timestamp": "2026-11-21T10:00:00"}, "/timestamp", id="no offset"),
            pytest.param({"equipment": 999_999}, "/equipment", id="unknown asset"),
            pytest.param({"equipment": "no-such-key"}, "/equipment", id="unknown key"),
            pytest.param({"color": 1}, "/color", id="unknown field"),
        ],
    )
    def test_names_the_place_and_stores_nothing(self, api, olga, robot, change, pointer):
        answer = post(api(olga), "/api/data/", body_of(robot) | change)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert not Segment.objects.exists()


class TestPostingMany:
    @pytest.mark.parametrize("wrapped", [True, False], ids=["items", "a bare list"])
    def test_counts_what_it_took_and_what_came_twice(self, api, olga, robot, wrapped):
        items = [body_of(robot), body_of(robot), body_of(robot, at="2026-11-21T10:00:01Z")]
        answer = post(api(olga), "/api/data/", {"items": items} if wrapped else items)
        assert answer.status_code == 201
        assert answer.json() == {"accepted": 3, "duplicates": 1}

    def test_takes_all_or_nothing(self, api, olga, robot):
        items = [body_of(robot), body_of(robot, speed="fast")]
        answer = post(api(olga), "/api/data/", {"items": items})
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/items/1/values/speed"]
        assert not Segment.objects.exists()

    def test_skips_the_bad_ones_when_asked(self, api, olga, robot, station):
        items = [body_of(robot), body_of(robot, speed="fast"), body_of(station), {"equipment": 999_999, "values": HOT}]
        answer = post(api(olga), "/api/data/?on_error=skip", items)
        assert answer.status_code == 200
        assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 3)
        assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
            "/1/values/speed",
            "/2/equipment",
            "/3/equipment",
        ]

    def test_sending_again_changes_nothing(self, api, olga, robot):
        for _ in range(2):
            assert post(api(olga), "/api/data/", [body_of(robot)]).status_code == 201
        assert len(api(olga).get("/api/data/").json()["results"]) == 1


class TestIngest:
    def test_takes_a_batch_by_device_key(self, api, olga, robot, station, client):
        key = factories.make_key(olga, asset_id=robot.pk, site=robot.site)
        device = api(None)
        device.force_authenticate(olga, token=access_of_key(key))
        answer = post(device, "/api/ingest/", {"items": [{"asset": "robot-1", "timestamp": AT, "values": HOT}]})
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
        foreign = post(device, "/api/ingest/", {"items": [{"asset": station.pk, "values": HOT}]})
        assert foreign.status_code == 400
        assert device.get("/api/equipment/").status_code == 403
        assert device.get("/api/data/").status_code == 403

    @pytest.mark.parametrize(
        ("who", "status", "code"),
        [
            pytest.param("vera", 403, "forbidden", id="sees the asset"),
            pytest.param("mallory", 400, "unknown_asset", id="sees nothing"),
            pytest.param("oscar", 400, "unknown_asset", id="works elsewhere"),
        ],
    )
    def test_takes_nothing_from_who_may_not_enter_readings(self, api, robot, request, who, status, code):
        client = api(request.getfixturevalue(who))
        body = {"items": [{"asset": robot.pk, "values": HOT}]}
        for query in ("", "?on_error=skip") if status == 403 else ("",):
            answer = post(client, f"/api/ingest/{query}", body)
            assert answer.status_code == status
            assert code in {answer.json()["code"], *(error["code"] for error in answer.json()["errors"])}
        assert not Segment.objects.exists()

    def test_a_read_key_enters_nothing(self, api, olga, robot):
        reader = api(None)
        reader.force_authenticate(olga, token=access_of_key(factories.make_key(olga, scope=Scope.READ)))
        assert post(reader, "/api/ingest/", {"items": [{"asset": robot.pk, "values": HOT}]}).status_code == 403


class TestListing:
    @pytest.fixture
    def readings(self, robot, station, plant):
        other = factories.make_equipment("Robot 2", site=plant)
        for minute in range(5):
            factories.make_reading(robot, at=NOW + timedelta(minutes=minute), temperature=70.0 + minute)
            factories.make_reading(other, at=NOW + timedelta(minutes=minute), speed=float(minute))
        factories.make_reading(station, pm2_5=12.0)
        return other

    def test_is_newest_first_and_pages_both_ways(self, api, vera, robot, readings):
        client = api(vera)
        pages, url = [], "/api/data/?page_size=4"
        while url:
            answer = client.get(url)
            assert answer.status_code == 200
            pages.append(answer.json())
            url = answer.json()["next"]
        seen = [row["id"] for page in pages for row in page["results"]]
        assert [len(page["results"]) for page in pages] == [4, 4, 2]
        assert len(set(seen)) == 10
        assert seen == sorted(seen, key=lambda id_: [-int(part) for part in reversed(id_.split("-"))])
        assert client.get(pages[2]["previous"]).json()["results"] == pages[1]["results"]
        assert client.get(pages[1]["previous"]).json() == pages[0]

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            pytest.param("equipment={robot}", 5, id="one asset"),
            pytest.param("equipment=robot-1,{other}", 10, id="a key and an id"),
            pytest.param("parameter=speed", 5, id="a parameter"),
            pytest.param("type=robot", 5, id="a type"),
            pytest.param("site={site}", 10, id="a site"),
            pytest.param("from=2026-11-21T10:03:00Z", 4, id="from includes its moment"),
            pytest.param("to=2026-11-21T10:03:00%2B00:00", 6, id="to leaves out its moment"),
        ],
    )
    def test_filters(self, api, vera, robot, readings, query, count):
        query = query.format(robot=robot.pk, other=readings.pk, site=robot.site_id)
        assert len(api(vera).get(f"/api/data/?{query}").json()["results"]) == count

    @pytest.mark.parametrize(
        "query",
        [
            "cursor=x",
            "cursor=b2xkZXI6MQ==",
            "page_size=501",
            "page_size=0",
            "from=yesterday",
            "to=2026-11-21",
            "colour=red",
            *("from=0001-01-01T00:00:00%2B14:00", "site=x", "site=99999999999999999999", "type=%00", "equipment="),
        ],
    )
    def test_refuses_what_it_cannot_read(self, api, vera, readings, query):
        answer = api(vera).get(f"/api/data/?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"]

    def test_shows_an_outsider_nothing(self, api, oscar, mallory, robot, readings):
        for user in (oscar, mallory):
            assert api(user).get("/api/data/").json()["results"] == []
            assert api(user).get(f"/api/data/{robot.pk}-{to_micros(NOW)}/").status_code == 404
            assert api(user).get(f"/api/equipment/{robot.pk}/latest/").status_code == 404
            assert api(user).get(f"/api/history/?asset={robot.pk}").status_code == 404


class TestCorrecting:
    @pytest.fixture
    def path(self, robot):
        factories.make_reading(robot, temperature=70.0, speed=5.0)
        return f"/api/data/{robot.pk}-{to_micros(NOW)}/"

    def test_put_replaces_the_whole_reading_for_good(self, api, erik, robot, path):
        answer = api(erik).put(path, {"values": {"temperature": 71}}, format="json")
        assert (answer.status_code, answer.json()["values"]) == (200, {"temperature": 71.0})
        factories.make_reading(robot, temperature=1.0, speed=1.0)
        assert api(erik).get(path).json()["values"] == {"temperature": 71.0}

    def test_patch_merges_and_null_removes(self, api, erik, path):
        assert api(erik).patch(path, {"values": {"speed": 6}}, format="json").json()["values"] == {
            "temperature": 70.0,
            "speed": 6.0,
        }
        assert api(erik).patch(path, {"values": {"speed": None}}, format="json").json()["values"] == {
            "temperature": 70.0
        }
        assert api(erik).patch(path, {"values": {"temperature": None}}, format="json").status_code == 400

    def test_delete_removes_and_a_device_does_not_revive(self, api, erik, robot, path):
        assert api(erik).delete(path).status_code == 204
        factories.make_reading(robot, temperature=70.0)
        assert api(erik).get(path).status_code == 404
        assert api(erik).delete(path).status_code == 404

    def test_needs_an_engineer(self, api, olga, path):
        assert api(olga).put(path, {"values": HOT}, format="json").status_code == 403
        assert api(olga).delete(path).status_code == 403

    def test_refuses_who_has_seen_an_older_one(self, api, erik, path):
        client = api(erik)
        seen = client.get(path)["ETag"]
        assert (
            client.patch(path, {"values": {"speed": 6}}, format="json", headers={"If-Match": seen}).status_code == 200
        )
        stale = client.patch(path, {"values": {"speed": 7}}, format="json", headers={"If-Match": seen})
        assert stale.status_code == 412

    def test_reads_tags_as_every_resource_does(self, api, erik, path):
        seen = api(erik).get(path)["ETag"]
        tags = [(f"W/{seen}", 412), ("3", 400), (f'"3", {seen}', 200), ("*", 200)]
        for tag, status in tags:
            answer = api(erik).patch(path, {"values": {"speed": 5}}, format="json", headers={"If-Match": tag})
            assert answer.status_code == status, tag

    def test_takes_a_value_away_from_what_is_there_when_it_is_written(self, api, adam, erik, path, monkeypatch):
        real = services.correct

        def overtaken(**wanted):
            monkeypatch.setattr(services, "correct", real)
            assert api(adam).patch(path, {"values": {"temperature": 71}}, format="json").status_code == 200
            return real(**wanted)

        monkeypatch.setattr(services, "correct", overtaken)
        answer = api(erik).patch(path, {"values": {"speed": None}}, format="json")
        assert answer.json()["values"] == {"temperature": 71.0}

    @pytest.mark.parametrize("reading", ["x", "1", "1-", "-1-1", "99999999999999999999-1", "1-99999999999999999999"])
    def test_knows_no_reading_of_a_strange_name(self, api, erik, path, reading):
        assert api(erik).get(f"/api/data/{reading}/").status_code == 404


class TestHistory:
    def test_gives_buckets_with_their_columns(self, api, vera, robot):
        for minute, value in enumerate([1.0, 2.0, 6.0]):
            factories.make_reading(robot, at=NOW + timedelta(minutes=40 * minute), temperature=value)
        query = f"asset=robot-1&parameter=temperature&from={AT}&to=2026-11-21T12:00:00Z&interval=PT1H"
        answer = api(vera).get(f"/api/history/?{query}").json()
        [series] = answer["series"]
        assert (series["asset"], series["parameter"], series["columns"]) == (
            robot.pk,
            "temperature",
            ["start", "count", "avg", "min", "max"],
        )
        assert series["rows"] == [[AT, 2, 1.5, 1.0, 2.0], ["2026-11-21T11:00:00Z", 1, 6.0, 6.0, 6.0]]
        assert (answer["from"], answer["to"], answer["interval"]) == (AT, "2026-11-21T12:00:00Z", "PT1H")

    @pytest.mark.parametrize(
        "query",
        [
            *("interval=PT0S", "interval=1h", "interval=P99999999999999999999D"),
            "interval=PT1S&from=2020-01-01T00:00:00Z",
            *("points=0", "points=x", "from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z", "parameter=PM2.5", "asset="),
        ],
    )
    def test_refuses_what_it_cannot_read(self, api, vera, robot, query):
        answer = api(vera).get(f"/api/history/?asset={robot.pk}&{query}")
        assert answer.status_code == 400, answer.content

    def test_of_one_asset_needs_no_name(self, api, vera, robot):
        factories.make_reading(robot, temperature=5.0)
        answer = api(vera).get(f"/api/equipment/{robot.pk}/history/?from={AT}&to={isoformat(NOW + timedelta(hours=1))}")
        assert [series["parameter"] for series in answer.json()["series"]] == ["temperature"]


class TestLatest:
    def test_gives_the_newest_value_of_each_parameter(self, api, vera, robot):
        factories.make_reading(robot, at=NOW + timedelta(minutes=1), temperature=71.0)
        factories.make_reading(robot, temperature=1.0, speed=5.0)
        values = api(vera).get(f"/api/equipment/{robot.pk}/latest/").json()["values"]
        assert {code: (newest["timestamp"], newest["value"]) for code, newest in values.items()} == {
            "temperature": ("2026-11-21T10:01:00Z", 71.0),
            "speed": (AT, 5.0),
        }
