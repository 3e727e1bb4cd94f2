"""The rule lab over the API: previews at once and in the background, who may see what, and warnings of writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jsonschema
import numpy as np
import pytest

from techtrack.accounts.domain.access import Scope, internal
from techtrack.accounts.queries import access_of_key
from techtrack.alerts import jobs
from techtrack.alerts.models import Alert, PreviewRun, Rule
from techtrack.alerts.queries import lab
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Batch, Origin
from techtrack.telemetry.services import Saying, ingest, mark_quality
from techtrack.telemetry.store import compaction
from tests import factories

URL = "/api/rules/preview/"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T10:00:00Z"}
HOT = {"name": "Hot", "parameter": "temperature", "conditions": [{"kind": "above", "limit": 80.0, "severity": "high"}]}
# An hour of calm, an hour that rests on the limit, an hour of calm, an hour above, and calm again.
VALUES = [20.0] * 360 + [80.5, 79.5] * 180 + [20.0] * 360 + [95.0] * 360 + [20.0] * 360


def store(asset, values=VALUES, *, begin=BEGIN, step=10, code="temperature"):
    """Store values of an asset, one each ``step`` seconds."""
    times = to_micros(begin) + np.arange(len(values), dtype=np.int64) * step * 1_000_000
    batch = Batch(np.full(len(values), asset.pk), times, {code: np.array(values, float)})
    ingest(batch=batch, by=internal(), now=max(begin, factories.NOW), origin=Origin.IMPORT)


@pytest.fixture
def hot(robot):
    """The robot with five hours of readings, folded."""
    store(robot)
    while compaction.compact(clock.now(), force=True) is not None:
        pass
    return robot


def post(client, **body):
    return client.post(URL, SPAN | body, format="json")


class TestPreview:
    def test_tells_what_a_rule_would_have_done_and_changes_nothing(self, api, vera, hot):
        answer = post(api(vera), rule=HOT, assets=[hot.pk])

        assert answer.status_code == 200, answer.json()
        told = answer.json()
        (one,) = told["assets"]
        assert (one["asset"], one["name"], one["readings"]) == (hot.pk, hot.name, 1800)
        assert (one["raises"], one["alerts"], one["repeats"], one["chattering"]) == (181, 181, 179, 180)
        assert one["active"] == "PT1H30M"
        assert one["share"] == pytest.approx(0.15)
        assert one["longest"] == "PT1H"
        assert one["standing"] is False
        assert one["severities"] == {"high": 181}
        assert one["days"] == [{"day": "2026-03-01", "raises": 181}]
        assert one["episodes"][0] == {
            "raised_at": "2026-03-01T01:00:00Z",
            "returned_at": "2026-03-01T01:00:10Z",
            "severity": "high",
            "value": 80.5,
            "limit": 80.0,
        }
        assert told["total"]["raises"] == 181
        assert told["total"]["load"]["peak"] == 30
        assert told["total"]["load"]["flooded"] > 0
        assert (Rule.objects.count(), Alert.objects.count(), PreviewRun.objects.count()) == (0, 0, 0)

    def test_merges_what_the_rule_takes_up_again(self, api, vera, hot):
        told = post(api(vera), rule=HOT | {"reraise_window": "PT5M"}, assets=[hot.pk]).json()

        assert (told["total"]["raises"], told["total"]["alerts"]) == (181, 2)

    def test_advises_what_the_rule_takes_by_patch(self, api, erik, plant, hot):
        rule = api(erik).post("/api/rules/", HOT | {"scope": {"site": plant.pk}}, format="json").json()

        advice = post(api(erik), rule_id=rule["id"]).json()["advice"]

        assert advice["asset"] == hot.pk
        assert advice["changes"] == {"deadband": 0.51, "on_delay": "PT0S", "off_delay": "PT0S"}
        assert advice["repeats"] == {"before": 179, "after": 0}
        assert api(erik).patch(f"/api/rules/{rule['id']}/", advice["changes"], format="json").status_code == 200
        assert post(api(erik), rule_id=rule["id"]).json()["total"]["repeats"] == 0

    def test_tries_changes_of_a_rule(self, api, erik, plant, hot):
        rule = factories.make_rule(site=plant)

        told = post(api(erik), rule_id=rule.pk, changes={"deadband": 2.0, "on_delay": "PT5M"}).json()

        assert told["rule"] == rule.pk
        assert told["total"]["raises"] == 2
        assert told["assets"][0]["episodes"][0]["raised_at"] == "2026-03-01T01:05:00Z"
        rule.refresh_from_db()
        assert rule.deadband == 0.0

    def test_sweeps_settings(self, api, vera, hot):
        sweep = {"limit": [80.0, 90.0], "deadband": [0.0, 1.0], "on_delay": ["PT0S", "PT10M"]}

        told = post(api(vera), rule=HOT, assets=[hot.pk], sweep=sweep).json()

        cells = {(one["limit"], one["deadband"], one["on_delay"]): one for one in told["sweep"]}
        assert len(cells) == 8
        assert cells[80.0, 0.0, "PT0S"]["raises"] == told["total"]["raises"]
        assert cells[80.0, 1.0, "PT0S"]["raises"] == 2
        assert cells[90.0, 0.0, "PT10M"]["raises"] == 1
        assert cells[90.0, 0.0, "PT10M"]["added_delay"] == "PT10M"

    def test_says_of_settings_that_they_make_no_sense(self, api, vera, hot):
        rule = HOT | {"conditions": [{"kind": "outside", "low": 0.0, "high": 80.0}]}

        told = post(api(vera), rule=rule, assets=[hot.pk], sweep={"deadband": [1.0, 50.0], "limit": [1.0]}).json()

        assert "no single limit" in told["sweep"][0]["note"]
        told = post(api(vera), rule=rule, assets=[hot.pk], sweep={"deadband": [1.0, 50.0]}).json()
        assert [bool(one["note"]) for one in told["sweep"]] == [False, True]

    def test_knows_incidents(self, api, vera, hot):
        incidents = [
            {"name": "seized", "from": "2026-03-01T02:30:00Z", "to": "2026-03-01T04:00:00Z", "asset": hot.pk},
            {"name": "slipped", "from": "2026-03-01T05:30:00Z", "to": "2026-03-01T06:00:00Z"},
        ]

        told = post(api(vera), rule=HOT | {"deadband": 2.0}, assets=[hot.pk], incidents=incidents).json()

        assert [(one["found"], one["lead_time"]) for one in told["incidents"]] == [(True, "PT1H"), (False, None)]
        total = told["total"]
        assert (total["incidents_found"], total["incidents_missed"], total["false_alarms"]) == (1, 1, 1)
        assert total["lead_time"] == "PT1H"

    def test_leaves_out_what_is_marked_bad(self, api, vera, hot):
        span = to_micros(BEGIN), to_micros(BEGIN + timedelta(hours=2))
        said = Saying("temperature", span, Quality.BAD, "cable")
        mark_quality(asset=hot, said=said, by=internal(), now=clock.now())

        assert post(api(vera), rule=HOT, assets=[hot.pk]).json()["total"]["raises"] == 1

    def test_learns_and_tells_what_is_normal(self, api, vera, robot):
        store(robot, [10.0, 11.0, 9.0, 10.0] * 10 + [10.0] * 20 + [30.0] * 20)
        chart = {"kind": "control_chart", "rules": [1], "learn": 40, "lsl": 4.0, "usl": 16.0}

        told = post(api(vera), rule=HOT | {"conditions": [chart]}, assets=[robot.pk]).json()["assets"][0]

        (base,) = told["baselines"]
        assert base["kind"] == "control_chart"
        assert base["mean"] == pytest.approx(10.0)
        assert base["cp"] == pytest.approx(base["cpk"])
        assert told["standing"] is True

    def test_warns_of_a_rule_that_is_mostly_active(self, api, vera, hot):
        told = post(api(vera), rule=HOT | {"conditions": [{"kind": "below", "limit": 100.0}]}, assets=[hot.pk]).json()

        assert told["warning"] == "it would be active for 100% of the stored history"


class TestDocument:
    def test_knows_the_answer(self, api, vera, hot, robot):
        shown = api(vera).get("/api/schema/?format=json").json()
        incident = {"from": "2026-03-01T02:30:00Z", "to": "2026-03-01T04:00:00Z"}
        chart = {"kind": "control_chart", "learn": 40, "usl": 99.0}
        sweep = {"deadband": [0.0, 1.0], "off_delay": ["PT1M"]}
        bodies = [
            {"rule": HOT, "sweep": sweep, "incidents": [incident]},
            {"rule": HOT | {"conditions": [chart]}},
            {"rule": HOT | {"scope": {"tags": ["nowhere"]}}},
        ]

        for body in bodies:
            whole = shown | {"$ref": "#/components/schemas/Preview"}
            jsonschema.validate(post(api(vera), **body).json(), whole)
        run = post(api(vera), **bodies[0], background=True)
        jobs.preview_next()
        told = api(vera).get(run["Location"].partition("testserver")[2]).json()
        jsonschema.validate(told, shown | {"$ref": "#/components/schemas/PreviewRun"})


class TestNothing:
    def test_in_the_store_is_said(self, api, vera, robot):
        told = post(api(vera), rule=HOT, assets=[robot.pk]).json()

        assert told["assets"][0]["note"] == "there are no readings of it in this time"
        assert (told["total"]["raises"], told["warning"], told["advice"]) == (0, None, None)

    def test_in_scope_is_said(self, api, vera, plant):
        told = post(api(vera), rule=HOT | {"scope": {"tags": ["nowhere"]}}).json()

        assert (told["assets"], told["note"]) == ([], "the rule watches no asset that you may see")

    def test_to_take_the_limit_from_is_said(self, api, vera, hot):
        rule = HOT | {"conditions": [{"kind": "above", "limit": {"attribute": "t_max"}}]}

        told = post(api(vera), rule=rule, assets=[hot.pk], sweep={"limit": [80.0]}).json()

        assert "'t_max'" in told["assets"][0]["note"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/rule"),
            ({"rule": HOT, "rule_id": 1}, "/rule"),
            ({"rule": HOT | {"deadband": "x"}}, "/rule/deadband"),
            ({"rule": HOT | {"conditions": [{"kind": "above"}]}}, "/rule/conditions/0/limit"),
            ({"rule": HOT | {"colour": "red"}}, "/rule/colour"),
            ({"rule": HOT, "changes": {}}, "/changes"),
            ({"rule": HOT, "assets": [999_999]}, "/assets/0"),
            ({"rule_id": 999_999}, "/rule_id"),
            ({"rule": HOT, "to": "2026-02-01T00:00:00Z"}, "/to"),
            ({"rule": HOT, "from": "2010-02-01T00:00:00Z"}, "/from"),
            ({"rule": HOT, "from": "2090-01-01T00:00:00Z", "to": "2091-01-01T00:00:00Z"}, "/from"),
            ({"rule": HOT, "sweep": {"deadband": [-1.0]}}, "/sweep/deadband/0"),
            ({"rule": HOT, "sweep": {"limit": list(range(20)), "deadband": list(range(20))}}, "/sweep"),
            ({"rule": HOT, "incidents": [{"from": "2026-03-01T00:00:00Z"}]}, "/incidents/0/to"),
            ({"rule": HOT, "colour": "red"}, "/colour"),
        ],
    )
    def test_that_makes_sense_is_refused_with_the_place(self, api, vera, plant, body, pointer):
        answer = post(api(vera), **body)

        assert answer.status_code == 400, answer.json()
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    def test_too_long_is_done_at_once(self, api, vera, hot, monkeypatch):
        monkeypatch.setattr(lab, "MOST_AT_ONCE", 100)
        monkeypatch.setattr(lab.weigh, "__kwdefaults__", {"most": 100})

        answer = post(api(vera), rule=HOT, assets=[hot.pk])

        assert answer.status_code == 400
        assert answer.json()["code"] == "too_much"
        assert "background" in answer.json()["detail"]


class TestSight:
    def test_ends_at_the_sites_of_the_caller(self, api, adam, vera, mallory, other_site, hot):
        other = factories.make_equipment(site=other_site)
        store(other)

        assert {one["asset"] for one in post(api(adam), rule=HOT).json()["assets"]} == {hot.pk, other.pk}
        assert {one["asset"] for one in post(api(vera), rule=HOT).json()["assets"]} == {hot.pk}
        assert post(api(vera), rule=HOT, assets=[other.pk]).status_code == 400
        assert post(api(mallory), rule=HOT).status_code == 403
        elsewhere = factories.make_rule(site=other_site)
        assert post(api(vera), rule_id=elsewhere.pk).status_code == 400

    def test_a_key_that_may_only_read_may_ask_since_nothing_changes(self, api, vera, olga, hot):
        for scope, wanted, background in ((Scope.READ, 200, 403), (Scope.WRITE, 200, 202), (Scope.INGEST, 403, 403)):
            machine = api(None)
            machine.force_authenticate(olga, token=access_of_key(factories.make_key(olga, scope=scope)))
            assert post(machine, rule=HOT).status_code == wanted, scope
            assert post(machine, rule=HOT, background=True).status_code == background, scope

    def test_of_strangers_is_none(self, client):
        assert client.post(URL, SPAN | {"rule": HOT}, content_type="application/json").status_code == 401


class TestRun:
    def ask(self, client, asset, **body):
        answer = post(client, rule=HOT, assets=[asset.pk], background=True, **body)
        assert answer.status_code == 202, answer.json()
        return answer

    def test_gives_what_the_preview_gives(self, api, vera, hot):
        asked = {"sweep": {"deadband": [0.0, 1.0], "on_delay": ["PT5M"]}}
        answer = self.ask(api(vera), hot, **asked)
        place = answer["Location"].partition("testserver")[2]
        assert (answer.json()["state"], answer.json()["total"]) == ("waiting", 3)

        assert jobs.preview_next() is True
        assert jobs.preview_next() is False

        told = api(vera).get(place).json()
        assert (told["state"], told["done"], told["error"]) == ("done", 3, "")
        assert told["result"] == post(api(vera), rule=HOT, assets=[hot.pk], **asked).json()

    def test_is_cancelled_and_forgotten(self, api, vera, hot):
        place = self.ask(api(vera), hot)["Location"].partition("testserver")[2]

        assert api(vera).delete(place).status_code == 204
        assert api(vera).get(place).json()["state"] == "cancelled"
        assert jobs.preview_next() is False
        assert api(vera).delete(place).status_code == 204
        assert api(vera).get(place).status_code == 404

    def test_stops_once_it_is_cancelled(self, api, vera, hot, monkeypatch):
        place = self.ask(api(vera), hot, sweep={"deadband": [0.0, 1.0]})["Location"].partition("testserver")[2]
        monkeypatch.setattr(jobs, "REPORT_EVERY", -1)
        steps = lab.Preview.steps

        def cancelled(preview):
            for number, _ in enumerate(steps(preview)):
                assert number == 0, "it went on"
                api(vera).delete(place)
                yield

        monkeypatch.setattr(lab.Preview, "steps", cancelled)

        assert jobs.preview_next() is True
        told = api(vera).get(place).json()
        assert (told["state"], told["result"]) == ("cancelled", None)

    def test_says_what_went_wrong(self, api, vera, hot, monkeypatch):
        place = self.ask(api(vera), hot)["Location"].partition("testserver")[2]

        def broken(_):
            raise RuntimeError("the disk is gone")
            yield

        monkeypatch.setattr(lab.Preview, "steps", broken)

        with pytest.raises(RuntimeError):
            jobs.preview_next()
        told = api(vera).get(place).json()
        assert (told["state"], told["error"]) == ("failed", "RuntimeError: the disk is gone")

    def test_whose_process_ended_is_interrupted(self, api, vera, hot):
        place = self.ask(api(vera), hot)["Location"].partition("testserver")[2]
        long_ago = clock.now() - timedelta(minutes=10)
        PreviewRun.objects.update(state="running", started_at=long_ago, beat_at=long_ago)

        assert jobs.preview_next() is False
        assert api(vera).get(place).json()["state"] == "interrupted"

    def test_is_its_askers_alone(self, api, vera, adam, hot):
        place = self.ask(api(vera), hot)["Location"].partition("testserver")[2]

        assert api(adam).get(place).status_code == 404
        assert api(adam).delete(place).status_code == 404
        assert api(vera).get("/api/rules/previews/99999999999999999999/").status_code == 404

    def test_is_hidden_from_who_no_longer_sees_the_assets(self, api, vera, hot, other_site):
        place = self.ask(api(vera), hot)["Location"].partition("testserver")[2]
        jobs.preview_next()
        hot.site = other_site
        hot.save()

        assert api(vera).get(place).status_code == 404

    def test_waits_with_few_others(self, api, vera, hot):
        for _ in range(5):
            self.ask(api(vera), hot)

        assert post(api(vera), rule=HOT, assets=[hot.pk], background=True).status_code == 409

    def test_with_a_key_is_asked_once(self, api, vera, hot):
        body = SPAN | {"rule": HOT, "assets": [hot.pk], "background": True}
        answers = [api(vera).post(URL, body, format="json", headers={"Idempotency-Key": "a"}) for _ in range(2)]

        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert PreviewRun.objects.count() == 1


class TestWarning:
    def test_comes_with_a_rule_that_would_be_active_most_of_the_time(self, api, erik, plant, robot):
        store(robot, [50.0] * 500, begin=clock.now() - timedelta(hours=3))
        body = HOT | {"scope": {"site": plant.pk}}

        rule = api(erik).post("/api/rules/", body | {"conditions": [{"kind": "above", "limit": 40.0}]}, format="json")

        assert rule.status_code == 201
        assert rule.json()["warning"].startswith("it would have been active for 100% of the time since ")
        assert robot.name in rule.json()["warning"]
        address = f"/api/rules/{rule.json()['id']}/"
        assert api(erik).get(address).json()["warning"] is None
        calm = {"conditions": [{"kind": "above", "limit": 60.0}]}
        assert api(erik).patch(address, calm, format="json").json()["warning"] is None

    def test_is_none_without_readings_or_where_the_rule_is_off(self, api, erik, plant, robot):
        body = HOT | {"scope": {"site": plant.pk}, "conditions": [{"kind": "above", "limit": 40.0}]}
        assert api(erik).post("/api/rules/", body, format="json").json()["warning"] is None
        store(robot, [50.0] * 500, begin=clock.now() - timedelta(hours=3))
        off = body | {"name": "Off", "enabled": False}
        assert api(erik).post("/api/rules/", off, format="json").json()["warning"] is None
