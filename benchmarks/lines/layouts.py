"""The process layouts: one process, and many behind a proxy; people's requests and readings in the same run."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from benchmarks import client
from benchmarks.bench import Bench, Start
from benchmarks.compose import BIN, DEPLOY, configure_proxy, find
from benchmarks.figures import Result, Run, interleaved, number, percentile
from benchmarks.load import make_load
from benchmarks.processes import Server, answers, free_port
from benchmarks.system import NotInstalled
from benchmarks.techtrack import ROOT, TechTrack

CONNECTIONS = 8
# So many bodies a second, each one tick of all machines: 50,000 values.
BODIES = 10
# Of twenty requests; all others read one asset.
LISTS, RENAMES, CREATIONS, DELETIONS = {3, 8, 13, 18}, {5, 15}, {0}, {10}
# More than any layout answers: an asset can be deleted once.
MOST_A_SECOND = 1_000


class Embedded(TechTrack):
    """One uvicorn process with everything in it."""


class Production(TechTrack):
    """Django on granian, the fast door on uvicorn, a worker, Redis where there is one, behind nginx: as in deploy/."""

    def _start(self) -> list[Server]:
        web, asgi = free_port(), free_port()
        settings = {"TECHTRACK_EMBEDDED_WORKERS": "false", "TECHTRACK_BEHIND_PROXY": "true"}
        self.env |= settings | {"PATH": f"{BIN}:{os.environ['PATH']}"}
        servers = self._redis()
        started = [self._part("worker", [str(DEPLOY / "entrypoint.sh"), "worker"])]
        for name, command, port in (("web", self._web(web), web), ("asgi", self._asgi(), asgi)):
            started.append(self._part(name, command, HOST="127.0.0.1", PORT=str(port)))
            started[-1].wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/healthz"))
        started.append(self._proxy(web, asgi))
        started[-1].wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))
        return servers + started

    def _web(self, port: int) -> list[str]:
        return [str(DEPLOY / "entrypoint.sh"), "web"]

    def _asgi(self) -> list[str]:
        return [str(DEPLOY / "entrypoint.sh"), "asgi"]

    def _part(self, name: str, command: list[str], **settings: str) -> Server:
        return Server(command, log=self.folder / f"{name}.log", env=self.env | settings, cwd=ROOT)

    def _redis(self) -> list[Server]:
        program = shutil.which("redis-server")
        if program is None:
            return []
        port = free_port()
        self.env["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        return [self._part("redis", [program, *options])]

    def _proxy(self, web: int, asgi: int) -> Server:
        configuration = configure_proxy(self.folder, port=self.port, web=[web], asgi=[asgi])
        return self._part("proxy", [find("nginx"), "-e", str(self.folder / "proxy.log"), "-c", str(configuration)])


class DjangoAsgi(Production):
    """The same, but Django under its own ASGI handler."""

    def _web(self, port: int) -> list[str]:
        application = ["--factory", "django.core.asgi:get_asgi_application", "--lifespan", "off"]
        at = ["--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
        return [str(BIN / "uvicorn"), *application, *at, "--no-access-log", "--no-proxy-headers"]


def layouts(bench: Bench) -> Result:
    """People alone, then people while readings come in."""
    seconds = bench.pick(3, 8)
    measures: dict[str, Callable[[], Run]] = {
        name: lambda start=start: _measure(bench, start, seconds)  # type: ignore[misc]
        for name, start in _starts(bench).items()
    }
    runs = interleaved(measures, rounds=bench.rounds, say=bench.say)
    shown = {
        "alone": "people/s alone",
        "alone_p50": "p50 ms",
        "alone_p99": "p99 ms",
        "alone_cpu": "CPU ms a request",
        "both": "people/s with readings",
        "both_p50": "p50 ms",
        "both_p99": "p99 ms",
        "values": "values/s",
        "ack_p50": "ack p50 ms",
        "ack_p99": "ack p99 ms",
        "cores": "cores busy",
    }
    rows = [[name, *(number(run[figure]) for figure in shown)] for name, run in runs.items()]
    notes = [
        (
            f"People: {CONNECTIONS} connections, each asking again when answered; of twenty requests twelve read an "
            "asset, four a list of 50, two rename an asset, one creates and one deletes one. Readings: "
            f"{BODIES} bodies a second of 1,000 readings of five values, judged by 5,000 rules. The clients share "
            "the cores with the servers and PostgreSQL; CPU is that of the servers and PostgreSQL."
        ),
        (
            "Production: the commands of `deploy/entrypoint.sh` (web with 2 granian workers, asgi, worker) and "
            "`deploy/nginx.conf` without TLS, Redis where it is installed."
        ),
        *bench.missing.values(),
    ]
    return Result(
        "layouts",
        "Process layouts: people's requests and readings at once",
        ["layout", *shown.values()],
        rows,
        [],
        notes,
    )


def _starts(bench: Bench) -> dict[str, Start]:
    """Return how to start each layout for which all is on this machine; the others are noted in ``missing``."""
    starts: dict[str, Start] = {"one process, SQLite": Embedded}
    try:
        postgres = bench.postgres
        starts["one process, PostgreSQL"] = lambda: Embedded(postgres)
        find("nginx")
        starts["production, PostgreSQL"] = lambda: Production(postgres)
        starts["the same, Django's own ASGI handler"] = lambda: DjangoAsgi(postgres)
    except NotInstalled as error:
        bench.missing["layouts"] = str(error)
    return starts


def _measure(bench: Bench, start: Start, seconds: float) -> Run:
    with bench.running(start) as system:
        assert isinstance(system, TechTrack)
        each = int(seconds * MOST_A_SECOND / 20)
        people = _people(system, spares=_make_spares(system, 2 * each + 10))
        client.send(system.port, list(islice(people, 200)), connections=CONNECTIONS).check("people")
        cpu = system.cpu()
        alone = client.send(system.port, list(islice(people, 20 * each)), connections=CONNECTIONS, seconds=seconds)
        cpu = system.cpu() - cpu
        alone.check("people alone")
        sending = client.Sending(system.port, _readings(system, seconds + 1), connections=4, rate=BODIES)
        time.sleep(0.5)
        busy = system.cpu()
        both = client.send(system.port, list(islice(people, 20 * each)), connections=CONNECTIONS, seconds=seconds)
        busy = system.cpu() - busy
        readings = sending.result()
        both.check("people with readings")
        readings.check("readings with people")
        return {
            "alone": len(alone.latencies) / alone.seconds,
            "alone_p50": percentile(alone.latencies, 0.5) * 1e3,
            "alone_p99": percentile(alone.latencies, 0.99) * 1e3,
            "alone_cpu": cpu / len(alone.latencies) * 1e3,
            "both": len(both.latencies) / both.seconds,
            "both_p50": percentile(both.latencies, 0.5) * 1e3,
            "both_p99": percentile(both.latencies, 0.99) * 1e3,
            "values": len(readings.latencies) * 5 * len(system.machines) / readings.seconds,
            "ack_p50": percentile(readings.latencies, 0.5) * 1e3,
            "ack_p99": percentile(readings.latencies, 0.99) * 1e3,
            "cores": busy / both.seconds,
        }


def _readings(system: TechTrack, seconds: float) -> list[bytes]:
    """Return the requests of so many seconds at the true cadence: readings of now."""
    ticks, step = int(seconds * BODIES), timedelta(seconds=1 / BODIES)
    load = make_load(ticks=ticks, end=datetime.now(UTC) + ticks * step, step=step)
    return [system.write_request(load, tick, tick + 1) for tick in range(ticks)]


def _make_spares(system: TechTrack, count: int) -> Iterator[int]:
    """Create assets to be deleted; their ids follow those of the machines."""
    requests = [_creation(system, f"spare-{n}") for n in range(count)]
    client.send(system.port, requests, connections=CONNECTIONS).check("creation")
    return iter(range(system.machines[-1] + 1, system.machines[-1] + 1 + count))


def _creation(system: TechTrack, key: str) -> bytes:
    body = f'{{"name":"{key}","key":"{key}","type":"machine","site":{system.site}}}'.encode()
    return client.request("POST", "/api/equipment/", body, system.headers("write"))


def _people(system: TechTrack, *, spares: Iterator[int]) -> Iterator[bytes]:
    """Give what people ask for, without end."""
    headers = system.headers("write")
    patch = headers | {"Content-Type": "application/merge-patch+json"}
    turn = 0
    while True:
        turn, kind = turn + 1, turn % 20
        # Far from one another, as what people look at is.
        machine = system.machines[turn * 37 % len(system.machines)]
        if kind in LISTS:
            yield client.request("GET", "/api/equipment/", headers=headers)
        elif kind in RENAMES:
            body = f'{{"name":"Machine {machine} of turn {turn}"}}'.encode()
            yield client.request("PATCH", f"/api/equipment/{machine}/", body, patch)
        elif kind in CREATIONS:
            yield _creation(system, f"new-{turn}")
        elif kind in DELETIONS:
            yield client.request("DELETE", f"/api/equipment/{next(spares)}/", headers=headers)
        else:
            yield client.request("GET", f"/api/equipment/{machine}/", headers=headers)
