"""Faults to order: what goes wrong with readings on their way, at the rates that somebody asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]

# A late reading comes so many ticks after its time, at most.
LATEST = 30
SPIKED = 10.0


class BadOrder(Exception):
    """A fault was ordered in words that nobody understands; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A fault of one machine (counted from 1) for so many seconds, from so many seconds after the start."""

    machine: int
    seconds: float
    start: float

    def holds(self, at: float) -> bool:
        """Tell whether it lasts ``at`` so many seconds after the start."""
        return self.start <= at < self.start + self.seconds


def read_stretch(text: str) -> Stretch:
    """Read ``MACHINE:SECONDS`` or ``MACHINE:SECONDS@START``.

    Raises:
        BadOrder: it is neither.
    """
    machine, _, rest = text.partition(":")
    seconds, _, start = rest.partition("@")
    try:
        stretch = Stretch(int(machine), float(seconds), float(start or 0))
    except ValueError:
        raise BadOrder(f"{text!r} is not MACHINE:SECONDS or MACHINE:SECONDS@START, such as 3:60@10.") from None
    if stretch.machine < 1 or stretch.seconds <= 0 or stretch.start < 0:
        raise BadOrder(f"{text!r}: machines count from 1, and a stretch lasts longer than nothing.")
    return stretch


@dataclass(frozen=True, slots=True)
class Orders:
    """Shares of all readings, from 0 to 1, and stretches of single machines."""

    late: float = 0.0
    duplicate: float = 0.0
    bad: float = 0.0
    spike: float = 0.0
    outages: tuple[Stretch, ...] = ()
    stuck: tuple[Stretch, ...] = ()


@dataclass(slots=True)
class Made:
    """How many readings had which fault, so that what is counted at the other end can be held against it."""

    late: int = 0
    duplicate: int = 0
    bad: int = 0
    spike: int = 0
    outage: int = 0
    stuck: int = 0


@dataclass(slots=True)
class Mischief:
    """Makes the faults that were ordered; the same seed makes the same ones."""

    orders: Orders
    seed: int = 1
    made: Made = field(default_factory=Made)
    _random: random.Random = field(init=False)
    _held: dict[int, list[Item]] = field(default_factory=dict)
    _kept: dict[int, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Chance for faults, not for secrets.
        self._random = random.Random(self.seed)  # noqa: S311

    def tick(self, number: int, items: list[Item], *, at: float) -> list[Item]:
        """Return what arrives in this tick of the ``items`` that were measured ``at`` so many seconds after the start.

        ``items`` are in the order of the machines.
        """
        arriving = self._held.pop(number, [])
        for machine, item in enumerate(items, start=1):
            if any(outage.machine == machine and outage.holds(at) for outage in self.orders.outages):
                self.made.outage += 1
                continue
            self._pass_on(number, self._changed(machine, item, at), arriving)
        return arriving

    def rest(self) -> list[Item]:
        """Return what is still on its way when the last tick is over."""
        held, self._held = self._held, {}
        return [item for number in sorted(held) for item in held[number]]

    def _changed(self, machine: int, item: Item, at: float) -> Item:
        if self.orders.stuck:
            item = self._stuck(machine, item, at)
        if self._happens(self.orders.spike):
            self.made.spike += 1
            code = self._random.choice(list(item["values"]))
            item = {**item, "values": {**item["values"], code: item["values"][code] * SPIKED}}
        return item

    def _stuck(self, machine: int, item: Item, at: float) -> Item:
        if not any(stretch.machine == machine and stretch.holds(at) for stretch in self.orders.stuck):
            self._kept.pop(machine, None)
            return item
        self.made.stuck += 1
        kept = self._kept.setdefault(machine, item)
        return {**item, "values": kept["values"]}

    def _pass_on(self, number: int, item: Item, arriving: list[Item]) -> None:
        if self._happens(self.orders.bad):
            self.made.bad += 1
            arriving.append(self._random.choice(GARBLED)(item))
            return
        if self._happens(self.orders.late):
            self.made.late += 1
            self._held.setdefault(number + self._random.randint(1, LATEST), []).append(item)
        else:
            arriving.append(item)
        if self._happens(self.orders.duplicate):
            self.made.duplicate += 1
            self._held.setdefault(number + self._random.randint(1, 2), []).append(item)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share


def _word_for_number(item: Item) -> Item:
    return {**item, "values": {**item["values"], next(iter(item["values"])): "n/a"}}


def _nothing_measured(item: Item) -> Item:
    return {**item, "values": {}}


def _stranger(item: Item) -> Item:
    return {**item, "asset": f"not-{item['asset']}"}


def _no_offset(item: Item) -> Item:
    return {**item, "timestamp": item["timestamp"].removesuffix("Z")}


def _odd_code(item: Item) -> Item:
    return {**item, "values": dict(item["values"]) | {"Not A Code": 1.0}}


GARBLED: tuple[Callable[[Item], Item], ...] = (_word_for_number, _nothing_measured, _stranger, _no_offset, _odd_code)


def as_words(made: Made, orders: Orders) -> Mapping[str, int]:
    """Return the faults that were ordered, by name, with how often each was made."""
    asked = {
        "late": orders.late,
        "sent twice": orders.duplicate,
        "bad": orders.bad,
        "with a spike": orders.spike,
        "lost in an outage": orders.outages,
        "stuck": orders.stuck,
    }
    counts = (made.late, made.duplicate, made.bad, made.spike, made.outage, made.stuck)
    return {name: count for (name, wanted), count in zip(asked.items(), counts, strict=True) if wanted}
