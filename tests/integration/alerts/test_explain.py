"""Why an alert is there, over the API."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert, AlertEvent, RuleRevision
from techtrack.alerts.services import create_rule, delete_rule, update_rule
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin
from tests import factories

NOW = factories.NOW
START = NOW - timedelta(hours=2)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def rule(plant, robot):
    limit = {"attribute": "t_max", "default": 90.0}
    rule = factories.make_rule(
        site=plant,
        name="Spindle",
        conditions=[{"kind": "above", "limit": limit, "severity": "high"}],
        on_delay=timedelta(minutes=5),
        guidance={"action": "Look at the fan."},
        revision=3,
    )
    RuleRevision.objects.create(rule=rule, number=3, definition=rule.definition, created_at=START)
    return rule


def event(alert, at, kind, *, actor=None, comment="", **evidence):
    return AlertEvent.objects.create(
        alert=alert, at=at, recorded_at=at, kind=kind, actor=actor, comment=comment, evidence=evidence
    )


@pytest.fixture
def hot(robot, rule):
    """``hot(at, …)``: an alert raised ``at`` a moment by the rule, as the judge records it."""

    def make(at=START, **facts):
        facts = {"rule": rule, "asset_id": robot.pk, "parameter": "temperature", "raised_at": at} | facts
        facts = {"revision": 3, "condition": "above", "limit": 90.0, "value": 91.5, "severity": "high"} | facts
        alert = Alert.objects.create(title="Spindle", **(factories.STAMPS | facts))
        told = {name: facts[name] for name in ("condition", "limit", "value", "severity", "revision")}
        event(alert, at, "raised", **told)
        return alert

    return make


@pytest.fixture
def warm(robot):
    """Readings of the robot, one a minute from two and a half hours ago: 80, and from five minutes before START 95."""
    for minute in range(-30, 60):
        at = START + timedelta(minutes=minute)
        value = 97.2 if minute == 3 else 95.0 if minute >= -5 else 80.0
        factories.make_reading(robot, at=at, temperature=value, speed=1.0)


def url(alert):
    return f"/api/alerts/{alert.pk}/explain/"


class TestExplanation:
    def test_tells_what_held_since_when_and_what_came_of_it(self, api, vera, hot, warm, robot, rule):
        alert = hot()
        answer = api(vera).get(url(alert))
        assert answer.status_code == 200, answer.json()
        told = answer.json()
        assert told["sentence"] == (
            "temperature has been above 90 since 2026-11-21 08:55 CET (default limit of rule “Spindle”, revision 3); "
            "it peaked at 97.2 at 09:03; raised at 09:00, after the on-delay of 5 min."
        )
        assert (told["alert"], told["rule"]["revision"], told["rule"]["current_revision"]) == (alert.pk, 3, 3)
        assert told["rule"]["definition"]["on_delay"] == "PT5M"
        assert told["guidance"] == {"action": "Look at the fan."}
        since = clock.isoformat(START - timedelta(minutes=5))
        assert told["held"] == [
            {"since": since, "condition": "above", "severity": "high", "limit": 90.0, "value": 91.5}
        ]
        assert told["limit_from"] == {"source": "default", "attribute": "t_max"}
        assert told["worst"] == {
            "value": 97.2,
            "at": clock.isoformat(START + timedelta(minutes=3)),
            "side": "highest",
        }
        (series,) = told["readings"]["series"]
        assert (series["interval"], series["columns"], len(series["rows"])) == (None, ["time", "value"], 90)
        assert told["readings"]["unreadable"] == []
        assert [one["kind"] for one in told["events"]] == ["raised"]

    def test_of_a_direction_has_no_highest_value(self, api, vera, hot, robot):
        times = to_micros(START) + 5_000_000 * np.arange(-360, 720, dtype=np.int64)
        values = {"wind_direction": np.where(np.arange(1080) % 2, 350.0, 10.0)}
        batch = Batch(np.full(1080, robot.pk), times, values)
        telemetry.ingest(batch=batch, by=internal(), now=NOW, origin=Origin.IMPORT)
        told = api(vera).get(url(hot(parameter="wind_direction", value=350.0))).json()
        assert told["worst"] is None
        (series,) = told["readings"]["series"]
        assert series["columns"] == ["start", "min", "max", "avg"]
        assert {tuple(row[1:3]) for row in series["rows"]} == {(None, None)}
        assert 0.0 in {row[3] for row in series["rows"]}

    def test_says_that_a_limit_is_the_asset_s(self, api, vera, hot, robot):
        robot.attributes = {"t_max": 90}
        robot.save()
        told = api(vera).get(url(hot())).json()
        assert told["limit_from"] == {"source": "attribute", "attribute": "t_max"}
        assert "limit of the asset, its attribute t_max; rule “Spindle”, revision 3" in told["sentence"]

    def test_of_one_that_returned_tells_how_long_it_lasted(self, api, vera, hot, warm):
        alert = hot(active=False, returned_at=START + timedelta(minutes=10))
        event(alert, alert.returned_at, "returned")
        told = api(vera).get(url(alert)).json()
        assert told["sentence"].startswith(
            "temperature was above 90 from 2026-11-21 08:55 CET until it returned at 09:10 (default"
        )
        assert told["readings"]["to"] == clock.isoformat(START + timedelta(minutes=10, microseconds=1))
        assert told["readings"]["from"] == clock.isoformat(START - timedelta(minutes=20))

    def test_units_are_written_as_people_do(self, api, vera, hot, warm, robot):
        robot.type.parameters = [{"code": "temperature", "unit": "Cel"}]
        robot.type.save()
        told = api(vera).get(url(hot())).json()
        assert told["sentence"].startswith("temperature has been above 90 °C since")
        assert told["readings"]["series"][0]["unit"] == "Cel"

    def test_of_one_raised_again_explains_the_last_time(self, api, vera, hot, warm):
        alert = hot(START - timedelta(days=3), occurrences=2)
        event(alert, START - timedelta(days=2), "returned")
        event(alert, START, "raised", condition="above", severity="high", limit=90.0, value=93.0)
        event(
            alert, START + timedelta(minutes=1), "severity_changed", condition="above", severity="critical", limit=95.0
        )
        told = api(vera).get(url(alert)).json()
        assert [one["severity"] for one in told["held"]] == ["high", "critical"]
        assert told["readings"]["from"] == clock.isoformat(START - timedelta(minutes=5 + 125))

    def test_a_long_one_is_told_in_buckets(self, api, vera, hot, robot):
        for minute in range(700):
            value = 96.5 if minute == 600 else 91.0
            factories.make_reading(robot, at=NOW - timedelta(minutes=minute), temperature=value)
        told = api(vera).get(url(hot(NOW - timedelta(minutes=700)))).json()
        (series,) = told["readings"]["series"]
        assert series["columns"] == ["start", "min", "max", "avg"]
        assert series["interval"] == "PT5M"
        assert 100 < len(series["rows"]) <= 500
        assert told["worst"]["value"] == 96.5
        assert told["worst"]["at"] == clock.isoformat(NOW - timedelta(minutes=600))

    def test_where_readings_are_no_longer_kept_tells_what_their_statistics_say(self, api, vera, hot, warm, monkeypatch):
        monkeypatch.setattr("techtrack.telemetry.queries.thinned", lambda *_, **__: {})
        told = api(vera).get(url(hot())).json()
        assert told["readings"]["series"][0]["columns"] == ["start", "min", "max", "avg"]
        assert told["worst"]["value"] == 97.2

    def test_of_a_rule_that_is_gone_tells_what_the_alert_kept(self, api, vera, hot, warm, rule):
        alert = hot()
        rule.delete()
        told = api(vera).get(url(alert)).json()
        assert told["rule"] == {
            "id": None,
            "name": "Spindle",
            "revision": 3,
            "current_revision": None,
            "definition": None,
        }
        assert told["sentence"].startswith("temperature has been above 90 since 2026-11-21 09:00 CET (rule “Spindle”")
        assert (told["limit_from"], told["guidance"]) == (None, {})

    def test_of_what_a_person_reported(self, api, vera, olga, robot):
        alert = Alert.objects.create(asset_id=robot.pk, title="It rattles.", raised_at=START, **factories.STAMPS)
        event(alert, START, "raised", actor=olga)
        told = api(vera).get(url(alert)).json()
        assert told["sentence"] == "olga reported at 2026-11-21 09:00 CET: It rattles."
        assert (told["rule"], told["readings"]["series"], told["worst"]) == (None, [], None)

    def test_of_an_alert_without_any_event_or_reading(self, api, vera, hot):
        alert = hot()
        AlertEvent.objects.all().delete()
        told = api(vera).get(url(alert)).json()
        assert told["worst"] is None
        (series,) = told["readings"]["series"]
        assert (series["parameter"], series["rows"]) == ("temperature", [])

    def test_of_one_found_late(self, api, vera, hot, warm):
        alert = hot(late=True, active=False, is_open=False, returned_at=START + timedelta(minutes=1))
        assert api(vera).get(url(alert)).json()["sentence"].endswith("It was found in late data, when it was over.")

    def test_an_older_alert_without_a_revision_is_told_by_the_rule_as_it_is(self, api, vera, hot):
        told = api(vera).get(url(hot(revision=None))).json()
        assert told["rule"]["definition"]["name"] == "Spindle"

    def test_an_older_alert_of_a_rule_that_is_gone_is_none_that_a_person_reported(self, api, vera, hot, rule):
        alert = hot(revision=None)
        Alert.objects.filter(pk=alert.pk).update(condition="")
        rule.delete()
        assert api(vera).get(url(alert)).json()["rule"]["name"] == "Spindle"


class TestWhatBecameOfIt:
    @pytest.fixture
    def found(self, erik, plant, robot, monkeypatch):
        """``found()``: a rule whose alert is active, as the judge found it, and what works it on."""
        monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW)
        judge = Judge()
        judge.work()

        def work():
            while judge.work():
                pass

        conditions = [{"kind": "above", "limit": 60, "severity": "high"}]
        data = {"name": "Spindle", "site": plant, "parameter": "temperature", "conditions": conditions}
        rule = create_rule(by=access_of(erik), now=START, data=data)
        factories.make_reading(robot, at=NOW - timedelta(minutes=5), temperature=70)
        work()
        return rule, Alert.objects.get(), work

    @pytest.mark.parametrize(
        ("change", "ended"),
        [
            ({"enabled": False}, "its rule was switched off"),
            ({"parameter": "speed"}, "its rule was changed to watch another parameter"),
            ({"tags": ["cnc"]}, "its rule no longer watched the asset"),
        ],
    )
    def test_a_rule_that_was_changed_is_no_good_news(self, api, vera, erik, found, change, ended):
        rule, alert, work = found
        update_rule(rule=rule, by=access_of(erik), changes=change, expected=None, now=NOW)
        work()
        told = api(vera).get(url(alert)).json()
        assert f"until {ended} at" in told["sentence"]
        assert told["ended"] == ended

    def test_nor_is_one_that_was_deleted(self, api, vera, erik, found):
        rule, alert, _ = found
        delete_rule(rule=rule, by=access_of(erik), expected=None, now=NOW)
        told = api(vera).get(url(alert)).json()
        assert "until its rule was deleted at 11:00" in told["sentence"]

    def test_what_was_over_before_its_rule_was_deleted_was_not_ended_by_that(self, api, vera, erik, found):
        rule, alert, work = found
        update_rule(rule=rule, by=access_of(erik), changes={"tags": ["cnc"]}, expected=None, now=NOW)
        work()
        delete_rule(rule=rule, by=access_of(erik), expected=None, now=NOW)
        assert api(vera).get(url(alert)).json()["ended"] == "its rule no longer watched the asset"

    def test_what_returned_returned(self, api, vera, found, robot):
        _, alert, work = found
        assert api(vera).get(url(alert)).json()["ended"] is None
        factories.make_reading(robot, at=NOW - timedelta(minutes=1), temperature=50)
        work()
        assert api(vera).get(url(alert)).json()["ended"] == "it returned"

    def test_tells_that_it_was_escalated(self, api, vera, hot):
        alert = hot()
        at = START + timedelta(minutes=10)
        event(alert, at, "escalated", before={"severity": "medium"}, after={"severity": "high"})
        told = api(vera).get(url(alert)).json()
        assert told["escalated"] == [{"at": clock.isoformat(at), "before": "medium", "after": "high"}]
        assert "It was escalated from medium to high at 09:10" in told["sentence"]

    def test_tells_what_hides_it_as_far_as_the_reader_may_know(self, api, vera, olga, hot, other_site):
        until = NOW + timedelta(hours=1)
        above = hot(START - timedelta(hours=1), asset_id=factories.make_equipment(site=other_site).pk)
        alert = hot(shelved_until=until, shelved_by=olga, shelve_reason="Known", suppressed_by=f"alert:{above.pk}")
        told = api(vera).get(url(alert)).json()
        assert told["hidden"] == [
            {"how": "shelved", "by": "olga", "until": clock.isoformat(until), "reason": "Known"},
            {"how": "suppressed", "by": "an alert of something above it", "until": None, "reason": ""},
        ]
        assert "It is shelved, by olga, until 2026-11-21 12:00 CET: Known." in told["sentence"]
        silence = factories.make_silence(name="Night")
        Alert.objects.filter(pk=alert.pk).update(suppressed_by=f"silence:{silence.pk}")
        assert "It is hidden by the silence “Night”." in api(vera).get(url(alert)).json()["sentence"]


class TestSimilar:
    def test_how_earlier_ones_ended(self, api, vera, olga, hot, plant):
        robot_type = factories.make_type("robot")
        twin = factories.make_equipment(site=plant, type=robot_type)
        past = {"active": False, "is_open": False, "acknowledged_by": olga}
        before = START - timedelta(days=9)
        over = {"returned_at": before + timedelta(hours=1), "acknowledged_at": before + timedelta(minutes=7)}
        first = hot(before, ack_comment="Fan cleaned.", **over, **past)
        event(first, before, "commented", comment="Again the fan.")
        event(first, before, "suppressed", after={"suppressed_by": "task:12"})
        event(first, before, "noted", task=13)
        alert = hot()
        Alert.objects.filter(pk=alert.pk).update()
        alert.asset.type = robot_type
        alert.asset.save()
        second = hot(before + timedelta(days=1), asset_id=twin.pk, **past)
        hot(START + timedelta(hours=1), asset_id=twin.pk, **past)
        told = api(vera).get(url(alert)).json()["similar"]
        assert [(one["id"], one["alike"]) for one in told] == [(first.pk, "identity"), (second.pk, "type")]
        assert (told[0]["duration"], told[0]["acknowledged_after"]) == ("PT1H", "PT7M")
        assert told[0]["acknowledged_by_name"] == "olga"
        assert (told[0]["comments"], told[0]["tasks"]) == (["Fan cleaned.", "Again the fan."], [12, 13])

    def test_others_that_were_active(self, api, vera, hot, plant, other_site, robot):
        neighbour = factories.make_equipment(site=plant)
        stranger = factories.make_equipment(site=other_site)
        alert = hot()
        cause = hot(START - timedelta(minutes=3), asset_id=neighbour.pk, rule=None)
        same = hot(START + timedelta(minutes=3), parameter="speed")
        over = {"active": False, "returned_at": START - timedelta(minutes=1)}
        hot(START - timedelta(hours=1), asset_id=neighbour.pk, rule=None, **over)
        hot(START + timedelta(minutes=11), asset_id=neighbour.pk, rule=None)
        hot(START, asset_id=stranger.pk)
        told = api(vera).get(url(alert)).json()["others"]
        assert [(one["id"], one["same_asset"], one["earlier"]) for one in told] == [
            (same.pk, True, False),
            (cause.pk, False, True),
        ]


class TestAccess:
    def test_only_who_may_see_the_alert_sees_why(self, api, vera, oscar, mallory, hot):
        alert = hot()
        assert api(vera).get(url(alert)).status_code == 200
        assert [api(person).get(url(alert)).status_code for person in (oscar, mallory, None)] == [404, 404, 401]
        assert api(vera).get(f"/api/alerts/{2**70}/explain/").status_code == 404
        assert api(vera).get(url(alert), {"x": 1}).status_code == 400

    def test_the_scope_of_a_rule_of_others_is_not_told(self, api, vera, oscar, hot, rule, other_site):
        elsewhere = factories.make_equipment(site=other_site)
        rule.site, rule.assets = None, [elsewhere.pk]
        rule.save()
        RuleRevision.objects.update(definition=rule.definition)
        told = api(vera).get(url(hot())).json()
        assert "scope" not in told["rule"]["definition"]

    def test_asks_the_database_as_often_for_many_as_for_few(self, api, vera, olga, hot, warm, robot):
        robot.type = factories.make_type("robot")
        robot.save()
        alert = hot()
        client = api(vera)
        client.get(url(alert))
        counts = []
        for _ in range(2):
            for number in range(1, 9):
                old = hot(START - timedelta(days=number), active=False, is_open=False, acknowledged_by=olga)
                event(old, START, "commented", comment="x")
                hot(START - timedelta(minutes=1), parameter=f"p{number}_{len(counts)}")
            with CaptureQueriesContext(connection) as captured:
                assert client.get(url(alert)).status_code == 200
            counts.append(len(captured))
        assert counts[0] == counts[1] <= 30, counts


class TestWithTheJudge:
    def test_explains_what_the_judge_recorded(self, api, vera, erik, plant, robot, monkeypatch):
        monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW)
        robot.attributes = {"t_max": 60}
        robot.save()
        judge = Judge()
        judge.work()
        data = {
            "name": "Spindle",
            "site": plant,
            "parameter": "temperature",
            "conditions": [{"kind": "above", "limit": {"attribute": "t_max", "default": 90}, "severity": "high"}],
            "on_delay": timedelta(minutes=2),
        }
        create_rule(by=access_of(erik), now=START, data=data)
        for minute, value in enumerate([50, 61, 62, 70.5, 64, 55]):
            factories.make_reading(robot, at=NOW + timedelta(minutes=minute - 10), temperature=value)
        while judge.work():
            pass
        told = api(vera).get(url(Alert.objects.get())).json()
        assert told["sentence"] == (
            "temperature was above 60 from 2026-11-21 10:51 CET until it returned at 10:55 "
            "(limit of the asset, its attribute t_max; rule “Spindle”, revision 1); it peaked at 70.5 at 10:53; "
            "raised at 10:53, after the on-delay of 2 min."
        )
        assert [one["kind"] for one in told["events"]] == ["raised", "returned"]
        assert len(told["readings"]["series"][0]["rows"]) == 6
