"""Live news: what a delivery costs with a thousand sockets, and how soon an alert is heard while much comes in."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks import client
from benchmarks.bench import OURS, POSTGRES, SQLITE, Bench
from benchmarks.figures import Result, Run, limit, number, percentile
from benchmarks.load import make_load, stamp
from benchmarks.plant import ALARM
from benchmarks.processes import wait_until_idle
from benchmarks.sockets import Audience, Wire, raise_file_limit
from benchmarks.techtrack import TechTrack

SOCKETS, READINGS_A_SECOND = 1_000, 5
VALUES_A_SECOND, READINGS_A_BODY = 50_000, 1_000


def fanout(bench: Bench) -> Result:
    """A thousand sockets on the readings of one site, five readings a second."""
    raise_file_limit()
    seconds = bench.pick(6, 20)
    found = {name: _fan_out(bench, start, seconds) for name, start in bench.starts(SQLITE, POSTGRES).items()}
    shown = ["system", "deliveries", "CPU µs/delivery", "p50 ms", "p99 ms", "delivered %", "client CPU µs"]
    names = ("deliveries", "cpu", "p50", "p99", "share", "client")
    rows = [[name, *(number(run[figure]) for figure in names)] for name, run in found.items()]
    bars = []
    for name in OURS:
        run = found.get(name, {})
        bars += [
            limit(f"{name}: CPU per delivery", run.get("cpu"), 25, "µs"),
            limit(f"{name}: p99 at 5,000 deliveries/s", run.get("p99"), 100, "ms"),
        ]
    notes = [
        (
            f"{SOCKETS:,} sockets subscribed to the readings of a site, {READINGS_A_SECOND} readings a second "
            "sent one by "
            f"one for {seconds:g} s. CPU of the server's processes, less what the same readings cost without sockets."
        ),
        (
            "Latency from before the reading is sent to when the client's process reads the frame; the client "
            "shares the cores."
        ),
    ]
    return Result("fanout", "Live fan-out to 1,000 sockets", shown, rows, bars, notes)


def _fan_out(bench: Bench, start: Any, seconds: float) -> Run:
    with bench.running(start) as system:
        bench.say(f"{system.name}: readings without sockets")
        count = int(READINGS_A_SECOND * seconds)
        _post_slowly(system, 5)
        alone = _cost_of(system, count)
        bench.say(f"{system.name}: opening {SOCKETS} sockets")
        audience = Audience(system.port, system.keys["read"], f"sites/{system.site}/readings", size=SOCKETS)
        wait_until_idle(system.pids, at_most=6)
        together = _cost_of(system, count)
        time.sleep(1)
        latencies, cpu = audience.leave()
        deliveries = len(latencies)
        return {
            "deliveries": deliveries,
            "cpu": (together - alone) / deliveries * 1e6 if deliveries else math.nan,
            "p50": percentile(latencies, 0.5) * 1e3,
            "p99": percentile(latencies, 0.99) * 1e3,
            "share": 100 * deliveries / (count * SOCKETS),
            "client": cpu / deliveries * 1e6 if deliveries else math.nan,
        }


def _cost_of(system: TechTrack, count: int) -> float:
    before = system.cpu()
    _post_slowly(system, count)
    return system.cpu() - before


def _post_slowly(system: TechTrack, count: int) -> None:
    began = time.monotonic()
    for turn in range(count):
        time.sleep(max(0.0, began + turn / READINGS_A_SECOND - time.monotonic()))
        asset = system.machines[turn % len(system.machines)]
        _post(system, asset, f'"temperature":61.5,"sent_at":{time.monotonic():.6f}')


def _post(system: TechTrack, asset: int, values: str) -> None:
    item = f'{{"asset":{asset},"timestamp":"{_now()}","values":{{{values}}}}}'
    request = client.request("POST", "/api/ingest/", f'{{"items":[{item}]}}'.encode(), system.headers("ingest"))
    status, body = client.ask(system.port, request)
    assert status == 200, f"{status} {body[:300]!r}"


def _now() -> str:
    return stamp(int(datetime.now(UTC).timestamp() * 1e6))


def alerts(bench: Bench) -> Result:
    """Raise and return one alert again and again while 50,000 values a second come in."""
    seconds = bench.pick(10, 30)
    found = {name: _alarm(bench, start, seconds) for name, start in bench.starts(SQLITE, POSTGRES).items()}
    shown = ["system", "alerts", "p50 ms", "p99 ms", "longest ms", "values/s meanwhile"]
    names = ("alerts", "p50", "p99", "longest", "rate")
    rows = [[name, *(number(run[figure]) for figure in names)] for name, run in found.items()]
    bars = [limit(f"{name}: alert heard, p99", found.get(name, {}).get("p99"), 250, "ms") for name in OURS]
    notes = [
        (
            f"Bodies of {READINGS_A_BODY:,} readings at {VALUES_A_SECOND:,} values/s for {seconds:g} s; beside "
            "them one "
            "reading after the other that raises an alert, or lets it return, over its own connection. From "
            "before it is "
            "sent until the frame is read from a socket. Where the door cannot take that much, the last column says so."
        ),
    ]
    return Result("alerts", "Alert latency under load", shown, rows, bars, notes)


def _alarm(bench: Bench, start: Any, seconds: float) -> Run:
    with bench.running(start) as system:
        bench.say(f"{system.name}: alerts under load")
        wire = Wire(system.port, system.keys["read"], f"sites/{system.site}/alerts")
        while wire.hear().get("type") != "subscribed":
            pass
        rate = VALUES_A_SECOND / (READINGS_A_BODY * 5)
        load = make_load(
            ticks=int(rate * seconds), end=datetime.now(UTC) - timedelta(minutes=5), step=timedelta(seconds=1)
        )
        requests = [system.write_request(load, tick, tick + 1) for tick in range(load.times.size)]
        sending = client.Sending(system.port, requests, connections=2, rate=rate)
        latencies = _raise_and_return(system, wire, until=time.monotonic() + seconds)
        done = sending.result()
        done.check(system.name)
        return {
            "alerts": len(latencies),
            "p50": percentile(latencies, 0.5) * 1e3,
            "p99": percentile(latencies, 0.99) * 1e3,
            "longest": max(latencies, default=math.nan) * 1e3,
            "rate": load.count / done.seconds,
        }


def _raise_and_return(system: TechTrack, wire: Wire, *, until: float) -> list[float]:
    latencies = []
    while time.monotonic() < until:
        for value in (95, 20):
            began = time.monotonic()
            _post(system, system.machines[-1], f'"{ALARM}":{value}')
            while wire.hear().get("type") != "alert":
                pass
            latencies.append(time.monotonic() - began)
            time.sleep(0.05)
    return latencies
