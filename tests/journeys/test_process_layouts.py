"""What servers and the proxy make of bodies and of readers who go away: uvicorn, granian, and granian behind nginx.

Each is started as in deploy/, by the image's entry point and the proxy's own configuration.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests

from benchmarks.compose import configure_proxy
from techtrack.telemetry.api.downloads import AT_ONCE
from tests import servers
from tests.plugins.platform import Platform, database_url, free_port

pytestmark = pytest.mark.xdist_group("campaigns")
ROOT = Path(__file__).resolve().parents[2]
DOORS = ("uvicorn", "granian", "nginx")
PATIENCE = 30.0
# A server that makes an export for nobody, or faster than it is read, gathers this much in no time.
MOST_MEMORY = 64 * 2**20


class Parts(Platform):
    """The parts of a set-up: entry points with one process each, their ports by name."""

    def __init__(self, home: Path, *, database_url: str, **settings: str) -> None:
        super().__init__(home, database_url=database_url, settings=settings)
        self.env |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOST": "127.0.0.1"}
        self.ports = {"uvicorn": self.port, "granian": free_port(), "nginx": free_port(), "narrow": free_port()}
        self.servers: dict[str, psutil.Popen] = {}

    def start(self) -> None:
        """Start them all on a database that is up to date."""
        self.manage("migrate", "--verbosity=0")
        script = self._entrypoint()
        for name, command in (("uvicorn", "asgi"), ("granian", "web")):
            self._run(name, [str(script), command])
        nginx = servers.program("nginx", how="apt-get install nginx-light")
        configuration = configure_proxy(
            self.home, port=self.ports["nginx"], web=[self.ports["granian"]], asgi=[self.ports["uvicorn"]]
        )
        self._run("nginx", [nginx, "-e", str(self.home / "nginx.log"), "-c", str(configuration)])
        self._run("narrow", [nginx, "-e", str(self.home / "narrow.log"), "-c", str(self._narrow())])
        for name in DOORS:
            self.port, self.url = self.ports[name], f"http://127.0.0.1:{self.ports[name]}"
            self.wait()

    def stop(self) -> None:
        """End them."""
        for server in self.servers.values():
            server.terminate()
        for server in self.servers.values():
            server.wait(timeout=30)
        self.servers.clear()

    def ask_at(self, door: str, path: str) -> requests.Response:
        """Read something through one of the doors, as the admin."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        return requests.get(f"http://127.0.0.1:{self.ports[door]}{path}", headers=headers, timeout=PATIENCE)

    def memory(self, name: str) -> int:
        """Return the memory of a part and of the processes below it, in bytes."""
        parts = [self.servers[name], *self.servers[name].children(recursive=True)]
        return sum(part.memory_info().rss for part in parts)

    def _run(self, name: str, command: list[str]) -> None:
        with self.log.with_name(f"{name}.log").open("ab") as log:
            env = self.env | {"PORT": str(self.ports[name])}
            self.servers[name] = psutil.Popen(command, env=env, stdout=log, stderr=log)

    def _narrow(self) -> Path:
        """Configure a proxy before the same parts that has one place for all requests but those of the fast door."""
        folder = self.home / "narrow"
        folder.mkdir()
        web, asgi = [self.ports["granian"]], [self.ports["uvicorn"]]
        configuration = configure_proxy(folder, port=self.ports["narrow"], web=web, asgi=asgi)
        text, count = re.subn(r"max_conns=100 ", "max_conns=1 ", configuration.read_text())
        assert count == 1
        configuration.write_text(text)
        return configuration

    def _entrypoint(self) -> Path:
        """Copy the entry point, to serve an asset without end from one process each."""
        place = self.home / "app"
        shutil.copytree(ROOT / "deploy", place / "deploy")
        for name in ("techtrack", "tests", "manage.py"):
            (place / name).symlink_to(ROOT / name)
        script = place / "deploy" / "entrypoint.sh"
        text, count = re.subn(
            r"techtrack\.config\.(asgi|wsgi):application", r"tests.campaigns.endless:\1", script.read_text()
        )
        assert count == 2
        script.write_text(text)
        self.env["PYTHONPATH"] = str(place)
        return script


@pytest.fixture(scope="module")
def make_parts(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Callable[..., Parts]]:
    with ExitStack() as stack:

        def make(**settings: str) -> Parts:
            home = tmp_path_factory.mktemp("parts")
            url = database_url(home, f"techtrack_{home.name}_{worker_id}")
            parts = Parts(home, database_url=url, **settings)
            stack.callback(parts.stop)
            parts.start()
            parts.make_admin()
            assert parts.call("POST", "/api/equipment/", json={"name": "Robot"}).status_code == 201
            return parts

        yield make


@pytest.fixture(scope="module")
def parts(make_parts) -> Parts:
    return make_parts()


