"""Questions over HTTP: hours of a month, days of a year, the newest of all, a day as it was measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks import client
from benchmarks.bench import OURS, POSTGRES, SQLITE, Bench
from benchmarks.figures import Result, Run, at_most, number, percentile
from benchmarks.load import ASSETS, BODY, make_load, stamp, whole_hour
from benchmarks.peers.series import InfluxDB, VictoriaMetrics
from benchmarks.peers.served import PlainRows
from benchmarks.system import System
from benchmarks.techtrack import TechTrack

DAY = timedelta(days=1)
MONTHLY, YEARLY, SCANNED = 0, 1, 2
# Beyond what is asked for, since each request asks for a stretch that begins a little earlier.
SLACK = timedelta(days=2)
SECONDS = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a machine's temperature between two times, in steps; or the newest of all machines."""

    name: str
    bar: float
    machine: int = 0
    length: timedelta = DAY
    step: timedelta = timedelta(hours=1)

    @property
    def answers(self) -> int:
        """How many rows are to come back."""
        return ASSETS if self.name == LATEST else int(self.length / self.step)


LATEST = "latest of 1,000 assets"
QUESTIONS = (
    Question("hourly average over 30 days", 0.5, MONTHLY, 30 * DAY),
    Question("a year by day", 1.0, YEARLY, 365 * DAY, DAY),
    Question(LATEST, 0.5),
    Question("raw scan of 24 h at 10 s", 2.0, SCANNED, DAY, timedelta(seconds=10)),
)
Ask = Callable[[Question, int], float]


def queries(bench: Bench) -> Result:
    """The same past in every system, the same questions."""
    names = (SQLITE, POSTGRES, VictoriaMetrics.name, InfluxDB.name, PlainRows.name)
    found: dict[str, Run] = {}
    notes: list[str] = []
    end = whole_hour(2)
    for name, start in bench.starts(*names).items():
        bench.say(f"{name}: loading the past")
        with bench.running(start) as system:
            values = fill(system, end, yearly=int(bench.pick(600, 60)), monthly=int(bench.pick(60, 10)))
            bench.say(f"{name}: asking ({values:,} values)")
            found[name], said = ask_all(system, end, times=int(bench.pick(10, 40)))
            notes += [f"{name}: {one}" for one in said]
    rows = [[q.name, *(number(found.get(name, {}).get(q.name)) for name in names)] for q in QUESTIONS]
    result = Result("queries", "Questions over HTTP, median ms", ["question", *names], rows)
    theirs = found.get(VictoriaMetrics.name, {})
    result.bars = [
        at_most(
            f"{name}: {q.name}, against VictoriaMetrics",
            found.get(name, {}).get(q.name),
            theirs.get(q.name),
            times=q.bar,
        )
        for q in QUESTIONS
        for name in OURS
    ]
    result.notes = [
        (
            "One machine with a year of readings, one with a month at 10 s, one with a day at 10 s, and 1,000 "
            "with a newest "
            "one, 5 parameters each. Every request asks for a stretch that ends an hour earlier than the one "
            "before, over "
            "one connection; VictoriaMetrics runs without its cache of results."
        ),
        "Days are those of Europe/Berlin for TechTrack, of UTC for the others, which know no daylight saving here.",
        f"{PlainRows.name} are asked in SQL, without HTTP.",
        *notes,
        *bench.missing.values(),
    ]
    return result


def fill(system: System, end: datetime, *, yearly: int, monthly: int) -> int:
    """Load the past that the questions are about, in steps of so many seconds; return how many values it had."""
    parts = [
        (MONTHLY, 1, int((30 * DAY + SLACK) / timedelta(seconds=monthly)), monthly),
        (YEARLY, 1, int((365 * DAY + SLACK) / timedelta(seconds=yearly)), yearly),
        (SCANNED, 1, int((DAY + SLACK) / timedelta(seconds=10)), 10),
        (0, ASSETS, 6, 10),
    ]
    values = 0
    for first, count, ticks, step in parts:
        # What all machines say last is newer than the stretches that are asked for.
        until = end + timedelta(hours=1) if count == ASSETS else end
        if isinstance(system, TechTrack):
            values += system.load_past(first=first, count=count, ticks=ticks, step=step, end=until)
        else:
            values += _send(system, first, count, ticks, step, until)
    system.settle()
    return values


