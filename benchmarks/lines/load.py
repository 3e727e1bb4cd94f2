"""Many clients at once, of all kinds: how much is answered, how soon below that, and what three times as much does.

The crowd of benchmarks/crowd/ asks a platform as users start it, and the production set-up of deploy/.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import client
from benchmarks.bench import Bench, Start
from benchmarks.compose import Compose, find
from benchmarks.crowd.process import Crowd, Round
from benchmarks.figures import Bar, Result, limit, number, percentile
from benchmarks.sockets import Audience, raise_file_limit
from benchmarks.system import NotInstalled
from benchmarks.techtrack import TechTrack

EMBEDDED, COMPOSE = "embedded, SQLite, 2 processes", "production, PostgreSQL"
PEOPLE, SOCKETS = 64, 50
AT_ONCE = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.5, 0.7, 0.85, 1.0, 1.2)
WORKING, TOO_MUCH = 0.7, 3.0
# Of one machine, whom the sockets hear; more often than four times a second frames are rightly merged.
PULSES_A_SECOND = 2


@dataclass(slots=True)
class Step:
    """A round, the cores that the platform used for it, and seconds until a socket heard of a reading."""

    what: str
    round: Round
    cores: float
    heard: list[float] = field(default_factory=list)

    def row(self, layout: str) -> list[str]:
        """Write it as a row of the table."""
        one = self.round
        figures = [one.sent / one.seconds, one.goodput, one.refused / one.seconds, float(one.errors)]
        figures += [one.latency(0.5), one.latency(0.99), percentile(self.heard, 0.99) * 1e3]
        figures += [self.cores, one.cores, one.lateness * 1e3]
        return [f"{layout}, {self.what}", *(number(figure) for figure in figures)]


class Climb:
    """All rounds of one layout."""

    def __init__(self, bench: Bench, system: TechTrack) -> None:
        self._bench, self._system = bench, system
        self.steps: list[Step] = []
        self.saturation = 0.0
        bench.say(f"{PEOPLE} people log in")
        self._crowd = Crowd(system, people=PEOPLE)

    def leave(self) -> None:
        """Send the crowd home."""
        self._crowd.leave()

    def warm_up(self) -> None:
        """Let all be asked for once, so that nothing is met for the first time."""
        self._crowd.run(seconds=5, at_once=8)

    def saturate(self, *, seconds: float, hold: float) -> None:
        """Find how many at once are answered most, then what of that lasts, in requests a second.

        In a round of seconds what comes can outrun what follows from it: readings wait to be folded and judged.
        """
        rounds = {at_once: self.step(f"{at_once} at once", seconds=seconds, at_once=at_once) for at_once in AT_ONCE}
        best = max(rounds, key=lambda at_once: rounds[at_once].round.goodput)
        self.saturation = self.step(f"{best} at once, held", seconds=hold, at_once=best).round.goodput

    def step(self, what: str, *, seconds: float, at_once: int = 0, rate: float = 0.0) -> Step:
        """Go a round."""
        cpu, began = self._system.cpu(), time.monotonic()
        self._crowd.begin(seconds=seconds, at_once=at_once, rate=rate)
        time.sleep(seconds)
        cores = (self._system.cpu() - cpu) / (time.monotonic() - began)
        step = Step(what, self._crowd.result(), cores)
        self.steps.append(step)
        self._bench.say(f"{what}: {step.round.goodput:.0f}/s, p99 {step.round.latency(0.99):.0f} ms")
        for said, count in list(step.round.wrong.items())[:5]:
            self._bench.say(f"  {count} x {said}")
        return step

    def watched(self, what: str, *, seconds: float, rate: float) -> Step:
        """Go a round while sockets listen to a machine."""
        with _listening(self._system) as heard:
            step = self.step(what, seconds=seconds, rate=rate)
        step.heard = heard
        return step


def load(bench: Bench) -> Result:
    """Climb to saturation, stay below it, go far beyond it."""
    raise_file_limit()
    rows, bars, notes = [], [], []
    for layout, start in _starts(bench).items():
        with bench.running(start) as system:
            assert isinstance(system, TechTrack)
            climb = Climb(bench, system)
            try:
                working, too_much = _climb(bench, climb)
            finally:
                climb.leave()
        rows += [step.row(layout) for step in climb.steps]
        bars += _bars(layout, climb.saturation, working, too_much)
        notes.append(_kinds(layout, working.round))
    notes = [*_NOTES, *notes, *bench.missing.values()]
    return Result("load", "Load: many clients at once, of all kinds", _COLUMNS, rows, bars, notes)


def _starts(bench: Bench) -> dict[str, Start]:
    starts: dict[str, Start] = {EMBEDDED: lambda: TechTrack(TECHTRACK_PROCESSES="2")}
    try:
        postgres = bench.postgres
        for program in ("nginx", "redis-server"):
            find(program)
        starts[COMPOSE] = lambda: Compose(postgres)
    except NotInstalled as error:
        bench.missing[COMPOSE] = str(error)
    return {name: start for name, start in starts.items() if not bench.only or name in bench.only}


def _climb(bench: Bench, climb: Climb) -> tuple[Step, Step]:
    seconds = bench.pick(20, 20)
    climb.warm_up()
    climb.saturate(seconds=seconds, hold=bench.pick(20, 120))
    for share in SHARES:
        climb.step(f"{share:.0%} of it offered", seconds=seconds, rate=share * climb.saturation)
    most = climb.saturation
    working = climb.watched(f"{WORKING:.0%} of saturation", seconds=bench.pick(20, 600), rate=WORKING * most)
    too_much = climb.watched(f"{TOO_MUCH:g} x saturation", seconds=bench.pick(20, 60), rate=TOO_MUCH * most)
    return working, too_much


def _bars(layout: str, saturation: float, working: Step, too_much: Step) -> list[Bar]:
    calm, wild = working.round, too_much.round
    share = wild.goodput / saturation
    return [
        limit(f"{layout}: errors and refusals at 70 % of {saturation:.0f}/s", calm.errors + calm.refused, 0, "of all"),
        limit(f"{layout}: p99 there", calm.latency(0.99), 250, "ms"),
        limit(f"{layout}: errors, or refusals without Retry-After, at 3 x saturation", wild.errors, 0, "of all"),
        Bar(f"{layout}: goodput there, of saturation", "≥ 80 %", f"{share:.0%}", share >= 0.8),
    ]


def _kinds(layout: str, calm: Round) -> str:
    """Name what takes longest."""
    slow = sorted(calm.latencies, key=lambda kind: -percentile(calm.latencies[kind], 0.99))
    told = (
        f"{kind} {number(percentile(found, 0.5) * 1e3)} / {number(percentile(found, 0.99) * 1e3)}"
        for kind, found in ((kind, calm.latencies[kind]) for kind in slow)
    )
    return f"{layout}, at 70 %, p50 / p99 in ms: {'; '.join(told)}."


@contextmanager
def _listening(system: TechTrack) -> Iterator[list[float]]:
    """Let sockets listen to the last machine, which measures all the time; what they heard is there at the end."""
    machine, over, heard = system.machines[-1], threading.Event(), list[float]()
    audience = Audience(system.port, system.keys["read"], f"assets/{machine}/readings", size=SOCKETS)
    pulse = threading.Thread(target=_pulse, args=(system, machine, over))
    pulse.start()
    try:
        yield heard
    finally:
        over.set()
        pulse.join()
        heard += audience.leave()[0]


def _pulse(system: TechTrack, machine: int, over: threading.Event) -> None:
    while not over.wait(1 / PULSES_A_SECOND):
        item = {"asset": machine, "values": {"sent_at": round(time.monotonic(), 6)}}
        body = json.dumps({"items": [item]}, separators=(",", ":")).encode()
        # One that is refused is not heard; the crowd counts refusals.
        with contextlib.suppress(OSError):
            client.ask(system.port, client.request("POST", "/api/ingest/", body, system.headers("ingest")))


_COLUMNS = ["layout, round", "asked/s", "answered well/s", "refused/s", "errors", "p50 ms", "p99 ms"]
_COLUMNS += ["frame p99 ms", "cores of the platform", "of the crowd", "crowd late ms"]
_NOTES = [
    (
        f"{PEOPLE} people with a session each, and gateways: of 106 requests 24 send readings (16 of them a hundred at "
        "once), 25 read or list equipment, 9 create, rename or delete it, 13 read or list tasks, 11 change them, 16 "
        "ask for a week of history, the newest values or a trend, 7 list, raise, acknowledge or end alerts, one renews "
        "its session. 1,000 machines, 5,000 rules. Embedded is `techtrack up --processes 2`: for many people at once."
    ),
    (
        "At once: so many, each asking again when answered; the best of these, held for two minutes, is saturation. "
        "Offered, and all below: so many a second, at random moments, whatever becomes of those before; the time "
        "counts from the moment at which a request was due. Refused: 429 or 503 with Retry-After; nobody comes again. "
        "Errors: every other answer that was not wanted, and "
        "none within 60 s."
    ),
    (
        f"Beside the last two rounds {SOCKETS} sockets listen to a machine; the frame's time counts from before its "
        "reading was sent."
    ),
    (
        "The crowd (Locust, one process, run by root ahead of all others) shares the two cores with the platform "
        "and its databases: what it uses they do not have, and at 3 x saturation that is more than at saturation. How "
        "late it was with a request at most is in the last column: where that is much, it was the crowd that was full."
    ),
]
