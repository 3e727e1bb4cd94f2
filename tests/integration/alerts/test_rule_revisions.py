"""What a rule said and when: revisions, what they keep, and the fields of rules that they keep it of."""

from __future__ import annotations

import pytest

from techtrack.alerts.models import Alert, AlertEvent, Rule, RuleRevision
from tests import factories

URL = "/api/rules/"
ABOVE = {"kind": "above", "limit": 90.0, "severity": "critical"}
FULL = {
    "aggregate": {"window": "PT1M", "statistic": "avg", "min_completeness": 0.75},
    "deadband": 2.0,
    "on_delay": "PT5M",
    "off_delay": "PT2M",
    "count": {"n": 3, "of": 5},
    "no_data": {"after": "3x", "policy": "alert", "severity": "medium"},
    "late_data": {"max_age": "PT2H"},
    "schedule": {"timezone": "Europe/Berlin", "rrule": "FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=6", "duration": "PT8H"},
    "latched": True,
    "reraise_window": "PT30M",
    "escalation": [{"after": "PT10M", "severity": "high"}, {"after": "PT1H", "severity": "critical"}],
    "open_task": {"title": "Grease it"},
    "guidance": {"cause": "Dry"},
    "enabled": False,
}


@pytest.fixture
def body(plant):
    return {
        "name": "Bearing temperature",
        "scope": {"asset_type": None, "site": plant.pk, "assets": [], "tags": ["cnc"]},
        "parameter": "temperature",
        "conditions": [ABOVE],
    }


@pytest.fixture
def made(api, erik, body):
    """``made(**fields)``: the wire form of a rule that erik has made."""

    def make(**fields):
        answer = api(erik).post(URL, body | fields, format="json")
        assert answer.status_code == 201, answer.json()
        return answer.json()

    return make


class TestRule:
    def test_has_its_defaults(self, made):
        rule = made()
        assert {name: rule[name] for name in FULL if name not in {"deadband", "on_delay", "off_delay"}} == {
            "aggregate": None,
            "count": None,
            "no_data": None,
            "late_data": {"max_age": "PT1H"},
            "schedule": None,
            "latched": False,
            "reraise_window": "PT0S",
            "escalation": [],
            "open_task": None,
            "guidance": {},
            "enabled": True,
        }
        assert (rule["inhibited_by"], rule["revision"]) == ([], 1)

    def test_comes_back_as_it_was_sent(self, api, erik, body, made):
        parent = made(name="Parent")
        full = body | FULL | {"inhibited_by": [parent["id"]]}
        rule = made(**full)
        assert {name: rule[name] for name in full} == full
        again = api(erik).put(f"{URL}{rule['id']}/", rule, format="json").json()
        assert {name: again[name] for name in full} == full
        assert (again["version"], again["revision"]) == (2, 1)

    def test_returns_to_the_defaults_by_a_put_that_does_not_speak_of_them(self, api, erik, body, made):
        rule = made(**FULL)
        put = api(erik).put(f"{URL}{rule['id']}/", body, format="json").json()
        assert (put["aggregate"], put["escalation"], put["late_data"], put["latched"]) == (
            None,
            [],
            {"max_age": "PT1H"},
            False,
        )

    def test_is_merged_by_a_patch(self, api, erik, made):
        url = f"{URL}{made(**FULL)['id']}/"
        changes = {"no_data": {"policy": "keep"}, "count": None, "escalation": []}
        patched = api(erik).patch(url, changes, format="json").json()
        assert (patched["no_data"], patched["count"]) == ({"after": "3x", "policy": "keep", "severity": "medium"}, None)
        assert patched["late_data"] == {"max_age": "PT2H"}

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"aggregate": []}, "/aggregate"),
            ({"aggregate": {}}, "/aggregate/window"),
            ({"aggregate": {"window": "PT1M", "min_completeness": 2}}, "/aggregate/min_completeness"),
            ({"aggregate": {"window": "PT1M", "step": 1}}, "/aggregate/step"),
            ({"count": {"n": 0, "of": 5}}, "/count/n"),
            ({"count": {"n": 3}}, "/count/of"),
            ({"count": {"n": "3", "of": []}}, "/count/of"),
            ({"no_data": {"after": 5, "policy": "shout"}}, "/no_data/policy"),
            ({"no_data": {}}, "/no_data/after"),
            ({"late_data": None}, "/late_data"),
            ({"late_data": {"max_age": "soon"}}, "/late_data/max_age"),
            ({"schedule": {"rrule": "FREQ=DAILY", "duration": "PT1H"}}, "/schedule/timezone"),
            ({"schedule": "always"}, "/schedule"),
            ({"latched": "perhaps"}, "/latched"),
            ({"inhibited_by": [2**40]}, "/inhibited_by"),
            ({"inhibited_by": ["x"]}, "/inhibited_by/0"),
            ({"reraise_window": "-PT1M"}, "/reraise_window"),
            ({"escalation": {}}, "/escalation"),
            ({"escalation": [{"after": "PT1M"}]}, "/escalation/0/severity"),
            ({"escalation": [{"after": "PT1M", "severity": "high", "to": "x"}]}, "/escalation/0/to"),
            ({"escalation": [{"after": "PT0S", "severity": "high"}]}, "/escalation/0/after"),
            ({"escalation": [{"after": "PT2M", "severity": "critical"}]}, "/escalation/0/severity"),
            ({"escalation": [{"after": "PT2M", "severity": "low"}, {"after": "PT1M", "severity": "high"}]},
             "/escalation/1/after"),
        ],
    )  # fmt: skip
    def test_with_bad_input_is_refused_and_nothing_stored(self, api, erik, body, changes, pointer):
        answer = api(erik).post(URL, body | changes, format="json")
        assert answer.status_code == 400, answer.json()
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
        assert not Rule.objects.exists()

    def test_is_inhibited_only_by_rules_that_its_maker_sees(self, api, erik, body, other_site):
        foreign = factories.make_rule(site=other_site)
        answer = api(erik).post(URL, body | {"inhibited_by": [foreign.pk]}, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "does_not_exist")

    def test_that_names_one_that_is_gone_can_be_sent_back(self, api, erik, made):
        parent = made(name="Parent")
        rule = made(inhibited_by=[parent["id"]])
        assert api(erik).delete(f"{URL}{parent['id']}/").status_code == 204
        assert api(erik).put(f"{URL}{rule['id']}/", rule, format="json").status_code == 200


