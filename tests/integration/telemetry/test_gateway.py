"""The gateway as an ASGI application: what it takes, when it refuses, and what it commits together."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Scope
from techtrack.accounts.models import ApiKey
from techtrack.accounts.queries import access_of
from techtrack.assets.models import Parameter
from techtrack.core import clock
from techtrack.core.writes import Writes
from techtrack.telemetry import services
from techtrack.telemetry.ingest import callers
from techtrack.telemetry.ingest.gateway import Gateway, Limits
from techtrack.telemetry.ingest.writer import Writer
from techtrack.telemetry.models import Segment
from techtrack.telemetry.services import learning
from techtrack.telemetry.store import segments
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
LIMITS = Limits(body=100_000, waiting_bytes=1_000_000, waiting_readings=10_000, patience=5)
HOT = {"temperature": 71.3, "speed": 1480}


class Door:
    """A gateway and a client of it, without a network between them."""

    def __init__(self, limits: Limits = LIMITS, commit: Any = services.commit) -> None:
        self.handed_on = 0
        self.gateway = Gateway(self._behind, limits, Writer(commit))

    async def _behind(self, scope: Any, receive: Any, send: Any) -> None:
        self.handed_on += 1
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def post(self, body: Any, key: str = "", *, query: str = "", method: str = "POST", **more: Any) -> Any:
        """Send a request; ``parts`` are the pieces of its body, ``headers`` come on top."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        parts = more.get("parts", [(raw, False)])
        headers = {b"host": b"localhost", b"content-type": b"application/json"}
        headers |= {b"content-length": b"%d" % len(raw)} if "parts" not in more else {b"transfer-encoding": b"chunked"}
        headers |= {b"authorization": f"Api-Key {key}".encode()} if key else {}
        headers |= more.get("headers", {})
        scope = {
            "type": "http",
            "method": method,
            "path": "/api/ingest/",
            "query_string": query.encode(),
            "headers": [(name, value) for name, value in headers.items() if value is not None],
            "client": ("127.0.0.1", 4711),
        }
        return await _exchange(self.gateway, scope, list(parts))


class Answer:
    """What came back, and how many pieces of the body had been asked for by then."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.read = 0

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


async def _exchange(gateway: Gateway, scope: Any, parts: list[Any]) -> Answer:
    answer = Answer()

    async def receive() -> Any:
        answer.read += 1
        if not parts:
            return {"type": "http.disconnect"}
        part, more = parts.pop(0)
        if part is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    await gateway(scope, receive, send)
    return answer


@pytest.fixture
def doors() -> Iterator[Any]:
    made: list[Door] = []

    def make(*args: Any, **kwargs: Any) -> Door:
        made.append(Door(*args, **kwargs))
        return made[-1]

    yield make
    for door in made:
        door.gateway.close()


@pytest.fixture
def own_connections(transactional_db, monkeypatch) -> Iterator[str]:
    """The name by which the server knows the connections that this test opens; others keep theirs."""
    name = f"cut off {os.getpid()}"
    monkeypatch.setenv("PGAPPNAME", name)
    _open_anew()
    yield name
    _open_anew()


def _open_anew() -> None:
    connection.close()
    connection.close_pool()


def leave_in_the_pool(count: int) -> None:
    """Use so many connections at once, and give them back."""
    gate = threading.Barrier(count)

    def use() -> None:
        connection.ensure_connection()
        gate.wait(30)
        connection.close()

    threads = [threading.Thread(target=use) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The pool takes them back in a thread of its own.
    deadline = time.monotonic() + 30
    while connection.pool.get_stats()["pool_available"] < count:
        assert time.monotonic() < deadline, "they never came back"
        time.sleep(0.01)


@pytest.fixture
def key(olga, robot) -> str:
    return made_key(olga)


def made_key(user: Any, **change: Any) -> str:
    """The text of a key of ``user``."""
    wanted = {"scope": Scope.INGEST, "site": None, "asset_id": None, "expires_at": None, "allowed_addresses": []}
    return accounts.create_key(by=access_of(user), name="Gateway", now=clock.now(), **(wanted | change))[1]


def items(asset: Any, count: int = 1, **values: Any) -> dict[str, Any]:
    """A body of readings a second apart, the last one now."""
    last = datetime.now(UTC).replace(microsecond=0)
    times = [(last - timedelta(seconds=number)).isoformat() for number in reversed(range(count))]
    return {"items": [{"asset": asset, "timestamp": time, "values": values or HOT} for time in times]}


def remember_parameters(monkeypatch: Any, *, seconds: float) -> None:
    """Set for how long a process knows what machines send: so long a few readings are one statement on PostgreSQL.

    Two seconds, which are over too soon on a busy machine.
    """
    monkeypatch.setattr(learning, "_memory", learning._Memory())
    monkeypatch.setattr(learning, "REMEMBERED", seconds)


def stored() -> int:
    """How many readings the log has."""
    return sum(Segment.objects.values_list("readings", flat=True))


async def until(holds: Any) -> None:
    """Wait until ``holds()``; the gateway's own tasks go on meanwhile."""
    while not holds():  # noqa: ASYNC110 - what is waited for is a number, not an event
        await asyncio.sleep(0.001)


