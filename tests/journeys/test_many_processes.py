"""Several processes behind one address: connections, memories and frames cross them, none is missed when it dies."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from typing import Any

import psutil
import pytest
import requests
from websockets.sync.client import ClientConnection, connect

from tests.plugins.platform import ROOT, Platform, database_url

pytestmark = pytest.mark.xdist_group("campaigns")
PATIENCE = 30.0
# Than the lines to two processes hold, each some 280.
MORE = 800


class Crew(Platform):
    """A platform of two serving processes."""

    def processes(self) -> list[psutil.Process]:
        """Those that serve, by age."""
        below = psutil.Process(self.pid).children()
        return [process for process in below if "spawn_main" in " ".join(process.cmdline())]

    @property
    def pid(self) -> int:
        """The process that hands out."""
        assert self._process is not None
        return self._process.pid

    def code(self) -> int:
        """Wait until it has ended, and return with which code."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def open(self) -> list[int]:
        """How many connections lie with each process."""
        return [len([one for one in tcp(process) if one.status == "ESTABLISHED"]) for process in self.processes()]

    def holder(self, port: int) -> int:
        """The id of the process with which the client's connection from ``port`` lies."""

        def found() -> int | None:
            at = [p.pid for p in self.processes() for one in tcp(p) if one.raddr and one.raddr.port == port]
            return at[0] if at else None

        return int(eventually(found))

    def begun(self) -> list[bool]:
        """Tell of each process whether connections come to it: one is opened for each, and one more."""
        with ExitStack() as held:
            ports = []
            for _ in range(3):
                line = held.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                ports.append(line.getsockname()[1])
            holders = {self.holder(port) for port in ports}
            return [process.pid in holders for process in self.processes()]


def tcp(process: psutil.Process) -> list[Any]:
    try:
        return list(process.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return []


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} never gave anything"
        time.sleep(0.02)
    return found


@pytest.fixture
def make_crew(tmp_path, worker_id) -> Iterator[Callable[..., Crew]]:
    with ExitStack() as stack:

        def make(**settings: str) -> Crew:
            url = database_url(tmp_path, f"techtrack_crew_{worker_id}")
            crew = Crew(tmp_path, database_url=url, settings={"TECHTRACK_PROCESSES": "2"} | settings)
            stack.callback(crew.stop)
            crew.start()
            eventually(lambda: len(crew.processes()) == 2)
            return crew

        yield make


@pytest.fixture
def crew(make_crew) -> Crew:
    made = make_crew()
    made.make_admin()
    return made