def ask_all(system: System, end: datetime, *, times: int) -> tuple[Run, list[str]]:
    """Ask every question so many times; return the medians in ms, and what must be said of how it was asked."""
    asker = {TechTrack: _Ours, VictoriaMetrics: _Victoria, InfluxDB: _Influx, PlainRows: _Rows}[type(system)](
        system, end
    )
    figures = {}
    for question in QUESTIONS:
        asker.check(question)
        spent = asker.time(question, times)
        figures[question.name] = percentile(spent, 0.5) * 1e3
    return figures, asker.notes


def _send(system: System, first: int, count: int, ticks: int, step: int, end: datetime) -> int:
    load = make_load(ticks=ticks, end=end, step=timedelta(seconds=step), assets=count)
    machines = system.machines[first : first + count]
    requests = [system.write_request(load, start, stop, machines) for start, stop in load.stretches(BODY)]
    client.send(system.port, requests, connections=2).check(system.name)
    return load.count


class _Asker:
    """Asks one kind of system."""

    def __init__(self, system: Any, end: datetime) -> None:
        self.system, self.end = system, end
        self.notes: list[str] = []
        self._chosen = 0

    def span(self, question: Question, turn: int) -> tuple[datetime, datetime]:
        """The stretch that is asked for the ``turn``-th time."""
        moves = question.step < DAY and question.name != LATEST
        until = self.end - (timedelta(hours=turn) if moves else timedelta())
        return until - question.length, until

    def machine(self, question: Question) -> int:
        return int(self.system.machines[question.machine])

    def path(self, question: Question, turn: int) -> str:
        raise NotImplementedError

    def rows(self, body: bytes) -> int:
        """Count what came back."""
        raise NotImplementedError

    def check(self, question: Question) -> None:
        found = self.rows(self.system.ask(self.path(question, 0)))
        enough = question.answers * 0.95
        assert found >= enough, f"{self.system.name}: {question.name}: {found} rows of {question.answers}"

    def time(self, question: Question, times: int) -> list[float]:
        requests = [self.system.get_request(self.path(question, turn)) for turn in range(times + 2)]
        done = client.send(self.system.port, requests)
        done.check(f"{self.system.name}: {question.name}")
        first = len(self.system.ask(self.path(question, 0)))
        assert done.received > 0.9 * first * len(requests), f"{question.name}: later answers are shorter than the first"
        return done.latencies[2:]


class _Victoria(_Asker):
    def path(self, question: Question, turn: int) -> str:
        start, end = self.span(question, turn)
        first, last = int(start.timestamp()), int(end.timestamp())
        if question.name == LATEST:
            asked = quote('last_over_time({asset!=""}[1d])')
            return f"/api/v1/query?query={asked}&time={last + 7200 + turn}"
        series = f'machine_temperature{{asset="{self.machine(question)}"}}'
        if question.step < timedelta(minutes=1):
            return f"/api/v1/export?match[]={quote(series)}&start={first}&end={last}"
        step = int(question.step.total_seconds())
        asked = quote(f"avg_over_time({series}[{step}s])")
        return f"/api/v1/query_range?query={asked}&start={first + step}&end={last}&step={step}"

    def rows(self, body: bytes) -> int:
        told = json.loads(body.splitlines()[0])
        if "data" not in told:
            return sum(len(json.loads(line)["values"]) for line in body.splitlines())
        found = told["data"]["result"]
        return len(found[0]["values"]) if told["data"]["resultType"] == "matrix" else len(found) // 5


class _Influx(_Asker):
    def path(self, question: Question, turn: int) -> str:
        start, end = self.span(question, turn)
        span = f"time >= '{start:{SECONDS}}' AND time < '{end:{SECONDS}}'"
        where = f"asset = '{self.machine(question)}' AND {span}"
        if question.name == LATEST:
            codes = ("temperature", "pressure", "vibration", "speed", "power")
            asked = f"SELECT {', '.join(f'last({code})' for code in codes)} FROM machine GROUP BY asset"  # noqa: S608 - as above
        elif question.step < timedelta(minutes=1):
            asked = f"SELECT temperature FROM machine WHERE {where}"  # noqa: S608 - our own words, for a peer
        else:
            step = int(question.step.total_seconds())
            asked = f"SELECT mean(temperature) FROM machine WHERE {where} GROUP BY time({step}s)"  # noqa: S608 - as above
        return f"/query?db=bench&epoch=ms&q={quote(asked)}"

    def rows(self, body: bytes) -> int:
        series = json.loads(body)["results"][0]["series"]
        return len(series) if len(series) > 1 else len(series[0]["values"])