def run(work: Any) -> Any:
    """Run a coroutine in a loop of its own, as a server would."""
    return asyncio.run(work)


class TestTaking:
    @pytest.mark.parametrize("count", [1, 500])
    def test_acknowledges_what_is_committed(self, doors, key, robot, count):
        answer = run(doors().post(items("robot-1", count), key, headers={b"x-request-id": b"mine"}))
        assert (answer.status, answer.json, answer.headers["x-request-id"]) == (200, {"accepted": count}, "mine")
        assert stored() == count

    def test_takes_columns(self, doors, key, robot):
        body = {"asset": [robot.pk, "robot-1"], "values": {"t": [1.5, None], "u": [None, True]}}
        assert run(doors().post(body, key)).json == {"accepted": 2}
        assert stored() == 2

    def test_takes_a_body_in_chunks_and_none_that_was_cut_off(self, doors, key, robot):
        raw = json.dumps(items(robot.pk)).encode()
        door = doors()
        assert run(door.post(b"", key, parts=[(raw[:9], True), (raw[9:], False)])).status == 200
        assert run(door.post(b"", key, parts=[(raw[:9], True)])).status == 0
        assert stored() == 1

    def test_skips_the_bad_ones_when_asked(self, doors, key, robot):
        body = items(robot.pk, 3)
        body["items"][1]["values"] = {"temperature": "hot"}
        answer = run(doors().post(body, key, query="on_error=skip"))
        assert (answer.status, answer.json["accepted"], answer.json["refused"]) == (200, 2, 1)
        assert answer.json["errors"][0]["pointer"] == "/items/1/values/temperature"

    def test_registers_a_parameter_again_after_it_was_deleted(self, doors, key, robot, monkeypatch):
        monkeypatch.setattr(learning, "REMEMBERED", 0.0)
        monkeypatch.setattr(learning, "_memory", learning._Memory())
        door = doors()
        for _ in range(2):
            run(door.post(items(robot.pk, torque=3.5), key))
            assert Parameter.objects.filter(code="torque").exists()
            Parameter.objects.filter(code="torque").delete()
            robot.type.change(expected=None, now=clock.now(), parameters=[])


