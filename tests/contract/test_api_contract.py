"""The contract of the API, sentence by sentence: manners, people, what they may do, what they manage.

Nothing here knows the code: plain HTTP against ``techtrack up``, the same on both databases. Each row of a table is a
sentence of the contract, or something that a client once did and should not have been punished for.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.callers import (
    CHANNEL,
    JSON,
    MARK,
    PASSWORD,
    RULE,
    Caller,
    World,
    check_problem,
    eventually,
    logged_in,
    new_person,
)


class TestProblems:
    @pytest.mark.parametrize(
        ("method", "path", "headers", "data", "status"),
        [
            pytest.param("GET", "/api/nothing/", {}, None, 404, id="no such address"),
            pytest.param("GET", "/api/sites/99999999999999999999/", {}, None, 404, id="an id beyond bigint"),
            pytest.param("DELETE", "/api/sites/", {}, None, 405, id="no such method"),
            pytest.param("GET", "/api/sites/", {"Accept": "application/xml"}, None, 406, id="no such form"),
            pytest.param("POST", "/api/sites/", {"Content-Type": "text/plain"}, "name=a", 415, id="not JSON"),
            pytest.param(
                "POST", "/api/data/", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b"{}"), 415, id="gz"
            ),
            pytest.param("POST", "/api/sites/", JSON, b'{"name": "\xe4"}', 400, id="not UTF-8"),
            pytest.param("PATCH", "/api/sites/{plant}/", {**JSON, "If-Match": "3"}, "{}", 400, id="no entity tag"),
            pytest.param("POST", "/api/sites/", {**JSON, "Idempotency-Key": "x" * 256}, "{}", 400, id="a key too long"),
        ],
    )
    def test_every_refusal_is_a_problem(self, world, method, path, headers, data, status):
        check_problem(world.adam(method, world.at(path), headers=headers, data=data), status)

    def test_a_body_too_large_is_refused_declared_or_chunked(self, world):
        declared = b" " * (32 * 1024 * 1024 + 1)
        chunked = (b" " * 2**20 for _ in range(33))
        for data in (declared, chunked):
            answer = world.adam("POST", "/api/data/", data=data, headers={**JSON, "X-Request-ID": "my-own"})
            assert check_problem(answer, 413)["request_id"] == "my-own"

    def test_a_truncated_upload_stores_nothing(self, world):
        body = json.dumps({"equipment": world.names["robot"], "timestamp": "2026-01-01T00:00:00Z", "values": {"t": 1}})
        host, port = world.adam.url.removeprefix("http://").split(":")
        head = f"POST /api/data/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: {world.adam.headers['Authorization']}\r\n"
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n{body}".encode())
            line.shutdown(socket.SHUT_WR)
            assert b" 201 " not in line.recv(4096)
        assert not world.adam.get(world.at("/api/data/?equipment={robot}&to=2026-01-02T00:00:00Z"))["results"]

    def test_who_is_not_known_gets_a_challenge(self, world):
        for headers in (
            {},
            {"Authorization": "Bearer x.y.z"},
            {"Authorization": "Api-Key x"},
            {"X-API-Key": "x"},
            {"Authorization": "Basic YTpi"},
        ):
            answer = world.anybody("GET", "/api/sites/", headers=headers)
            check_problem(answer, 401)
            assert answer.headers["WWW-Authenticate"]

    def test_every_method_works_without_the_slash(self, world):
        made = world.adam("POST", "/api/sites", {"name": f"No slash {MARK}"})
        assert made.status_code == 201
        assert made.headers["Location"].endswith(f"/api/sites/{made.json()['id']}/")
        path = f"/api/sites/{made.json()['id']}"
        for method, body, status in (
            ("PUT", {"name": f"Still none {MARK}"}, 200),
            ("PATCH", {}, 200),
            ("GET", None, 200),
        ):
            assert world.adam(method, path, body).status_code == status
        assert world.adam("DELETE", path).status_code == 204

    def test_head_and_options_are_served_and_a_plain_request_id_comes_back(self, world):
        for path in ("/api/sites/", world.at("/api/sites/{plant}/"), "/api/data/", "/api/"):
            head = world.adam("HEAD", path, headers={"X-Request-ID": "client-7"})
            assert (head.status_code, head.content, head.headers["X-Request-ID"]) == (200, b"", "client-7")
            assert "GET" in world.adam("OPTIONS", path).headers["Allow"]
        odd = world.adam("GET", "/api/sites/", headers={"X-Request-ID": "<script>"})
        assert re.fullmatch(r"[0-9a-f]{32}", odd.headers["X-Request-ID"])


class TestLists:
    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("page_size=0", "?page_size"),
            ("page_size=501", "?page_size"),
            ("page=0", "?page"),
            ("page=x", "?page"),
            ("ordering=password", "?ordering"),
            ("nope=1", "?nope"),
            ("format=csv", "?format"),
            ("status=broken", "?status"),
            ("site=x", "?site"),
            ("installed_after=x", "?installed_after"),
            ("last_seen_before=1999-01-01T00:00:00Z", "?last_seen_before"),
            ("type=a&type=b", "?type"),
            ("search=%00", "?search"),
        ],
    )
    def test_a_query_that_cannot_be_is_refused_by_its_name(self, world, query, pointer):
        check_problem(world.adam("GET", f"/api/equipment/?{query}"), 400, pointer)

    def test_pages_are_linked_in_the_body_and_in_the_header(self, world):
        first = world.adam("GET", "/api/sites/?page_size=1&ordering=name")
        page = first.json()
        assert (page["count"] >= 2, page["previous"], len(page["results"])) == (True, None, 1)
        assert f'<{page["next"]}>; rel="next"' in first.headers["Link"]
        second = world.adam.get(page["next"].removeprefix(world.adam.url))
        assert second["previous"]
        assert second["results"] != page["results"]
        check_problem(world.adam("GET", "/api/sites/?page=999999"), 404)

    @pytest.mark.parametrize(
        "query",
        [
            "type=robot-{mark}",
            "tag={mark}",
            "site={plant}&tag={mark}",
            "search=robot-{mark}",
            "model=R2&site={plant}",
            "status=maintenance&site={plant}",
            "installed_after=2019-05-01&installed_before=2019-05-31&site={plant}",
        ],
    )
    def test_equipment_is_found_by_what_it_is(self, world, query):
        facts = {"model": "R2", "status": "maintenance", "installation_date": "2019-05-17"}
        assert world.erik("PATCH", world.at("/api/equipment/{robot}/"), facts).status_code == 200
        found = world.adam.get(world.at(f"/api/equipment/?{query}"))["results"]
        assert [asset["id"] for asset in found] == [world.names["robot"]]

    def test_what_the_schema_names_is_read_and_nothing_else(self, world):
        schema = world.anybody.get("/api/schema/?format=json")
        lists = [(path, item["get"]) for path, item in schema["paths"].items() if "{" not in path and "get" in item]
        for path, operation in lists:
            named = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
            for name in ("search", "ordering", "page", "cursor"):
                answer = world.adam("GET", f"{path}?{name}=zz")
                refused = answer.status_code == 400 and answer.json()["code"] == "unknown_parameter"
                assert refused is (name not in named), (path, name, answer.text[:200])


class TestConcurrency:
    def test_a_stale_tag_is_412_with_what_is_there_now(self, world):
        made = world.adam("POST", "/api/sites/", {"name": f"Tagged {MARK}", "address": "Street 1"})
        path, tag = f"/api/sites/{made.json()['id']}/", made.headers["ETag"]
        assert (tag, made.json()["version"]) == ('"1"', 1)
        patched = world.adam("PATCH", path, {"address": "Street 2"}, headers={"If-Match": tag})
        assert (patched.status_code, patched.headers["ETag"]) == (200, '"2"')
        for method in ("PUT", "PATCH", "DELETE"):
            for stale in (tag, 'W/"2"'):
                answer = world.adam(method, path, {"name": "x"}, headers={"If-Match": stale})
                problem = check_problem(answer, 412)
                assert (problem["current"], answer.headers["ETag"]) == (patched.json(), '"2"')
        assert world.adam("PATCH", path, {}, headers={"If-Match": f'{tag}, "2"'}).status_code == 200
        assert world.adam("DELETE", path, headers={"If-Match": "*"}).status_code == 204

    def test_put_replaces_and_patch_merges(self, world):
        asset = {"name": "Mill", "site": world.names["plant"], "attributes": {"a": {"b": 1, "c": 2}}, "model": "M"}
        path = f"/api/equipment/{world.erik.made('/api/equipment/', asset)['id']}/"
        patch = {"attributes": {"a": {"b": None, "d": 3}}}
        merged = world.erik(
            "PATCH", path, headers={"Content-Type": "application/merge-patch+json"}, data=json.dumps(patch)
        )
        assert (merged.json()["attributes"], merged.json()["model"]) == ({"a": {"c": 2, "d": 3}}, "M")
        replaced = world.erik("PUT", path, {"name": "Mill 2"}).json()
        assert (replaced["name"], replaced["attributes"], replaced["model"]) == ("Mill 2", {}, "")

    def test_one_of_many_with_the_same_tag_wins(self, world):
        path = f"/api/sites/{world.adam.made('/api/sites/', {'name': f'Race {MARK}'})['id']}/"

        def write(number: int) -> int:
            body = {"address": str(number)}
            return world.adam("PATCH", path, body, headers={"If-Match": '"1"'}).status_code

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(write, range(4))) == [200, 412, 412, 412]


class TestIdempotency:
    def test_the_same_request_gets_the_first_answer_and_another_is_422(self, world):
        key = {"Idempotency-Key": uuid4().hex}
        body = {"name": f"Once {MARK}"}
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: world.adam("POST", "/api/sites/", body, headers=key), range(4)))
        assert {answer.status_code for answer in answers} == {201}
        again = world.adam("POST", "/api/sites", body, headers=key)
        for name in ("Location", "ETag", "Content-Type"):
            assert {answer.headers[name] for answer in [*answers, again]} == {answers[0].headers[name]}
        assert {answer.content for answer in [*answers, again]} == {answers[0].content}
        check_problem(world.adam("POST", "/api/sites/", {"name": "Other"}, headers=key), 422)

    def test_an_action_is_repeated_as_safely(self, world):
        alert = world.olga.made("/api/alerts/", {"equipment": world.names["robot"], "title": "Leak"})
        path, key = f"/api/alerts/{alert['id']}/acknowledge/", {"Idempotency-Key": uuid4().hex}
        first, second = (world.olga("POST", path, {}, headers=key) for _ in range(2))
        assert (first.status_code, second.status_code, first.json()) == (200, 200, second.json())


class TestAccounts:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"password": "aB3$xyz9!"}, "/password", id="short"),
            pytest.param({"password": "password123"}, "/password", id="common"),
            pytest.param({"password": "48151623421234"}, "/password", id="digits alone"),
            pytest.param({"password": f"newcomer-{MARK}1"}, "/password", id="like the name"),
            pytest.param({"password2": "another horse battery"}, "/password2", id="a slip of the finger"),
            pytest.param({"email": "nobody"}, "/email", id="no e-mail address"),
            pytest.param({"username": "a b"}, "/username", id="no user name"),
            pytest.param({"username": None}, "/username", id="null"),
        ],
    )
    def test_register_says_what_is_wrong(self, world, change, pointer):
        good = {"username": f"newcomer-{MARK}", "email": f"newcomer-{MARK}@example.org", "password": PASSWORD}
        check_problem(world.anybody("POST", "/api/accounts/register/", {**good, **change}), 400, pointer)

    def test_a_newcomer_sees_nothing_but_its_own_tasks(self, world):
        name = f"nina-{MARK}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "password2": PASSWORD}
        answer = world.anybody("POST", "/api/accounts/register/", body)
        assert answer.status_code == 201
        assert answer.json().keys() == {"access", "refresh", "user"}
        assert answer.headers["Location"].endswith(f"/api/users/{answer.json()['user']['id']}/")
        nina = Caller(world.adam.url, Authorization=f"Bearer {answer.json()['access']}")
        task = nina.made("/api/tasks/", {"title": "Mine"})
        assert [one["id"] for one in nina.get("/api/tasks/")["results"]] == [task["id"]]
        for name in ("sites", "equipment", "sensors", "alerts", "rules", "channels", "routes", "data", "keys"):
            assert not nina.get(f"/api/{name}/")["results"]
        assert [user["username"] for user in nina.get("/api/users/")["results"]] == [body["username"]]
        check_problem(nina("POST", "/api/accounts/register/", body), 409)

    def test_wrong_credentials_read_the_same_for_the_known_and_the_unknown(self, world):
        for door in ("/api/token/", "/api/accounts/login/"):
            check_problem(world.anybody("POST", door, {"username": "x"}), 400, "/password")
            told = []
            for name in (f"olga-{MARK}", "nobody"):
                problem = check_problem(world.anybody("POST", door, {"username": name, "password": "wrong"}), 401)
                told.append({key: value for key, value in problem.items() if key != "request_id"})
            assert told[0] == told[1]
            mail = {"username": f"OLGA-{MARK}@example.org", "password": PASSWORD}
            assert world.anybody("POST", door, mail).status_code == 200

    def test_a_refresh_token_is_spent_once_and_its_reuse_ends_the_session(self, world):
        olga = logged_in(world.adam.url, f"olga-{MARK}")
        renewed = world.anybody("POST", "/api/token/refresh/", {"refresh": olga.refresh})
        assert renewed.json().keys() == {"access", "refresh"}
        newer = {"token": renewed.json()["access"]}
        assert world.anybody("POST", "/api/token/verify/", newer).status_code == 200
        check_problem(world.anybody("POST", "/api/token/refresh/", {"refresh": olga.refresh}), 401)
        check_problem(world.anybody("POST", "/api/token/refresh/", {"refresh": renewed.json()["refresh"]}), 401)
        eventually(lambda: world.anybody("POST", "/api/token/verify/", newer).status_code == 401)

    def test_logging_out_ends_this_session_and_no_other(self, world):
        here, there = (logged_in(world.adam.url, f"olga-{MARK}") for _ in range(2))
        check_problem(here("POST", "/api/accounts/logout/", {"refresh": world.olga.refresh + "x"}), 400)
        assert here("POST", "/api/accounts/logout/", {"refresh": here.refresh}).status_code == 205
        eventually(lambda: here("GET", "/api/accounts/me/").status_code == 401)
        check_problem(world.anybody("POST", "/api/token/refresh/", {"refresh": here.refresh}), 401)
        assert there("GET", "/api/accounts/me/").status_code == 200

    def test_me_is_read_changed_and_erased_with_the_password(self, world):
        me = new_person(world.adam, "zoe", [])
        path = "/api/accounts/me/"
        before = me("GET", path)
        changed = me("PATCH", path, {"first_name": "Zoe", "time_zone": "Europe/Berlin"})
        assert (changed.json()["first_name"], changed.json()["time_zone"]) == ("Zoe", "Europe/Berlin")
        check_problem(me("PATCH", path, {"first_name": "Zo"}, headers={"If-Match": before.headers["ETag"]}), 412)
        check_problem(me("PATCH", path, {"time_zone": "Mars/Olympus"}), 400, "/time_zone")
        check_problem(me("PATCH", path, {"password": "a fresh good passphrase"}), 400, "/current_password")
        replaced = me("PUT", path, {"username": f"zoe-{MARK}", "email": f"zoe-{MARK}@example.org"})
        assert (replaced.json()["first_name"], replaced.json()["time_zone"]) == ("", "UTC")
        check_problem(me("DELETE", path, {}), 400, "/password")
        check_problem(me("DELETE", path, {"password": "wrong"}), 400, "/password")
        assert me("DELETE", path, {"password": PASSWORD}).status_code == 204
        check_problem(me("GET", path), 401)


class TestUsers:
    def test_roles_are_written_in_either_form(self, world):
        user = world.adam.made("/api/users/", {"username": f"rolf-{MARK}", "role": "viewer"})
        assert user["roles"] == [{"site": None, "role": "viewer"}]
        path, plant = f"/api/users/{user['id']}/", world.names["plant"]
        for written, read in (
            ({"roles": [{"role": "operator"}]}, [{"site": None, "role": "operator"}]),
            ({"roles": [{"site": plant, "role": "engineer"}]}, [{"site": plant, "role": "engineer"}]),
            ({"roles": []}, []),
        ):
            assert world.adam("PATCH", path, written).json()["roles"] == read
        for roles, pointer in (
            ([{"site": plant}], "/roles/0/role"),
            ([{"role": "king"}], "/roles/0/role"),
            ([{"site": 99_999_999, "role": "viewer"}], "/roles/0/site"),
            ([{"role": "viewer"}, {"site": None, "role": "admin"}], "/roles/1/site"),
        ):
            check_problem(world.adam("PATCH", path, {"roles": roles}), 400, pointer)

    def test_a_person_changes_itself_and_never_its_roles(self, world):
        path = f"/api/users/{world.olga.id}/"
        assert world.olga("PATCH", path, {"last_name": "Operator"}).status_code == 200
        for body in ({"roles": [{"role": "admin"}]}, {"role": "admin"}, {"is_active": False}):
            check_problem(world.olga("PATCH", path, body), 403)
        check_problem(world.olga("GET", f"/api/users/{world.adam.id}/"), 404)

    def test_an_administrator_always_remains(self, world):
        path = f"/api/users/{world.adam.id}/"
        for method, body in (
            ("PATCH", {"roles": []}),
            ("PATCH", {"role": "viewer"}),
            ("PATCH", {"is_active": False}),
            ("DELETE", None),
        ):
            check_problem(world.adam(method, path, body), 409)

    def test_a_new_password_ends_the_sessions(self, world):
        paul = new_person(world.adam, "paul", [])
        assert world.adam("PATCH", f"/api/users/{paul.id}/", {"password": "a fresh good passphrase"}).status_code == 200
        eventually(lambda: paul("GET", "/api/accounts/me/").status_code == 401)


# Who, and what a viewer, operator, engineer of the plant, an operator elsewhere and somebody without a role get.
ROLES = [
    ("GET", "/api/equipment/{robot}/", None, (200, 200, 200, 404, 404)),
    ("GET", "/api/equipment/{robot}/latest/", None, (200, 200, 200, 404, 404)),
    ("GET", "/api/equipment/{robot}/alerts/", None, (200, 200, 200, 404, 404)),
    ("GET", "/api/equipment/{robot}/tasks/", None, (200, 200, 200, 404, 404)),
    ("GET", "/api/history/?asset={robot}", None, (200, 200, 200, 404, 404)),
    ("GET", "/api/history/?asset=robot-{mark}", None, (200, 200, 200, 404, 404)),
    ("POST", "/api/data/", {"equipment": "{robot}", "values": {"t": 1}}, (403, 201, 201, 400, 400)),
    ("POST", "/api/ingest/", {"items": [{"asset": "{robot}", "values": {"t": 1}}]}, (403, 200, 200, 400, 400)),
    ("POST", "/api/alerts/", {"equipment": "{robot}", "title": "Leak"}, (403, 201, 201, 400, 400)),
    ("POST", "/api/tasks/", {"title": "Look", "equipment": "{robot}"}, (403, 201, 201, 400, 400)),
    ("POST", "/api/equipment/", {"name": "New", "site": "{plant}"}, (403, 403, 201, 400, 400)),
    ("PATCH", "/api/equipment/{robot}/", {"description": "x"}, (403, 403, 200, 404, 404)),
    ("POST", "/api/rules/", {**RULE, "scope": {"assets": ["{robot}"]}}, (403, 403, 201, 400, 400)),
    ("POST", "/api/rules/", RULE, (403, 403, 403, 403, 403)),
    ("POST", "/api/channels/", {**CHANNEL, "site": "{plant}"}, (403, 403, 201, 400, 400)),
    ("POST", "/api/channels/", CHANNEL, (403, 403, 403, 403, 403)),
    ("POST", "/api/channels/", {**CHANNEL, "personal": True}, (403, 201, 201, 201, 403)),
    ("POST", "/api/routes/", {"name": "All", "site": "{plant}"}, (403, 403, 201, 400, 400)),
    ("POST", "/api/sites/", {"name": "Mine"}, (403, 403, 403, 403, 403)),
    ("PATCH", "/api/sites/{plant}/", {"address": "x"}, (403, 403, 403, 404, 404)),
    ("POST", "/api/users/", {"username": "new"}, (403, 403, 403, 403, 403)),
    ("POST", "/api/parameters/", {"code": "new"}, (403, 403, 403, 403, 403)),
]


class TestRoles:
    @pytest.mark.parametrize(("method", "path", "body", "statuses"), ROLES, ids=lambda value: str(value)[:40])
    def test_each_role_gets_what_is_its_own(self, world, method, path, body, statuses):
        written = re.sub(r'"{(\w+)}"', lambda found: str(world.names[found[1]]), json.dumps(body))
        filled = json.loads(written)
        people = (world.vera, world.olga, world.erik, world.oscar, world.mallory)
        assert tuple(who(method, world.at(path), filled).status_code for who in people) == statuses
        check_problem(world.anybody(method, world.at(path), filled), 401)

    def test_corrections_are_the_engineers(self, world):
        reading = world.olga.made("/api/data/", {"equipment": world.names["robot"], "values": {"t": 1}})
        path = f"/api/data/{reading['id']}/"
        for name, status in (("vera", 403), ("olga", 403), ("oscar", 404), ("mallory", 404), ("erik", 200)):
            for method in ("PUT", "PATCH"):
                answer = world.person(name)(method, path, {"values": {"t": 2}})
                assert answer.status_code == status, (name, method, answer.text)

    def test_the_twin_elsewhere_meets_absence_in_every_list(self, world):
        for name in ("equipment", "sensors", "alerts", "rules", "tasks", "channels", "routes", "deliveries"):
            everything = json.dumps(world.oscar.get(f"/api/{name}/?page_size=500"))
            assert f"Robot {MARK}" not in everything
            assert f"robot-{MARK}" not in everything
        for query in ("?site={plant}", "?equipment={robot}"):
            assert world.oscar.get(world.at(f"/api/alerts/{query}"))["count"] == 0
        assert world.oscar.get(world.at("/api/data/?equipment={robot}"))["results"] == []

    def test_what_is_hidden_and_what_is_absent_read_the_same(self, world):
        hidden, absent = world.names["robot"], 99_999_999
        for path, body in (("/api/alerts/", {"title": "x"}), ("/api/data/", {"values": {"t": 1}})):
            told = [world.oscar("POST", path, {**body, "equipment": one}).json()["errors"] for one in (hidden, absent)]
            assert json.dumps(told[0]).replace(str(hidden), "#") == json.dumps(told[1]).replace(str(absent), "#")


class TestAssets:
    def test_a_name_is_enough_and_what_was_written_is_read(self, world):
        assert world.adam.made("/api/sensors/", {"name": "Alone"})["name"] == "Alone"
        whole = {
            "key": f"line/{MARK}",
            "name": "Press",
            "type": f"press-{MARK}",
            "model": "P",
            "serial_number": "1",
            "manufacturer": "ACME",
            "installation_date": "2020-05-01",
            "status": "faulty",
            "site": world.names["plant"],
            "parent": world.names["robot"],
            "location": {"latitude": 52.5, "longitude": 13.4},
            "description": "text",
            "attributes": {"t_max": 90},
            "expected_interval": "PT1M",
            "tags": ["cnc"],
        }
        made = world.erik.made("/api/equipment/", whole)
        assert {name: made[name] for name in whole} == whole
        assert world.adam.get(f"/api/asset-types/?slug=press-{MARK}")["count"] == 1
        again = {"name": "Copy", "key": whole["key"], "site": whole["site"]}
        check_problem(world.erik("POST", "/api/sensors/", again), 409, "/key")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/name"),
            ({"name": "x", "status": "broken"}, "/status"),
            ({"name": "x", "key": "7"}, "/key"),
            ({"name": "x", "type": "Not a slug"}, "/type"),
            ({"name": "x", "location": {"latitude": 91, "longitude": 0}}, "/location/latitude"),
            ({"name": "x", "location": {"latitude": 9}}, "/location/longitude"),
            ({"name": "x", "expected_interval": "P"}, "/expected_interval"),
            ({"name": "x", "expected_interval": "5 minutes"}, "/expected_interval"),
            ({"name": "x", "site": 99_999_999}, "/site"),
            ({"name": "x", "tags": "cnc"}, "/tags"),
            ({"name": "x", "attributes": []}, "/attributes"),
        ],
    )
    def test_what_cannot_be_is_refused_at_its_place(self, world, body, pointer):
        check_problem(world.erik("POST", "/api/equipment/", body), 400, pointer)

    def test_an_asset_with_data_goes_only_when_its_name_is_said(self, world):
        path = f"/api/equipment/{world.erik.made('/api/equipment/', {'name': 'Old mill'})['id']}/"
        world.erik.made("/api/data/", {"equipment": int(path.split("/")[3]), "values": {"t": 1}})
        for query in ("", "?confirm=New+mill"):
            assert "1 readings" in check_problem(world.erik("DELETE", path + query), 409)["detail"]
        assert world.erik("DELETE", f"{path}?confirm=Old+mill").status_code == 204
        check_problem(world.erik("GET", path), 404)


class TestKeys:
    def key(self, world: World, **wanted: Any) -> tuple[Callable[[Any], int], Caller]:
        """A key of adam's: what sending a reading with it gives, and its caller."""
        made = world.adam("POST", "/api/keys/", {"name": "Gateway", "scope": "ingest", **wanted})
        assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
        assert "key" not in world.adam.get(f"/api/keys/{made.json()['id']}/")
        caller = Caller(world.adam.url, Authorization=f"Api-Key {made.json()['key']}")
        caller.id = made.json()["id"]

        def send(asset: Any) -> int:
            body = {"items": [{"asset": asset, "values": {"t": 1}}]}
            return caller("POST", "/api/ingest/", body).status_code

        return send, caller

    def test_a_key_reaches_as_far_as_it_says(self, world):
        names = world.names
        send, caller = self.key(world, asset=names["robot"])
        assert [send(names["robot"]), send(f"robot-{MARK}"), send(str(names["robot"]))] == [200, 200, 200]
        assert [send(names["foreign"]), send(names["station"])] == [400, 400]
        assert {caller("GET", f"/api/{name}/").status_code for name in ("equipment", "data", "keys", "users")} == {403}
        send, _ = self.key(world, site=names["plant"])
        assert [send(names["robot"]), send(names["foreign"])] == [200, 400]
        send, caller = self.key(world, site=names["plant"], scope="read")
        assert send(names["robot"]) == 403
        assert caller("GET", f"/api/equipment/{names['foreign']}/").status_code == 404
        spoken = Caller(world.adam.url, **{"X-API-Key": caller.headers["Authorization"].split()[1]})
        assert spoken.get(f"/api/equipment/{names['robot']}/")["id"] == names["robot"]

    def test_a_key_dies_by_address_by_time_by_rotation_and_by_deletion(self, world):
        robot = world.names["robot"]
        send, caller = self.key(world, allowed_addresses=["10.0.0.0/8"])
        caller.headers["X-Forwarded-For"] = "10.0.0.1"
        assert send(robot) == 401
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        dying, _ = self.key(world, expires_at=soon)
        send, caller = self.key(world, allowed_addresses=["127.0.0.1"])
        assert send(robot) == 200
        fresh = world.adam.made(f"/api/keys/{caller.id}/rotate/", None)["key"]
        assert send(robot) == 401
        caller.headers["Authorization"] = f"Api-Key {fresh}"
        assert send(robot) == 200
        assert world.adam("DELETE", f"/api/keys/{caller.id}/").status_code == 204
        assert send(robot) == 401
        eventually(lambda: dying(robot) == 401)

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"name": "x"}, "/scope"),
            ({"name": "x", "scope": "admin"}, "/scope"),
            ({"name": "x", "scope": "read", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
            ({"name": "x", "scope": "read", "allowed_addresses": ["x"]}, "/allowed_addresses/0"),
            ({"name": "x", "scope": "read", "site": 99_999_999}, "/site"),
        ],
    )
    def test_a_key_that_cannot_be_is_not_made(self, world, body, pointer):
        check_problem(world.adam("POST", "/api/keys/", body), 400, pointer)


