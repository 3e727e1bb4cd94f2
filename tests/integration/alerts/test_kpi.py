"""Key figures of the alarm system over the API."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.queries import access_of
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.queries import kpi
from techtrack.alerts.services import create_rule
from techtrack.core import clock
from tests import factories

URL = "/api/alerts/kpi/"
BEGIN = factories.NOW - timedelta(days=1)
SPAN = {"from": clock.isoformat(BEGIN), "to": clock.isoformat(factories.NOW)}


@pytest.fixture
def rule(plant):
    return factories.make_rule(site=plant, off_delay=timedelta(seconds=5))


@pytest.fixture
def live(robot, rule, olga):
    """``live((seconds after BEGIN, kind), …)``: an alert to which that happened."""

    def make(*happened, asset=None, **facts):
        facts = {
            "rule": rule,
            "parameter": "temperature",
            "raised_at": BEGIN + timedelta(seconds=happened[0][0]),
        } | facts
        alert = Alert.objects.create(
            asset_id=(asset or robot).pk, severity="low", title="Hot", **(factories.STAMPS | facts)
        )
        AlertEvent.objects.bulk_create(event(alert, *one) for one in happened)
        return alert

    return make


def event(alert, seconds, kind, after="", severity="high"):
    at = BEGIN + timedelta(seconds=seconds)
    evidence = {"severity": severity} if kind == "raised" else {}
    return AlertEvent(alert=alert, at=at, recorded_at=at, kind=kind, after=after, evidence=evidence)


def chatter(times, every=20):
    return [(n * every + step, kind) for n in range(times) for step, kind in ((0, "raised"), (every / 2, "returned"))]


class TestKpi:
    def test_tells_what_was_raised_and_how_it_went(self, api, vera, live, robot, rule):
        live(*chatter(12), (500, "acknowledged"), active=False, acknowledged_at=factories.NOW, is_open=False)
        live((7200, "raised", "suppressed"), parameter="speed", suppressed_by="task:1")
        answer = api(vera).get(URL, SPAN)
        assert answer.status_code == 200, answer.json()
        told = answer.json()
        assert (told["site"], told["from"], told["to"]) == (None, SPAN["from"], SPAN["to"])
        assert (told["occurrences"], told["annunciations"], told["chattering"]) == (13, 12, 12)
        assert told["severities"] == {"info": 0, "low": 0, "medium": 0, "high": 12, "critical": 0}
        assert [(one["rank"], one["count"], one["share"]) for one in told["priorities"]] == [
            ("high", 12, 1.0),
            ("medium", 0, 0.0),
            ("low", 0, 0.0),
        ]
        assert told["rate"]["peak"] == 12
        assert told["rate"]["average"] == pytest.approx(12 / 144)
        assert sum(one["intervals"] for one in told["rate"]["distribution"]) == 144
        assert len(told["timeline"]["starts"]) == len(told["timeline"]["peak"]) == 144
        assert told["acknowledge_time"] == {"count": 1, "waiting": 0, "p50": "PT8M20S", "p95": "PT8M20S"}
        assert told["now"] == {"active": 1, "unacknowledged": 1, "shelved": 0, "suppressed": 1, "out_of_service": 0}
        identity = {
            "rule": rule.pk,
            "rule_name": rule.name,
            "asset": robot.pk,
            "asset_name": robot.name,
            "parameter": "temperature",
        }
        assert told["top"]["identities"] == [{**identity, "count": 12, "share": 1.0}]
        assert told["top"]["rules"] == [{"rule": rule.pk, "rule_name": rule.name, "count": 12, "share": 1.0}]
        (flood,) = told["floods"]["largest"]
        assert (flood["annunciations"], flood["first"]) == (12, identity)
        assert told["floods"]["share"] == pytest.approx(1 / 144)
        problems = {one["problem"]: one for one in told["problems"]}
        assert set(problems) == {"flood", "chattering"}
        assert problems["chattering"] == {
            "problem": "chattering",
            **identity,
            "count": 12,
            "detail": "raised three times or more within a minute, 12 raises in all",
            "fix": {
                "action": "preview",
                "rule_id": rule.pk,
                "assets": [robot.pk],
                "changes": {"off_delay": "PT30S"},
            },
        }
        assert problems["flood"]["rule"] is None

    def test_knows_what_was_active_before_the_time_began(self, api, vera, live):
        still = live((-200_000, "raised"))
        live((-200_000, "raised"), (600, "returned"), parameter="speed", active=False, returned_at=BEGIN)
        live((-300, "raised"), (-200, "returned"), (-100, "raised"), (60, "returned"), parameter="a", active=False)
        over = BEGIN - timedelta(seconds=100)
        live((-200_000, "raised"), (-100, "returned"), parameter="b", active=False, returned_at=over)
        told = api(vera).get(URL, SPAN).json()
        assert (told["occurrences"], told["stale"]) == (0, 2)
        first = next(one for one in told["problems"] if one["parameter"] == "temperature")
        assert first["fix"] == {"action": "open_task", "alert": still.pk}

    def test_what_is_hidden_as_it_is_raised_is_no_annunciation(self, api, vera, live):
        live((0, "raised"), (0, "suppressed"))
        live((0, "raised"), (1, "suppressed"), parameter="speed")
        told = api(vera).get(URL, SPAN).json()
        assert (told["occurrences"], told["annunciations"]) == (2, 1)

    def test_what_is_shown_again_while_it_waits_is_an_annunciation(self, api, vera, live):
        live((0, "raised", "suppressed"), (600, "unsuppressed", "unacknowledged"), (660, "acknowledged"))
        live((0, "raised", "shelved"), (60, "acknowledged"), (600, "unshelved", "acknowledged"), parameter="speed")
        told = api(vera).get(URL, SPAN).json()
        assert (told["occurrences"], told["annunciations"]) == (2, 1)
        assert told["acknowledge_time"]["p50"] == "PT1M"

    @pytest.mark.parametrize("micros", [0, 1, 500_000, 999_999])
    def test_times_are_exact(self, live, adam, micros):
        at = BEGIN + timedelta(seconds=7, microseconds=micros)
        live(((at - BEGIN).total_seconds(), "raised"))
        span = clock.to_micros(BEGIN), clock.to_micros(factories.NOW)
        events = kpi(access=access_of(adam), site_id=None, span=span).measures.events
        assert events.times.tolist() == events.recorded.tolist() == [clock.to_micros(at)]

    def test_leaves_out_what_was_found_late(self, api, vera, live):
        live((0, "raised"), (60, "returned"), late=True, active=False, is_open=False)
        assert api(vera).get(URL, SPAN).json()["occurrences"] == 0

    def test_of_one_site(self, api, adam, live, plant, other_site):
        live((0, "raised"))
        live((0, "raised"), asset=factories.make_equipment(site=other_site))
        counts = [api(adam).get(URL, {**SPAN, **site}).json()["occurrences"] for site in ({}, {"site": plant.pk})]
        assert counts == [2, 1]

    def test_shows_nobody_the_alerts_of_others(self, api, vera, oscar, mallory, live, plant, other_site):
        live((0, "raised"))
        for person in (oscar, mallory):
            told = api(person).get(URL, SPAN).json()
            assert (told["occurrences"], told["now"]["active"], told["problems"]) == (0, 0, [])
            assert api(person).get(URL, {"site": plant.pk}).status_code == 404
        assert api(vera).get(URL, {"site": other_site.pk}).status_code == 404
        assert api(None).get(URL).status_code == 401

    def test_asks_the_database_as_often_for_many_as_for_few(self, api, vera, live):
        client = api(vera)
        client.get(URL, SPAN)
        counts = []
        for number in range(2):
            for part in range(1 + 30 * number):
                live(*chatter(3), parameter=f"p{number}_{part}")
            with CaptureQueriesContext(connection) as captured:
                assert client.get(URL, SPAN).status_code == 200
            counts.append(len(captured))
        assert counts[0] == counts[1] <= 8

    def test_a_rule_or_a_severity_that_nobody_knows_does_no_harm(self, api, vera, live, rule):
        live((0, "raised", "", "purple"))
        rule.delete()
        assert api(vera).get(URL, SPAN).json()["severities"]["medium"] == 1

    def test_more_than_can_be_measured_is_refused(self, api, vera, live, monkeypatch):
        monkeypatch.setattr(sys.modules["techtrack.alerts.queries.kpi"], "MOST_EVENTS", 5)
        live(*chatter(3))
        answer = api(vera).get(URL, SPAN)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "?from")

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ({"site": "plant"}, "?site"),
            ({"from": "yesterday"}, "?from"),
            ({"from": SPAN["to"], "to": SPAN["from"]}, "?from"),
            ({"from": "2090-01-01T00:00:00Z"}, "?from"),
            ({"from": "2020-01-01T00:00:00Z"}, "?from"),
            ({"sight": "1"}, "?sight"),
            ({"from": "2026-02-30"}, "?from"),
            ({"to": "9999-01-01"}, "?to"),
            ({"timezone": "Berlin"}, "?timezone"),
        ],
    )
    def test_bad_input_is_named(self, api, vera, query, pointer):
        answer = api(vera).get(URL, query)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)

    def test_a_day_is_its_beginning_at_the_site_or_where_it_is_said(self, api, vera, plant):
        def span(**query):
            told = api(vera).get(URL, {"from": "2026-11-02", "to": "2026-11-03", **query}).json()
            return told["from"], told["to"]

        assert span() == ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z")
        assert span(site=plant.pk) == ("2026-11-01T23:00:00Z", "2026-11-02T23:00:00Z")
        assert span(site=plant.pk, timezone="Asia/Tokyo")[0] == "2026-11-01T15:00:00Z"

    def test_without_a_time_the_last_week_is_meant(self, api, vera):
        told = api(vera).get(URL).json()
        assert len(told["timeline"]["starts"]) in {1008, 1009}


class TestFix:
    def test_that_is_advised_ends_the_chattering_in_the_rule_lab(self, api, erik, plant, robot, monkeypatch):
        monkeypatch.setattr(clock.plant_now, "_source", lambda: factories.NOW)
        judge = Judge()
        judge.work()
        hot = [{"kind": "above", "limit": 80.0, "severity": "high"}]
        data = {"name": "Hot", "site": plant, "parameter": "temperature", "conditions": hot}
        create_rule(by=access_of(erik), now=BEGIN, data=data)
        for second in range(0, 600, 8):
            at = factories.NOW + timedelta(seconds=second - 700)
            factories.make_reading(robot, at=at, temperature=85.0 if second % 24 else 79.0)
        while judge.work():
            pass
        told = api(erik).get(URL, SPAN).json()
        (fix,) = (one["fix"] for one in told["problems"] if one["problem"] == "chattering")
        assert fix.pop("action") == "preview"
        counts = []
        for changes in ({}, fix["changes"]):
            asked = {**fix, "changes": changes, "from": told["from"], "to": told["to"]}
            answer = api(erik).post("/api/rules/preview/", asked, format="json")
            assert answer.status_code == 200, answer.json()
            counts.append(answer.json()["total"]["chattering"])
        assert counts == [told["chattering"], 0]