class TestRefusing:
    def test_asks_who_is_there_before_it_looks_at_the_body(self, doors, vera, key, robot):
        reader = made_key(vera, scope=Scope.READ)
        door = doors()
        for shown, status in (("", 401), ("tt_abcdefgh_" + "x" * 43, 401), ("x", 401), (reader, 403)):
            answer = run(door.post(items(robot.pk), shown))
            assert (answer.status, answer.read) == (status, 0)
            assert answer.headers["content-type"] == "application/problem+json"
            assert ("www-authenticate" in answer.headers) is (status == 401)
        assert answer.json["request_id"] == answer.headers["x-request-id"]

    @pytest.mark.parametrize(
        ("more", "status"),
        [
            pytest.param({"headers": {b"content-type": b"text/plain"}}, 415, id="another type"),
            pytest.param({"headers": {b"content-type": None}}, 415, id="no type"),
            pytest.param({"headers": {b"content-encoding": b"gzip"}}, 415, id="packed"),
            pytest.param({"headers": {b"content-length": b"100001"}}, 413, id="declared too long"),
            pytest.param({"query": "on_error=stop"}, 400, id="another way with errors"),
            pytest.param({"query": "colour=red"}, 400, id="an unknown parameter"),
        ],
    )
    def test_refuses_by_the_head_alone(self, doors, key, robot, more, status):
        answer = run(doors().post(items(robot.pk), key, **more))
        assert (answer.status, answer.read) == (status, 0)
        assert stored() == 0

    def test_refuses_a_body_that_never_ends_or_never_comes(self, doors, key, robot):
        door = doors(Limits(body=10_000, waiting_bytes=100_000, waiting_readings=10, patience=0.05))
        assert run(door.post(b"", key, parts=[(b" " * 9_000, True)] * 5)).status == 413
        assert run(door.post(b"", key, parts=[(b"{", True), (None, True)])).status == 408
        assert door.gateway._room.taken == 0

    def test_gives_each_body_its_own_time(self, doors, key, robot):
        door = doors(Limits(body=10_000, waiting_bytes=100_000, waiting_readings=10, patience=0.3))
        slow: Any = [(b"{", True), (None, True)]

        async def ended(pause: float) -> tuple[int, float]:
            await asyncio.sleep(pause)
            began = asyncio.get_running_loop().time()
            status = (await door.post(b"", key, parts=list(slow))).status
            return status, asyncio.get_running_loop().time() - began

        async def crowd() -> list[tuple[int, float]]:
            await door.post(items(robot.pk), key)
            return [*await asyncio.gather(ended(0), ended(0.2))]

        for status, seconds in run(crowd()):
            assert status == 408
            assert seconds >= 0.29
        # Another event loop has a timer of its own.
        assert run(ended(0))[0] == 408

    def test_says_that_it_is_full_before_it_reads(self, doors, key, robot):
        gate = threading.Event()

        def slow(**wanted: Any) -> int:
            gate.wait(10)
            return services.commit(**wanted)

        async def crowd(door: Door) -> list[Answer]:
            first = asyncio.create_task(door.post(items(robot.pk, 20), key))
            await until(lambda: door.gateway._writer.waiting)
            late = [await door.post(items(robot.pk), key) for _ in range(3)]
            gate.set()
            return [await first, *late]

        first, *late = run(crowd(doors(Limits(10_000, 100_000, 20), slow)))
        assert first.json == {"accepted": 20}
        assert {(answer.status, answer.read, answer.json["code"]) for answer in late} == {(503, 0, "saturated")}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in late)
        assert stored() == 20

    def test_counts_bytes_that_were_announced(self, doors, key, robot):
        async def crowd(door: Door) -> list[Answer]:
            slow = asyncio.create_task(door.post(b"x" * 5_000, key, parts=[(b"x" * 5_000, True), (None, True)]))
            await until(lambda: door.gateway._room.taken >= 5_000)
            second = await door.post(items(robot.pk, 100), key)
            return [second, await slow]

        second, slow = run(crowd(doors(Limits(100_000, 8_000, 1_000, patience=0.3))))
        assert (second.status, second.read, slow.status) == (503, 0, 408)

    def test_hands_on_what_is_rare(self, doors, key, robot):
        door = doors()
        run(door.post({}, method="OPTIONS"))
        run(door.post({}, headers={b"cookie": b"sessionid=1"}))
        run(door.post({}, key, headers={b"host": b"evil.example"}))
        run(door.post({}, key, headers={b"accept": b"application/xml"}))
        assert door.handed_on == 4


