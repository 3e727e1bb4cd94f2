"""The fast door refuses what the friendly one refuses: the same status, code and places, whatever reads the body."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.contract.callers import JSON, MARK, Caller, World, check_problem, eventually, logged_in

# A day of its own: other tests of this world look whether theirs stayed empty.
AT = "2026-09-01T00:00:00Z"
SOON = (datetime.now(UTC) + timedelta(hours=25)).isoformat()
GOOD = f'{{"equipment": "robot-{MARK}", "timestamp": "{AT}", "values": {{"t": 1}}}}'


def reading(**change: str) -> str:
    """A reading as JSON text, with members replaced by other JSON text; an empty one is left out."""
    members = {"equipment": f'"robot-{MARK}"', "timestamp": f'"{AT}"', "values": '{"t": 1}'} | change
    return "{" + ", ".join(f'"{name}": {text}' for name, text in members.items() if text) + "}"


def nested(depth: int) -> str:
    """A value inside so many lists."""
    return "[" * depth + "1" + "]" * depth


# Whole bodies: {good} is a good reading, {bad} a bad one.
READINGS = {
    "text": reading(values='{"t": "hot"}'),
    "null": reading(values='{"t": null}'),
    "true and a list": reading(values='{"t": true, "u": [1]}'),
    "an object": reading(values='{"t": {}}'),
    "NaN": reading(values='{"t": NaN}'),
    "minus infinity": reading(values='{"t": -Infinity}'),
    "1e400": reading(values='{"t": 1e400}'),
    "minus 1e400": reading(values='{"t": -1e400, "u": 1}'),
    "an integer of 400 digits": reading(values=f'{{"t": 1{"0" * 400}}}'),
    "an integer of 5,000 digits": reading(values=f'{{"t": 1{"0" * 5000}}}'),
    "a code with a slash": reading(values='{"a/b~c": 1}'),
    "a code in capitals": reading(values='{"T": 1}'),
    "a code with a colon": reading(values='{"a:b": 1}'),
    "an empty code": reading(values='{"": 1}'),
    "a long code": reading(values=f'{{"{"t" * 65}": 1}}'),
    "a code with NUL": reading(values='{"a\\u0000": 1}'),
    "no values": reading(values="{}"),
    "257 values": reading(values="{" + ", ".join(f'"v{number}": 1' for number in range(257)) + "}"),
    "a list for values": reading(values="[1]"),
    "null for values": reading(values="null"),
    "values left out": reading(values=""),
    "an asset that is nowhere": reading(equipment="99999999"),
    "an asset elsewhere": reading(equipment="{foreign}"),
    "a key that is nowhere": reading(equipment='"nobody"'),
    "an id as text": reading(equipment='"99999999"'),
    "a huge id": reading(equipment="99999999999999999999"),
    "zero": reading(equipment="0"),
    "an id below zero": reading(equipment="-1"),
    "a fraction for an id": reading(equipment="1.0"),
    "true for an id": reading(equipment="true"),
    "null for an id": reading(equipment="null"),
    "an empty key": reading(equipment='""'),
    "a key too long": reading(equipment=f'"{"k" * 201}"'),
    "a key with NUL": reading(equipment='"a\\u0000"'),
    "a key with a raw NUL": reading(equipment='"a\x00"'),
    "a key with a lone surrogate": reading(equipment='"\\ud800"'),
    "a list for an asset": reading(equipment="[[[[]]]]"),
    "an asset left out": reading(equipment=""),
    "before 2000": reading(timestamp='"1999-12-31T23:59:59Z"'),
    "in 2100": reading(timestamp='"2100-01-01T00:00:00Z"'),
    "25 hours ahead": reading(timestamp=f'"{SOON}"'),
    "no offset": reading(timestamp='"2026-11-20T12:00:00"'),
    "a day that is none": reading(timestamp='"2026-02-29T12:00:00Z"'),
    "an hour that is none": reading(timestamp='"2026-02-28T24:00:00Z"'),
    "a word for a time": reading(timestamp='"yesterday"'),
    "a number for a time": reading(timestamp="1700000000"),
    "an empty time": reading(timestamp='""'),
    "older than its type keeps": reading(equipment="{short}", timestamp='"2026-01-01T00:00:00Z"'),
    "a parameter that its type has not": reading(equipment="{strict}", values='{"t": 1, "torque": 2}'),
    "an unknown field": reading(bogus="1"),
    "a list for a reading": "[1]",
    "null for a reading": "null",
}
BODIES = {
    "nothing in the list": '{{"items": []}}',
    "no list": '{{"items": 7}}',
    "an object without one": "{{}}",
    "a field beside it": '{{"items": [{good}], "more": 1}}',
    "too many": '{{"items": [' + ", ".join(["{{}}"] * 100_001) + "]}}",
    "a number": "7",
    "no JSON": "{{items: 1}}",
    "cut off": '{{"items": [{good}',
    "more behind it": '{{"items": [{good}]}} x',
    "a comma too many": '{{"items": [{good},]}}',
    "items twice": '{{"items": [{good}], "items": [{good}]}}',
    "a field twice": '{{"items": [{{"equipment": "robot-x", "equipment": 1, "values": {{"t": 1}}}}]}}',
    "a value twice": '{{"items": [{{"equipment": "robot-x", "values": {{"t": 1, "t": 2}}}}]}}',
    "a hidden colon": '{{"items": [{{"equipment": "robot\\u003ax", "values": {{"t": 1, "t": 2}}}}]}}',
    "nested 33 deep": '{{"items": [{{"equipment": ' + nested(32) + "}}]}}",
    "nested 100,000 deep": nested(100_000),
    "not UTF-8": '{{"items": [{{"equipment": "\udcff", "values": {{"t": 1}}}}]}}',
    "nothing at all": "",
    "white space": " ",
}


@pytest.fixture(scope="session")
def names(world: World) -> dict[str, Any]:
    """Assets whose types refuse something."""
    types = {"short": {"retention": "P30D"}, "strict": {"strict": True, "parameters": [{"code": "t"}]}}
    made = {}
    for name, rules in types.items():
        world.adam.made("/api/asset-types/", {"slug": f"{name}-{MARK}", "name": name, **rules})
        asset = {"name": f"{name} {MARK}", "site": world.names["plant"], "type": f"{name}-{MARK}"}
        made[name] = world.adam.made("/api/equipment/", asset)["id"]
    return {"foreign": world.names["foreign"], **made}


def post(caller: Caller, path: str, body: str) -> requests.Response:
    """POST a body as it stands; U+DCFF stands for the byte FF."""
    return caller("POST", path, data=body.encode("utf-8", "surrogateescape"), headers=JSON)


def told(answer: requests.Response) -> tuple[int, str, list[tuple[str, str]]]:
    """What an answer says, in the words of the fast door."""
    problem = check_problem(answer, answer.status_code) if answer.status_code >= 400 else answer.json()
    faults = [(fault["pointer"].replace("equipment", "asset"), fault["code"]) for fault in problem.get("errors", [])]
    return answer.status_code, problem.get("code", ""), faults


def fast(body: str) -> str:
    """The same body for the fast door."""
    return body.replace('"equipment"', '"asset"')


class TestRefusals:
    @pytest.mark.parametrize("bad", READINGS)
    def test_of_a_reading_are_the_same_at_both_doors(self, world, names, bad):
        text = READINGS[bad]
        for name, number in names.items():
            text = text.replace(f"{{{name}}}", str(number))
        for body in (f'{{"items": [{text}]}}', f"[{GOOD}, {text}]"):
            friendly, quick = post(world.olga, "/api/data/", body), post(world.olga, "/api/ingest/", fast(body))
            assert told(quick) == told(friendly)
            assert quick.status_code == 400
        skipped = f'{{"items": [{GOOD}, {text}, {GOOD}]}}'
        friendly = post(world.olga, "/api/data/?on_error=skip", skipped)
        quick = post(world.olga, "/api/ingest/?on_error=skip", fast(skipped))
        assert told(quick) == told(friendly)
        if quick.status_code == 200:
            assert quick.json()["accepted"] == friendly.json()["accepted"] == 2

    @pytest.mark.parametrize("bad", BODIES)
    def test_of_a_body_are_the_same_at_both_doors(self, world, bad):
        body = BODIES[bad].format(good=GOOD)
        friendly, quick = post(world.olga, "/api/data/", body), post(world.olga, "/api/ingest/", fast(body))
        if bad in {"nothing at all", "an object without one"}:
            # One reading is what /api/data/ expects there; here it is a list.
            assert told(quick) == (400, "invalid", [("/items", "invalid")])
        elif bad == "a number":
            assert quick.status_code == friendly.status_code == 400
        else:
            assert told(quick) == told(friendly)
            assert quick.status_code == 400

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ('{"asset": [7, 8], "values": {"t": [1]}}', "/values/t"),
            ('{"asset": [7], "timestamp": [], "values": {"t": [1]}}', "/timestamp"),
            ('{"asset": [7], "timestamp": ["x"], "values": {"t": [1]}}', "/timestamp/0"),
            ('{"asset": [], "values": {"t": []}}', "/asset"),
            ('{"asset": [7]}', "/values"),
            ('{"asset": [99999999], "values": {"t": [1]}}', "/asset/0"),
            ('{"asset": [7, 7], "values": {"t": [1, null]}}', "/asset/1"),
            ('{"asset": [7, 7], "values": {"t": [1, "x"]}}', "/values/t/1"),
            ('{"asset": [7], "values": {"T": [1]}}', "/values/T/0"),
            ('{"asset": [7], "values": {"t": [1]}, "items": []}', "/items"),
        ],
    )
    def test_of_columns_point_into_the_columns(self, world, body, pointer):
        check_problem(post(world.olga, "/api/ingest/", body), 400, pointer)

    def test_of_callers_and_methods_are_the_same(self, world):
        for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"X-API-Key": "x"}, {"Authorization": "Basic YTpi"}):
            answers = [world.anybody("POST", path, {}, headers=headers) for path in ("/api/data/", "/api/ingest/")]
            assert told(answers[0])[:2] == told(answers[1])[:2]
            assert answers[0].headers["WWW-Authenticate"] == answers[1].headers["WWW-Authenticate"]
        for method in ("GET", "PUT", "DELETE"):
            check_problem(world.olga(method, "/api/ingest/"), 405)
        assert "POST" in world.olga("OPTIONS", "/api/ingest/").headers["Allow"]
        check_problem(world.vera("POST", "/api/ingest/", json.loads(fast(f"[{GOOD}]"))), 403)
        check_problem(world.olga("POST", "/api/ingest/?colour=red", []), 400, "?colour")


class TestTaking:
    def test_stores_what_was_sent_either_way(self, world):
        at = "2026-09-02T00:00:00.25Z"
        columns = {"asset": [f"robot-{MARK}"] * 2, "timestamp": [at, "2026-09-02T00:00:01.25Z"]}
        answer = world.olga("POST", "/api/ingest", {**columns, "values": {"t": [0.1, None], "on": [True, False]}})
        assert (answer.status_code, answer.json()) == (200, {"accepted": 2})
        path = world.at("/api/data/?equipment={robot}&from=2026-09-02T00:00:00Z&to=2026-09-02T00:00:02Z")
        assert [row["values"] for row in world.olga.get(path)["results"]] == [{"on": 0.0}, {"t": 0.1, "on": 1.0}]

    def test_ends_with_the_session(self, world):
        olga = logged_in(world.adam.url, f"olga-{MARK}")
        assert post(olga, "/api/ingest/", fast(f"[{GOOD}]")).status_code == 200
        assert olga("POST", "/api/accounts/logout/", {"refresh": olga.refresh}).status_code == 205
        eventually(lambda: post(olga, "/api/ingest/", fast(f"[{GOOD}]")).status_code == 401)

    def test_is_counted(self, world):
        post(world.olga, "/api/ingest/", fast(f"[{GOOD}]"))
        counted = world.anybody("GET", "/metrics").text
        assert 'techtrack_http_requests_total{method="POST",route="api/ingest/",status="200"}' in counted
        assert "techtrack_readings_refused_total" in counted
