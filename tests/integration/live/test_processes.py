"""Two processes on one database: what one writes, the sockets of the other hear by a hint, and without one too."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection, connections

from techtrack.accounts.domain.access import internal
from techtrack.live import transports
from techtrack.live.bus import bus
from techtrack.live.hub import hub
from techtrack.live.outbox import Outbox
from techtrack.live.subscriber import Subscriber
from techtrack.live.threads import in_thread
from tests import servers
from tests.integration.live import other
from tests.integration.live.redis import RedisServer

ROOT = Path(__file__).resolve().parents[3]
BEGIN = """
import asyncio, django
django.setup()
from tests.integration.live import other
asyncio.run(other.run())
"""
WAYS = ["redis", "notify"] if servers.on_postgres() else ["redis"]


def database_url():
    """The address of the database of this test."""
    name = str(connection.settings_dict["NAME"])
    if not servers.on_postgres():
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@pytest.fixture
def redis(tmp_path):
    """A Redis server, started."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def way(request, settings):
    """Let this process use the way between processes that the test is about; returns its part of the environment."""
    if request.param == "redis":
        settings.REDIS_URL = request.getfixturevalue("redis").url
    return {"REDIS_URL": settings.REDIS_URL}


@pytest.fixture
async def heard(transactional_db, way, monkeypatch):
    """What a socket in this process hears; its hub looks only when it is woken."""
    for name in ("_every", "_seldom"):
        # Restored at the end; other.listen sets them.
        monkeypatch.setattr(hub, name, other.NEVER)
    monkeypatch.setattr(bus, "_beat", 0.2)
    frames = asyncio.Queue()
    member = Subscriber(internal(), Outbox())
    member.outbox.at_once = lambda frame: frames.put_nowait(frame.body) is None
    await other.listen(member)
    # Whatever another test of this process has opened goes another way.
    await in_thread(bus.close)
    bus.open()
    await until(lambda: bus.healthy)
    await other.settled()
    yield frames
    hub.leave(member)
    await in_thread(bus.close)


