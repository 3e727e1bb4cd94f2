"""Hostile input where a table is too coarse: what bodies name deep inside, each part of a reading, headers, manners.

What is the same for every operation is attacked by test_hostile_list.py; expected statuses are written out, so that
the run on SQLite and the run on PostgreSQL agree by agreeing with this file.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from rest_framework.test import APIClient

from tests import factories

BIG = 99_999_999_999_999_999_999
SURROGATE = '"\\ud800"'

# For each collection: a body that is good, and the name of one text field of it.
COLLECTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "/api/sites/": ({"name": "Hall"}, "name"),
    "/api/users/": (
        {"username": "ulla", "email": "ulla@example.org", "password": "long enough to be good"},
        "username",
    ),
    "/api/equipment/": ({"name": "Robot 2"}, "name"),
    "/api/sensors/": ({"name": "Station 2"}, "name"),
    "/api/asset-types/": ({"slug": "press", "name": "Press"}, "name"),
    "/api/parameters/": ({"code": "torque"}, "name"),
    "/api/keys/": ({"name": "Gateway", "scope": "ingest"}, "name"),
    "/api/rules/": (
        {
            "name": "Hot",
            "parameter": "temperature",
            "conditions": [{"kind": "above", "limit": 80.0, "severity": "high"}],
        },
        "name",
    ),
    "/api/channels/": ({"name": "Mail", "kind": "email", "config": {"to": ["olga@example.org"]}}, "name"),
    "/api/routes/": ({"name": "All", "channels": []}, "name"),
    "/api/tasks/": ({"title": "Look"}, "title"),
    "/api/categories/": ({"name": "Mine"}, "name"),
}
READINGS = {"/api/data/": ("equipment", "robot-1"), "/api/measurements/": ("sensor", "station-1")}


def rows() -> dict[str, int]:
    """How many rows each table of the platform holds."""
    ours = (model for model in apps.get_models() if model.__module__.startswith("techtrack.") and not model._meta.proxy)
    return {model._meta.label: model._default_manager.count() for model in ours}


def post(client: APIClient, path: str, body: str | bytes) -> Any:
    """POST a body as it stands."""
    return client.post(path, body, content_type="application/json")


def check_problem(answer: Any, status: int) -> dict[str, Any]:
    """The answer is problem+json with this status; return it."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.content)
    assert problem["status"] == status
    assert problem["code"]
    assert "Traceback" not in answer.content.decode()
    return problem


@pytest.fixture
def client(adam, api, robot, station) -> APIClient:
    """Adam's client; robot-1 and station-1 are there."""
    return api(adam)


RELATED = [
    ("/api/equipment/", "site"),
    ("/api/equipment/", "parent"),
    ("/api/sensors/", "site"),
    ("/api/sites/", "parent"),
    ("/api/rules/", "scope/site"),
    ("/api/rules/", "scope/assets/0"),
    ("/api/channels/", "site"),
    ("/api/routes/", "site"),
    ("/api/tasks/", "category"),
    ("/api/tasks/", "equipment"),
    ("/api/tasks/", "alert"),
    ("/api/keys/", "asset"),
]
IDS = [
    pytest.param(BIG, id="beyond 64 bits"),
    pytest.param(-BIG, id="beyond 64 bits, negative"),
    pytest.param(2**63, id="one beyond 64 bits"),
    pytest.param(0, id="nobody's id"),
    pytest.param(-1, id="negative"),
    pytest.param(1.5, id="a fraction"),
    pytest.param(True, id="a yes"),
    pytest.param([1], id="a list"),
    pytest.param({"id": 1}, id="an object"),
    pytest.param("1; DROP TABLE", id="SQL"),
    pytest.param("x" * 10_000, id="long text"),
]


@pytest.mark.parametrize(("path", "field"), RELATED)
@pytest.mark.parametrize("value", IDS)
def test_an_id_that_leads_nowhere_is_refused_by_name(client, path, field, value):
    before = rows()
    answer = client.post(path, COLLECTIONS[path][0] | nested(field, value), format="json")
    problem = check_problem(answer, 400)
    assert [error["pointer"] for error in problem["errors"]] == [f"/{field}"]
    assert rows() == before