class Line:
    """A connection on which requests are written by hand."""

    def __init__(self, parts: Parts, door: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", parts.ports[door]), timeout=PATIENCE)
        self._token = parts.token()

    def send(self, first_line: str, *headers: str, body: bytes = b"") -> None:
        common = ["Host: 127.0.0.1", f"Authorization: Bearer {self._token}", "Content-Type: application/json"]
        self._socket.sendall("\r\n".join([f"{first_line} HTTP/1.1", *common, *headers, "", ""]).encode() + body)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def status(self) -> int:
        """Read the beginning of the answer; 0 where there is none."""
        try:
            said = self._socket.recv(65_536)
        except ConnectionResetError:
            return 0
        return int(said[9:12]) if said else 0

    def read(self, size: int) -> None:
        while size > 0 and (said := self._socket.recv(65_536)):
            size -= len(said)

    def finish_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def go(self, *, rudely: bool = False) -> None:
        """Close the connection; rudely, as a machine that lost its power is told of."""
        if rudely:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


class Visitor:
    """Speaks to one part by hand; whatever is still open at the end is closed."""

    def __init__(self, parts: Parts, door: str) -> None:
        self.parts, self.door = parts, door
        self._lines: list[Line] = []

    def line(self) -> Line:
        self._lines.append(Line(self.parts, self.door))
        return self._lines[-1]

    def post(self, *headers: str, body: bytes = b"") -> Line:
        """Begin to create an asset."""
        line = self.line()
        line.send("POST /api/equipment/", *headers, body=body)
        return line

    def begin_export(self, *, within: float = PATIENCE) -> Line | None:
        """Begin an export without end as soon as the server takes one more; None if it does not in time."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            line = self.line()
            line.send("GET /api/data/?format=csv")
            if (status := line.status()) == 200:
                return line
            assert status == 503, status
            line.go()
            time.sleep(0.1)
        return None

    def knows(self, name: str) -> bool:
        """Tell whether there is an asset of this name."""
        rows = self.parts.call("GET", "/api/equipment/").json()["results"]
        return name in {row["name"] for row in rows}

    def leave(self) -> None:
        for line in self._lines:
            line.go()


@pytest.fixture(params=DOORS)
def visitor(parts, request) -> Iterator[Visitor]:
    visitor = Visitor(parts, request.param)
    yield visitor
    visitor.leave()


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


class TestBodies:
    def test_in_chunks_arrive_whole_or_are_refused(self, visitor):
        name = f"Chunked {visitor.door}"
        body = json.dumps({"name": name}).encode()
        line = visitor.post("Transfer-Encoding: chunked", body=chunks(body[:7], body[7:], b""))
        # granian does not tell where chunks ended too early; nginx sends it none.
        refused = visitor.door == "granian"
        assert line.status() == (400 if refused else 201)
        assert visitor.knows(name) is not refused

    @pytest.mark.parametrize("chunked", [False, True], ids=["by length", "in chunks"])
    def test_that_end_too_early_change_nothing(self, visitor, chunked):
        name = f"Truncated {visitor.door} {chunked}"
        # What has arrived would be good as it stands.
        body = json.dumps({"name": name}).encode()
        if chunked:
            line = visitor.post("Transfer-Encoding: chunked", body=chunks(body))
        else:
            line = visitor.post("Content-Length: 999", body=body)
        line.finish_sending()
        assert line.status() in {0, 400}
        assert not visitor.knows(name)

    def test_that_are_too_large_are_refused(self, visitor):
        line = visitor.post(f"Content-Length: {33 * 2**20}")
        assert line.status() == 413

    def test_that_are_too_large_in_chunks_are_refused(self, visitor):
        line = visitor.post("Transfer-Encoding: chunked")
        with contextlib.suppress(ConnectionError):
            for _ in range(33):
                line.write(chunks(b" " * 2**20))
            line.write(chunks(b""))
        assert line.status() in {0, 400, 413}


class TestExports:
    def test_end_when_their_readers_go_away(self, visitor):
        for _ in range(3):
            lines = [visitor.begin_export() for _ in range(AT_ONCE)]
            assert None not in lines
            for place, line in enumerate(lines):
                line.read(300_000 * place)
                line.go(rudely=bool(place))
        assert visitor.begin_export() is not None

    def test_wait_for_slow_readers_instead_of_filling_memory(self, visitor):
        lines = [visitor.begin_export() for _ in range(AT_ONCE)]
        assert None not in lines
        lines[0].read(1_000_000)
        before = {name: visitor.parts.memory(name) for name in DOORS}
        time.sleep(2)
        grown = {name: visitor.parts.memory(name) - before[name] for name in DOORS}
        assert max(grown.values()) < MOST_MEMORY, grown


class TestTooMuch:
    def test_is_refused_by_the_proxy_at_once_and_says_when_to_come_again(self, parts):
        visitor = Visitor(parts, "narrow")
        export = visitor.begin_export()
        refused = parts.ask_at("narrow", "/api/equipment/")
        visitor.leave()
        check_refusal(refused)
        assert parts.ask_at("nginx", "/api/equipment/").status_code == 200
        assert export is not None

    def test_is_refused_by_the_one_process_and_leaves_those_who_watch_it_alone(self, make_parts):
        parts = make_parts(TECHTRACK_WAITING_REQUESTS=str(AT_ONCE))
        visitor = Visitor(parts, "uvicorn")
        assert all(visitor.begin_export() for _ in range(AT_ONCE))
        refused = parts.ask_at("uvicorn", "/api/equipment/")
        watched = [parts.ask_at("uvicorn", path).status_code for path in ("/healthz", "/readyz")]
        visitor.leave()
        check_refusal(refused)
        assert watched == [200, 200]


def check_refusal(answer: requests.Response) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"} == set(answer.json())


def test_a_server_that_does_not_notice_is_caught(make_parts):
    visitor = Visitor(make_parts(ENDLESS_BUG="deaf"), "uvicorn")
    for _ in range(AT_ONCE):
        visitor.begin_export().go()
    assert visitor.begin_export(within=2) is None
    visitor.leave()
