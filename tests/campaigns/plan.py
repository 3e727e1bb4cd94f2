"""What the writers of a campaign write: each number of each writer is always the same operation, and can be redone.

Writers share assets and hours, never a reading: of the times one takes no other takes any. Every operation leaves a
tick, a reading of its writer's own asset, in its transaction; so the ticks say which operations are there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.store.base import Store
from techtrack.telemetry.store.memory import MemoryStore
from tests.campaigns.agreement import HOUR, differences
from tests.factories import NOW

SHARED = (1, 2, 3)
TICKS = 100
START = 1_794_000_000_000_000 // HOUR * HOUR
HOURS = 5
TICK = 20_000_000
EVERY_HOUR = [START + hour * HOUR for hour in range(-1, HOURS + 2)]


@dataclass(frozen=True, slots=True)
class Operation:
    """One transaction: rows of one kind or marks, one or several at once, and the tick."""

    kind: Kind
    rows: Sequence[Row]
    marks: Sequence[Mark]
    tick: Row

    def apply(self, store: Store) -> None:
        """Write it; the caller holds the transaction."""
        store.append(Batch.of([self.tick]), kind=Kind.READINGS, origin=Origin.LIVE, now=NOW)
        if self.marks:
            store.mark(self.marks, now=NOW)
        else:
            store.append(Batch.of(self.rows), kind=self.kind, origin=Origin.LIVE, now=NOW)


@lru_cache(maxsize=100_000)
def operation(seed: int, writer: int, number: int) -> Operation:
    """Return an operation."""
    dice = random.Random(f"{seed} {writer} {number}")
    tick = Row(TICKS + writer, START + number * TICK, {"number": float(number)})
    kind = dice.choices([Kind.READINGS, Kind.PATCH, Kind.REPLACE, Kind.REMOVE, Kind.QUALITY], weights=[80, 6, 5, 5, 4])[
        0
    ]
    if kind is Kind.QUALITY:
        return Operation(kind, (), [_mark(dice, writer) for _ in range(dice.choice([1, 1, 5]))], tick)
    if kind is Kind.READINGS and not (number and dice.random() < 0.1):
        return Operation(kind, tuple(_row(dice, writer) for _ in range(dice.randint(1, 30))), (), tick)
    earlier = operation(seed, writer, dice.randrange(number)).rows if number else ()
    earlier = earlier or (_row(dice, writer),)
    if kind is Kind.READINGS:
        return Operation(kind, earlier, (), tick)
    chosen = dice.choice(earlier)
    values = {} if kind is Kind.REMOVE else _values(dice, writer)
    return Operation(kind, (Row(chosen.asset, chosen.time, values),), (), tick)


def _mark(dice: random.Random, writer: int) -> Mark:
    first, last = sorted((_time(dice, writer), _time(dice, writer)))
    return Mark(dice.choice(SHARED), f"of{writer}", first, last + 1, dice.choice(list(Quality)))


def _row(dice: random.Random, writer: int) -> Row:
    return Row(dice.choice(SHARED), _time(dice, writer), _values(dice, writer))


def _time(dice: random.Random, writer: int) -> int:
    # Few enough places that a writer often meets what it wrote before.
    return START + dice.randrange(HOURS * 400) * (HOUR // 400) + writer


def _values(dice: random.Random, writer: int) -> Mapping[str, float]:
    found = {f"of{writer}": round(dice.uniform(-100, 100), 2), "shared": dice.random()}
    return dict(dice.sample(sorted(found.items()), dice.randint(1, 2)))


def ticks(store: Store, writers: int) -> list[list[int]]:
    """Return per writer the numbers whose ticks are there."""
    found = store.readings([TICKS + writer for writer in range(writers)])
    return [
        found[asset].columns["number"].astype(int).tolist() if (asset := TICKS + writer) in found else []
        for writer in range(writers)
    ]


def counted_ticks(store: Store, writers: int) -> list[int]:
    """Return per writer how many ticks the statistics of all hours count."""
    assets = [TICKS + writer for writer in range(writers)]
    edges = np.array([START + hour * HOUR for hour in range(400)])
    found = store.statistics(assets, codes=["number"], edges=edges)
    return [int(found[asset, "number"]["count"].sum()) if (asset, "number") in found else 0 for asset in assets]


def expected(store: Store, seed: int, acknowledged: Sequence[int]) -> tuple[MemoryStore, list[str]]:
    """Return a twin with the operations that are in ``store``, and what is wrong with which are there.

    The first ``acknowledged`` of each writer were promised. What was under way when it ended may be there or not, but
    nothing after something missing.
    """
    twin, found = MemoryStore(), []
    for writer, there in enumerate(ticks(store, len(acknowledged))):
        if there != list(range(len(there))):
            found.append(f"writer {writer}: the ticks have holes or doubles: {there}")
        if len(there) < acknowledged[writer]:
            found.append(f"writer {writer}: {acknowledged[writer] - len(there)} acknowledged operations are lost")
        for number in there:
            operation(seed, writer, number).apply(twin)
    return twin, found


def faults(twin: MemoryStore, store: Store, writers: int) -> list[str]:
    """Name every answer that is not the twin's: operations are there wholly, once, and in every form."""
    assets = [*SHARED, *(TICKS + writer for writer in range(writers))]
    cuts = [EVERY_HOUR, [EVERY_HOUR[0], EVERY_HOUR[-1]], [START + HOUR // 3, START + HOUR, START + 3 * HOUR + 7]]
    return [difference[:1000] for difference in differences(twin, store, assets, cuts)]
