"""Reads of how assets are used: what readings add to meters and runs, and what meters have counted since a moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from techtrack.assets.domain.running import RunningSign
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND, to_micros
from techtrack.core.errors import Invalid
from techtrack.tasks.domain.meters import Tally, count
from techtrack.tasks.domain.projection import Pace
from techtrack.tasks.domain.runs import Spans, holds, joined, runs
from techtrack.tasks.domain.tallying import Floats, Ints, Record, counted
from techtrack.tasks.models import AssetMeter, RunLog
from techtrack.telemetry import queries as telemetry

# In one step; others wait for theirs.
MOST_READINGS = 200_000
# Further back nobody looks: for a pace, and for when an asset ran.
METER_DAYS, RUN_DAYS = timedelta(days=44), timedelta(days=366)
# Readings of the last moment may still come in another order.
SETTLED = timedelta(minutes=1)
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a meter came in one step; ``behind``: there are more readings."""

    record: Record
    behind: bool


@dataclass(frozen=True, slots=True)
class Sign:
    """By what one sees that an asset runs: ``parameter`` above ``above``; a value holds no longer than ``longest``."""

    parameter: str
    above: float
    longest: timedelta

    @property
    def key(self) -> str:
        """The same sign as a text."""
        return f"{self.parameter}:{self.above}"


def sign_of(asset: Asset) -> Sign | None:
    """Return the running sign of an asset, of its type (to be selected with it); None where it has none that holds."""
    raw = asset.type.running if asset.type else None
    if raw is None:
        return None
    try:
        sign = RunningSign.parse(raw, pointer="")
    except Invalid:
        # Written when it was something else that could be seen by.
        return None
    above = sign.limit(asset.attributes)
    return None if above is None else Sign(sign.parameter, above, holding(asset))


def holding(asset: Asset) -> timedelta:
    """Return how long a value of an asset (with its type) holds at most until the next one."""
    own = asset.expected_interval or (asset.type.expected_interval if asset.type else None)
    return holds(own)


def meters_due(now: datetime, limit: int) -> Sequence[AssetMeter]:
    """Return meters that are to be counted on, those first that wait for longest."""
    rows = AssetMeter.objects.filter(look_at__lte=now).select_related("asset__type")
    return list(rows.order_by("look_at", "pk")[:limit])


def run_logs_due(now: datetime, limit: int) -> Sequence[RunLog]:
    """Return the logs of runs that are to be followed on, those first that wait for longest."""
    rows = RunLog.objects.filter(look_at__lte=now).select_related("asset__type")
    return list(rows.order_by("look_at", "pk")[:limit])


def count_on(row: AssetMeter, *, now: datetime) -> Progress:
    """Count what has come since a meter (with asset and type) was last looked at."""
    meter, longest = row.meter, holding(row.asset)
    record, looked = Record(Tally(row.total, row.time, row.value), row.days), 0
    start = to_micros(now - METER_DAYS) if row.time is None else row.time + 1
    for times, values in _series(row.asset_id, row.parameter, (start, to_micros(now - SETTLED))):
        if looked >= MOST_READINGS:
            return Progress(record, behind=True)
        record, looked = counted(meter, record, times=times, values=values, longest=longest), looked + len(times)
    return Progress(record, behind=False)


@dataclass(frozen=True, slots=True)
class Ran:
    """What readings tell of when an asset ran, from the one at ``begins`` (µs) to the one at ``time`` of ``value``.

    ``behind`` as above; None where nobody has seen its running sign yet.
    """

    spans: Spans
    begins: int | None
    time: int | None
    value: float
    behind: bool


def runs_on(log: RunLog, sign: Sign, *, now: datetime) -> Ran:
    """Find when an asset ran since its log was last looked at."""
    found, looked, begins, time, value = [np.empty((0, 2), np.int64)], 0, log.begins, log.time, log.value
    start = to_micros(now - RUN_DAYS) if time is None else time + 1
    for times, values in _series(log.asset_id, sign.parameter, (start, to_micros(now - SETTLED))):
        if looked >= MOST_READINGS:
            return Ran(joined(np.concatenate(found)), begins, time, value, behind=True)
        ahead = ([], []) if time is None else ([time], [value])
        whole = np.concatenate([np.array(ahead[0], np.int64), times]), np.concatenate([np.array(ahead[1]), values])
        found.append(runs(*whole, above=sign.above, longest=sign.longest))
        begins = int(times[0]) if begins is None else begins
        time, value, looked = int(times[-1]), float(values[-1]), looked + len(times)
    return Ran(joined(np.concatenate(found)), begins, time, value, behind=False)


def used_since(row: AssetMeter, since: datetime) -> float:
    """Return what a meter (with asset and type) has counted since a moment, as far as it has counted at all."""
    if row.time is None:
        return 0.0
    meter, tally, longest = row.meter, Tally(), holding(row.asset)
    start = max(to_micros(since), row.time - RUN_DAYS // MICROSECOND)
    put_in = {at: shows for at, shows in row.replaced if start < at <= row.time}
    for low, high in pairwise([start, *put_in, row.time + 1]):
        for times, values in _series(row.asset_id, row.parameter, (low, high)):
            tally = count(meter, tally=tally, times=times, values=values, holds=longest)
        if high in put_in:
            tally = tally.replaced(time=high, value=put_in[high])
    return tally.total


def pace_of(row: AssetMeter, *, now: datetime) -> Pace:
    """Return how much a meter counts a day."""
    return Record(Tally(row.total, row.time, row.value), row.days).pace(now=now)


def meters_of(asset_ids: Iterable[int], keys: Iterable[str]) -> dict[tuple[int, str], AssetMeter]:
    """Return the meters of assets by asset and key, with assets and their types."""
    rows = AssetMeter.objects.filter(asset__in=set(asset_ids), key__in=set(keys)).select_related("asset__type")
    return {(row.asset_id, row.key): row for row in rows}


def assets_that_show_running() -> set[int]:
    """Return the ids of the assets whose type has a running sign."""
    return set(Asset.objects.filter(type__running__isnull=False).values_list("pk", flat=True))


def _series(asset_id: int, parameter: str, span: Span) -> Iterable[tuple[Ints, Floats]]:
    """Give the usable values of a series in order of time, in pieces that are not empty."""
    if parameter not in telemetry.latest([asset_id]).get(asset_id, {}):
        # Of what an asset does not send nothing is looked for in months of what it does.
        return
    for piece in telemetry.walk(asset_id, span, codes=[parameter]):
        times, values = piece.usable(parameter)
        if len(times):
            yield times, values