class _Ours(_Asker):
    """Asks TechTrack; where a door of the contract does not answer, the next best way, which is then noted."""

    def path(self, question: Question, turn: int) -> str:
        return self._ways(question, turn)[0][0]

    def check(self, question: Question) -> None:
        for number_of, way in enumerate(self._ways(question, 0)):
            paths = self._pages(way[0]) if "/api/data/" in way[0] else way
            status, body = client.ask(self.system.port, self.system.get_request(paths[0]))
            if status == 200:
                found = self.rows(body) * len(paths)
                assert found >= question.answers * 0.9, f"{question.name}: {found} rows of {question.answers}"
                self._chosen = number_of
                if len(paths) > 1:
                    self.notes.append(f"{question.name}: in {len(paths)} requests, {urlsplit(paths[0]).path}")
                return
            told = body[:200]
        raise AssertionError(f"{question.name}: {status} {told!r}")

    def time(self, question: Question, times: int) -> list[float]:
        spent = []
        for turn in range(times + 2):
            way = self._ways(question, turn)[self._chosen]
            paths = self._pages(way[0]) if "/api/data/" in way[0] else way
            if len(paths) > 100 and turn > 2:
                break
            done = client.send(self.system.port, [self.system.get_request(path) for path in paths])
            done.check(question.name)
            spent.append(sum(done.latencies))
        return spent[2:] or spent

    def rows(self, body: bytes) -> int:
        told = json.loads(body)
        if "series" in told:
            return len(told["series"][0]["rows"])
        return len(told["results"]) if "results" in told else 1

    def _ways(self, question: Question, turn: int) -> list[list[str]]:
        start, end = self.span(question, turn)
        if question.name == LATEST:
            each = [f"/api/equipment/{asset}/latest/" for asset in self.system.machines]
            return [[f"/api/latest/?site={self.system.site}"], each]
        span = f"from={stamp(int(start.timestamp()) * 10**6)}&to={stamp(int(end.timestamp()) * 10**6)}"
        series = f"asset={self.machine(question)}&parameter=temperature&{span}"
        if question.step < timedelta(minutes=1):
            pages = f"/api/data/?equipment={self.machine(question)}&parameter=temperature&{span}&page_size=500"
            return [[f"/api/history/?{series}&interval=PT10S&statistic=avg"], [pages]]
        if question.step == DAY:
            local = f"{series}&interval=P1D"
            return [[f"/api/history/?{local}&timezone=Europe/Berlin&statistic=avg"], [f"/api/history/?{local}"]]
        return [[f"/api/history/?{series}&interval=PT1H&statistic=avg"], [f"/api/history/?{series}&interval=PT1H"]]

    def _pages(self, path: str) -> list[str]:
        """Return the addresses of all pages, which only the page before tells."""
        paths = []
        while path:
            paths.append(path)
            following = urlsplit(json.loads(self.system.ask(path))["next"] or "")
            path = f"{following.path}?{following.query}" if following.path else ""
        return paths


class _Rows(_Asker):
    """Asks the table itself."""

    def check(self, question: Question) -> None:
        found = len(self.system.sql(self._sql(question, 0)))
        assert found >= question.answers * 0.95, f"{question.name}: {found} rows of {question.answers}"

    def time(self, question: Question, times: int) -> list[float]:
        spent = []
        for turn in range(times):
            began = time.perf_counter()
            self.system.sql(self._sql(question, turn))
            spent.append(time.perf_counter() - began)
        return spent

    def _sql(self, question: Question, turn: int) -> str:
        start, end = self.span(question, turn)
        if question.name == LATEST:
            return (
                "SELECT r.* FROM generate_series(1, 1000) m, LATERAL "
                "(SELECT * FROM reading WHERE asset = m ORDER BY at DESC LIMIT 1) r"
            )
        where = f"asset = {self.machine(question)} AND at >= '{start.isoformat()}' AND at < '{end.isoformat()}'"
        if question.step < timedelta(minutes=1):
            return f"SELECT at, temperature FROM reading WHERE {where} ORDER BY at"  # noqa: S608 - as above
        unit = "day" if question.step == DAY else "hour"
        columns = f"date_trunc('{unit}', at), avg(temperature)"
        return f"SELECT {columns} FROM reading WHERE {where} GROUP BY 1 ORDER BY 1"  # noqa: S608 - as above
