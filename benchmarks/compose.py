"""The production set-up of deploy/compose.yaml as local processes: the same commands, proxy and number of each."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.postgres import Postgres
from benchmarks.processes import DidNotStart, Server, answers, free_port
from benchmarks.system import NotInstalled
from benchmarks.techtrack import ROOT, TechTrack

DEPLOY, BIN = ROOT / "deploy", Path(sys.executable).parent
WEB, ASGI = ("web-1", "web-2"), ("asgi-1", "asgi-2")
# In the order in which they are started; each needs those before it.
PARTS = ("postgres", "redis", "worker", *WEB, *ASGI, "proxy")


class Part:
    """One process of the set-up, which can be killed, stopped, frozen and started again in its place."""

    def __init__(self, name: str, begin: Callable[[], Server], ready: Callable[[], bool]) -> None:
        self.name = name
        self._begin, self._ready = begin, ready
        self._server: Server | None = None

    def adopt(self, server: Server) -> None:
        """Take over a process that somebody else has started."""
        self._server = server

    @property
    def server(self) -> Server:
        """The process that runs, or ran last."""
        assert self._server is not None, f"{self.name} was never started"
        return self._server

    @property
    def pid(self) -> int:
        """The id of its first process."""
        return self.server.pid

    def start(self) -> None:
        """Start it, at the address that it always has; ``wait`` waits until it answers."""
        self._server = self._begin()

    def is_ready(self) -> bool:
        """Tell whether it runs and answers."""
        return self._server is not None and self._server.is_running() and self._ready()

    def wait(self, *, seconds: float = 90.0) -> None:
        """Return when it answers; raises DidNotStart."""
        self.server.wait_for(self._ready, seconds=seconds)

    def kill(self) -> None:
        """Pull its plug: no chance to finish anything."""
        self.server.kill()

    def stop(self) -> None:
        """End it in good order, as ``docker stop`` does."""
        if self._server is not None:
            self._server.stop()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        self.server.signal(number)


class Compose(TechTrack):
    """nginx, two web and two ASGI nodes, a worker, Redis and PostgreSQL; without TLS."""

    name = "TechTrack, compose"

    def __init__(self, postgres: Postgres, **settings: str) -> None:
        for program in ("nginx", "redis-server"):
            find(program)
        self._server_of_data = postgres
        self.ports = {name: free_port() for name in ("redis", *WEB, *ASGI)}
        self.parts = {name: self._part(name) for name in PARTS}
        together = {
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "TECHTRACK_EMBEDDED_WORKERS": "false",
            "TECHTRACK_BEHIND_PROXY": "true",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        super().__init__(postgres, **(together | settings))

    @property
    def pids(self) -> list[int]:
        return [part.pid for part in self.parts.values()]

    def connect(self) -> Any:
        """Open a connection to its database."""
        return self._server_of_data.connect(self._database)

    def end(self) -> None:
        """End all but PostgreSQL, which others may use."""
        for name in reversed(PARTS[1:]):
            self.parts[name].stop()

    def _start(self) -> list[Server]:
        for name in PARTS[1:]:
            self.parts[name].start()
        for name in PARTS:
            self.parts[name].wait()
        self._await_all()
        return []

    def _await_all(self) -> None:
        """Wait until the judge and the others have begun: a node is ready before the worker is."""
        deadline = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{self.port}/readyz"):
            if time.monotonic() > deadline:
                raise DidNotStart((self.folder / "worker.log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def _part(self, name: str) -> Part:
        if name == "postgres":
            part = Part(name, self._server_of_data.start, self._server_of_data.is_ready)
            part.adopt(self._server_of_data.server)
            return part
        begin: dict[str, Callable[[], Server]] = {"redis": self._redis, "proxy": self._proxy}
        ready: dict[str, Callable[[], bool]] = {
            "redis": lambda: _listens(self.ports["redis"]),
            "proxy": lambda: _listens(self.port),
            "worker": lambda: True,
        }
        node = partial(self._node, name, name.partition("-")[0])
        healthy = partial(self._is_healthy, name)
        return Part(name, begin.get(name, node), ready.get(name, healthy))

    def _is_healthy(self, name: str) -> bool:
        return answers(f"http://127.0.0.1:{self.ports[name]}/healthz")

    def _node(self, name: str, command: str) -> Server:
        port = str(self.ports.get(name, 0))
        return self._run(name, [str(DEPLOY / "entrypoint.sh"), command], HOST="127.0.0.1", PORT=port)

    def _redis(self) -> Server:
        port = str(self.ports["redis"])
        options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        return self._run("redis", [find("redis-server"), *options])

    def _proxy(self) -> Server:
        web, asgi = ([self.ports[name] for name in names] for names in (WEB, ASGI))
        configuration = configure_proxy(self.folder, port=self.port, web=web, asgi=asgi)
        return self._run("proxy", [find("nginx"), "-e", str(self.folder / "proxy.log"), "-c", str(configuration)])

    def _run(self, name: str, command: list[str], **settings: str) -> Server:
        # As its image says: nginx finishes what it has begun when it is told to quit.
        end_with = signal.SIGQUIT if name == "proxy" else signal.SIGTERM
        log = self.folder / f"{name}.log"
        return Server(command, log=log, env=self.env | settings, cwd=ROOT, end_with=end_with)


def find(program: str) -> str:
    """Return the path of a program; raises NotInstalled."""
    found = shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if found is None:
        raise NotInstalled(f"{program} is not installed (apt-get install nginx-light redis-server)")
    return found


def configure_proxy(folder: Path, *, port: int, web: Sequence[int], asgi: Sequence[int]) -> Path:
    """Write the configuration of deploy/ for one or two nodes of each kind, by their ports, and without TLS."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r"server \{\s+listen 80 .*?\}\n", "", text, flags=re.DOTALL)
    text = re.sub(r" *ssl_\w+ .*\n", "", text)
    text = re.sub(r"listen 443 .*?;", f"listen 127.0.0.1:{port};", text)
    ports = _named("web", web) | _named("asgi", asgi)
    text = re.sub(
        r" *server ((?:web|asgi)-\d):8000(.*);\n",
        lambda found: f"server 127.0.0.1:{ports[found[1]]}{found[2]};\n" if found[1] in ports else "",
        text,
    )
    here = f"access_log {folder}/access.log; client_body_temp_path {folder}/bodies;"
    text = text.replace("http {", f"http {{\n    {here}", 1)
    owner = "user root;" if os.geteuid() == 0 else ""
    path = folder / "nginx.conf"
    path.write_text(f"daemon off; pid {folder}/nginx.pid; {owner}\n{text}")
    return path


def _named(kind: str, ports: Sequence[int]) -> dict[str, int]:
    return {f"{kind}-{place}": port for place, port in enumerate(ports, start=1)}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
