"""The contract of the API, sentence by sentence: readings, history, rules and alerts, tasks, live news."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.contract.callers import CHANNEL, JSON, MARK, RULE, World, check_problem, eventually, logged_in, reading
from tests.plugins.platform import Platform

SOON = (datetime.now(UTC) + timedelta(hours=25)).isoformat()
AT = "2026-11-20T12:00:00Z"


class TestReadings:
    def test_the_example_of_the_contract_holds(self, world):
        values = {"temperature": 71.3, "speed": 1480, "pressure": 4.2}
        robot = world.names["robot"]
        answer = world.olga("POST", "/api/data/", reading(timestamp="2026-11-21T10:00:00Z", values=values))
        key = f"{robot}-1795255200000000"
        assert (answer.status_code, answer.json()["id"], answer.json()["values"]) == (201, key, values)
        assert answer.headers["Location"].endswith(f"/api/data/{key}/")
        assert world.vera("GET", f"/api/data/{key}/").headers["ETag"] == answer.headers["ETag"]
        pm = {"sensor": world.names["station"], "values": {"pm2_5": 12.1, "pm10": 20, "co2": 415}}
        now = world.olga.made("/api/measurements/", pm)["timestamp"]
        assert abs(datetime.fromisoformat(now) - datetime.now(UTC)) < timedelta(seconds=10)
        check_problem(world.olga("POST", "/api/measurements/", {**pm, "sensor": robot}), 400, "/sensor")

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"values": {"t": "hot"}}, "/values/t"),
            ({"values": {"t": None}}, "/values/t"),
            ({"values": {"t": float("nan")}}, "/values/t"),
            ({"values": {"t": float("-inf")}}, "/values/t"),
            ({"values": {"t": 10**400}}, "/values/t"),
            ({"values": {"a/b~c": 1}}, "/values/a~1b~0c"),
            ({"values": {"T": 1}}, "/values/T"),
            ({"values": {"t" * 65: 1}}, f"/values/{'t' * 65}"),
            ({"values": {}}, "/values"),
            ({"values": {f"v{number}": 1 for number in range(257)}}, "/values"),
            ({"values": [1]}, "/values"),
            ({"equipment": 99_999_999}, "/equipment"),
            ({"equipment": "nobody"}, "/equipment"),
            ({"equipment": True}, "/equipment"),
            ({"equipment": "a\x00"}, "/equipment"),
            ({"equipment": "\ud800"}, "/equipment"),
            ({"equipment": [[[[]]] * 2]}, "/equipment"),
            ({"timestamp": "1999-12-31T23:59:59Z"}, "/timestamp"),
            ({"timestamp": "2100-01-01T00:00:00Z"}, "/timestamp"),
            pytest.param({"timestamp": SOON}, "/timestamp", id="25 hours ahead"),
            ({"timestamp": "2026-11-20T12:00:00"}, "/timestamp"),
            ({"timestamp": 1_700_000_000}, "/timestamp"),
            ({"bogus": 1}, "/bogus"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_bad_input_is_refused_at_its_place_at_every_door(self, world, change, pointer):
        # Written by hand: requests would refuse NaN before the platform could.
        bad = reading(**change)
        assert_refused(world, "/api/data/", bad, pointer)
        assert_refused(world, "/api/data/", [reading(), bad], f"/1{pointer}")
        renamed = {{"equipment": "asset"}.get(name, name): value for name, value in bad.items()}
        assert_refused(world, "/api/ingest/", {"items": [renamed]}, f"/items/0{pointer.replace('equipment', 'asset')}")
        assert not world.olga.get(
            world.at("/api/data/?equipment={robot}&from=2026-10-01T00:00:00Z&to=2026-10-01T00:00:01Z")
        )["results"]

    def test_a_batch_counts_its_repeats_and_one_bad_reading_blocks_nobody(self, world):
        times = [f"2026-10-05T00:00:0{second}Z" for second in (1, 2, 2)]
        batch = [reading(timestamp=time) for time in times]
        for body in ({"items": batch}, batch):
            answer = world.olga("POST", "/api/data/", body)
            assert (answer.status_code, answer.json()) == (201, {"accepted": 3, "duplicates": 1})
        mixed = [*batch, reading(values={"t": float("nan")}), reading(equipment=99_999_999)]
        answer = world.olga("POST", "/api/data/?on_error=skip", data=json.dumps({"items": mixed}), headers=JSON)
        assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (200, 3, 2)
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/items/3/values/t", "/items/4/equipment"]
        check_problem(world.olga("POST", "/api/data/?on_error=stop", batch), 400, "?on_error")
        too_many = json.dumps({"items": [{}] * 100_001})
        check_problem(world.olga("POST", "/api/data/", data=too_many, headers=JSON), 400, "/items")
        chunks = (part.encode() for part in (json.dumps(batch)[:9], json.dumps(batch)[9:]))
        assert world.olga("POST", "/api/data/", data=chunks, headers=JSON).status_code == 201

    def test_a_correction_replaces_merges_and_keeps_its_place(self, world):
        path = f"/api/data/{world.olga.made('/api/data/', reading(timestamp=AT, values={'t': 1, 'u': 2}))['id']}/"
        assert world.erik("PATCH", path, {"values": {"u": 3}}).json()["values"] == {"t": 1, "u": 3}
        assert world.erik("PATCH", path, {"values": {"u": None}}).json()["values"] == {"t": 1}
        replaced = world.erik("PUT", path, {**reading(timestamp=AT), "values": {"w": 4}})
        assert replaced.json()["values"] == {"w": 4}
        for method in ("PUT", "PATCH", "DELETE"):
            answer = world.erik(method, path, {"values": {"t": 9}}, headers={"If-Match": '"another"'})
            assert check_problem(answer, 412)["current"] == replaced.json()
            assert answer.headers["ETag"] == replaced.headers["ETag"]
        for moved, pointer in ((reading(), "/timestamp"), (reading(timestamp=AT, equipment=99_999_999), "/equipment")):
            check_problem(world.erik("PUT", path, moved), 400, pointer)
        refused = check_problem(world.olga("POST", "/api/data/", reading(timestamp=AT, values={"w": 5})), 409)
        assert refused["code"] == "reading_corrected"
        world.olga.made("/api/data/", reading(timestamp=AT, values={"w": 4}))
        assert world.olga.get(path)["values"] == {"w": 4}
        tag = {"If-Match": replaced.headers["ETag"]}
        assert world.erik("DELETE", path, headers=tag).status_code == 204
        check_problem(world.erik("GET", path), 404)

    def test_the_list_walks_by_cursor_both_ways(self, world):
        start = datetime(2026, 9, 1, tzinfo=UTC)
        moments = [(start + timedelta(minutes=minute)).isoformat() for minute in range(25)]
        world.olga.made("/api/data/", [reading(timestamp=at, values={"walk": 1}) for at in moments])
        path = f"/api/data/?equipment=robot-{MARK}&parameter=walk,none&from=2026-09-01T00:00:00Z&page_size=10"
        pages = [world.vera("GET", path)]
        while following := pages[-1].json()["next"]:
            assert f'<{following}>; rel="next"' in pages[-1].headers["Link"]
            pages.append(world.vera("GET", following.removeprefix(world.vera.url)))
        ids = [one["id"] for page in pages for one in page.json()["results"]]
        assert (len(ids), ids) == (25, sorted(set(ids), reverse=True))
        back = world.vera.get(pages[1].json()["previous"].removeprefix(world.vera.url))
        assert back["results"] == pages[0].json()["results"]
        for query in ("cursor=x", "page=2", "from=2026-09-01", "parameter=Walk", "page_size=501", "sensor=1"):
            check_problem(world.vera("GET", f"/api/data/?{query}"), 400, f"?{query.split('=')[0]}")


def assert_refused(world: World, path: str, body: Any, pointer: str) -> None:
    """A body, NaN and all, is a 400 that names ``pointer``."""
    check_problem(world.olga("POST", path, data=json.dumps(body), headers=JSON), 400, pointer)


class TestHistory:
    @pytest.mark.parametrize(("interval", "minutes"), [("PT1H", 60), ("PT10M", 10), ("PT1M30S", 1.5), ("P1D", 1440)])
    def test_buckets_are_what_one_computes_by_hand(self, world, interval, minutes):
        start = datetime(2026, 8, 1, tzinfo=UTC)
        rows = [(start + timedelta(seconds=97 * index), index % 7 + index / 8) for index in range(200)]
        items = [reading(timestamp=at.isoformat(), values={"bucket": value}) for at, value in rows]
        world.olga.made("/api/data/", items)
        expected: dict[str, list[float]] = {}
        for at, value in rows:
            width = timedelta(minutes=minutes)
            bucket = start + (at - start) // width * width
            expected.setdefault(bucket.isoformat().replace("+00:00", "Z"), []).append(value)
        span = "from=2026-08-01T00:00:00Z&to=2026-08-02T00:00:00Z"
        told = world.vera.get(f"/api/history/?asset=robot-{MARK}&parameter=bucket&{span}&interval={interval}")
        [series] = told["series"]
        assert series["columns"] == ["start", "count", "avg", "min", "max"]
        assert [row[0] for row in series["rows"]] == list(expected)
        for (_, count, average, low, high), values in zip(series["rows"], expected.values(), strict=True):
            assert (count, low, high) == (len(values), min(values), max(values))
            assert average == pytest.approx(sum(values) / len(values))

    @pytest.mark.parametrize(
        "query",
        ["", "asset={robot}&interval=PT0S", "asset={robot}&points=0", "asset={robot}&from=x", "asset={robot}&x=1"],
    )
    def test_a_question_that_cannot_be_is_refused(self, world, query):
        name = query.rpartition("&")[2].partition("=")[0] or "asset"
        check_problem(world.vera("GET", world.at(f"/api/history/?{query}")), 400, f"?{name}")


def watched(world: World, **change: Any) -> str:
    """A rule on a parameter of its own; return the parameter."""
    parameter = f"p{uuid4().hex[:10]}"
    scope = {"assets": [world.names["robot"]]}
    rule = {"name": f"Watch {parameter}", "parameter": parameter, "scope": scope}
    world.erik.made(
        "/api/rules/", {**rule, "conditions": [{"kind": "above", "limit": 80, "severity": "high"}], **change}
    )
    return parameter


def alerts_of(world: World, parameter: str) -> list[Any]:
    """The alerts of a parameter of the robot."""
    found: list[Any] = world.vera.get(f"/api/alerts/?parameter={parameter}")["results"]
    return found


class TestAlerts:
    def test_a_person_sees_the_alert_right_after_the_reading(self, world):
        parameter = watched(world, deadband=2)
        said = []
        for value in (80, 81, 79, 78, 85):
            began = time.monotonic()
            world.olga.made("/api/data/", reading(timestamp=None, values={parameter: value}))
            assert time.monotonic() - began < 1
            said.append([(one["active"], one["occurrences"]) for one in alerts_of(world, parameter)])
        assert said == [[], [(True, 1)], [(True, 1)], [(False, 1)], [(True, 2)]]
        [alert] = alerts_of(world, parameter)
        assert (alert["value"], alert["limit"], alert["severity"]) == (85, 80, "high")
        assert (alert["state"], alert["status"]) == ("unacknowledged", "active_unacknowledged")

    def test_delays_follow_the_time_of_the_readings(self, world):
        conditions = [{"kind": "below", "limit": 5, "severity": "low"}]
        parameter = watched(world, conditions=conditions, on_delay="PT5M", off_delay="PT2M")
        start = datetime.now(UTC) - timedelta(minutes=30)
        course = [(0, 1), (1, 9), (2, 1), (6.9, 1), (7, 1), (8, 9), (9, 1), (10, 9), (12, 9), (13, 9)]
        moments = [((start + timedelta(minutes=minute)).isoformat(), value) for minute, value in course]
        world.olga.made("/api/data/", [reading(timestamp=at, values={parameter: value}) for at, value in moments])
        [alert] = eventually(lambda: alerts_of(world, parameter))
        raised, returned = (datetime.fromisoformat(alert[name]) for name in ("raised_at", "returned_at"))
        assert (raised - start, returned - start) == (timedelta(minutes=7), timedelta(minutes=12))

    def test_the_second_to_acknowledge_gets_409_with_the_name_of_the_first(self, world):
        alert = world.erik.made(
            "/api/alerts/", {"sensor": world.names["station"], "title": "Smoke", "severity": "high"}
        )
        path = f"/api/alerts/{alert['id']}/acknowledge/"
        taken = world.olga("POST", path, {"comment": "mine"})
        assert (taken.json()["acknowledged_by"], taken.json()["state"]) == (world.olga.id, "acknowledged")
        assert f"olga-{MARK}" in check_problem(world.erik("POST", path), 409)["detail"]
        events = world.vera.get(f"/api/alerts/{alert['id']}/events/")["results"]
        told = [(event["kind"], event["comment"]) for event in events if not event["kind"].startswith("notif")]
        assert told == [("raised", ""), ("acknowledged", "mine")]
        for query in ("acknowledged_by={id}", "severity=high", "sensor={station}", "active=true", "state=acknowledged"):
            found = world.vera.get(f"/api/alerts/?{query}".format(id=world.olga.id, **world.names))["results"]
            assert alert["id"] in [one["id"] for one in found]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"conditions": []}, "/conditions"),
            ({"conditions": [{"kind": "sideways", "limit": 1}]}, "/conditions/0/kind"),
            ({"conditions": [{"kind": "above"}]}, "/conditions/0/limit"),
            ({"conditions": [{"kind": "above", "limit": "x"}]}, "/conditions/0/limit"),
            ({"conditions": [{"kind": "above", "limit": 1, "extra": 1}]}, "/conditions/0/extra"),
            ({"conditions": [{"kind": "above", "limit": 1, "severity": "urgent"}]}, "/conditions/0/severity"),
            ({"deadband": -1}, "/deadband"),
            ({"on_delay": "5m"}, "/on_delay"),
            ({"on_delay": "PT"}, "/on_delay"),
            ({"off_delay": 5}, "/off_delay"),
            ({"parameter": "Heat"}, "/parameter"),
            ({"scope": {"assets": [99_999_999]}}, "/scope/assets"),
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_a_rule_that_cannot_be_is_refused_at_its_place(self, world, change, pointer):
        rule = {**RULE, "scope": {"site": world.names["plant"]}, **change}
        check_problem(world.erik("POST", "/api/rules/", rule), 400, pointer)

    def test_a_route_makes_a_delivery_and_a_rule_a_task(self, world):
        plant = world.names["plant"]
        channel = world.erik.made("/api/channels/", {**CHANNEL, "site": plant})["id"]
        route = {"name": "High", "site": plant, "minimum_severity": "high", "channels": [channel], "tags": [MARK]}
        world.erik.made("/api/routes/", route)
        parameter = watched(world, open_task={"title": "Look at it", "priority": 4})
        world.olga.made("/api/data/", reading(timestamp=None, values={parameter: 99}))
        [alert] = alerts_of(world, parameter)
        [delivery] = eventually(lambda: world.olga.get(f"/api/deliveries/?alert={alert['id']}")["results"])
        assert (delivery["channel"], delivery["event"]) == (channel, "raised")
        eventually(lambda: world.olga.get(f"/api/deliveries/{delivery['id']}/")["state"] == "sent")
        [task] = world.olga.get(f"/api/tasks/?alert={alert['id']}")["results"]
        assert (task["title"], task["priority"], task["equipment"]) == ("Look at it", 4, world.names["robot"])
        assert world.oscar.get(f"/api/deliveries/?alert={alert['id']}")["results"] == []


class TestTasks:
    def test_a_task_is_shared_for_as_much_as_is_said(self, world):
        path = f"/api/tasks/{world.olga.made('/api/tasks/', {'title': 'Ours'})['id']}/"
        check_problem(world.vera("GET", path), 404)
        for level, status in (("read", 403), ("comment", 403), ("write", 200)):
            shared = world.olga("PATCH", path, {"shared_with": [{"user": world.vera.id, "level": level}]})
            assert shared.json()["shared_with"] == [{"user": world.vera.id, "level": level}]
            assert world.vera("GET", path).status_code == 200
            assert world.vera("PATCH", path, {"description": level}).status_code == status
            check_problem(world.vera("DELETE", path), 403)
        assert world.olga("PATCH", path, {"shared_with": []}).status_code == 200
        check_problem(world.vera("GET", path), 404)

    def test_done_and_overdue_follow_from_the_facts(self, world):
        late = {"title": "Late", "due_date": "2020-01-01T00:00:00Z", "priority": 4}
        task = world.olga.made("/api/tasks/", late)
        assert (task["is_overdue"], task["owners"], task["completed_at"]) == (True, [world.olga.id], None)
        done = world.olga("PATCH", f"/api/tasks/{task['id']}/", {"state": "done"}).json()
        assert (done["is_overdue"], bool(done["completed_at"])) == (False, True)
        for query in ("state=done", "priority=4", "owner={id}", "due_before=2021-01-01T00:00:00Z", "overdue=false"):
            found = world.olga.get(f"/api/tasks/?page_size=500&{query}".format(id=world.olga.id))["results"]
            assert task["id"] in [one["id"] for one in found]

    def test_categories_are_personal(self, world):
        drawer = world.olga.made("/api/categories/", {"name": "Mine"})
        for person in (world.vera, world.adam):
            check_problem(person("GET", f"/api/categories/{drawer['id']}/"), 404)
            check_problem(person("POST", "/api/tasks/", {"title": "x", "category": drawer["id"]}), 400, "/category")
        check_problem(world.olga("POST", "/api/categories/", {"name": "Mine"}), 409)
        assert world.olga.made("/api/tasks/", {"title": "x", "category": drawer["id"]})["category"] == drawer["id"]


@pytest.fixture
def line(platform: Platform) -> Iterator[Callable[..., ClientConnection]]:
    """``line(headers)``: an open socket; all are closed at the end."""
    with ExitStack() as opened:

        def dial(
            headers: dict[str, str] | None = None, address: str = platform.ws_url, origin: Any = None
        ) -> ClientConnection:
            dialled = connect(
                address, subprotocols=[Subprotocol("techtrack.v1")], additional_headers=headers or {}, origin=origin
            )
            return opened.enter_context(dialled)

        yield dial


def ask(live: ClientConnection, **message: Any) -> Any:
    """Send a message and return the next frame."""
    live.send(json.dumps(message))
    return heard(live)


def heard(live: ClientConnection, within: float = 5) -> Any:
    """The next frame."""
    return json.loads(live.recv(timeout=within))


class TestLive:
    def test_three_ways_in_and_none_by_the_address(self, world, platform, line):
        token = world.olga.headers["Authorization"].split()[1]
        ticket = world.olga.made("/api/live/ticket/", None)["ticket"]
        assert ask(line(world.olga.headers), type="ping")["type"] == "pong"
        for proof in ({"token": token}, {"ticket": ticket}):
            live = line()
            live.send(json.dumps({"type": "authenticate", **proof}))
            assert (ask(live, type="ping")["type"], live.subprotocol) == ("pong", "techtrack.v1")
        for message in (
            {"type": "authenticate", "ticket": ticket},
            {"type": "authenticate", "token": "x"},
            {"type": "ping"},
        ):
            live = line()
            assert ask(live, **message)["type"] == "error"
            with pytest.raises(ConnectionClosed) as closed:
                heard(live)
            assert closed.value.rcvd.code == 4401
        for address in (f"{platform.ws_url}?token={token}", platform.ws_url.replace("live", "other")):
            with pytest.raises(InvalidStatus):
                line(world.olga.headers, address)
        with pytest.raises(InvalidStatus):
            line(world.olga.headers, origin="http://evil.example")
        assert line(world.olga.headers, origin=platform.url).protocol.state.name == "OPEN"

    def test_readings_and_alerts_arrive_in_order_and_are_told_again_since(self, world, line):
        topics = [world.at("assets/{robot}/readings"), world.at("sites/{plant}/alerts")]
        live = line(world.olga.headers)
        start = ask(live, type="subscribe", id="a", topics=topics)
        assert (start["type"], start["id"]) == ("subscribed", "a")
        parameter = watched(world)
        world.olga.made("/api/data/", reading(timestamp=None, values={parameter: 90}))
        frames = [heard(live), heard(live)]
        assert [frame["type"] for frame in frames] == ["reading", "alert"]
        assert (frames[0]["asset"], frames[0]["values"]) == (world.names["robot"], {parameter: 90})
        raised = frames[1]
        assert (raised["event"], raised["sequence"] > start["sequence"]) == ("raised", True)
        again = line(world.vera.headers)
        assert ask(again, type="subscribe", topics=topics[1:], since=raised["sequence"] - 1)["type"] == "subscribed"
        assert heard(again) == raised
        assert ask(line(world.vera.headers), type="subscribe", topics=topics, since=10**12)["type"] == "resync"

    def test_what_one_may_not_see_is_refused_as_what_is_absent(self, world, line):
        live = line(world.oscar.headers)
        for topic in (
            world.at("assets/{robot}/readings"),
            world.at("sites/{plant}/alerts"),
            "assets/99999999/readings",
        ):
            answer = ask(live, type="subscribe", id="x", topics=[topic])
            assert (answer["type"], answer["code"], answer["id"]) == ("error", "forbidden", "x")
        assert ask(live, type="subscribe", topics=["weather"])["type"] == "error"
        live.send("not JSON")
        assert heard(live)["type"] == "error"

    def test_the_end_of_the_session_closes_with_4401(self, world, line):
        olga = logged_in(world.adam.url, f"olga-{MARK}")
        live = line(olga.headers)
        assert ask(live, type="ping")["type"] == "pong"
        assert olga("POST", "/api/accounts/logout/", {"refresh": olga.refresh}).status_code == 205
        with pytest.raises(ConnectionClosed) as closed:
            heard(live, within=5)
        assert closed.value.rcvd.code == 4401