def nested(place: str, value: Any) -> dict[str, Any]:
    """``scope/assets/0`` becomes ``{"scope": {"assets": [value]}}``."""
    first, _, rest = place.partition("/")
    if not rest:
        return {first: value}
    return {first: [value] if rest == "0" else nested(rest, value)}


TIMES = [
    pytest.param("0001-01-01T00:00:00+14:00", id="before year 1 in UTC"),
    pytest.param("9999-12-31T23:59:59-14:00", id="after year 9999 in UTC"),
    pytest.param("1999-12-31T23:59:59Z", id="before 2000"),
    pytest.param("2100-01-01T00:00:00Z", id="2100"),
    pytest.param("2026-02-30T00:00:00Z", id="30 February"),
    pytest.param("2026-11-21T25:00:00Z", id="hour 25"),
    pytest.param("2026-11-21T10:00:00+99:99", id="an offset that is none"),
    pytest.param("yesterday", id="a word"),
    pytest.param(1e300, id="a huge number"),
    pytest.param(["2026-11-21T10:00:00Z"], id="a list"),
    pytest.param(True, id="a yes"),
]
NUMBERS = [
    pytest.param("1e400", id="beyond a double"),
    pytest.param("-1e400", id="beyond a double, negative"),
    pytest.param('"71.3"', id="text"),
    pytest.param("null", id="null"),
    pytest.param("[1]", id="a list"),
    pytest.param('{"value": 1}', id="an object"),
    pytest.param("9" * 400, id="a whole number beyond a double"),
]
CODES = ["", "Temperature", "1st", "a-b", "a b", "x" * 65, "température", "__proto__", "values.x", "a\x00"]


@pytest.mark.parametrize("path", READINGS)
class TestReading:
    def body(self, path: str, **changes: Any) -> dict[str, Any]:
        name, key = READINGS[path]
        return {name: key, "timestamp": "2026-11-21T10:00:00Z", "values": {"temperature": 71.3}} | changes

    @pytest.mark.parametrize("timestamp", TIMES)
    def test_a_time_out_of_bounds_is_refused(self, client, path, timestamp):
        before = rows()
        problem = check_problem(client.post(path, self.body(path, timestamp=timestamp), format="json"), 400)
        assert problem["errors"][0]["pointer"] == "/timestamp"
        assert rows() == before

    @pytest.mark.parametrize("number", NUMBERS)
    def test_a_value_that_is_no_number_is_refused(self, client, path, number):
        before = rows()
        text = json.dumps(self.body(path)).replace("71.3", number)
        problem = check_problem(post(client, path, text), 400)
        assert problem["errors"][0]["pointer"] == "/values/temperature"
        assert rows() == before

    @pytest.mark.parametrize("code", CODES)
    def test_a_code_that_is_none_is_refused(self, client, path, code):
        before = rows()
        problem = check_problem(client.post(path, self.body(path, values={code: 1.0}), format="json"), 400)
        assert problem["errors"][0]["pointer"].startswith("/values") or "\x00" in code
        assert rows() == before

    @pytest.mark.parametrize(
        "values",
        [
            pytest.param({}, id="none"),
            pytest.param({f"p{number}": 1.0 for number in range(257)}, id="257 of them"),
            pytest.param([1, 2], id="a list"),
            pytest.param("71.3", id="text"),
            pytest.param(None, id="null"),
        ],
    )
    def test_values_that_are_none_or_too_many_are_refused(self, client, path, values):
        before = rows()
        problem = check_problem(client.post(path, self.body(path, values=values), format="json"), 400)
        assert problem["errors"][0]["pointer"] == "/values"
        assert rows() == before

    @pytest.mark.parametrize("ref", ["nobody", "", "x" * 10_000, 0, -1, BIG, 1.5, True, [1], {"id": 1}, None])
    def test_an_asset_that_is_not_there_is_refused(self, client, path, ref):
        name = READINGS[path][0]
        before = rows()
        problem = check_problem(client.post(path, self.body(path, **{name: ref}), format="json"), 400)
        assert problem["errors"][0]["pointer"] == f"/{name}"
        assert rows() == before

    def test_an_asset_of_the_other_name_is_refused(self, client, path):
        name = READINGS[path][0]
        other = "station-1" if name == "equipment" else "robot-1"
        check_problem(client.post(path, self.body(path, **{name: other}), format="json"), 400)

    def test_a_field_that_nobody_reads_is_refused(self, client, path):
        problem = check_problem(client.post(path, self.body(path, colour="red"), format="json"), 400)
        assert problem["errors"][0]["pointer"] == "/colour"

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_one_bad_reading_refuses_the_batch_and_names_its_place(self, client, path, position):
        items = [self.body(path) for _ in range(3)]
        items[position]["values"] = {"temperature": "hot"}
        before = rows()
        problem = check_problem(client.post(path, {"items": items}, format="json"), 400)
        assert problem["errors"][0]["pointer"] == f"/items/{position}/values/temperature"
        assert rows() == before

    @pytest.mark.parametrize("items", [[], {}, None, "all", [[]], [None], ["a"], [7]])
    def test_a_batch_of_nothing_is_refused(self, client, path, items):
        before = rows()
        check_problem(client.post(path, {"items": items}, format="json"), 400)
        assert rows() == before

    @pytest.mark.parametrize(
        "reading", ["0-0", "x", f"{BIG}-1", f"1-{BIG}", "1-", "-1-1", "1-1-1", "%00", "%ED%A0%80", "1" * 5_000]
    )
    def test_an_id_that_is_none_is_not_found(self, client, path, reading):
        check_problem(client.get(f"{path}{reading}/"), 404)


