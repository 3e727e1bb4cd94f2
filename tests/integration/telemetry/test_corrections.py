"""What engineers change of the past: earlier values stay readable, marks decide what counts."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import connection

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of_key
from techtrack.core.clock import isoformat, to_micros
from techtrack.core.errors import Conflict, Stale
from techtrack.telemetry import queries, services
from techtrack.telemetry.domain.reading import Kind, Row
from techtrack.telemetry.models import Correction, QualityMark
from tests import factories
from tests.factories import NOW

_hours = itertools.count(1)
pytestmark = pytest.mark.django_db
STRETCH = {"from": "2026-11-21T09:00:00Z", "to": "2026-11-21T11:00:00Z"}


@pytest.fixture
def path(robot):
    factories.make_reading(robot, temperature=70.0, speed=5.0)
    return f"/api/data/{robot.pk}-{to_micros(NOW)}/"


class TestCorrections:
    def test_keep_what_was_said_before_and_who_changed_it(self, api, erik, adam, path):
        api(erik).put(path, {"values": {"temperature": 71}}, format="json")
        api(adam).patch(path, {"values": {"speed": 6}}, format="json")
        api(erik).delete(path)
        listed = api(erik).get(f"{path}corrections/").json()
        assert listed["count"] == 3
        assert [(row["before"], row["after"], row["by_name"]) for row in listed["results"]] == [
            ({"temperature": 71.0, "speed": 6.0}, None, "erik"),
            ({"temperature": 71.0}, {"temperature": 71.0, "speed": 6.0}, "adam"),
            ({"temperature": 70.0, "speed": 5.0}, {"temperature": 71.0}, "erik"),
        ]

    def test_are_none_where_the_correction_failed(self, api, erik, olga, path):
        assert api(olga).delete(path).status_code == 403
        stale = api(erik).delete(path, headers={"If-Match": '"another"'})
        assert stale.status_code == 412
        assert not Correction.objects.exists()

    @pytest.mark.parametrize(("who", "status"), [("olga", 403), ("vera", 403), ("oscar", 404), ("mallory", 404)])
    def test_are_for_engineers(self, api, request, path, who, status):
        assert api(request.getfixturevalue(who)).get(f"{path}corrections/").status_code == status

    @pytest.mark.parametrize("reading", ["x", "1-", "99999999999999999999-1"])
    def test_of_a_strange_name_do_not_exist(self, api, erik, path, reading):
        assert api(erik).get(f"/api/data/{reading}/corrections/").status_code == 404

    def test_go_with_the_asset(self, api, erik, robot, path):
        api(erik).put(path, {"values": {"temperature": 71}}, format="json")
        services.forget(asset_id=robot.pk, now=NOW)
        assert not Correction.objects.exists()


class TestEnteringWhatWasCorrected:
    def body(self, robot, **values):
        return {"equipment": robot.pk, "timestamp": isoformat(NOW), "values": values}

    def test_is_refused_to_a_person_and_stores_nothing(self, api, erik, olga, robot, path):
        api(erik).put(path, {"values": {"temperature": 71}}, format="json")
        before = queries.head()
        answer = api(olga).post("/api/data/", self.body(robot, temperature=99.0), format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "reading_corrected")
        api(erik).delete(path)
        answer = api(olga).post("/api/data/", self.body(robot, temperature=99.0), format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "reading_corrected")
        assert queries.head() == before + 1

    def test_is_fine_where_it_says_the_same(self, api, erik, olga, robot, path):
        api(erik).put(path, {"values": {"temperature": 71}}, format="json")
        assert api(olga).post("/api/data/", self.body(robot, temperature=71.0), format="json").status_code == 201

    def test_is_taken_from_devices_and_in_batches(self, api, erik, olga, robot, path):
        api(erik).delete(path)
        device = api(None)
        device.force_authenticate(olga, token=access_of_key(factories.make_key(olga, site=robot.site)))
        body = self.body(robot, temperature=99.0)
        assert device.post("/api/data/", [body], format="json").status_code == 201
        ingested = {"items": [{"asset": robot.pk, "timestamp": body["timestamp"], "values": body["values"]}]}
        assert device.post("/api/ingest/", ingested, format="json").status_code == 200
        assert api(olga).post("/api/data/", [body], format="json").status_code == 201
        assert api(erik).get(path).status_code == 404


class TestQuality:
    def test_shows_on_readings_and_can_be_restored(self, api, erik, vera, robot, path):
        body = {"equipment": "robot-1", "parameter": "speed", **STRETCH, "quality": "bad", "reason": "calibration"}
        marked = api(erik).post("/api/data/quality/", body, format="json")
        assert marked.status_code == 201, marked.content
        told = marked.json()
        assert (told["asset"], told["parameter"], told["quality"], told["by_name"]) == (
            robot.pk,
            "speed",
            "bad",
            "erik",
        )
        assert api(vera).get(marked["Location"].removeprefix("http://testserver")).json() == told
        assert api(vera).get(path).json()["quality"] == {"speed": "bad"}
        assert api(vera).get("/api/data/").json()["results"][0]["quality"] == {"speed": "bad"}
        api(erik).post("/api/data/quality/", body | {"quality": "good", "reason": "it was right"}, format="json")
        assert "quality" not in api(vera).get(path).json()
        listed = api(vera).get("/api/data/quality/?asset=robot-1").json()["results"]
        assert [(row["quality"], row["reason"]) for row in listed] == [("good", "it was right"), ("bad", "calibration")]

    def test_saying_it_again_changes_nothing(self, api, erik, robot, path):
        body = {"asset": robot.pk, **STRETCH, "quality": "suspect", "reason": "drift"}
        first = api(erik).post("/api/data/quality/", body, format="json")
        again = api(erik).post("/api/data/quality/", body, format="json")
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert QualityMark.objects.count() == 1

    def test_changes_the_tag_of_a_reading(self, api, erik, robot, path):
        before = api(erik).get(path)["ETag"]
        body = {"asset": robot.pk, **STRETCH, "quality": "bad", "reason": "x"}
        api(erik).post("/api/data/quality/", body, format="json")
        assert api(erik).get(path)["ETag"] != before

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("asset={robot}", 2),
            ("equipment=robot-1&parameter=speed", 1),
            ("asset={robot}&from=2026-11-21T11:00:00Z", 1),
            ("asset={robot}&to=2026-11-21T09:00:00Z", 0),
        ],
    )
    def test_lists_the_marks_of_an_asset(self, api, erik, vera, robot, query, count):
        body = {"asset": robot.pk, "quality": "bad", "reason": "x"}
        api(erik).post("/api/data/quality/", body | STRETCH | {"parameter": "temperature"}, format="json")
        later = {"from": "2026-11-22T09:00:00Z", "to": "2026-11-22T11:00:00Z"}
        api(erik).post("/api/data/quality/", body | later, format="json")
        assert api(vera).get(f"/api/data/quality/?{query.format(robot=robot.pk)}").json()["count"] == count

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"quality": "awful"}, "/quality"),
            ({"from": "2026-11-21T12:00:00Z"}, "/from"),
            ({"from": "yesterday"}, "/from"),
            ({"parameter": "PM2.5"}, "/parameter"),
            ({"reason": ""}, "/reason"),
            ({"asset": True}, "/asset"),
            ({"equipment": 7}, "/asset"),
            ({"colour": "red"}, "/colour"),
        ],
    )
    def test_names_the_place_of_what_is_wrong(self, api, erik, robot, change, pointer):
        body = {"asset": robot.pk, **STRETCH, "quality": "bad", "reason": "x"} | change
        answer = api(erik).post("/api/data/quality/", body, format="json")
        assert answer.status_code == 400, answer.content
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert not QualityMark.objects.exists()

    @pytest.mark.parametrize(("who", "status"), [("olga", 403), ("vera", 403), ("edda", 404), ("mallory", 404)])
    def test_is_for_engineers_of_the_site(self, api, request, robot, who, status):
        body = {"asset": robot.pk, **STRETCH, "quality": "bad", "reason": "x"}
        answer = api(request.getfixturevalue(who)).post("/api/data/quality/", body, format="json")
        assert answer.status_code == status
        assert not QualityMark.objects.exists()

    def test_of_sensors_goes_by_measurements(self, api, erik, station, robot):
        body = {"sensor": "station-1", **STRETCH, "quality": "missing", "reason": "x"}
        assert api(erik).post("/api/measurements/quality/", body, format="json").status_code == 201
        wrong = {"sensor": robot.pk, **STRETCH, "quality": "missing", "reason": "x"}
        assert api(erik).post("/api/measurements/quality/", wrong, format="json").status_code == 404


@pytest.mark.django_db(transaction=True)
class TestTwoCorrectors:
    @pytest.fixture
    def now(self):
        """Another time for each test: by the time of its last entry a store knows a log that it has read."""
        return NOW + timedelta(hours=next(_hours))

    def race(self, works):
        """Run each in a thread with a connection of its own; give what they return or raise."""
        found, gate = [None] * len(works), threading.Barrier(len(works))

        def run(number, work):
            try:
                gate.wait()
                found[number] = work()
            except Conflict as error:
                found[number] = error
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def test_with_the_same_tag_only_one_wins(self, robot, now):
        factories.make_reading(robot, at=now, temperature=70.0)
        seen = services.tag(queries.reading(asset_id=robot.pk, time=to_micros(now)))

        def correct(value):
            row = Row(robot.pk, to_micros(now), {"temperature": value})
            return services.correct(asset=robot, row=row, kind=Kind.REPLACE, by=internal(), expected=seen, now=now)

        found = self.race([lambda value=value: correct(value) for value in (1.0, 2.0, 3.0, 4.0)])
        assert sorted(isinstance(answer, Stale) for answer in found) == [False, True, True, True], found
        [row] = Correction.objects.all()
        assert row.before == {"temperature": 70.0}
        assert row.after == queries.reading(asset_id=robot.pk, time=to_micros(now)).values

    def test_without_a_tag_each_sees_what_the_one_before_left(self, robot, now):
        factories.make_reading(robot, at=now, temperature=0.0)

        def correct(value):
            row = Row(robot.pk, to_micros(now), {"temperature": value})
            return services.correct(asset=robot, row=row, kind=Kind.REPLACE, by=internal(), expected=None, now=now)

        self.race([lambda value=value: correct(value) for value in (1.0, 2.0, 3.0, 4.0)])
        rows = list(Correction.objects.order_by("position"))
        assert [row.before for row in rows[1:]] == [row.after for row in rows[:-1]]
        assert len(rows) == 4

    def test_marking_the_same_stretch_write_one_mark(self, robot, now):
        said = services.Saying(None, (0, 10), services.corrections.Quality.BAD, "calibration")
        mark = lambda: services.mark_quality(asset=robot, said=said, by=internal(), now=now)  # noqa: E731 - run four times
        found = self.race([mark] * 4)
        assert sorted(is_new for _, is_new in found) == [False, False, False, True]
        assert QualityMark.objects.count() == 1
