"""What people do with alerts over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts import queries as accounts
from techtrack.alerts import services
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.core import clock
from tests import factories

URL = "/api/alerts/"


@pytest.fixture
def report(olga, robot):
    """``report(severity=…, asset=…)``: an alert that olga has reported."""

    def make(**data):
        data = {"asset": robot, "severity": "high", "title": "It rattles"} | data
        return services.create_alert(by=accounts.access_of(olga), now=factories.NOW, data=data)

    return make


def names(facts):
    return [type(fact).__name__ for fact in facts]


class TestReporting:
    def test_an_operator_reports_on_equipment(self, api, olga, robot, heard):
        answer = api(olga).post(URL, {"equipment": robot.pk, "severity": "high", "title": "It rattles"}, format="json")
        assert answer.status_code == 201, answer.json()
        alert = answer.json()
        assert answer["Location"].endswith(f"/api/alerts/{alert['id']}/")
        assert answer["ETag"] == '"1"'
        assert (alert["equipment"], alert["sensor"]) == (robot.pk, None)
        assert (alert["state"], alert["status"], alert["active"]) == ("unacknowledged", "active_unacknowledged", True)
        assert (alert["rule"], alert["occurrences"]) == (None, 1)
        assert alert["timestamp"] == alert["raised_at"]
        assert names(heard) == ["AlertRaised", "AssetHealthChanged", "AlertChanged"]
        assert heard[1].worst == "high"

    def test_the_time_of_the_trouble_may_be_given(self, api, olga, station):
        body = {"sensor": station.pk, "timestamp": "2026-11-20T08:00:00Z"}
        alert = api(olga).post(URL, body, format="json").json()
        assert alert["timestamp"] == alert["raised_at"] == "2026-11-20T08:00:00Z"
        assert (alert["sensor"], alert["severity"]) == (station.pk, "medium")
        assert alert["title"] == "Reported on Station 1"
        event = AlertEvent.objects.get(alert=alert["id"])
        assert (event.kind, clock.isoformat(event.at)) == ("raised", "2026-11-20T08:00:00Z")

    def test_the_description_gives_a_missing_title(self, api, olga, robot):
        body = {"equipment": robot.pk, "description": "Smoke\nfrom the gear box"}
        assert api(olga).post(URL, body, format="json").json()["title"] == "Smoke"

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"equipment": None}, "/equipment", id="no asset"),
            pytest.param({"equipment": "absent"}, "/equipment", id="text for an id"),
            pytest.param({"equipment": 2**70}, "/equipment", id="an id beyond bigint"),
            pytest.param({"equipment": 1.5}, "/equipment", id="a broken id"),
            pytest.param({"equipment": True}, "/equipment", id="a bool for an id"),
            pytest.param({"equipment": {"id": 1}}, "/equipment", id="an object for an id"),
            pytest.param({"equipment": [1]}, "/equipment", id="a list for an id"),
            pytest.param({"severity": "dreadful"}, "/severity", id="unknown severity"),
            pytest.param({"severity": []}, "/severity", id="a list for a word"),
            pytest.param({"title": "x" * 301}, "/title", id="title too long"),
            pytest.param({"title": ["x"]}, "/title", id="a list for a title"),
            pytest.param({"parameter": "Not A Code"}, "/parameter", id="no parameter code"),
            pytest.param({"timestamp": "1999-01-01T00:00:00Z"}, "/timestamp", id="before all bounds"),
            pytest.param({"timestamp": 5}, "/timestamp", id="a number for a time"),
            pytest.param({"active": False}, "/active", id="over before it began"),
            pytest.param({"assignee": 2**63}, "/assignee", id="nobody"),
        ],
    )
    def test_bad_input_is_named_and_nothing_stored(self, api, olga, robot, changes, pointer):
        body = {"equipment": robot.pk, "severity": "high", "title": "It rattles"} | changes
        answer = api(olga).post(URL, body, format="json")
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert not Alert.objects.exists()

    def test_both_names_of_an_asset_at_once_are_refused(self, api, olga, robot, station):
        answer = api(olga).post(URL, {"equipment": robot.pk, "sensor": station.pk}, format="json")
        assert answer.status_code == 400

    def test_a_sensor_is_not_equipment(self, api, olga, station):
        answer = api(olga).post(URL, {"equipment": station.pk}, format="json")
        assert answer.json()["errors"][0]["pointer"] == "/equipment"

    def test_a_viewer_may_not(self, api, vera, robot):
        assert api(vera).post(URL, {"equipment": robot.pk}, format="json").status_code == 403

    def test_a_stranger_learns_nothing_of_the_asset(self, api, oscar, mallory, robot):
        for stranger in (oscar, mallory):
            answer = api(stranger).post(URL, {"equipment": robot.pk}, format="json")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["code"] == "does_not_exist"

    def test_one_without_role_there_cannot_be_the_assignee(self, api, adam, olga, oscar, robot):
        client = api(adam)
        assert client.post(URL, {"equipment": robot.pk, "assignee": oscar.pk}, format="json").status_code == 400
        assert client.post(URL, {"equipment": robot.pk, "assignee": olga.pk}, format="json").status_code == 201
        # olga may not even learn that oscar exists
        answer = api(olga).post(URL, {"equipment": robot.pk, "assignee": oscar.pk}, format="json")
        assert answer.json()["errors"][0]["code"] == "does_not_exist"


class TestAcknowledging:
    def test_the_first_takes_it_and_the_second_gets_409(self, api, olga, erik, report, heard):
        alert = report()
        heard.clear()
        answer = api(olga).post(f"{URL}{alert.pk}/acknowledge/", {"comment": "On my way"}, format="json")
        assert answer.status_code == 200, answer.json()
        assert answer.json()["acknowledged_by"] == olga.pk
        assert (answer.json()["state"], answer.json()["version"], answer["ETag"]) == ("acknowledged", 2, '"2"')
        assert names(heard) == ["AlertAcknowledged", "AlertChanged"]
        again = api(erik).post(f"{URL}{alert.pk}/acknowledge/", {}, format="json")
        assert again.status_code == 409
        assert again.json()["code"] == "alert_already_acknowledged"
        assert "olga" in again.json()["detail"]
        alert.refresh_from_db()
        assert (alert.ack_comment, alert.is_open) == ("On my way", True)
        event = AlertEvent.objects.filter(alert=alert).last()
        assert (event.kind, event.comment, event.actor_id) == ("acknowledged", "On my way", olga.pk)

    def test_an_empty_body_will_do(self, api, olga, report):
        assert api(olga).post(f"{URL}{report().pk}/acknowledge/").status_code == 200

    @pytest.mark.parametrize("body", [[], "x", 5, {"comment": []}, {"comment": "x" * 2001}])
    def test_another_body_will_not(self, api, olga, report, body):
        assert api(olga).post(f"{URL}{report().pk}/acknowledge/", body, format="json").status_code == 400

    def test_one_that_has_returned_is_closed(self, api, olga, report):
        alert = report()
        client = api(olga)
        returned = client.patch(f"{URL}{alert.pk}/", {"active": False}, format="json").json()
        assert returned["state"] == "returned_unacknowledged"
        taken = client.post(f"{URL}{alert.pk}/acknowledge/").json()
        assert (taken["state"], taken["status"]) == ("normal", "cleared_acknowledged")
        alert.refresh_from_db()
        assert not alert.is_open

    def test_a_viewer_may_not_and_a_stranger_sees_nothing(self, api, vera, oscar, report):
        url = f"{URL}{report().pk}/acknowledge/"
        assert api(vera).post(url).status_code == 403
        assert api(oscar).post(url).status_code == 404
        assert not Alert.objects.exclude(acknowledged_at=None).exists()


class TestEditing:
    def test_each_kind_of_change_is_recorded(self, api, olga, report, heard):
        alert = report()
        heard.clear()
        changes = {"title": "It screams", "severity": "critical", "assignee": olga.pk}
        answer = api(olga).patch(f"{URL}{alert.pk}/", changes, format="json")
        assert answer.status_code == 200
        events = {event.kind: event.evidence for event in AlertEvent.objects.filter(alert=alert)}
        assert events == {
            "raised": {},
            "edited": {"before": {"title": "It rattles"}, "after": {"title": "It screams"}},
            "severity_changed": {"before": {"severity": "high"}, "after": {"severity": "critical"}},
            "assigned": {"before": {"assignee": None}, "after": {"assignee": olga.pk}},
        }
        assert names(heard) == ["AssetHealthChanged"] + ["AlertChanged"] * 3
        assert heard[0].worst == "critical"

    def test_saying_that_it_is_over_returns_it(self, api, olga, report, heard):
        alert = report()
        heard.clear()
        answer = api(olga).patch(f"{URL}{alert.pk}/", {"active": False}, format="json").json()
        assert answer["returned_at"]
        assert answer["active"] is False
        assert names(heard) == ["AlertReturned", "AssetHealthChanged", "AlertChanged"]
        assert heard[1].worst is None
        assert api(olga).patch(f"{URL}{alert.pk}/", {"active": False}, format="json").status_code == 200
        again = api(olga).patch(f"{URL}{alert.pk}/", {"active": True}, format="json")
        assert (again.status_code, again.json()["code"]) == (409, "alert_returned")

    def test_what_was_read_can_be_put_back(self, api, olga, robot, report):
        client = api(olga)
        url = f"{URL}{report(parameter='speed', raised_at=factories.NOW - timedelta(hours=3)).pk}/"
        client.patch(url, {"active": False}, format="json")
        before = client.get(url).json()
        after = client.put(url, before, format="json").json()
        varying = {"version", "updated_at"}
        assert {k: v for k, v in after.items() if k not in varying} == {
            k: v for k, v in before.items() if k not in varying
        }

    @pytest.mark.parametrize("method", ["put", "patch"])
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("state", "acknowledged"),
            ("status", "cleared_acknowledged"),
            ("acknowledged_at", "2026-11-21T10:00:00Z"),
            ("shelved_until", None),
            ("shelve_reason", "Because"),
            ("suppressed_by", "task:1"),
            ("rule", 4),
            ("occurrences", 2),
            ("raised_at", "2026-11-21T10:00:01Z"),
            ("value", "90"),
            ("version", 99),
            ("id", 0),
        ],
    )
    def test_what_is_not_written_here_is_refused_and_not_passed_over(self, api, olga, report, method, name, value):
        client = api(olga)
        url = f"{URL}{report(shelved_until=factories.NOW).pk}/"
        body = (client.get(url).json() if method == "put" else {}) | {"title": "New", name: value}
        answer = getattr(client, method)(url, body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "read_only")
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]
        assert client.get(url).json()["title"] == "It rattles"

    def test_a_time_may_be_sent_back_as_the_client_writes_it(self, api, olga, report):
        told = {"raised_at": "2026-11-21T11:00:00.000+01:00", "title": "New"}
        assert api(olga).patch(f"{URL}{report().pk}/", told, format="json").status_code == 200

    def test_a_stale_body_with_its_version_is_412_all_the_same(self, api, olga, report):
        client = api(olga)
        url = f"{URL}{report().pk}/"
        before = client.get(url)
        client.post(f"{url}acknowledge/")
        answer = client.put(url, before.json(), format="json", headers={"If-Match": before["ETag"]})
        assert answer.status_code == 412

    def test_the_severity_of_what_people_reported_is_the_operator_s(self, api, olga, report):
        answer = api(olga).patch(f"{URL}{report().pk}/", {"severity": "low"}, format="json")
        assert (answer.status_code, answer.json()["severity"]) == (200, "low")

    def test_that_of_a_rule_s_alert_is_the_engineer_s(self, api, olga, erik, robot):
        url = f"{URL}{factories.make_alert(robot, rule=factories.make_rule()).pk}/"
        for severity in ("low", "critical"):
            assert api(olga).patch(url, {"severity": severity}, format="json").status_code == 403
        assert api(olga).put(url, api(olga).get(url).json() | {"title": "New"}, format="json").status_code == 200
        assert api(erik).patch(url, {"severity": "low"}, format="json").json()["severity"] == "low"

    def test_put_resets_what_it_leaves_out_but_not_what_happened(self, api, olga, report):
        client = api(olga)
        url = f"{URL}{report(parameter='speed', assignee=olga, description='Long').pk}/"
        after = client.put(url, {"title": "New", "severity": "low"}, format="json").json()
        assert (after["title"], after["description"], after["assignee"]) == ("New", "", None)
        assert (after["parameter"], after["active"], after["timestamp"]) == ("speed", True, "2026-11-21T10:00:00Z")

    @pytest.mark.parametrize("changes", [{"parameter": "other"}, {"timestamp": "2026-01-01T00:00:00Z"}])
    def test_it_cannot_become_an_alert_about_something_else(self, api, olga, report, changes):
        answer = api(olga).patch(f"{URL}{report(parameter='speed').pk}/", changes, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(changes))}"

    def test_nor_about_another_asset(self, api, olga, report, station):
        answer = api(olga).patch(f"{URL}{report().pk}/", {"sensor": station.pk}, format="json")
        assert answer.json()["errors"][0]["pointer"] == "/sensor"

    def test_a_stale_version_is_412_and_changes_nothing(self, api, olga, report):
        alert = report()
        answer = api(olga).patch(f"{URL}{alert.pk}/", {"active": False}, format="json", headers={"If-Match": '"9"'})
        assert answer.status_code == 412
        assert answer.json()["current"]["active"] is True
        assert AlertEvent.objects.filter(alert=alert).count() == 1

    def test_deleting_takes_an_engineer(self, api, olga, erik, report, heard):
        alert = report()
        heard.clear()
        assert api(olga).delete(f"{URL}{alert.pk}/").status_code == 403
        assert api(erik).delete(f"{URL}{alert.pk}/").status_code == 204
        # The live event last: its number is locked.
        assert [getattr(fact, "event", None) for fact in heard] == [None, "deleted"]
        assert heard[0].worst is None
        assert api(erik).get(f"{URL}{alert.pk}/").status_code == 404


class TestReading:
    def test_only_alerts_of_own_sites_are_seen(self, api, olga, vera, oscar, mallory, adam, report):
        pk = report().pk
        for person, count in ((olga, 1), (vera, 1), (adam, 1), (oscar, 0), (mallory, 0)):
            assert api(person).get(URL).json()["count"] == count
            assert api(person).get(f"{URL}{pk}/").status_code == (200 if count else 404)
            assert api(person).get(f"{URL}{pk}/events/").status_code == (200 if count else 404)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("severity=high", ["first"]),
            ("state=unacknowledged", ["second"]),
            ("state=normal", ["first"]),
            ("status=cleared_acknowledged", ["first"]),
            ("status=active_unacknowledged", ["second"]),
            ("active=true", ["second"]),
            ("open=false", ["first"]),
            ("parameter=speed", ["second"]),
            ("raised_after=2026-11-21T11:00:00Z", ["second"]),
            ("raised_before=2026-11-21T11:00:00Z", ["first"]),
            ("search=secon", ["second"]),
            ("ordering=raised_at", ["first", "second"]),
            ("", ["second", "first"]),
        ],
    )
    def test_a_list_is_narrowed(self, api, olga, report, query, found):
        first = report(title="first")
        report(title="second", severity="low", parameter="speed", raised_at=factories.NOW + timedelta(hours=2))
        client = api(olga)
        client.post(f"{URL}{first.pk}/acknowledge/")
        client.patch(f"{URL}{first.pk}/", {"active": False}, format="json")
        assert [row["title"] for row in client.get(f"{URL}?{query}").json()["results"]] == found

    def test_ids_narrow_it_too(self, api, olga, plant, robot, station, report):
        client = api(olga)
        report()
        expected = {
            f"equipment={robot.pk}": 1,
            f"sensor={robot.pk}": 0,
            f"sensor={station.pk}": 0,
            f"site={plant.pk}": 1,
            f"site={plant.pk + 1}": 0,
            "rule=1": 0,
            f"assignee={olga.pk}": 0,
        }
        assert {query: client.get(f"{URL}?{query}").json()["count"] for query in expected} == expected

    @pytest.mark.parametrize(
        "query",
        ["active=banana", "state=x", "site=x", "site=1.5", "equipment=99999999999999999999", "severity=%00", "no=1"],
    )
    def test_a_bad_filter_is_an_error(self, api, olga, query):
        assert api(olga).get(f"{URL}?{query}").status_code == 400

    def test_the_alerts_of_one_asset_have_their_own_path(self, api, olga, oscar, robot, station, report):
        report()
        assert api(olga).get(f"/api/equipment/{robot.pk}/alerts/").json()["count"] == 1
        assert api(olga).get(f"/api/equipment/{robot.pk}/alerts/?severity=low").json()["count"] == 0
        assert api(olga).get(f"/api/sensors/{station.pk}/alerts/").json()["count"] == 0
        for person, path in ((olga, f"/api/sensors/{robot.pk}/alerts/"), (oscar, f"/api/equipment/{robot.pk}/alerts/")):
            assert api(person).get(path).status_code == 404
        assert api(olga).get(f"/api/equipment/{10**30}/alerts/").status_code == 404

    def test_the_history_is_told_in_order(self, api, olga, report):
        alert = report()
        api(olga).post(f"{URL}{alert.pk}/acknowledge/", {"comment": "Mine"}, format="json")
        rows = api(olga).get(f"{URL}{alert.pk}/events/").json()["results"]
        assert [(row["kind"], row["comment"], row["actor"]) for row in rows] == [
            ("raised", "", olga.pk),
            ("acknowledged", "Mine", olga.pk),
        ]

    def test_a_list_costs_as_much_for_many_as_for_few(self, api, olga, report):
        for _ in range(12):
            report(assignee=olga)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(api(olga).get(URL).json()["results"]) == 12
        assert len(queries) <= 6
