"""One reading a request, as devices without a gateway send."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from benchmarks import client
from benchmarks.bench import IN_TWO, OURS, Bench, Start
from benchmarks.figures import Result, Run, at_least, interleaved, limit, number, percentile
from benchmarks.load import ASSETS, Load, make_load, whole_hour
from benchmarks.peers.series import InfluxDB, VictoriaMetrics
from benchmarks.peers.served import PlainRows
from benchmarks.peers.tutorial import TutorialDRF
from benchmarks.system import System

CONNECTIONS = (8, 64)
# Of what it can take at most: where it should still answer quickly.
SHARE = 0.8
SHOWN = [
    "system",
    "readings/s (8)",
    "readings/s (64)",
    "CPU µs each",
    "p50 ms",
    "p99 ms",
    "p99 ms at 80 %",
    "client µs",
]


def single(bench: Bench) -> Result:
    """Keep-alive connections, 8 and 64 of them, then 80 % of what was reached."""
    seconds = bench.pick(1.5, 4)
    load = make_load(ticks=int(bench.pick(40, 120)), end=whole_hour(1), step=timedelta(seconds=10))
    peers = (VictoriaMetrics.name, InfluxDB.name, PlainRows.name, TutorialDRF.name)
    starts = bench.starts(*OURS, *IN_TWO.values(), *peers)
    measures = {name: partial(_measure, start, bench, load, seconds) for name, start in starts.items()}
    slow = {PlainRows.name, TutorialDRF.name}
    runs = interleaved(measures, rounds=1 if bench.quick else 2, say=bench.say, once=slow)
    names = ("rate_8", "rate_64", "cpu", "p50", "p99", "p99_at_80", "client")
    rows = [[name, *(number(run.get(figure)) for figure in names)] for name, run in runs.items()]
    rows += [[name, "not installed", *[""] * 6] for name in bench.missing]
    result = Result("single", "Single readings", SHOWN, rows)
    for name in (*OURS, *(name for name in IN_TWO.values() if name in starts)):
        ours = runs.get(name, {})
        drf, influx = runs.get(TutorialDRF.name, {}).get("rate_64"), runs.get(InfluxDB.name, {}).get("rate_64")
        result.bars += [
            at_least(f"{name}: readings/s against tutorial DRF", ours.get("rate_64"), drf, times=30),
            at_least(f"{name}: readings/s against InfluxDB", ours.get("rate_64"), influx, times=1),
            limit(f"{name}: p99 at 80 % of saturation", ours.get("p99_at_80"), 50, "ms"),
        ]
    result.notes = [
        (
            f"One reading of 5 values a request; {seconds:g} s with 8 connections and with 64, each sending "
            "when it was "
            "answered; then 64 connections at 80 % of that rate, latency counted from when a request was due."
        ),
        (
            "One client process drives all connections: beyond some 20,000 requests/s it is the client that is full "
            "(its own CPU is in the last column). VictoriaMetrics does not commit before it answers."
        ),
    ]
    return result


def _measure(start: Start, bench: Bench, load: Load, seconds: float) -> Run:
    with bench.running(start) as system:
        requests = [
            system.single_request(load, tick, machine) for tick in range(load.times.size) for machine in range(ASSETS)
        ]
        # The first requests meet cold caches; they are not what a device meets.
        client.send(system.port, requests[:500], connections=8, seconds=0.5).check(system.name)
        run = _saturated(system, requests[500:], seconds)
        rate = run["rate_64"] * SHARE
        paced = requests[-max(64, int(rate * seconds)) :]
        eased = client.send(system.port, paced, connections=64, rate=rate)
        eased.check(system.name)
        return run | {"p99_at_80": percentile(eased.latencies, 0.99) * 1e3}


def _saturated(system: System, requests: list[bytes], seconds: float) -> Run:
    run: Run = {}
    for number_of in CONNECTIONS:
        before = system.cpu()
        # Each half of the readings once: a reading that is sent twice would be cheaper for some.
        half = len(requests) // len(CONNECTIONS)
        part = requests[:half] if number_of == CONNECTIONS[0] else requests[half:]
        done = client.send(system.port, part, connections=number_of, seconds=seconds)
        done.check(system.name)
        count = len(done.latencies)
        run |= {
            f"rate_{number_of}": count / done.seconds,
            "cpu": (system.cpu() - before) / count * 1e6,
            "p50": percentile(done.latencies, 0.5) * 1e3,
            "p99": percentile(done.latencies, 0.99) * 1e3,
            "client": done.cpu / count * 1e6,
        }
    return run
