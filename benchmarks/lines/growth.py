"""The same figures as the data grow: 1, 10 and 100 million values in one database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from benchmarks import client
from benchmarks.bench import OURS, POSTGRES, SQLITE, Bench
from benchmarks.figures import Bar, Result, Run, number
from benchmarks.lines.queries import QUESTIONS, ask_all, fill
from benchmarks.load import ASSETS, BODY, PARAMETERS, make_load, whole_hour
from benchmarks.system import System
from benchmarks.techtrack import TechTrack

MILLION = 1_000_000
STEP = timedelta(seconds=10)
# What is weighed at each size: enough for a figure, little beside the size.
SAMPLE = 500_000
# A fleet's ticks are made and sent in parts of so many, so that the bodies of one part fit into memory.
PART = 720


def growth(bench: Bench) -> Result:
    """Fill it through the door, and weigh and ask at each size."""
    sizes = [size for size in (1, 10, 100) if size <= (1 if bench.quick else bench.most)]
    rows: list[list[str]] = []
    bars: list[Bar] = []
    for name, start in bench.starts(SQLITE, POSTGRES).items():
        with bench.running(start) as system:
            found = _grow(bench, name, system, sizes)
        for size, run in found.items():
            figures = [run["rate"], run["whole"], run["bytes"], *(run[q.name] for q in QUESTIONS)]
            rows.append([f"{name}, {size} M", *map(number, figures)])
        bars += _bars(name, found)
    shown = ["system", "M values/s", "CPU-s/M whole life", "bytes/value", *(f"{q.name}, ms" for q in QUESTIONS)]
    notes = [
        (
            f"Through the door in bodies of {BODY:,} readings; at each size {SAMPLE:,} more values are weighed, "
            "then the "
            "questions are asked over a past that is the same at every size."
        ),
    ]
    return Result("growth", "Growth", shown, rows, [bar for bar in bars if bar.what.startswith(OURS)], notes)


def _grow(bench: Bench, name: str, system: System, sizes: list[int]) -> dict[int, Run]:
    end = whole_hour(2)
    held = fill(system, end, yearly=3600, monthly=600)
    # Hours long ago: before all that the questions are about.
    ticks_in_all = max(sizes) * MILLION // (ASSETS * PARAMETERS) + len(sizes) * SAMPLE // (ASSETS * PARAMETERS)
    clock = end - timedelta(days=400) - ticks_in_all * STEP
    found: dict[int, Run] = {}
    for size in sizes:
        bench.say(f"{name}: growing to {size} million values")
        ticks = max(0, (size * MILLION - held) // (ASSETS * PARAMETERS))
        clock = _send(system, clock, ticks)
        held += ticks * ASSETS * PARAMETERS
        system.settle()
        ticks = SAMPLE // (ASSETS * PARAMETERS)
        run, clock = _weigh(system, clock, ticks)
        held += ticks * ASSETS * PARAMETERS
        times, _ = ask_all(system, end, times=int(bench.pick(5, 30)))
        found[size] = run | times | {"bytes": _bytes(system) / held}
    return found


def _send(system: System, clock: Any, ticks: int) -> Any:
    for first in range(0, ticks, PART):
        requests, clock = _requests(system, clock, min(PART, ticks - first), seed=first + 1)
        client.send(system.port, requests, connections=4).check(system.name)
    return clock


def _weigh(system: System, clock: Any, ticks: int) -> tuple[Run, Any]:
    requests, clock = _requests(system, clock, ticks, seed=7)
    millions = ticks * ASSETS * PARAMETERS / MILLION
    before = system.cpu()
    done = client.send(system.port, requests, connections=4)
    done.check(system.name)
    system.settle()
    return {"rate": millions / done.seconds, "whole": (system.cpu() - before) / millions}, clock


def _requests(system: System, clock: Any, ticks: int, *, seed: int) -> tuple[list[bytes], Any]:
    after = clock + ticks * STEP
    load = make_load(ticks=ticks, end=after, step=STEP, seed=seed)
    return [system.write_request(load, first, last) for first, last in load.stretches(BODY)], after


def _bytes(system: System) -> int:
    assert isinstance(system, TechTrack)
    found = system.stored_bytes()
    system.restart()
    return found


def _bars(name: str, found: dict[int, Run]) -> list[Bar]:
    smallest, largest = min(found), max(found)
    if smallest == largest:
        return []
    one, many = found[smallest], found[largest]
    cost = many["whole"] / one["whole"]
    bars = [
        Bar(
            f"{name}: CPU per value at {largest} M against {smallest} M",
            "0.8 to 1.2 x",
            f"{number(cost)} x",
            cost <= 1.2,
        )
    ]
    for question in QUESTIONS[:3]:
        ratio = many[question.name] / one[question.name]
        what = f"{name}: {question.name} at {largest} M against {smallest} M"
        bars.append(Bar(what, "≤ 1.5 x", f"{number(ratio)} x", ratio <= 1.5))
    return bars
