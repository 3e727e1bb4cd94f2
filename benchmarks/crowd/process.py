"""A crowd as the benchmarks see it: a process that is told how often to ask, and tells what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.figures import percentile
from benchmarks.techtrack import ROOT, TechTrack

# So many machines have readings of the last week.
WITH_PAST = 50


@dataclass(frozen=True, slots=True)
class Round:
    """What became of the requests of a round.

    ``sent`` requests in ``seconds``; ``good`` were answered well within these, ``refused`` with 429 or 503 and
    Retry-After, all others are ``wrong``. ``latencies`` in s by kind, of what was answered well, counted from when it
    was due. ``lateness``: how many s at most the crowd itself was late. ``cores``: that it used.
    """

    seconds: float
    sent: int
    good: int
    refused: int
    wrong: dict[str, int]
    latencies: dict[str, list[float]]
    lateness: float
    cores: float

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds

    @property
    def errors(self) -> int:
        """How many were neither answered well nor refused properly."""
        return sum(self.wrong.values())

    def latency(self, share: float) -> float:
        """Return a percentile of all good answers, in ms."""
        return percentile([one for some in self.latencies.values() for one in some], share) * 1e3


class Crowd:
    """So many people with a session each, and the machines that they look after."""

    def __init__(self, system: TechTrack, *, people: int) -> None:
        self._order: dict[str, Any] = {}
        now = datetime.now(UTC)
        world = system.make_people(people) | {
            "url": f"http://127.0.0.1:{system.port}",
            "machines": list(system.machines),
            "with_past": list(system.machines[-WITH_PAST:]),
            "keys": system.keys,
            "site": system.site,
            "week_ago": f"{now - timedelta(days=7):%Y-%m-%dT%H:00:00Z}",
        }
        system.load_past(first=len(system.machines) - WITH_PAST, count=WITH_PAST, ticks=7 * 144, step=600, end=now)
        command = [sys.executable, "-m", "benchmarks.crowd"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=system.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._tell(world)
        self._told()

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def begin(self, *, seconds: float, at_once: int = 0, rate: float = 0.0) -> None:
        """Let so many ask at once, each again when it is answered; or all together so often a second."""
        self._order = {"seconds": seconds, "at_once": at_once, "rate": rate}
        self._tell(self._order)

    def result(self) -> Round:
        """Wait for the end of the round and of all that was asked in it."""
        told = self._told()
        return Round(
            seconds=self._order["seconds"],
            sent=told["sent"],
            good=told["good"],
            refused=told["refused"],
            wrong=told["wrong"],
            latencies=told["seconds"],
            lateness=told["lateness"],
            cores=told["cores"],
        )

    def run(self, *, seconds: float, at_once: int = 0, rate: float = 0.0) -> Round:
        """Begin a round and wait for its end."""
        self.begin(seconds=seconds, at_once=at_once, rate=rate)
        return self.result()

    def do_each_once(self) -> dict[str, Any]:
        """Let one of them do each thing that there is; return what became of it."""
        self._tell({"once": True})
        return self._told()

    def leave(self) -> None:
        """Let all go home."""
        self._process.terminate()
        self._process.communicate()

    def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the crowd has gone"
        told: dict[str, Any] = json.loads(line)
        return told
