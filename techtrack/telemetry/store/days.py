"""Makes the rows of local days that have closed, out of hours; who reads finds the same figures without them.

A builder says in its asset's row how far it goes (the claim), reads, and writes only if no hour before the claim has
changed meanwhile. Claims and folds take turns: a fold is either over before the builder reads, or sees the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.reading import Ints
from techtrack.telemetry.domain.statistics import Statistics
from techtrack.telemetry.domain.windows import Interval, Unit, edges
from techtrack.telemetry.models import DayRollup, Segment, Upkeep
from techtrack.telemetry.store import rollups, segments, upkeep
from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.encoding import pack_days
from techtrack.telemetry.store.segments import LANE
from techtrack.telemetry.store.snapshot import snapshot
from techtrack.telemetry.store.sql import among, ask, execute
from techtrack.telemetry.store.tail import HOUR, NEVER, View

# What comes late after midnight usually comes within minutes.
GRACE = timedelta(minutes=10)
DAY = Interval(1, Unit.DAY)
# One step makes so many days of so many assets at most: some tenths of a second, most of it reading.
ASSETS, CELLS, MOVED = 200, 400, 10
LONGEST_DAY = 25 * HOUR
Row = tuple[int, int, int, str, str, bytes]


@dataclass(frozen=True, slots=True)
class _Due:
    """An asset with days to be made from ``start`` on in ``zone``; ``kept`` is the zone of the days that are there."""

    asset: int
    zone: str
    kept: str | None
    start: int


def build(now: datetime, *, assets: Iterable[int] | None = None) -> int:
    """Make the next days that are due, of all assets or of some; returns for how many assets, 0 when none is due."""
    closed = closed_to(now)
    due = _due(closed, assets)
    moved = [one for one in due if one.kept not in {None, one.zone}][:MOVED]
    if moved:
        _move(moved)
        return len(moved)
    group = [one for one in due if (one.zone, one.start) == (due[0].zone, due[0].start)]
    if group:
        _build(group, closed)
    return len(group)


def closed_to(now: datetime) -> int:
    """Return the time (µs) before which days are closed: all that was received by then is folded."""
    waiting = Segment.objects.filter(lane=LANE, position__gt=segments.watermark()).order_by("position")
    oldest = waiting.values_list("received_at", flat=True).first()
    latest = now - GRACE
    return to_micros(latest if oldest is None else min(latest, oldest))


def waiting(now: datetime) -> int:
    """Count the assets that have days to be made."""
    return int(ask(f"SELECT COUNT(*) FROM ({_CANDIDATES}) AS due", closed_to(now))[0][0])  # noqa: S608 - words of ours


def midnights(zone: str, start: int, end: int) -> Ints:
    """Return the starts of the local days that hold start <= time < end (µs), and the end of the last."""
    return edges(DAY, start=start, end=end, zone=ZoneInfo(zone))


def _due(closed: int, assets: Iterable[int] | None) -> list[_Due]:
    chosen, params = ("", []) if assets is None else among(list(assets))
    limited = f"{_CANDIDATES} {chosen and f'AND newest.asset_id {chosen}'} ORDER BY newest.asset_id LIMIT {ASSETS}"
    found = ask(limited, closed, *params)
    starts: dict[tuple[str, int], int] = {}
    due = []
    for asset, zone, kept, days_to, first_at in found:
        at = first_at if days_to is None or days_to == NEVER else days_to
        # Assets of one import begin within the same hours: their midnight is looked for once.
        key = (zone, at // HOUR)
        if key not in starts or at % HOUR:
            starts[key] = int(midnights(zone, at, at + 1)[0])
        due.append(_Due(asset, zone, kept, starts[key]))
    return due


@transaction.atomic
def _move(moved: Sequence[_Due]) -> None:
    """Remove the days of assets whose site has another zone now."""
    upkeep.hold()
    for one in moved:
        DayRollup.objects.filter(asset_id=one.asset).exclude(zone=one.zone).delete()
        rows = Upkeep.objects.filter(pk=one.asset)
        rows.update(zone=one.zone, days_to=NEVER, next_at=NEVER, revision=F("revision") + 1)


def _build(group: Sequence[_Due], closed: int) -> None:
    zone, start = group[0].zone, group[0].start
    reach = start + max(CELLS // len(group), 1) * LONGEST_DAY
    bounds = midnights(zone, start, min(max(closed, start + 1), reach))
    closing = bounds[bounds <= closed]
    ids = [one.asset for one in group]
    revisions = _claim(ids, zone, bounds)
    rows: dict[int, list[Row]] = {}
    if len(closing) > 1:
        floor = segments.watermark()
        with snapshot():
            found = rollups.statistics(View(floor, floor), ids, (), closing)
            there = _there(ids, closing, zone)
        rows = rows_of(found, closing, zone)
        rows = {asset: [row for row in mine if row[:3] not in there] for asset, mine in rows.items()}
    days_to = int(closing[-1]) if len(closing) else start
    _write(revisions, rows, days_to, int(midnights(zone, days_to, days_to + 1)[1]))


@transaction.atomic
def _claim(ids: Sequence[int], zone: str, bounds: Ints) -> Mapping[int, int]:
    """Let every later change of an hour before the last bound be noticed; returns each asset's revision."""
    upkeep.hold()
    start, end = int(bounds[0]), int(bounds[-1])
    new = [Upkeep(pk=asset, zone=zone, days_to=start, next_at=NEVER, claimed_to=end) for asset in ids]
    Upkeep.objects.bulk_create(new, ignore_conflicts=True)
    rows = Upkeep.objects.filter(pk__in=ids)
    rows.update(claimed_to=Greatest("claimed_to", Value(end)))
    return dict(rows.values_list("pk", "revision"))


