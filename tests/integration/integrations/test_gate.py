"""The doors of firmwares as an ASGI application: what is committed together, once, and what is refused at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from techtrack.integrations import services as integrations
from techtrack.integrations.domain.pushing import LONGEST_BODY
from techtrack.integrations.doors import firmwares
from techtrack.integrations.doors.gate import Gate, Limits
from techtrack.integrations.models import Door, RejectedPush
from techtrack.telemetry import services
from techtrack.telemetry.ingest.writer import Writer
from techtrack.telemetry.queries import latest, older
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
COMMUNITY = "/v1/push-sensor-data/"
DUST = {"sensordatavalues": [{"value_type": "P1", "value": "12.30"}, {"value_type": "P2", "value": "7.85"}]}
NODE = {b"x-sensor": b"esp8266-3394227", b"x-pin": b"1"}


class Answer:
    """What came back."""

    status = 0
    body = b""
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Units:
    """A gate and units that push to it, without a network between them."""

    def __init__(self, limits: Limits | None = None, commit: Any = services.commit) -> None:
        self.handed_on = 0
        self.groups: list[int] = []
        self._commit = commit
        self.writer = Writer(self._counted)
        self.gate = Gate(self._behind, self.writer, limits or Limits(patience=5))

    def _counted(self, *, groups: Any, now: Any) -> Any:
        self.groups.append(len(groups))
        return self._commit(groups=groups, now=now)

    async def _behind(self, scope: Any, receive: Any, send: Any) -> None:
        self.handed_on += 1
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def push(self, path: str, body: Any, headers: dict[bytes, bytes] | None = None, **more: Any) -> Answer:
        """Send one request; ``length`` is what the header says of the body, which comes after the event ``slow``."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = more.get("length", len(raw))
        told = {b"host": b"localhost", b"content-type": b"application/json", b"content-length": b"%d" % length}
        scope = {
            "type": "http",
            "method": more.get("method", "POST"),
            "path": path,
            "query_string": b"",
            "headers": list((told | (headers or {})).items()),
            "client": (more.get("address", "127.0.0.1"), 4711),
        }
        answer, pieces = Answer(), [raw]

        async def receive() -> Any:
            if "slow" in more:
                await more["slow"].wait()
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message["body"]

        await self.gate(scope, receive, send)
        return answer

    def close(self) -> None:
        """End its threads."""
        self.gate.close()
        self.writer.close()


@pytest.fixture(autouse=True)
def _own_budgets(monkeypatch):
    """Budgets and what was registered are of this test alone."""
    monkeypatch.setattr(firmwares, "budgets", type(firmwares.budgets)())
    integrations.pushes._registered.clear()


