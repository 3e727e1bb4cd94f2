"""What the platform sees of itself at one moment; ages are seconds by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from techtrack.watch.domain.following import Habit, Mark

# How long (s) a loop of a worker may go without finishing a step before it hangs. Others may take hours at one.
PATIENCE = {
    "judge": 120.0,
    "alert timers": 60.0,
    "hider": 120.0,
    "teller": 120.0,
    "sender": 60.0,
    "compactor": 900.0,
    # Who looks, and cannot write what it saw.
    "watch": 180.0,
}
SENDING = ("teller", "sender")


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder whose disk has so many bytes free."""

    folder: str
    free: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its last heartbeat: ``age`` since it, ``up`` since its start; ``works``: it runs the loops.

    ``loops``: how long ago each of them finished a step. One that ``ended`` did so in good order.
    """

    name: str
    works: bool
    age: float
    up: float
    ended: bool = False
    loops: Mapping[str, float] = field(default_factory=dict)
    disks: tuple[Disk, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel whose messages have not been taken for so long."""

    pk: int
    name: str
    failing_for: float


@dataclass(frozen=True, slots=True)
class Source:
    """A key for readings: what it is called, and how it was used before."""

    pk: int
    name: str
    last_used: datetime
    habit: Habit | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it, seen ``at``. ``mark`` is what was remembered of the judge, ``untold`` groups could not be told."""

    at: datetime
    head: int = 0
    judged: int = 0
    mark: Mark | None = None
    processes: tuple[Process, ...] = ()
    channels: tuple[Channel, ...] = ()
    sources: tuple[Source, ...] = ()
    dead_letters: int = 0
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken for trouble: a process that is silent, a judge that is late, a channel that fails (s); full disks.

    ``disk`` is the least number of bytes that must be free.
    """

    dead: float
    disk: int
    lag: float = 60.0
    failing: float = 300.0


def at_work(facts: Facts, limits: Limits) -> list[Process]:
    """The living processes that run the loops."""
    return [process for process in living(facts, limits) if process.works]


def living(facts: Facts, limits: Limits) -> list[Process]:
    """The processes that were heard of lately and have not ended."""
    return [process for process in facts.processes if not process.ended and process.age < limits.dead]


def nobody_sends(facts: Facts, limits: Limits) -> bool:
    """Whether messages do not get out because those who should send them are dead, or hang."""
    working = at_work(facts, limits)
    return not all(any(_does(process, name) for process in working) for name in SENDING)


def _does(process: Process, loop: str) -> bool:
    return loop in process.loops and process.age + process.loops[loop] < PATIENCE[loop]