def _there(ids: Sequence[int], bounds: Ints, zone: str) -> set[tuple[int, int, int]]:
    rows = DayRollup.objects.filter(asset_id__in=ids, start_at__gte=bounds[0], end_at__lte=bounds[-1], zone=zone)
    return set(rows.values_list("asset_id", "start_at", "end_at"))


def rows_of(found: Mapping[Series, Statistics], bounds: Ints, zone: str) -> dict[int, list[Row]]:
    """Return by asset the rows of the days between ``bounds`` that have a usable value."""
    series: dict[int, list[str]] = {}
    for asset, code in sorted(found):
        series.setdefault(asset, []).append(code)
    return {
        asset: list(_rows(asset, codes, np.stack([found[asset, code] for code in codes], axis=1), bounds, zone))
        for asset, codes in series.items()
    }


def _rows(asset: int, codes: Sequence[str], statistics: Statistics, bounds: Ints, zone: str) -> Iterator[Row]:
    filled = statistics["count"] > 0
    for pattern in np.unique(filled[filled.any(axis=1)], axis=0):
        index, columns = np.flatnonzero((filled == pattern).all(axis=1)), np.flatnonzero(pattern)
        names = " ".join(codes[column] for column in columns.tolist())
        payloads = pack_days(statistics[np.ix_(index, columns)])
        starts, ends = bounds[:-1][index].tolist(), bounds[1:][index].tolist()
        for start, end, payload in zip(starts, ends, payloads, strict=True):
            yield asset, start, end, zone, names, payload


@transaction.atomic
def _write(revisions: Mapping[int, int], rows: Mapping[int, Sequence[Row]], days_to: int, next_at: int) -> None:
    """Write the days of the assets that have not changed since the claim; the others are made anew."""
    upkeep.hold()
    # Who changes a revision holds too: what is the same now stays so until commit.
    now = Upkeep.objects.filter(pk__in=list(revisions)).values_list("pk", "revision")
    same = [asset for asset, revision in now if revision == revisions[asset]]
    Upkeep.objects.filter(pk__in=same).update(days_to=days_to, next_at=next_at)
    execute(_UPSERT_DAY, [row for asset in same for row in rows.get(asset, ())])


# The newest values name every asset that has readings. One join of all: of a thousand assets, a question for each of
# them costs ten times as much.
_CANDIDATES = """
SELECT newest.asset_id, COALESCE(site.timezone, 'UTC'), own.zone, own.days_to, newest.first_at
FROM telemetry_latest AS newest
LEFT JOIN telemetry_upkeep AS own ON own.asset_id = newest.asset_id
LEFT JOIN assets_asset AS asset ON asset.id = newest.asset_id
LEFT JOIN accounts_site AS site ON site.id = asset.site_id
WHERE (own.zone IS NULL OR own.zone <> COALESCE(site.timezone, 'UTC') OR own.next_at <= %s)
"""
_UPSERT_DAY = """
INSERT INTO telemetry_dayrollup (asset_id, start_at, end_at, zone, codes, payload) {rows}
ON CONFLICT (asset_id, start_at) DO UPDATE SET end_at = excluded.end_at, zone = excluded.zone,
    codes = excluded.codes, payload = excluded.payload
"""