@pytest.fixture
def units() -> Iterator[Any]:
    made: list[Units] = []

    def make(*args: Any, **kwargs: Any) -> Units:
        made.append(Units(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def stored(sensor: Any) -> int:
    """How many readings a sensor has."""
    return len(older(asset_ids=[sensor.pk], span=(0, 2**62), before=None, limit=100))


class Held:
    """A commit that begins, and waits until it is let go."""

    def __init__(self) -> None:
        self.began, self._held = threading.Event(), threading.Event()

    def __call__(self, **kwargs: Any) -> Any:
        self.began.set()
        self._held.wait(10)
        return services.commit(**kwargs)

    async def beginning(self) -> None:
        """Return when something is being committed."""
        await asyncio.to_thread(self.began.wait, 10)

    def let_go(self) -> None:
        """Let it go on."""
        self._held.set()


class TestGate:
    def test_answers_once_what_was_pushed_is_committed(self, units, station):
        factories.make_push_unit(station)
        door = units()
        answer = asyncio.run(door.push(COMMUNITY, DUST, NODE))
        assert answer.status == 201
        assert answer.json["sensor"] == station.pk
        values = {code: one.value for code, one in latest([station.pk])[station.pk].items()}
        assert values == {"pm10": 12.3, "pm2_5": 7.85}
        assert door.groups == [1]

    def test_commits_together_what_units_push_at_the_same_time(self, units, plant):
        sensors = [factories.make_sensor(f"Unit {number}", site=plant) for number in range(12)]
        for number, sensor in enumerate(sensors):
            factories.make_push_unit(sensor, unit_id=f"esp8266-{number}")
        held = Held()
        door = units(commit=held)

        async def push(number: int) -> int:
            return (await door.push(COMMUNITY, DUST, {b"x-sensor": b"esp8266-%d" % number})).status

        async def scene() -> list[int]:
            first = asyncio.create_task(push(0))
            await held.beginning()
            rest = [asyncio.create_task(push(number)) for number in range(1, 12)]
            while door.writer.waiting < 12:  # noqa: ASYNC110 - what is waited for is counted, not told
                await asyncio.sleep(0.01)
            held.let_go()
            return await asyncio.gather(first, *rest)

        assert asyncio.run(scene()) == [201] * 12
        assert door.groups == [1, 11]
        assert all(stored(sensor) == 1 for sensor in sensors)

    def test_stores_once_what_a_proxy_sends_again_while_the_first_is_in_work(self, units, station):
        factories.make_push_unit(station)
        held = Held()
        door = units(commit=held)

        async def scene() -> list[int]:
            first = asyncio.create_task(door.push(COMMUNITY, DUST, NODE))
            await held.beginning()
            second = asyncio.create_task(door.push(COMMUNITY, DUST, NODE))
            await asyncio.sleep(0.05)
            held.let_go()
            return [answer.status for answer in await asyncio.gather(first, second)]

        assert asyncio.run(scene()) == [201, 208]
        assert stored(station) == 1

    def test_commits_what_it_took_although_the_unit_has_gone(self, units, station):
        factories.make_push_unit(station)
        held = Held()
        door = units(commit=held)

        async def scene() -> None:
            gone = asyncio.create_task(door.push(COMMUNITY, DUST, NODE))
            await held.beginning()
            gone.cancel()
            held.let_go()
            await asyncio.to_thread(door.writer.close)

        asyncio.run(scene())
        assert stored(station) == 1

    def test_speaks_airgradient_as_well(self, units, station):
        factories.make_push_unit(station, door=Door.AIRGRADIENT, unit_id="ecda3b1eaaaf")
        body = {"rco2": 447, "pm02": 7}
        assert asyncio.run(units().push("/sensors/airgradient:ecda3b1eaaaf/measures", body)).status == 200
        assert stored(station) == 1

    def test_refuses_in_the_firmwares_form_and_records_it(self, units, station):
        factories.make_push_unit(station)
        answer = asyncio.run(units().push(COMMUNITY, b"{", NODE))
        assert answer.status == 400
        assert set(answer.json) == {"detail"}
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert RejectedPush.objects.values_list("payload", flat=True).get() == "{"

    def test_reads_nothing_of_a_body_that_is_said_to_be_too_long(self, units, station):
        factories.make_push_unit(station)
        assert asyncio.run(units().push(COMMUNITY, b"{", NODE, length=100_000)).status == 413
        assert RejectedPush.objects.get().size == 100_000

    @pytest.mark.parametrize(
        "limits",
        [
            pytest.param(Limits(waiting=0), id="too many wait"),
            pytest.param(Limits(waiting_readings=0), id="too much waits to be committed"),
        ],
    )
    def test_refuses_at_once_what_would_only_wait(self, limits, units, station):
        factories.make_push_unit(station)
        answer = asyncio.run(units(limits).push(COMMUNITY, DUST, NODE))
        assert answer.status == 503
        assert answer.headers["retry-after"]
        assert not RejectedPush.objects.exists(), "nobody has to mend that"

    @pytest.mark.parametrize(
        ("first", "second", "status"),
        [
            pytest.param("192.0.2.1", "192.0.2.1", 503, id="the same address"),
            pytest.param("2001:db8::1", "2001:db8::2", 503, id="the same network of IPv6"),
            pytest.param("192.0.2.1", "192.0.2.2", 201, id="another address"),
        ],
    )
    def test_waits_for_few_bodies_of_one_address_at_once(self, first, second, status, units, station):
        factories.make_push_unit(station)
        door = units(Limits(open_of_one=2))

        async def scene() -> tuple[int, list[int], int]:
            slow = asyncio.Event()
            held = [asyncio.create_task(door.push(COMMUNITY, b"{}", address=first, slow=slow)) for _ in range(2)]
            await asyncio.sleep(0.05)
            meanwhile = await door.push(COMMUNITY, DUST, NODE, address=second)
            slow.set()
            over = [answer.status for answer in await asyncio.gather(*held)]
            return meanwhile.status, over, (await door.push(COMMUNITY, b"{}", NODE, address=first)).status

        assert asyncio.run(scene()) == (status, [403, 403], 400), "once they have come, there is room again"

    def test_as_many_as_may_wait_from_one_address_leave_room_for_others(self, units, station):
        factories.make_push_unit(station)
        door = units()

        async def scene() -> int:
            slow = asyncio.Event()
            held = [
                asyncio.create_task(door.push(COMMUNITY, b"{}", address="192.0.2.1", slow=slow, length=length))
                for length in [LONGEST_BODY] * Limits().waiting + [2] * Limits().waiting
            ]
            await asyncio.sleep(0.2)
            status = (await door.push(COMMUNITY, DUST, NODE)).status
            slow.set()
            await asyncio.gather(*held)
            return status

        assert asyncio.run(scene()) == 201

    def test_says_503_and_stores_nothing_where_the_database_is_away(self, units, station):
        factories.make_push_unit(station)

        def away(**_: Any) -> None:
            raise OperationalError("gone")

        assert asyncio.run(units(commit=away).push(COMMUNITY, DUST, NODE)).status == 503
        assert stored(station) == 0

    @pytest.mark.parametrize(
        ("path", "more"),
        [
            pytest.param("/v1/push-sensor-data/", {"method": "GET"}, id="another method"),
            pytest.param("/sensors/airgradient:x/one/config", {}, id="another address"),
            pytest.param("/api/ingest/", {}, id="another door"),
            pytest.param(COMMUNITY, {"headers": {b"host": b"evil.example"}}, id="a foreign host"),
        ],
    )
    def test_hands_on_what_is_not_a_plain_push(self, path, more, units):
        door = units()
        assert asyncio.run(door.push(path, DUST, **more)).status == 299
        assert door.handed_on == 1
