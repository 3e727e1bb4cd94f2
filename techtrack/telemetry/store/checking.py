"""Checks all that is stored against itself: bytes, bounds, and everything derived against what it is derived of.

Each look is taken in one snapshot, in which a fold is either over or not begun; what the log or a fold that has broken
off may still change is left out: the next fold sees to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from techtrack.telemetry.domain.reading import Kind, Readings
from techtrack.telemetry.domain.statistics import Statistics
from techtrack.telemetry.models import Chunk, DayRollup, Latest, Segment, Upkeep
from techtrack.telemetry.store import compaction, latest, rollups, segments, survey
from techtrack.telemetry.store.days import midnights
from techtrack.telemetry.store.encoding import Corrupt, decode, unpack_days, unpack_latest
from techtrack.telemetry.store.segments import LANE
from techtrack.telemetry.store.snapshot import snapshot
from techtrack.telemetry.store.survey import ChunkRow, Problem, Step, Window
from techtrack.telemetry.store.tail import HOUR, MARK_ROWS, NEVER, View

# Sums of days may be added up in another order than when they were made.
CLOSE = 1e-9
SUMS = ("total", "m2", "integral")
EXACT = ("count", "minimum", "maximum", "first", "first_at", "last", "last_at")
LOG_PAGE = 200
Newest = dict[str, tuple[int, float]]


def check(assets: Iterable[int] | None = None) -> Iterator[Step]:
    """Go through everything, or what there is of some assets; while the platform works."""
    if assets is None:
        yield Step(0, tuple(_check_log()))
    for asset in survey.stored_assets() if assets is None else sorted(set(assets)):
        yield from _check_asset(asset)


def _check_asset(asset: int) -> Iterator[Step]:
    after, newest = -(2**31), Newest()
    while True:
        with snapshot():
            window = survey.load(asset, after)
            problems = tuple(_check_window(window, newest)) if window else ()
        if window is None:
            break
        yield Step(len(window), problems)
        after = window.last
    yield Step(0, (*_check_latest(asset, newest), *_check_days(asset)))


def _check_window(window: Window, newest: Newest) -> Iterator[Problem]:
    head, raw_from = segments.head(), _raw_from(window.asset)
    for hour, row in window.chunks.items():
        if detail := _wrong_with(row, head):
            yield Problem(window.asset, hour, detail)
        _note(newest, row.stored.readings)
    for hour in sorted(window.rollups.keys() - window.chunks.keys()):
        if (hour + 1) * HOUR > raw_from:
            yield Problem(window.asset, hour, "the chunk is missing")
    group = window.group()
    codes, statistics = group.statistics()
    for _, hour, _, names, payload in compaction.rollup_rows(group, 0, codes, statistics):
        if window.rollups.get(hour) != (names, payload) and not _awaits_the_log(window.asset):
            said = "is not what its chunk says" if hour in window.rollups else "is missing"
            yield Problem(window.asset, hour, f"the rollup {said}")


def _wrong_with(row: ChunkRow, head: int) -> str:
    stored, times = row.stored, row.stored.readings.times
    if stored.damaged:
        return "the chunk cannot be read"
    start = stored.hour * HOUR
    if len(times) and not (start <= times[0] and times[-1] < start + HOUR and (np.diff(times) > 0).all()):
        return "the chunk holds times of another hour, or out of order"
    bounds = (int(times[0]), int(times[-1])) if len(times) else (start, start)
    if (row.readings, row.first_at, row.last_at) != (len(times), *bounds):
        return "the chunk does not hold what its row says"
    return "the chunk is ahead of the log" if stored.through > head else ""


def _note(newest: Newest, readings: Readings) -> None:
    for code in readings.columns:
        times, values = readings.series(code)
        if len(times):
            newest[code] = (int(times[-1]), float(values[-1]))


def _raw_from(asset: int) -> int:
    raw_from = Upkeep.objects.filter(pk=asset).values_list("raw_from", flat=True).first()
    return NEVER if raw_from is None else raw_from


def _awaits_the_log(asset: int) -> bool:
    """Tell whether a mark of quality, or the end of the asset, is yet to be folded."""
    waiting = Segment.objects.filter(lane=LANE, position__gt=segments.watermark(), kind__gte=Kind.QUALITY)
    about = waiting.filter(first_asset__lte=asset, last_asset__gte=asset).values_list("payload", flat=True)
    return any(_tells_of(bytes(payload), asset) for payload in about)


def _tells_of(payload: bytes, asset: int) -> bool:
    try:
        return asset in decode(payload).assets
    except Corrupt:
        # It may; that it cannot be read is reported elsewhere.
        return True


def _check_latest(asset: int, newest: Newest) -> Iterator[Problem]:
    with snapshot():
        told = _told(asset)
        if isinstance(told, str):
            yield Problem(asset, None, told)
            return
        raw_from = _raw_from(asset)
        kept = {code: found for code, found in told.items() if code in newest or found[0] >= raw_from}
        if _same(kept, newest) or _is_being_folded(asset):
            return
        # Much may have come since the hours were gone through: look again, at one moment.
        found = searched(asset, {*told, *newest})
    kept = {code: at for code, at in told.items() if code in found or at[0] >= raw_from}
    for code in sorted(kept.keys() | found.keys()):
        if not _same({code: kept.get(code)}, {code: found.get(code)}):
            hour = (found.get(code) or kept[code])[0] // HOUR
            said, true = _word(kept.get(code)), _word(found.get(code))
            yield Problem(asset, hour, f"the latest {code} is {said} and should be {true}")


def _told(asset: int) -> Newest | str:
    """Return what the row of latest values says, or what is wrong with it."""
    row = Latest.objects.filter(pk=asset).values_list("codes", "payload").first()
    if row is None:
        return "the latest values are missing" if _has_values(asset) and not _is_being_folded(asset) else {}
    codes = row[0].split()
    try:
        times, values = unpack_latest([bytes(row[1])], len(codes))
    except Corrupt as error:
        return f"the latest values cannot be read: {error}"
    return {code: (int(times[0, place]), float(values[0, place])) for place, code in enumerate(codes)}


def _has_values(asset: int) -> bool:
    return Chunk.objects.filter(asset_id=asset, readings__gt=0).exists() and not _awaits_the_log(asset)


def _is_being_folded(asset: int) -> bool:
    """Tell whether a fold has changed hours of the asset and not yet its latest values, or will."""
    ahead = Chunk.objects.filter(asset_id=asset, through__gt=segments.watermark())
    return ahead.exists() or _awaits_the_log(asset)


def searched(asset: int, codes: Iterable[str]) -> Newest:
    """Find the newest value of parameters among the hours themselves."""
    rows, floor = Chunk.objects.filter(asset_id=asset), segments.watermark()
    first = rows.order_by("hour").values_list("first_at", flat=True).first()
    last = rows.order_by("-hour").values_list("last_at", flat=True).first()
    if first is None or last is None:
        return {}
    return latest.looked_up(View(floor, floor), asset, set(codes), (first // HOUR * HOUR, last + 1))


def _same(some: Mapping[str, object], others: Mapping[str, object]) -> bool:
    # repr tells the sign of zero.
    return repr(sorted(some.items())) == repr(sorted(others.items()))


def _word(found: tuple[int, float] | None) -> str:
    return "absent" if found is None else f"{found[1]!r} of {Problem(None, found[0] // HOUR, '').when}"


def _check_days(asset: int) -> Iterator[Problem]:
    with snapshot():
        upkeep = Upkeep.objects.filter(pk=asset).values_list("zone", "days_to").first()
        rows = DayRollup.objects.filter(asset_id=asset).order_by("zone", "start_at")
        by_zone: dict[str, list[tuple[int, int, str, bytes]]] = {}
        for zone, start, end, codes, payload in rows.values_list("zone", "start_at", "end_at", "codes", "payload"):
            by_zone.setdefault(zone, []).append((start, end, codes, bytes(payload)))
        for zone, days in by_zone.items():
            yield from _check_days_of(asset, days)
            if upkeep and upkeep[0] == zone:
                yield from _missing_days(asset, zone, days, upkeep[1])


def _check_days_of(asset: int, days: Sequence[tuple[int, int, str, bytes]]) -> Iterator[Problem]:
    edges = np.unique([bound for day in days for bound in day[:2]])
    floor = segments.watermark()
    found = rollups.statistics(View(floor, floor), [asset], (), edges, by_days=False)
    for start, end, codes, payload in days:
        place = int(np.searchsorted(edges, start))
        counted = {code: one[place] for (_, code), one in found.items() if one[place]["count"]}
        if place + 1 >= len(edges) or edges[place + 1] != end:
            yield Problem(asset, start // HOUR, "the day overlaps another")
        elif detail := _wrong_with_day(codes.split(), payload, counted):
            yield Problem(asset, start // HOUR, f"the day {detail}")


def _wrong_with_day(codes: Sequence[str], payload: bytes, counted: Mapping[str, np.void]) -> str:
    try:
        told = unpack_days([payload], len(codes))[0]
    except Corrupt as error:
        return f"cannot be read: {error}"
    if set(codes) != counted.keys():
        return "is of other parameters than its hours"
    wrong = [code for place, code in enumerate(codes) if not _agree(told[place], counted[code])]
    return f"is not what its hours say of {', '.join(wrong)}" if wrong else ""


def _agree(told: np.void, found: np.void) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        largest = max(abs(float(found["minimum"])), abs(float(found["maximum"])), 1e-300)
        seconds = (int(found["last_at"]) - int(found["first_at"])) / 1e6
        scales = (largest * int(found["count"]), largest * largest * int(found["count"]), largest * seconds)
        near = [
            not np.isfinite(scale * 4) or abs(float(told[name]) - float(found[name])) <= CLOSE * scale
            for name, scale in zip(SUMS, scales, strict=True)
        ]
    return all(near) and all(told[name] == found[name] for name in EXACT)


def _missing_days(asset: int, zone: str, days: Sequence[tuple[int, int, str, bytes]], to: int) -> Iterator[Problem]:
    first = Latest.objects.filter(pk=asset).values_list("first_at", flat=True).first()
    if first is None or first >= to:
        return
    edges = midnights(zone, first, to)
    floor = segments.watermark()
    found: Sequence[Statistics] = list(
        rollups.statistics(View(floor, floor), [asset], (), edges, by_days=False).values()
    )
    filled = np.any([one["count"] > 0 for one in found], axis=0) if found else np.zeros(len(edges) - 1, bool)
    there = {day[0] for day in days}
    for start, end in zip(edges[:-1][filled].tolist(), edges[1:][filled].tolist(), strict=True):
        # A fold that has changed a day set back how far they are made, into that day.
        if start not in there and end <= to:
            yield Problem(asset, start // HOUR, "the day is missing")


def _check_log() -> Iterator[Problem]:
    with snapshot():
        rows = Segment.objects.filter(lane=LANE).order_by("position").values_list("position", "kind", "readings")
        before = None
        for position, kind, readings in rows.iterator(10_000):
            # Each mark has a position of its own, and one entry tells of many.
            taken = readings // MARK_ROWS if kind == Kind.QUALITY else 1
            if before is not None and position != before + taken:
                yield Problem(None, None, f"the log lacks what is between positions {before} and {position}")
            before = position
        if before is not None and before != segments.head():
            yield Problem(None, None, f"the log ends at position {before}, and its head says {segments.head()}")
    yield from _unreadable_segments()


def _unreadable_segments() -> Iterator[Problem]:
    after = segments.watermark()
    while rows := segments.fetch(after=after, limit=LOG_PAGE):
        for row in rows:
            try:
                decode(bytes(row.payload))
            except Corrupt as error:
                yield Problem(None, None, f"the log's position {row.position} cannot be read: {error}")
        after = rows[-1].position