class TestManners:
    def test_an_unknown_path_is_a_problem(self, client):
        check_problem(client.get("/api/nothing/"), 404)

    def test_a_method_that_is_not_served_is_a_problem(self, client):
        answer = client.delete("/api/equipment/")
        check_problem(answer, 405)
        assert answer["Allow"]

    def test_another_media_type_is_a_problem(self, client):
        check_problem(client.post("/api/sites/", "<site/>", content_type="application/xml"), 415)

    def test_forms_are_not_read(self, client):
        check_problem(client.post("/api/sites/", {"name": "Hall"}, format="multipart"), 415)

    @pytest.mark.parametrize("tag", ["3", '"3', "W/", "x" * 10_000])
    def test_an_if_match_that_is_none_is_refused(self, client, robot, tag):
        path = f"/api/equipment/{robot.pk}/"
        check_problem(client.patch(path, {"name": "Other"}, format="json", headers={"If-Match": tag}), 400)

    def test_a_stale_if_match_changes_nothing(self, client, robot):
        path = f"/api/equipment/{robot.pk}/"
        answer = client.patch(path, {"name": "Other"}, format="json", headers={"If-Match": '"99"'})
        assert check_problem(answer, 412)["current"]["name"] == "Robot 1"

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
    def test_an_idempotency_key_that_is_none_is_refused(self, client, key):
        answer = client.post("/api/sites/", {"name": "Hall"}, format="json", headers={"Idempotency-Key": key})
        check_problem(answer, 400)

    def test_what_was_refused_poisons_no_list(self, client):
        for path, (good, field) in COLLECTIONS.items():
            post(client, path, json.dumps(good | {field: "X"}).replace('"X"', SURROGATE))
            assert client.get(path).status_code == 200

    def test_a_path_of_bytes_that_are_no_text_is_not_found(self, client):
        check_problem(client.get("/api/%ff%fe/"), 404)


class TestTokens:
    @pytest.mark.parametrize(
        "header",
        [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer " + "x" * 100_000,
            "Bearer ä",
            "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
            "Api-Key",
            "Api-Key nothing",
            "Basic YWRhbTpwYXNz",
            "Digest x",
        ],
    )
    def test_credentials_that_are_none_are_401(self, api, header):
        answer = api(None).get("/api/equipment/", headers={"Authorization": header})
        check_problem(answer, 401)
        assert answer["WWW-Authenticate"]

    @pytest.mark.parametrize("field", ["username", "password"])
    @pytest.mark.parametrize("value", [["a"], {"a": 1}, None, True, 7, "x" * 100_000, ""])
    def test_a_login_of_the_wrong_kind_is_400_or_401(self, api, adam, field, value):
        body = {"username": "adam", "password": factories.PASSWORD} | {field: value}
        answer = api(None).post("/api/token/", body, format="json")
        expected = 401 if isinstance(value, (str, int)) and value and not isinstance(value, bool) else 400
        assert answer.status_code in {400, expected}, answer.content
