"""A platform of made-up processes, by one clock that the tests turn."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.telemetry.models import LogConsumer
from techtrack.watch import queries, services
from techtrack.watch.domain.checks import examine

LOOPS = {"judge": 0.1, "alert timers": 0.5, "hider": 0.5, "teller": 0.5, "sender": 0.5, "compactor": 0.5}
PLENTY = 50 << 30


class Process:
    """A process that beats as long as it lives; ``clock_off``: how far its own clock is off (s)."""

    def __init__(self, world: World, kind: str, *, clock_off: float = 0.0) -> None:
        self.world, self.kind = world, kind
        self.id = uuid.uuid4()
        self.pid = 1000 + len(world.processes)
        self.clock_off = timedelta(seconds=clock_off)
        self.alive = True
        self.loops = dict(LOOPS) if kind != "web" else {}
        self.hung: set[str] = set()
        self.disks = {"/data": PLENTY}
        world.processes.append(self)

    def kill(self) -> None:
        """Let it die without a word."""
        self.alive = False

    def end(self) -> None:
        """End it in good order."""
        self.alive = False
        services.end(process=self.id, at=self.world.at)

    def tick(self, seconds: float) -> None:
        """Beat, and look."""
        for name in self.hung:
            self.loops[name] += seconds
        if self.alive:
            who = {"host": "plant", "pid": self.pid, "kind": self.kind, "disks": self.disks}
            services.beat(process=self.id, who=who, loops=self.loops, at=self.now())

    def now(self) -> datetime:
        """The time by which it beats and looks."""
        return self.world.at

    def look(self) -> None:
        """Look once."""
        if self.alive:
            at = self.now()
            found = examine(queries.look(at), queries.limits())
            services.settle(findings=found, at=at, now=at + self.clock_off)


class World:
    """Processes, and the database's time."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.processes: list[Process] = []

    def process(self, kind: str, **options: Any) -> Process:
        """Start a process."""
        return Process(self, kind, **options)

    def run(self, seconds: float, *, every: float = 15.0) -> None:
        """Let time pass: everybody beats, then everybody looks."""
        for _ in range(int(seconds / every)):
            self.at += timedelta(seconds=every)
            for process in self.processes:
                process.tick(every)
            for process in self.processes:
                process.look()

    def until(self, condition: Callable[[], Any], *, within: float = 600.0) -> float:
        """Let time pass until ``condition`` holds; return how long (s) that took."""
        began = self.at
        while not condition():
            assert self.at - began < timedelta(seconds=within), "it never came to that"
            self.run(15)
        return (self.at - began).total_seconds()

    def told(self) -> dict[str, bool]:
        """Whether the newest alert of each kind is active."""
        rows = Alert.objects.filter(asset__key="techtrack").order_by("pk")
        return {alert.parameter: alert.active for alert in rows}

    def alerts(self, kind: str) -> list[Alert]:
        """All alerts of a kind."""
        return list(Alert.objects.filter(asset__key="techtrack", parameter=kind).order_by("pk"))

    def active(self, kind: str) -> bool:
        """Whether one of them is active."""
        return any(alert.active for alert in self.alerts(kind))


@pytest.fixture
def world(db: None) -> World:
    """Nothing runs yet; the judge has passed all there is."""
    LogConsumer.objects.create(name="judge", position=queries.telemetry.head())
    # People are told of what happens now, and of nothing that is long past.
    return World(clock.now())
