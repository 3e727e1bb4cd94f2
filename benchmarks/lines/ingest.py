"""Batches over HTTP: how fast they are acknowledged, and what a value costs when all that follows is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from benchmarks import client
from benchmarks.bench import IN_TWO, OURS, POSTGRES, SQLITE, Bench, Start
from benchmarks.figures import Result, Run, at_least, at_most, interleaved, limit, number
from benchmarks.load import BODY, PARAMETERS, Load, as_columns, make_load, whole_hour
from benchmarks.peers.series import InfluxDB, VictoriaMetrics
from benchmarks.peers.served import PlainRows, RowPerValue
from benchmarks.peers.tutorial import TutorialDRF
from benchmarks.peers.zabbix import Zabbix
from benchmarks.system import NotInstalled, System
from benchmarks.techtrack import TechTrack

VM, INFLUX, DRF = VictoriaMetrics.name, InfluxDB.name, TutorialDRF.name
BY_COLUMNS = "{}, body by columns"
SHOWN = ["system", "M values/s", "CPU-s/M acknowledged", "CPU-s/M whole life", "client CPU-s/M", "M unfolded"]
STEP = timedelta(seconds=10)
# How much of the load the slow ones get: a figure per value does not need the hour that all of it would take.
SHARES = {RowPerValue.name: 0.1, PlainRows.name: 0.25}


def measure(start: Start, bench: Bench, load: Load, *, body: int, connections: int, share: float = 1.0) -> Run:
    """Send the load in bodies of so many readings to a fresh system, and wait until it rests."""
    with bench.running(start) as system:
        stretches = load.stretches(body)
        stretches = stretches[: max(1, round(len(stretches) * share))]
        requests = [system.write_request(load, first, last) for first, last in stretches]
        values = stretches[-1][1] * load.values.shape[1] * load.values.shape[2]
        return sent(system, requests, values=values, connections=connections)


def sent(system: System, requests: list[bytes], *, values: int, connections: int) -> Run:
    """Send requests that hold so many values, and wait until the system rests."""
    before = system.cpu()
    done = client.send(system.port, requests, connections=connections)
    done.check(system.name)
    acknowledged = system.cpu() - before
    left = system.unfolded() * PARAMETERS if isinstance(system, TechTrack) else 0
    system.settle()
    whole = system.cpu() - before
    millions = values / 1e6
    return {
        **({"left": left / 1e6} if left else {}),
        "rate": millions / done.seconds,
        "acknowledged": acknowledged / millions,
        "whole": whole / millions,
        "client": done.cpu / millions,
    }


def ingest(bench: Bench) -> Result:
    """Bodies of 5,000 readings over four connections."""
    load = make_load(ticks=int(bench.pick(360, 720)), end=whole_hour(1), step=STEP)
    starts = bench.starts(*OURS, *IN_TWO.values(), VM, INFLUX, PlainRows.name, RowPerValue.name)
    ours = [name for name in (*OURS, *IN_TWO.values()) if name in starts]
    for name in filter(OURS.__contains__, ours):
        starts[BY_COLUMNS.format(name)] = partial(_by_columns, bench, name)
    runs = _interleaved(bench, starts, load, body=BODY, connections=4)
    result = Result(
        "ingest",
        "Batch ingest over HTTP",
        SHOWN,
        _rows(runs, bench),
        notes=[
            (
                f"{load.count:,} values of 1,000 assets x 5 parameters, 10 s apart, in bodies of {BODY:,} "
                "readings over "
                f"4 connections kept open; medians of {bench.rounds} interleaved runs on fresh systems."
            ),
            (
                "TechTrack checks an ingest key's permission for every asset, judges 5,000 rules, compacts meanwhile; "
                "the last column is what was not yet in chunks when the last answer came (it is folded, and counted)."
            ),
            "2 processes: `techtrack up --processes 2`, one address, on as many cores as all others.",
            (
                "CPU of the server with all its processes; whole life: until it rests after the last answer. "
                "Client and "
                "server share the cores. VictoriaMetrics answers before anything is on disk, all others after."
            ),
            (
                "The rows are served by an ASGI application of 80 lines that decodes with msgspec and writes "
                "one statement "
                "a request, without rules, permissions or anything else; they got a part of the load."
            ),
        ],
    )
    for name in (*ours, *(name for name in map(BY_COLUMNS.format, OURS) if name in starts)):
        run, vm, influx = runs.get(name, {}), runs.get(VM, {}), runs.get(INFLUX, {})
        result.bars += [
            at_least(f"{name}: values/s against {VM}", run.get("rate"), vm.get("rate"), times=1.5),
            at_least(f"{name}: values/s against {INFLUX}", run.get("rate"), influx.get("rate"), times=2),
            at_most(f"{name}: whole-life CPU against {VM}", run.get("whole"), vm.get("whole"), times=1),
        ]
    return result


def _by_columns(bench: Bench, name: str) -> System:
    return TechTrack(bench.postgres if name == POSTGRES else None, body=as_columns)


def disk(bench: Bench) -> Result:
    """Bytes per value of machine-like data, when everything has settled."""
    load = make_load(ticks=int(bench.pick(360, 720)), end=whole_hour(1), step=STEP)
    starts = bench.starts(SQLITE, POSTGRES, VM, INFLUX, PlainRows.name, RowPerValue.name)
    rows, bars = [], []
    for name, start in starts.items():
        bench.say(f"{name}: filling")
        with bench.running(start) as system:
            stretches = load.stretches(BODY)
            stretches = stretches[: max(1, round(len(stretches) * SHARES.get(name, 1.0)))]
            values = stretches[-1][1] * load.values.shape[1] * load.values.shape[2]
            requests = [system.write_request(load, first, last) for first, last in stretches]
            client.send(system.port, requests, connections=2).check(name)
            system.settle()
            parts = system.bytes_by_table() if isinstance(system, TechTrack) else {}
            total = sum(parts.values()) if parts else system.stored_bytes()
        said = ", ".join(f"{table.partition('_')[2]} {number(size / values)}" for table, size in sorted(parts.items()))
        rows.append([name, number(total / values), said])
        if name in OURS:
            bars.append(limit(f"{name}: bytes per value", total / values, 1.0, "bytes"))
    hours = load.times.size * STEP / timedelta(hours=1)
    notes = [
        (
            f"1,000 assets x 5 parameters at 10 s, {hours:g} hours: slow random walks with 0 to 3 decimals, as "
            "sensors write "
            "them. Table pages with indexes after VACUUM; files of the others after their merges."
        ),
        "Rollups are written once an hour whatever the cadence: at 10 s they are shared by 1,800 values.",
    ]
    return Result("disk", "Disk", ["system", "bytes/value", "of these"], rows + _absent(bench, 3), bars, notes)


def cadence(bench: Bench) -> Result:
    """One tick of all assets a commit, as a plant sends: every request a thousand readings, hours close on the way."""
    load = make_load(ticks=int(bench.pick(180, 720)), end=whole_hour(1), step=STEP)
    starts = bench.starts(SQLITE, POSTGRES, VM, INFLUX)
    measures = {name: partial(measure, start, bench, load, body=1_000, connections=1) for name, start in starts.items()}
    runs = interleaved(measures, rounds=1 if bench.quick else 2, say=bench.say)
    hours = load.times.size * STEP / timedelta(hours=1)
    notes = [
        (
            f"{load.times.size:,} requests of 1,000 readings (5,000 values) each, one after the other: "
            f"{hours:g} hours at "
            "10 s, sent as fast as they are acknowledged."
        ),
    ]
    theirs = runs.get(VM, {}).get("whole")
    bars = [
        at_most(f"{name}: CPU per value against {VM}", runs.get(name, {}).get("whole"), theirs, times=1.5)
        for name in OURS
    ]
    return Result("cadence", "True cadence: one tick a commit", SHOWN, _rows(runs, bench), bars, notes)


def ordinary(bench: Bench) -> Result:
    """The ordinary ways: the tutorial's DRF, and Zabbix, in the same run as ours."""
    load = make_load(ticks=int(bench.pick(90, 360)), end=whole_hour(1), step=STEP)
    few = make_load(ticks=int(bench.pick(1, 4)), end=whole_hour(1), step=STEP)
    starts = bench.starts(SQLITE, POSTGRES, DRF)
    measures: dict[str, Callable[[], Run]] = {}
    for name, start in starts.items():
        slow = name == DRF
        measures[name] = partial(
            measure, start, bench, few if slow else load, body=1_000 if slow else BODY, connections=2 if slow else 4
        )
    some = make_load(ticks=int(bench.pick(4, 20)), end=whole_hour(1), step=STEP)
    measures[Zabbix.name] = partial(_zabbix, bench, some)
    try:
        Zabbix.find()
    except NotInstalled as error:
        bench.missing[Zabbix.name] = str(error)
        del measures[Zabbix.name]
    runs = interleaved(measures, rounds=1 if bench.quick else 2, say=bench.say)
    result = Result(
        "ordinary",
        "Batch ingest against ordinary designs",
        SHOWN,
        _rows(runs, bench),
        notes=[
            (
                "Tutorial DRF: ModelViewSet with many=True, typed columns, unique constraint, token authentication, on "
                "PostgreSQL, served by granian; lists of 1,000 readings over two connections."
            ),
            (
                f"Zabbix: its trapper with packets of 250 values, on PostgreSQL; until the table holds "
                f"them. It got {some.count:,} values, the tutorial {few.count:,}."
            ),
        ],
    )
    for name in OURS:
        ours = runs.get(name, {}).get("rate")
        result.bars += [
            at_least(f"{name}: values/s against {DRF}", ours, runs.get(DRF, {}).get("rate"), times=200),
            at_least(f"{name}: values/s against Zabbix", ours, runs.get(Zabbix.name, {}).get("rate"), times=30),
        ]
    return result