class TestDocumentation:
    def test_the_schema_comes_as_yaml_and_as_json(self, world):
        assert "openapi: 3.1" in world.anybody("GET", "/api/schema/").text
        for answer in (
            world.anybody("GET", "/api/schema/?format=json"),
            world.anybody("GET", "/swagger.json"),
            world.anybody("GET", "/api/schema/", headers={"Accept": "application/json"}),
        ):
            assert answer.json()["openapi"].startswith("3.1")
        check_problem(world.anybody("GET", "/api/schema/?format=xml"), 400, "?format")

    def test_the_pages_of_the_documentation_name_no_other_host(self, world):
        for page in ("/swagger/", "/redoc/"):
            answer = world.anybody("GET", page)
            assert answer.status_code == 200
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", answer.text)
            assert addresses
            for address in addresses:
                assert address.startswith("/")
                assert world.anybody("GET", address).status_code == 200

    def test_the_root_lists_addresses_that_answer(self, world):
        for name, address in world.anybody.get("/api/").items():
            answer = world.anybody("OPTIONS", address.removeprefix(world.anybody.url))
            assert answer.status_code in {200, 401}, name

    def test_health_is_told_to_machines(self, world):
        assert world.anybody.get("/healthz") == {"status": "ok"}
        assert world.anybody.get("/readyz") == {"status": "ready"}
        metrics = world.anybody("GET", "/metrics")
        assert metrics.headers["Content-Type"].startswith("text/plain")
        assert "techtrack_http_requests_total" in metrics.text
