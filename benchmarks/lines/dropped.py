"""Live sockets that are cut or die: how soon a client has what it missed, and how soon the dead are let go of."""

from __future__ import annotations

import asyncio
import math
import random
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from benchmarks.bench import OURS, POSTGRES, SQLITE, Bench
from benchmarks.figures import Result, Run, limit, number, percentile
from benchmarks.lines.live import _post
from benchmarks.plant import ALARM
from benchmarks.techtrack import TechTrack
from clients.python.techtrack_live import LiveClient
from tests.campaigns.lines import Fault, Line

CLIENTS = 50
# Seconds between two cuts, and between two alerts that are raised or return.
CUTS, NEWS = 0.05, 0.05
# No client is further behind than that, in seconds, or it never comes back.
PATIENCE = 60.0


def dropped(bench: Bench) -> Result:
    """Cut sockets again and again while alerts come and go, and at last let all of them die without a word."""
    cuts = int(bench.pick(100, 1_000))
    found = {name: _cut(bench, name, start, cuts) for name, start in bench.starts(SQLITE, POSTGRES).items()}
    shown = ["system", "drops", "p50 s", "p95 s", "longest s", "events", "missed", "doubled"]
    shown += ["half-open", "server s", "client s"]
    names = ("drops", "p50", "p95", "longest", "events", "missed", "doubled", "dead", "server", "client")
    rows = [[name, *(number(run[figure]) for figure in names)] for name, run in found.items()]
    bars = []
    for name in OURS:
        run = found.get(name, {})
        bars += [
            limit(f"{name}: caught up after a drop, p95", run.get("p95"), 2, "s"),
            limit(f"{name}: missed or doubled", _sum(run.get("missed"), run.get("doubled")), 0, "events"),
            limit(f"{name}: half-open found by either side", _longest(run), 25, "s"),
        ]
    notes = [
        (
            f"{CLIENTS} clients of clients/python, each on a line of its own, hear of alerts that come and go "
            f"one after the other; every {CUTS * 1e3:g} ms one line is reset or hung up. From the cut until the client "
            "has all that it missed, its own pause before it comes back (0.25 to 0.5 s) among it."
        ),
        (
            "Then all lines die: nothing gets through, and nobody is told. The longest until the server, and a client, "
            "has let go of one, with the usual heartbeat of 20 s."
        ),
    ]
    return Result("dropped", "Live sockets that are cut", shown, rows, bars, notes)


class _Listener:
    """A client on a line that may be cut, and what it has heard."""

    def __init__(self, line: Line, key: str, topic: str) -> None:
        self.line = line
        self.heard: list[int] = []
        self.behind: list[float] = []
        self.live = asyncio.Event()
        self._cut_at = math.nan
        self._client = LiveClient(
            f"ws://127.0.0.1:{line.port}", topics=[topic], key=key, on_state=self._note, proxy=None
        )

    @property
    def since(self) -> int:
        """How far it has come."""
        return self._client.since or 0

    def cut(self, fault: Fault) -> bool:
        """Cut the line, unless it has not yet come back from the last time."""
        if not self.live.is_set() or not self.line.cut(fault):
            return False
        self.live.clear()
        self._cut_at = time.monotonic()
        return True

    async def listen(self) -> None:
        """Hear all there is until cancelled."""
        async with self._client as live:
            async for frame in live:
                if frame["type"] == "alert":
                    self.heard.append(frame["sequence"])

    def _note(self, state: str) -> None:
        if state == "live":
            self.live.set()
            if not math.isnan(self._cut_at):
                self.behind.append(time.monotonic() - self._cut_at)


def _cut(bench: Bench, name: str, start: Any, cuts: int) -> Run:
    with bench.running(start) as system:
        assert isinstance(system, TechTrack)
        bench.say(f"{name}: cutting {CLIENTS} sockets {cuts:,} times")
        return asyncio.run(_measured(system, cuts, partial(bench.say, f"{name}: all of them die")))


async def _measured(system: TechTrack, cuts: int, say: Any) -> Run:
    dice = random.Random(1)
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Line(system.port)) for _ in range(CLIENTS)]
        listeners = [_Listener(line, system.keys["read"], f"sites/{system.site}/alerts") for line in lines]
        tasks = [asyncio.create_task(one.listen()) for one in listeners]
        stack.callback(lambda: [task.cancel() for task in tasks])
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(one.live.wait() for one in listeners))
        begin, stop = max(one.since for one in listeners), asyncio.Event()
        telling = asyncio.create_task(_tell(system, stop))
        done = 0
        while done < cuts:
            await asyncio.sleep(CUTS)
            done += dice.choice(listeners).cut(dice.choice([Fault.RESET, Fault.HUNG_UP]))
        stop.set()
        await telling
        await _all_there(listeners)
        found = _figures(listeners, begin)
        say()
        found |= await _let_die(listeners)
        for task in tasks:
            assert not task.done(), task.exception()
        return found


async def _tell(system: TechTrack, stop: asyncio.Event) -> None:
    """Raise an alert and let it return, over and over."""
    while not stop.is_set():
        for value in (95, 20):
            await asyncio.to_thread(_post, system, system.machines[-1], f'"{ALARM}":{value}')
            await asyncio.sleep(NEWS)


async def _all_there(listeners: list[_Listener]) -> None:
    """Wait until every client is back and has come as far as the others."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(one.live.wait() for one in listeners))
        # What was told last may still be on its way.
        while len({one.since for one in listeners}) > 1:  # noqa: ASYNC110 - nobody tells when it has come
            await asyncio.sleep(0.05)


async def _let_die(listeners: list[_Listener]) -> Run:
    """Let every line die, and wait until both sides have let go of each."""
    for one in listeners:
        one.line.cut(Fault.DEAD)
    deaths = [one.line.deaths for one in listeners]
    async with asyncio.timeout(PATIENCE):
        while not all(one.server and one.client for one in deaths):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    return {
        "dead": len(deaths),
        "server": max(second for one in deaths for second in one.server),
        "client": max(second for one in deaths for second in one.client),
    }


def _figures(listeners: list[_Listener], begin: int) -> Run:
    behind = [second for one in listeners for second in one.behind]
    heard = [[number for number in one.heard if number > begin] for one in listeners]
    events = set[int]().union(*heard)
    return {
        "drops": len(behind),
        "p50": percentile(behind, 0.5),
        "p95": percentile(behind, 0.95),
        "longest": max(behind, default=math.nan),
        "events": len(events),
        "missed": sum(len(events - set(one)) for one in heard),
        "doubled": sum(len(one) - len(set(one)) for one in heard),
    }


def _sum(*figures: float | None) -> float | None:
    return None if None in figures else sum(figure for figure in figures if figure is not None)


def _longest(run: Run) -> float | None:
    return max(run["server"], run["client"]) if run else None