def _zabbix(bench: Bench, load: Load) -> Run:
    with _running_zabbix(bench, load) as zabbix:
        packets = zabbix.packets(load, load.times.size)
        seconds, cpu = zabbix.send(packets)
        millions = load.count / 1e6
        return {"rate": millions / seconds, "whole": cpu / millions}


@contextmanager
def _running_zabbix(bench: Bench, load: Load) -> Iterator[Zabbix]:
    zabbix = Zabbix(bench.postgres, machines=load.values.shape[1], codes=load.codes)
    try:
        yield zabbix
    finally:
        zabbix.stop()


def _interleaved(bench: Bench, starts: dict[str, Start], load: Load, *, body: int, connections: int) -> dict[str, Run]:
    measures = {
        name: partial(measure, start, bench, load, body=body, connections=connections, share=SHARES.get(name, 1.0))
        for name, start in starts.items()
    }
    return interleaved(measures, rounds=bench.rounds, say=bench.say, once=SHARES)


def _rows(runs: dict[str, Run], bench: Bench) -> list[list[str]]:
    names = ("rate", "acknowledged", "whole", "client", "left")
    rows = [[name, *(number(run.get(figure)) for figure in names)] for name, run in runs.items()]
    return rows + _absent(bench, len(SHOWN))


def _absent(bench: Bench, columns: int) -> list[list[str]]:
    return [[name, "not installed", *[""] * (columns - 2)] for name in bench.missing]