class TestRemembering:
    def test_asks_once_for_many_at_the_same_time(self, doors, key, robot, monkeypatch):
        asked = []
        real = callers._recognised
        monkeypatch.setattr(callers, "_recognised", lambda *args: asked.append(1) or real(*args))

        async def crowd(door: Door) -> list[Answer]:
            return [*await asyncio.gather(*(door.post(items(robot.pk), key) for _ in range(9)))]

        assert {answer.status for answer in run(crowd(doors()))} == {200}
        assert len(asked) == 1

    def test_feels_a_revocation_elsewhere_in_time_and_here_at_once(self, doors, adam, key, robot, monkeypatch):
        monkeypatch.setattr(callers, "REMEMBERED", 0.4)
        # It happens in another process, whose hint is lost.
        monkeypatch.setattr(Writes, "tell", lambda _: None)
        here, there = doors(), doors()

        async def story() -> list[int]:
            told = [(await door.post(items(robot.pk), key)).status for door in (here, there)]
            await here.gateway._threads.run(_revoke, adam)
            here.gateway.callers.forget()
            told += [(await door.post(items(robot.pk), key)).status for door in (here, there)]
            await asyncio.sleep(0.5)
            return [*told, (await there.post(items(robot.pk), key)).status]

        assert run(story()) == [200, 200, 401, 200, 401]
        assert callers.WRONG_REMEMBERED <= 1

    def test_never_believes_longer_than_the_credential_says(self, doors, olga, robot):
        soon = made_key(olga, expires_at=clock.now() + timedelta(seconds=0.5))
        door = doors()

        async def story() -> list[int]:
            first = (await door.post(items(robot.pk), soon)).status
            await asyncio.sleep(0.6)
            return [first, (await door.post(items(robot.pk), soon)).status]

        assert run(story()) == [200, 401]

    def test_asks_again_for_assets_that_were_not_there(self, doors, key, robot, plant):
        door = doors()
        assert run(door.post(items("robot-9"), key)).status == 400
        factories.make_equipment("Robot 9", key="robot-9", site=plant)
        assert run(door.post(items("robot-9"), key)).status == 200

    def test_keeps_no_more_than_it_may(self, doors, key, robot, monkeypatch):
        monkeypatch.setattr(callers, "MOST_WRONG", 3)
        door = doors()

        async def guess() -> None:
            for number in range(9):
                await door.post(items(robot.pk), f"wrong-{number}")

        run(guess())
        assert len(door.gateway.callers._wrong) == 3


def _revoke(adam: Any) -> None:
    row = ApiKey.objects.get()
    accounts.revoke_key(key=row, by=access_of(adam), expected=None)


