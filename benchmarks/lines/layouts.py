"""The process layouts: one process, and many; people's requests and readings measured in the same run."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks import client
from benchmarks.bench import Bench, Start
from benchmarks.figures import Result, Run, interleaved, number, percentile
from benchmarks.load import BODY, make_load, whole_hour
from benchmarks.processes import Server, answers, free_port
from benchmarks.techtrack import ROOT, TechTrack

CONNECTIONS = 8


class Embedded(TechTrack):
    """One uvicorn process with everything in it."""

    def people_port(self) -> int:
        """The port that people's requests go to."""
        return self.port


class Production(TechTrack):
    """Django on granian, the fast door and live news on uvicorn, a worker; as in deploy/, without the proxy."""

    def people_port(self) -> int:
        """The port that people's requests go to."""
        return self._web_port

    def _start(self) -> list[Server]:
        self._web_port, redis = free_port(), self._redis()
        self.env |= {"TECHTRACK_EMBEDDED_WORKERS": "false", **({"REDIS_URL": redis[1]} if redis else {})}
        bin_folder = Path(sys.executable).parent
        at = ["--host", "127.0.0.1", "--port"]
        web = [str(bin_folder / "granian"), "--interface", "wsgi", *at, str(self._web_port), "--workers", "2"]
        asgi = [str(bin_folder / "uvicorn"), "techtrack.config.asgi:application", *at, str(self.port)]
        commands = {
            "web": [*web, "--respawn-failed-workers", "--no-ws", "techtrack.config.wsgi:application"],
            "asgi": [*asgi, "--ws", "websockets-sansio", "--no-access-log", "--no-proxy-headers"],
            "worker": [sys.executable, "-m", "techtrack.cli", "worker"],
        }
        servers = [redis[0]] if redis else []
        for name, command in commands.items():
            servers.append(Server(command, log=self.folder / f"{name}.log", env=self.env, cwd=ROOT))
        for server, port in zip(servers[-3:], (self._web_port, self.port), strict=False):
            server.wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/readyz"))
        return servers

    def _redis(self) -> tuple[Server, str] | None:
        program = shutil.which("redis-server")
        if program is None:
            return None
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        return Server(command, log=self.folder / "redis.log"), f"redis://127.0.0.1:{port}/0"


def layouts(bench: Bench) -> Result:
    """People alone, readings alone, both at once."""
    seconds = bench.pick(3, 8)
    starts: dict[str, Start] = {
        "one process, SQLite": Embedded,
        "one process, PostgreSQL": lambda: Embedded(bench.postgres),
        "production layout, PostgreSQL": lambda: Production(bench.postgres),
    }
    measures = {name: lambda start=start: _measure(bench, start, seconds) for name, start in starts.items()}
    runs = interleaved(measures, rounds=1, say=bench.say)
    shown = [
        "layout",
        "people/s alone",
        "p99 ms",
        "M values/s alone",
        "people/s with readings",
        "p99 ms",
        "M values/s with people",
    ]
    names = ("people", "people_p99", "ingest", "people_both", "people_both_p99", "ingest_both")
    rows = [[name, *(number(run[figure]) for figure in names)] for name, run in runs.items()]
    notes = [
        (
            f"People: {CONNECTIONS} connections, of ten requests seven read one asset, two a list of 50, one "
            "renames an asset "
            "(PATCH), with a key. Readings: bodies of 5,000 over 2 connections. Clients share the cores with "
            "the servers."
        ),
        "Production: granian with 2 workers, one uvicorn, one worker, Redis where it is installed; the proxy left out.",
    ]
    return Result("layouts", "Process layouts: people's requests and readings at once", shown, rows, [], notes)


def _measure(bench: Bench, start: Start, seconds: float) -> Run:
    with bench.running(start) as system:
        assert isinstance(system, Embedded | Production)
        people = _people(system)
        load = make_load(ticks=int(seconds * 300), end=whole_hour(1), step=timedelta(seconds=10))
        stretches = load.stretches(BODY)
        requests = [system.write_request(load, first, last) for first, last in stretches]
        half = len(requests) // 2
        port = system.people_port()
        client.send(port, people, connections=CONNECTIONS, seconds=0.5).check("people")
        alone = client.send(port, people, connections=CONNECTIONS, seconds=seconds)
        alone.check("people")
        readings = client.send(system.port, requests[:half], connections=2, seconds=seconds)
        readings.check("readings")
        sending = client.Sending(system.port, requests[half:], connections=2, seconds=seconds)
        time.sleep(0.2)
        both = client.send(port, people, connections=CONNECTIONS, seconds=seconds)
        with_people = sending.result()
        both.check("people with readings")
        with_people.check("readings with people")
        per_body = load.count / len(stretches) / 1e6
        return {
            "people": len(alone.latencies) / alone.seconds,
            "people_p99": percentile(alone.latencies, 0.99) * 1e3,
            "ingest": len(readings.latencies) * per_body / readings.seconds,
            "people_both": len(both.latencies) / both.seconds,
            "people_both_p99": percentile(both.latencies, 0.99) * 1e3,
            "ingest_both": len(with_people.latencies) * per_body / with_people.seconds,
        }


def _people(system: TechTrack) -> list[bytes]:
    headers = system.headers("write")
    patch = headers | {"Content-Type": "application/merge-patch+json"}
    requests = []
    for turn, asset in enumerate(system.machines):
        if turn % 10 < 7:
            requests.append(client.request("GET", f"/api/equipment/{asset}/", headers=headers))
        elif turn % 10 < 9:
            requests.append(client.request("GET", "/api/equipment/", headers=headers))
        else:
            body = f'{{"name":"Machine {asset} again"}}'.encode()
            requests.append(client.request("PATCH", f"/api/equipment/{asset}/", body, patch))
    return requests
