"""Several questions about readings answered from one picture of the store, which tells what it cannot read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from techtrack.core.clock import from_micros, isoformat
from techtrack.telemetry.store import damage
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.damage import HOUR
from techtrack.telemetry.store.database import store


class Unreadable(NamedTuple):
    """A stretch of an asset's time (start <= time < end, µs) of which readings are damaged."""

    asset: int
    start: int
    end: int

    def told(self) -> str:
        """Say it in a table, where its start stands already."""
        return f"unreadable until {isoformat(from_micros(self.end))}"


@contextmanager
def looking(asset_ids: Sequence[int], span: Span) -> Iterator[list[Unreadable]]:
    """Answer what is asked inside from one picture; behind it, the list holds what could not be read of it.

    Hours whose statistics are kept apart from their readings count where the readings themselves were asked for,
    or were set aside.
    """
    found: list[Unreadable] = []
    with store.picture() as view, damage.noticed() as hours:
        yield found
        if view.set_aside:
            hours.update(damage.set_aside(asset_ids, span))
    found += stretches(hours, span)


def unreadable(asset_id: int, span: Span, hours: Iterable[int]) -> list[Unreadable]:
    """Return what was set aside of an asset in ``span``, and the ``hours`` that turned out to be damaged."""
    found = {(asset_id, hour) for hour in hours}
    with store.picture() as view:
        if view.set_aside:
            found |= damage.set_aside([asset_id], span)
    return stretches(found, span)


def within(found: Iterable[Unreadable], span: Span) -> list[Unreadable]:
    """Cut stretches to ``span``."""
    cut = (Unreadable(one.asset, max(one.start, span[0]), min(one.end, span[1])) for one in found)
    return [one for one in cut if one.start < one.end]


def stretches(hours: Iterable[tuple[int, int]], span: Span) -> list[Unreadable]:
    """Join neighbouring hours (asset id, hour since 1970) and cut them to ``span``."""
    found: list[Unreadable] = []
    for asset, hour in sorted(hours):
        start, end = max(hour * HOUR, span[0]), min((hour + 1) * HOUR, span[1])
        if found and found[-1].asset == asset and found[-1].end == start:
            found[-1] = Unreadable(asset, found[-1].start, end)
        elif start < end:
            found.append(Unreadable(asset, start, end))
    return found