class TestCommitting:
    def test_shares_one_commit_among_those_who_wait(self, doors, key, robot):
        calls: list[int] = []

        def counted(**wanted: Any) -> int:
            calls.append(len(wanted["groups"]))
            return services.commit(**wanted)

        async def crowd(door: Door) -> list[Answer]:
            await door.post(items(robot.pk), key)
            return [*await asyncio.gather(*(door.post(items(robot.pk, 2, t=n + 1.5), key) for n in range(40)))]

        answers = run(crowd(doors(commit=counted)))
        assert {answer.status for answer in answers} == {200}
        assert sum(calls) == 41
        assert len(calls) < 30
        assert (Segment.objects.count(), stored()) == (len(calls), 81)

    def test_keeps_the_order_of_arrival(self, doors, key, robot):
        at = datetime.now(UTC).isoformat()

        async def crowd(door: Door) -> None:
            bodies = [{"items": [{"asset": robot.pk, "timestamp": at, "values": {"t": n}}]} for n in range(30)]
            await door.post(items(robot.pk), key)
            await asyncio.gather(*(door.post(body, key) for body in bodies))

        run(crowd(doors()))
        [entries] = [services.corrections.store.log(after=1, limit=100)]
        assert [value for entry in entries for value in entry.batch.values["t"].tolist()] == list(map(float, range(30)))

    def test_a_database_that_is_away_acknowledges_nothing(self, doors, key, robot):
        def away(**wanted: Any) -> int:
            raise OperationalError("database or disk is full")

        answer = run(doors(commit=away).post(items(robot.pk), key))
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert stored() == 0

    @pytest.mark.parametrize("remembered", [1000, 0], ids=["in one statement", "in a transaction"])
    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server that could end a connection")
    def test_goes_on_when_the_server_has_ended_its_connections(
        self, own_connections, doors, key, robot, monkeypatch, remembered
    ):
        remember_parameters(monkeypatch, seconds=remembered)
        door = doors()
        assert run(door.post(items(robot.pk), key)).status == 200
        leave_in_the_pool(3)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                "WHERE application_name = %s AND pid <> pg_backend_pid()",
                [own_connections],
            )
            ended = cursor.fetchall()
        assert len(ended) > 3, "nobody but the pool has lost a connection"
        assert all(done for (done,) in ended)
        # Those who ask who is there have lost theirs too.
        door.gateway.callers.forget()
        assert run(door.post(items(robot.pk), key)).status == 200
        assert stored() == 2

    def test_does_not_write_again_what_may_be_committed(self, doors, key, robot, monkeypatch):
        door = doors()
        assert run(door.post(items(robot.pk), key)).status == 200
        wrapper_type = type(connections[connection.alias])
        real = wrapper_type._commit
        lost: list[int] = []

        def cut_off(wrapper: Any) -> None:
            real(wrapper)
            if threading.current_thread().name == "ingest writer":
                lost.append(1)
                wrapper.close()
                raise OperationalError("the connection was lost while it committed")

        monkeypatch.setattr(wrapper_type, "_commit", cut_off)
        # A parameter that is new takes more than one statement, on either database.
        assert run(door.post(items(robot.pk, new=1), key)).status == 503
        assert (len(lost), stored()) == (1, 2)

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite appends in a transaction of two statements")
    def test_does_not_write_again_what_may_be_committed_by_one_statement(self, doors, key, robot, monkeypatch):
        remember_parameters(monkeypatch, seconds=1000)
        door = doors()
        assert run(door.post(items(robot.pk), key)).status == 200
        real, lost = segments.ask, []

        def cut_off(statement: str, *params: Any) -> Any:
            found = real(statement, *params)
            if "INSERT" in statement:
                lost.append(connection.in_atomic_block)
                connection.close()
                raise OperationalError("the connection was lost before the answer came")
            return found

        monkeypatch.setattr(segments, "ask", cut_off)
        assert run(door.post(items(robot.pk), key)).status == 503
        assert (lost, stored()) == ([False], 2)

    def test_one_that_breaks_the_commit_breaks_no_other(self, doors, key, robot, caplog):
        gate = threading.Event()

        def picky(**wanted: Any) -> int:
            gate.wait(10)
            if any("poison" in row.values for checked in wanted["groups"] for row in checked.rows):
                raise ArithmeticError("a bug that no check foresaw")
            return services.commit(**wanted)

        async def crowd(door: Door) -> list[Answer]:
            names = ["good", "good", "poison", "good"]
            tasks = [asyncio.create_task(door.post(items(robot.pk, **{name: 1}), key)) for name in names]
            await until(lambda: door.gateway._writer.waiting == len(names))
            gate.set()
            return [await task for task in tasks]

        assert [answer.status for answer in run(crowd(doors(commit=picky)))] == [200, 200, 500, 200]
        assert stored() == 3
        assert "a bug that no check foresaw" in caplog.text

    def test_commits_what_was_taken_in_before_it_ends(self, doors, key, robot):
        door = doors()

        async def ending() -> list[int]:
            tasks = [asyncio.create_task(door.post(items(robot.pk), key)) for _ in range(20)]
            await until(lambda: door.gateway._writer.waiting)
            await asyncio.to_thread(door.gateway._writer.close)
            return [(await task).status for task in tasks]

        statuses = run(ending())
        assert set(statuses) <= {200, 503}
        assert stored() == statuses.count(200) > 0