class Line:
    """A connection that is kept, and the process with which it lies."""

    def __init__(self, crew: Crew, credential: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", crew.port, timeout=PATIENCE)
        self._connection.connect()
        self._headers = {"Authorization": credential, "Content-Type": "application/json"}
        self.holder = crew.holder(self._connection.sock.getsockname()[1])
        self.close = self._connection.close

    def ask(self, method: str, path: str, body: Any = None) -> int:
        """Return the status of one request."""
        self._connection.request(method, path, None if body is None else json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


@contextmanager
def lines(crew: Crew, credential: str) -> Iterator[dict[int, Line]]:
    """Give connections to both processes, by the process."""
    with ExitStack() as held:
        found: dict[int, Line] = {}
        for _ in range(20):
            line = held.enter_context(closing(Line(crew, credential)))
            found[line.holder] = line
            if len(found) == 2:
                break
        assert len(found) == 2, "every connection lies with one process"
        yield found


def reading(asset: int, value: float = 1.0) -> dict[str, Any]:
    return {"items": [{"asset": asset, "values": {"temperature": value}}]}


@pytest.fixture
def asset(crew) -> int:
    answer = crew.call("POST", "/api/equipment/", json={"name": "Robot"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


@pytest.fixture
def key(crew, asset) -> dict[str, Any]:
    made: dict[str, Any] = crew.call("POST", "/api/keys/", json={"name": "gateway", "scope": "ingest"}).json()
    return made


class TestConnections:
    def test_go_to_the_process_that_has_fewest(self, crew):
        eventually(lambda: sum(crew.open()) == 0)
        held = [socket.create_connection(("127.0.0.1", crew.port)) for _ in range(6)]
        assert eventually(lambda: sum(crew.open()) == 6 and crew.open()) == [3, 3]
        # Those of one process end: the next ones are its.
        first = crew.processes()[0].pid
        for line in held:
            if crew.holder(line.getsockname()[1]) == first:
                line.close()
        eventually(lambda: crew.open() == [0, 3])
        # It tells ten times a second how many it has.
        time.sleep(0.5)
        held += [socket.create_connection(("127.0.0.1", crew.port)) for _ in range(3)]
        assert eventually(lambda: sum(crew.open()) == 6 and crew.open()) == [3, 3]
        for line in held:
            line.close()

    def test_that_come_while_nobody_can_take_one_more_wait_and_are_answered(self, crew):
        below = crew.processes()
        with ExitStack() as held:
            for process in below:
                process.suspend()
                held.callback(process.resume)
            came = [held.enter_context(socket.create_connection(("127.0.0.1", crew.port))) for _ in range(MORE)]
            for line in came:
                line.settimeout(PATIENCE)
                line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            for process in below:
                process.resume()
            assert [line.recv(12) for line in came] == [b"HTTP/1.1 200"] * MORE


class TestMemories:
    def test_of_a_key_that_is_revoked_through_another_process_are_gone_with_its_answer(self, crew, asset, key):
        with lines(crew, f"Api-Key {key['key']}") as ours, lines(crew, f"Bearer {crew.token()}") as admins:
            one, other = ours
            assert [ours[at].ask("POST", "/api/ingest/", reading(asset)) for at in (one, other)] == [200, 200]
            assert admins[one].ask("DELETE", f"/api/keys/{key['id']}/") == 204
            assert [ours[at].ask("POST", "/api/ingest/", reading(asset)) for at in (other, one)] == [401, 401]


def socket_at(crew: Crew, holder: int, held: ExitStack) -> ClientConnection:
    """Open a live socket that lies with the process ``holder``; those that came elsewhere stay until the end."""
    headers = {"Authorization": f"Bearer {crew.token()}"}
    for _ in range(20):
        live = held.enter_context(connect(crew.ws_url, additional_headers=headers, proxy=None))
        if crew.holder(live.socket.getsockname()[1]) == holder:
            return live
    raise AssertionError("no socket came there")


def heard(live: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = json.loads(live.recv(timeout=PATIENCE))
        if frame["type"] == kind:
            return frame


class TestCounts:
    def test_are_those_of_all_processes_whichever_is_asked(self, crew, asset, key):
        with lines(crew, f"Api-Key {key['key']}") as ours:
            for line in ours.values():
                assert line.ask("POST", "/api/ingest/", reading(asset)) == 200
        assert [stored(crew) for _ in range(4)] == [2.0] * 4


def stored(crew: Crew) -> float:
    text = requests.get(f"{crew.url}/metrics", timeout=30).text
    return float(re.search(r"^techtrack_readings_stored_total (\S+)", text, re.MULTILINE)[1])


class TestFrames:
    def test_cross_processes_either_way(self, crew, asset, key):
        with lines(crew, f"Api-Key {key['key']}") as ours:
            one, other = ours
            for sender, listener in ((one, other), (other, one)):
                self._cross(crew, ours[sender], listener, asset)

    def _cross(self, crew: Crew, sender: Line, listener: int, asset: int) -> None:
        with ExitStack() as held:
            live = socket_at(crew, listener, held)
            live.send(json.dumps({"type": "subscribe", "id": "a", "topics": [f"assets/{asset}/readings"]}))
            heard(live, "subscribed")
            assert sender.ask("POST", "/api/ingest/", reading(asset)) == 200
            assert heard(live, "reading")["asset"] == asset


class TestDeath:
    def test_of_either_process_loses_nothing_acknowledged_and_it_is_started_again(self, crew, asset, key):
        headers = {"Authorization": f"Api-Key {key['key']}"}
        for number in (0, 1):
            victim = crew.processes()[number].pid
            os.kill(victim, signal.SIGKILL)
            acknowledged = 0
            for _ in range(20):
                # What came to the dead one in its last moment is reset; the other one serves on.
                with suppress(requests.ConnectionError):
                    answer = requests.post(f"{crew.url}/api/ingest/", json=reading(asset), headers=headers, timeout=30)
                    assert answer.status_code == 200, answer.text
                    acknowledged += 1
            assert acknowledged >= 15
            eventually(lambda gone=victim: len({one.pid for one in crew.processes()} - {gone}) == 2)
            eventually(lambda: all(crew.begun()))
            with lines(crew, f"Api-Key {key['key']}") as ours:
                assert [line.ask("POST", "/api/ingest/", reading(asset)) for line in ours.values()] == [200, 200]
        # One of the two ran the judge.
        eventually(lambda: "techtrack_judge_lag_batches 0.0" in requests.get(f"{crew.url}/metrics", timeout=30).text)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_of_the_first_in_good_order_is_that_of_all(self, crew, number):
        below = crew.processes()
        os.kill(crew.pid, number)
        assert crew.code() == 0
        assert not [one for one in below if one.is_running()]

    def test_of_the_one_that_hands_out_ends_the_others(self, crew):
        below = crew.processes()
        os.kill(crew.pid, signal.SIGKILL)
        assert not psutil.wait_procs(below, timeout=PATIENCE)[1]


class TestStart:
    def test_that_no_process_survives_is_said_and_not_tried_for_ever(self, tmp_path, worker_id):
        url = database_url(tmp_path, f"techtrack_crew_{worker_id}")
        crew = Crew(tmp_path, database_url=url, settings={"TECHTRACK_PROCESSES": "2"})
        (tmp_path / "no.pem").write_text("no certificate")
        certificate = ["--certfile", "no.pem", "--keyfile", "no.pem"]
        command = [sys.executable, "-m", "techtrack.cli", "up", "--port", str(crew.port), *certificate]
        done = subprocess.run(
            command,
            check=False,
            env=crew.env | {"PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2, done.stderr
        assert "The server cannot start: a process ended with code 1" in done.stderr