@pytest.fixture
async def neighbour(heard, way):
    """Another process that does the same."""
    environment = os.environ | way | {"DATABASE_URL": database_url()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        BEGIN,
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Neighbour(process)
    assert await made.says() == "ready"
    yield made
    process.stdin.close()
    async with asyncio.timeout(20):
        assert await process.wait() == 0


class Neighbour:
    """The other process: tell it what to write, hear what its socket hears."""

    def __init__(self, process) -> None:
        self._process = process

    def write(self, kind, value):
        self._process.stdin.write(json.dumps([kind, value]).encode() + b"\n")

    async def says(self):
        async with asyncio.timeout(40):
            return json.loads(await self._process.stdout.readline())


async def until(condition):
    async with asyncio.timeout(60):
        # What is waited for happens in other threads and processes.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def next_of(frames, kind):
    async with asyncio.timeout(20):
        while (frame := await frames.get())["type"] != kind:
            pass
    return frame


async def silent(frames, seconds=0.7):
    await asyncio.sleep(seconds)
    return frames.empty()


@pytest.mark.parametrize("way", WAYS, indirect=True)
class TestHints:
    async def test_bring_news_from_another_process(self, heard, neighbour, robot, plant):
        neighbour.write("ingest", robot.pk)
        assert (await next_of(heard, "reading"))["asset"] == robot.pk
        neighbour.write("record", f"sites/{plant.pk}/alerts")
        assert (await next_of(heard, "alert"))["n"] == 1

    async def test_take_news_to_another_process(self, heard, neighbour, robot, plant):
        await in_thread(other.write, "ingest", robot.pk)
        assert (await neighbour.says())["asset"] == robot.pk
        await in_thread(other.write, "record", f"sites/{plant.pk}/alerts")
        assert (await neighbour.says())["n"] == 1

    async def test_are_what_brings_them_here(self, heard, neighbour, robot, monkeypatch):
        """The planted fault: an end that passes nothing on. If news came now, the tests above would prove nothing."""
        monkeypatch.setattr(bus, "_pass_on", lambda _: None)
        # On a busy machine it may have to connect again, and looks then.
        monkeypatch.setattr(bus, "_look", lambda: None)
        neighbour.write("ingest", robot.pk)
        assert (await neighbour.says())["asset"] == robot.pk
        assert await silent(heard)
        hub.wake()
        assert (await next_of(heard, "reading"))["asset"] == robot.pk


async def ingested(frames, asset):
    """Ingest goes on, and so do sockets."""
    async with asyncio.timeout(20):
        # Else it waits for the bus.
        await in_thread(other.write, "ingest", asset)
    assert (await next_of(frames, "reading"))["asset"] == asset


@pytest.mark.parametrize("way", ["redis"], indirect=True)
class TestRedis:
    @pytest.fixture(autouse=True)
    def looking(self, heard, monkeypatch):
        """The hub looks on its own too, as it does outside of these tests."""
        monkeypatch.setattr(hub, "_every", 0.05)
        monkeypatch.setattr(hub, "_seldom", 0.2)

    async def test_that_is_killed_and_comes_back_costs_no_news(self, heard, redis, neighbour, robot):
        for _ in range(2):
            redis.kill()
            await until(lambda: not bus.healthy)
            await ingested(heard, robot.pk)
            neighbour.write("ingest", robot.pk)
            await next_of(heard, "reading")
            redis.start()
            await until(lambda: bus.healthy)
            await ingested(heard, robot.pk)

    async def test_that_is_frozen_costs_no_news(self, heard, redis, neighbour, robot):
        redis.freeze()
        await ingested(heard, robot.pk)
        await until(lambda: not bus.healthy)
        await ingested(heard, robot.pk)
        neighbour.write("ingest", robot.pk)
        await next_of(heard, "reading")
        redis.thaw()
        await until(lambda: bus.healthy)
        await ingested(heard, robot.pk)

    async def test_after_that_brings_hints_again(self, heard, redis, neighbour, robot, monkeypatch):
        redis.kill()
        await until(lambda: not bus.healthy)
        redis.start()
        await until(lambda: bus.healthy)
        # From here on by hint alone; the neighbour is connected again when its own hint arrives.
        monkeypatch.setattr(hub, "_every", other.NEVER)
        monkeypatch.setattr(hub, "_seldom", other.NEVER)
        hints = []
        bus.hear("log", hints.append)
        try:
            async with asyncio.timeout(20):
                while not hints:
                    neighbour.write("ingest", robot.pk)
                    await asyncio.sleep(0.2)
            assert (await next_of(heard, "reading"))["asset"] == robot.pk
        finally:
            bus._listeners["log"].remove(hints.append)


@pytest.mark.parametrize("way", ["notify"], indirect=True)
class TestNotify:
    async def test_a_connection_that_is_cut_is_made_again(self, heard, neighbour, robot, monkeypatch):
        looked = []
        bus.hear("log", looked.append)
        try:
            await in_thread(cut_listeners)
            await until(lambda: 0 in looked and bus.healthy)
            neighbour.write("ingest", robot.pk)
            assert (await next_of(heard, "reading"))["asset"] == robot.pk
        finally:
            bus._listeners["log"].remove(looked.append)

    async def test_is_sent_outside_of_the_transaction_of_ingest(self, heard, robot):
        with psycopg.connect(database_url(), autocommit=True) as watcher:
            before = notifying(watcher)
            assert before, "the connections of the bus are its own"
            await ingested_by_hub(heard, robot.pk)
            assert notifying(watcher) == before


if not servers.on_postgres():
    # SQLite has nothing of the kind.
    del TestNotify


async def ingested_by_hub(frames, asset):
    await in_thread(other.write, "ingest", asset)
    assert (await next_of(frames, "reading"))["asset"] == asset


def notifying(watcher):
    """The backends whose last statement was a NOTIFY or LISTEN."""
    rows = watcher.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'pg_notify|LISTEN'"
        " AND pid != pg_backend_pid()"
    )
    return {pid for (pid,) in rows}


def cut_listeners():
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )


class TestChoice:
    def test_is_redis_where_there_is_one(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        assert isinstance(transports.chosen(), transports.RedisTransport)

    def test_is_the_database_where_it_can_and_else_none(self, settings):
        settings.REDIS_URL = ""
        found = transports.chosen()
        assert isinstance(found, transports.NotifyTransport) if servers.on_postgres() else found is None