class TestRevision:
    def test_is_kept_of_each_edit_that_changes_something(self, api, erik, vera, made):
        rule = made()
        url = f"{URL}{rule['id']}/"
        for changes in ({"name": "Other"}, {"name": "Other"}, {"enabled": False}, {"deadband": 1.0}):
            assert api(erik).patch(url, changes, format="json").status_code == 200
        rows = api(vera).get(f"{url}revisions/").json()["results"]
        assert [row["number"] for row in rows] == [4, 3, 2, 1]
        assert {row["by"] for row in rows} == {erik.pk}
        told = [
            (row["definition"]["name"], row["definition"]["enabled"], row["definition"]["deadband"]) for row in rows
        ]
        assert told == [
            ("Other", False, 1.0),
            ("Other", False, 0.0),
            ("Other", True, 0.0),
            ("Bearing temperature", True, 0.0),
        ]
        assert api(vera).get(url).json()["revision"] == 4

    def test_keeps_the_rule_as_it_travels(self, api, erik, body, made):
        rule = made(**FULL)
        kept = RuleRevision.objects.get().definition
        assert kept == {name: rule[name] for name in kept}
        told_only = {"id", "revision", "version", "created_at", "updated_at", "fault", "warning"}
        assert set(rule) - set(kept) == told_only
        assert api(erik).put(f"{URL}{rule['id']}/", kept, format="json").status_code == 200

    def test_begins_with_what_an_older_rule_said(self, api, erik, plant):
        rule = factories.make_rule(site=plant, name="Old")
        api(erik).patch(f"{URL}{rule.pk}/", {"name": "New"}, format="json")
        kept = RuleRevision.objects.values_list("number", "definition__name", "by", "created_at__year")
        assert list(kept) == [(2, "New", erik.pk, kept[0][3]), (1, "Old", None, factories.NOW.year)]

    def test_is_noted_with_the_open_alerts_of_the_rule(self, api, erik, plant, robot):
        rule = factories.make_rule(site=plant)
        alert = factories.make_alert(robot, rule=rule)
        factories.make_alert(robot, rule=rule, is_open=False, active=False)
        api(erik).patch(f"{URL}{rule.pk}/", {"deadband": 1.0}, format="json")
        event = AlertEvent.objects.get(kind="rule_changed")
        assert (event.alert, event.evidence, event.actor) == (alert, {"revision": 2}, erik)
        assert Alert.objects.get(pk=alert.pk).version == 1

    def test_is_shown_to_those_who_see_the_rule(self, api, vera, oscar, mallory, made):
        url = f"{URL}{made()['id']}/revisions/"
        assert api(vera).get(url).status_code == 200
        assert api(vera).post(url, {}, format="json").status_code == 405
        for stranger in (oscar, mallory):
            assert api(stranger).get(url).status_code == 404

    def test_goes_with_its_rule(self, api, erik, made):
        assert api(erik).delete(f"{URL}{made()['id']}/").status_code == 204
        assert not RuleRevision.objects.exists()
