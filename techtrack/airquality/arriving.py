"""The quality tests as steps: one value at a time, with what must be remembered of those before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from techtrack.airquality.quality import Checks, Flag


@dataclass(frozen=True, slots=True)
class Mark:
    """A doubt over the values from ``start`` to ``end`` (µs, both included)."""

    flag: Flag
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The latest usable value, the one before it, and since when (µs) the value has been the same."""

    at: int | None = None
    value: float = 0.0
    before: float | None = None
    since: int = 0


FRESH = Memory()


def step(memory: Memory, *, at: int, value: float, checks: Checks) -> tuple[Memory, list[Mark]]:
    """Test a value that arrives in the order of time; return what to remember, and the doubts it gives rise to.

    They may reach back: a spike is known by what follows it, and a value that is stuck has been so since it came. Marks
    of all steps cover what ``quality.flagged`` finds in the whole.
    """
    if value != value:  # noqa: PLR0124 - NaN, which is no value
        return memory, []
    if checks.sentinel(value):
        return memory, [Mark(Flag.SENTINEL, at, at)]
    if checks.outside(value):
        return memory, [Mark(Flag.RANGE, at, at)]
    if memory.at is None:
        return Memory(at, value, None, at), []
    if value == memory.value:
        return replace(memory, at=at, before=memory.value), list(_resting(memory, at, checks))
    return Memory(at, value, memory.value, at), list(_changing(memory, memory.at, at, value, checks))


def _resting(memory: Memory, at: int, checks: Checks) -> Iterator[Mark]:
    if checks.stuck is not None and at - memory.since >= checks.stuck and not checks.rests(memory.value):
        yield Mark(Flag.STUCK, memory.since, at)


def _changing(memory: Memory, last: int, at: int, value: float, checks: Checks) -> Iterator[Mark]:
    if checks.jumps(memory.value, value, at - last):
        yield Mark(Flag.RATE, at, at)
    if memory.before is not None and checks.stands_out(memory.before, memory.value, value):
        yield Mark(Flag.SPIKE, last, last)
