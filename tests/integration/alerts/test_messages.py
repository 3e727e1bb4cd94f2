"""What is wrong is told in words that help: what was expected, which words there are, what the place is called."""

from __future__ import annotations

import pytest

from techtrack.accounts.queries import access_of
from techtrack.alerts import queries, services
from tests import factories

ABOVE = {"kind": "above", "limit": 5}
SEVERITIES = "info, low, medium, high, critical"


def told(answer, status=400):
    """Pointer and detail of the first fault."""
    assert answer.status_code == status, answer.json()
    fault = answer.json()["errors"][0]
    return fault["pointer"], fault["detail"]


class TestBodies:
    @pytest.mark.parametrize(
        ("changes", "pointer", "words"),
        [
            ({"parameter": "No Code"}, "/parameter", "A code such as spindle_temperature is expected"),
            ({"no_data": {"after": "3x", "policy": "shout"}}, "/no_data/policy", "Choose one of alert, keep, return."),
            (
                {"escalation": [{"after": "PT5M", "severity": "dire"}]},
                "/escalation/0/severity",
                f"Choose one of {SEVERITIES}.",
            ),
            (
                {"conditions": [ABOVE | {"limit": "hot"}]},
                "/conditions/0/limit",
                "a number or an object is expected, not a text",
            ),
            (
                {"conditions": [ABOVE | {"kind": "rate_of_change", "direction": "up"}]},
                "/conditions/0/direction",
                "choose one of rising, falling, both",
            ),
            (
                {"conditions": [{"kind": "flatline", "duration": "long"}]},
                "/conditions/0/duration",
                "a duration such as PT5M is expected",
            ),
        ],
    )
    def test_of_rules_say_what_was_expected(self, api, adam, changes, pointer, words):
        body = {"name": "x", "parameter": "temperature", "conditions": [ABOVE]}
        found, detail = told(api(adam).post("/api/rules/", body | changes, format="json"))
        assert (found, detail[: len(words)]) == (pointer, words)

    def test_of_many_alerts_list_the_actions(self, api, olga):
        answer = api(olga).post("/api/alerts/actions/", {"action": "acknowlege", "ids": [1]}, format="json")
        assert told(answer) == ("/action", f"Choose one of {', '.join(services.ACTIONS)}.")

    def test_of_a_type_that_is_there_say_so(self, api, adam):
        factories.make_type("robot")
        answer = api(adam).post("/api/asset-types/", {"slug": "robot", "name": "Robot"}, format="json")
        assert told(answer, 409)[1].startswith("There is an asset type with this slug already")


class TestAddresses:
    @pytest.mark.parametrize(
        ("query", "detail"),
        [
            ("value=hot", "value: a number is expected"),
            ("rule=1.5", "rule: a whole number, not negative, is expected"),
            ("assignee=99999999999999999999999", "assignee: a whole number, not negative, is expected"),
            ("severity=dire", f"severity: choose one of {SEVERITIES}"),
            ("active=yes", "active: choose one of true, false"),
            ("raised_after=soon", "raised_after: a time such as 2026-11-21T10:00:00Z is expected"),
        ],
    )
    def test_of_lists_name_the_parameter_and_what_it_takes(self, api, vera, query, detail):
        answer = api(vera).get(f"/api/alerts/?{query}")
        assert told(answer) == (f"?{query.split('=')[0]}", detail)
        assert answer.json()["detail"] == detail

    @pytest.mark.parametrize("method", ["post", "get", "delete"])
    def test_of_no_action_list_those_that_there_are(self, api, vera, robot, method):
        url = f"/api/alerts/{factories.make_alert(robot).pk}/acknowlege/"
        answer = getattr(api(vera), method)(url)
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            f"'acknowlege' is no action on an alert; there are {', '.join(services.ACTIONS)}",
        )
        assert api(None).post(url).status_code == 401


def test_open_pages_learn_what_hides_an_alert_and_whose_it_is(vera, olga, robot):
    facts = {"shelved_until": factories.NOW, "suppressed_by": "task:4", "latched": True, "assignee": olga}
    factories.make_alert(robot, **facts)
    (shown,) = queries.open_summaries(access_of(vera))
    wanted = {
        "shelved_until": "2026-11-21T10:00:00Z",
        "out_of_service_until": None,
        "suppressed_by": "task:4",
        "latched": True,
        "assignee": olga.pk,
        "assignee_name": "olga",
    }
    assert {name: shown[name] for name in wanted} == wanted
