"""What of the store cannot be read: noticed while reading, or set aside before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from techtrack.telemetry.models import Damage
from techtrack.telemetry.store.base import Span

HOUR = 3_600_000_000
Hours = set[tuple[int, int]]  # asset id, hour since 1970

_noticed: ContextVar[Hours | None] = ContextVar("unreadable_hours", default=None)


@contextmanager
def noticed() -> Iterator[Hours]:
    """Gather the hours that turn out to be unreadable while this block reads."""
    hours: Hours = set()
    token = _noticed.set(hours)
    try:
        yield hours
    finally:
        _noticed.reset(token)


def notice(asset: int, hour: int) -> None:
    """Tell whoever gathers them that an hour cannot be read."""
    hours = _noticed.get()
    if hours is not None:
        hours.add((asset, hour))


def set_aside(assets: Iterable[int], span: Span) -> Hours:
    """Return the hours in ``span`` of which readings were set aside: what is stored of them now came later."""
    wanted = set(assets)
    first, last = max(span[0] // HOUR, -(2**31)), min((span[1] - 1) // HOUR, 2**31 - 1)
    # Damage is rare: by hour, whatever the asset, costs less than to name a thousand assets.
    rows = Damage.objects.filter(hour__gte=first, hour__lte=last).values_list("asset_id", "hour")
    return {(asset, hour) for asset, hour in rows if asset in wanted and hour is not None}
