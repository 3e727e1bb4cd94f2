"""Telling people: how soon a mail server has an alert while other gateways hang, and how fast a backlog is drained."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from benchmarks import client
from benchmarks.bench import POSTGRES, SQLITE, Bench
from benchmarks.figures import Result, Run, limit, number, percentile
from benchmarks.lines.outbox_gateways import MailServer, Silence
from benchmarks.load import stamp
from benchmarks.plant import ALARM
from benchmarks.processes import Server, cpu_seconds
from benchmarks.system import System
from benchmarks.techtrack import ROOT, TechTrack

# More than a sender has threads for them.
HANGING = 20
BACKLOG = 10_000
# After so many seconds without a message there will be none.
PATIENCE = 60.0
Start = Callable[..., System]


def outbox(bench: Bench) -> Result:
    """Both, on each database."""
    wanted = bench.starts(SQLITE, POSTGRES)
    found = {name: _soon(bench, name, bench.pick(10, 40)) | _drained(bench, name) for name in wanted}
    shown = ["system", "messages", "p50 s", "p95 s", "longest s", "backlog", "seconds", "messages/s", "CPU ms each"]
    names = ("messages", "p50", "p95", "longest", "backlog", "drained", "rate", "cpu")
    rows = [[name, *(number(run[figure]) for figure in names)] for name, run in found.items()]
    bars = []
    for name in (SQLITE, POSTGRES):
        run = found.get(name, {})
        # A glance drains less, and is not what the bar speaks of.
        drained = run.get("drained") if run.get("backlog") == BACKLOG else None
        bars += [
            limit(f"{name}: alert until accepted, p95", run.get("p95"), 5, "s"),
            limit(f"{name}: {BACKLOG:,} deliveries drained", drained, 300, "s"),
        ]
    notes = [
        (
            f"A reading raises an alert, the next lets it return; each is told by mail and to {HANGING} webhooks that "
            "never answer. From before the reading is sent until the mail server has said that it took the message."
        ),
        (
            f"{BACKLOG:,} alerts of which nobody has been told; then one `techtrack worker` starts, until the last of "
            "them was taken by the mail server: grouping, writing and sending, one channel. CPU is that of the worker."
        ),
    ]
    return Result("outbox", "Telling people", shown, rows, bars, notes)


def _starting(bench: Bench, name: str, mail: int) -> Callable[[], TechTrack]:
    settings = {"EMAIL_URL": f"smtp://127.0.0.1:{mail}", "TECHTRACK_PRIVATE_DESTINATIONS": "127.0.0.1"}
    return partial(TechTrack, bench.postgres if name == POSTGRES else None, **settings)


# -- Soon ------------------------------------------------------------------------------------------------------


def _soon(bench: Bench, name: str, seconds: float) -> Run:
    bench.say(f"{name}: alerts by mail while {HANGING} gateways hang")
    with (
        closing(MailServer()) as mail,
        closing(Silence()) as silence,
        bench.running(_starting(bench, name, mail.port)) as system,
    ):
        assert isinstance(system, TechTrack)
        hooks = [{"url": f"http://127.0.0.1:{silence.port}/{place}"} for place in range(HANGING)]
        channels = [_channel(system, "webhook", config) for config in hooks]
        _route(system, [_channel(system, "email", {"to": ["shift@plant.example"]}), *channels])
        latencies = _alarms(system, mail, until=time.monotonic() + seconds)
    return {
        "messages": len(latencies),
        "p50": percentile(latencies, 0.5),
        "p95": percentile(latencies, 0.95),
        "longest": max(latencies, default=math.nan),
    }


def _alarms(system: TechTrack, mail: MailServer, *, until: float) -> list[float]:
    latencies = []
    while time.monotonic() < until:
        for value in (95, 20):
            began, before = time.monotonic(), len(mail.taken)
            _read(system, value)
            mail.wait(before + 1, patience=PATIENCE)
            latencies.append(list(mail.taken.values())[before] - began)
            time.sleep(0.05)
    return latencies


# -- Drained ---------------------------------------------------------------------------------------------------


def _drained(bench: Bench, name: str) -> Run:
    backlog = int(bench.pick(500, BACKLOG))
    with closing(MailServer()) as mail, bench.running(_starting(bench, name, mail.port)) as system:
        assert isinstance(system, TechTrack)
        _route(system, [_channel(system, "email", {"to": ["shift@plant.example"]})])
        system.end()
        bench.say(f"{name}: {backlog:,} alerts of which nobody knows")
        command = [sys.executable, "-m", "benchmarks.lines.outbox_backlog", str(backlog)]
        subprocess.run(command, env=dict(system.env), cwd=ROOT, check=True)
        bench.say(f"{name}: telling of them")
        began = time.monotonic()
        work = [sys.executable, "-m", "techtrack.cli", "worker"]
        worker = Server(work, log=system.folder / "worker.log", env=system.env, cwd=ROOT)
        try:
            mail.wait(backlog, patience=PATIENCE)
            seconds, cpu = max(mail.taken.values()) - began, cpu_seconds([worker.pid])
        finally:
            worker.stop()
    return {"backlog": backlog, "drained": seconds, "rate": backlog / seconds, "cpu": cpu / backlog * 1e3}


# -- Doors -----------------------------------------------------------------------------------------------------


def _channel(system: TechTrack, kind: str, config: dict[str, object]) -> int:
    made = _made(system, "channels", {"name": f"{kind} {config}"[:100], "kind": kind, "config": config})
    return int(str(made["id"]))


def _route(system: TechTrack, channels: list[int]) -> None:
    _made(system, "routes", {"name": "Everybody", "channels": channels})


def _read(system: TechTrack, value: float) -> None:
    when = stamp(time.time_ns() // 1000)
    item = {"asset": system.machines[-1], "timestamp": when, "values": {ALARM: value}}
    body = json.dumps({"items": [item]}).encode()
    status, answer = client.ask(system.port, client.request("POST", "/api/ingest/", body, system.headers("ingest")))
    assert status == 200, f"{status} {answer[:300]!r}"


def _made(system: TechTrack, what: str, data: dict[str, object]) -> dict[str, object]:
    request = client.request("POST", f"/api/{what}/", json.dumps(data).encode(), system.headers("write"))
    status, body = client.ask(system.port, request)
    assert status == 201, f"{status} {body[:300]!r}"
    made: dict[str, object] = json.loads(body)
    return made
