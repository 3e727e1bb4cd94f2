"""What a stretch of the log makes of the hours that it touches: the part of compaction that needs no lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from techtrack.telemetry.domain.directions import resolved, whole, with_parts
from techtrack.telemetry.domain.quality import USABLE, Mark, qualities
from techtrack.telemetry.domain.reading import Floats, Ints, Readings
from techtrack.telemetry.domain.statistics import STATISTICS, Statistics, summarise
from techtrack.telemetry.models import Chunk, Rollup
from techtrack.telemetry.store import chunks
from techtrack.telemetry.store.chunks import Stored
from techtrack.telemetry.store.spans import Spans
from techtrack.telemetry.store.tail import CORRECTIONS, EMPTY, HOUR, Block, Overlay, Special, View


class Target(NamedTuple):
    """An hour of an asset, and the rows of the log that fall into it."""

    asset: int
    hour: int
    rows: slice
    ordered: bool  # times ascend, each once


@dataclass(frozen=True, slots=True)
class Group:
    """Hours of assets as they are to be written: their readings one after another, each from its place in ``starts``.

    ``before`` is what the chunk included when it was read, -1 where there was none.
    """

    assets: Ints
    hours: Ints
    before: Ints
    readings: Readings
    starts: np.ndarray
    locks: list[Mapping[int, frozenset[str] | None]]
    marks: Mapping[int, tuple[Mark, ...]]
    damaged: list[Stored] = field(default_factory=list)
    resent: int = 0
    too_late: int = 0

    def __len__(self) -> int:
        return len(self.assets)

    def ends(self) -> np.ndarray:
        """Give the index behind each hour's last reading."""
        return np.append(self.starts[1:], len(self.readings.times))

    def statistics(self) -> tuple[list[str], Statistics]:
        """Summarise the usable values: codes, parts of directions among them, and statistics [hour, code]."""
        codes = sorted(with_parts(self.readings.columns))
        found = np.zeros((len(self), len(codes)), STATISTICS)
        for index, code in enumerate(codes):
            column = self.readings.columns[whole(code)]
            there = ~np.isnan(column) & self._usable(whole(code))
            times, values = self.readings.times[there], resolved(column[there], code)
            counts = np.concatenate([[0], np.cumsum(there)])
            sizes = counts[self.ends()] - counts[self.starts]
            filled = np.flatnonzero(sizes)
            found[filled, index] = summarise(times, values, counts[self.starts[filled]])
        return codes, found

    def _usable(self, code: str) -> np.ndarray:
        usable = np.ones(len(self.readings.times), bool)
        for asset, start, end in zip(self.assets.tolist(), self.starts.tolist(), self.ends().tolist(), strict=True):
            if asset in self.marks:
                usable[start:end] = qualities(self.readings.times[start:end], code, self.marks[asset]) <= USABLE
        return usable


class Fold:
    """The hours that a view of the log touches, and what becomes of them."""

    def __init__(self, view: View) -> None:
        self._specials = view.specials
        self._rows = _sorted(_joined(view.blocks))
        self._floor = view.floor
        self.targets = sorted([*_targets(self._rows), *self._others()])

    def groups(self, size: int) -> Iterator[Group]:
        """Give all that is to be written, ``size`` hours at a time."""
        for start in range(0, len(self.targets), size):
            group = self._group(self.targets[start : start + size])
            if len(group) or group.damaged:
                yield group

    def _others(self) -> Iterator[Target]:
        """Give the hours that a correction or a mark touches, where no reading does."""
        touched = {(asset, hour) for asset, hour, *_ in _targets(self._rows)}
        wanted = set()
        for asset, specials in self._specials.items():
            overlay = Overlay([], specials)
            wanted |= {(asset, hour) for hour in overlay.hours().tolist()}
            hours = (chunks.hours_of(span) for span in overlay.marked())
            # A night of faults is many marks, and few stretches.
            for start, end in Spans.of((first * HOUR, (last + 1) * HOUR) for first, last in hours).each():
                rows = Chunk.objects.filter(asset_id=asset, hour__gte=start // HOUR, hour__lt=end // HOUR)
                wanted |= {(asset, hour) for hour in rows.values_list("hour", flat=True)}
        for asset, hour in wanted - touched:
            yield Target(asset, hour, slice(0, 0), ordered=True)

    def _group(self, targets: Sequence[Target]) -> Group:
        stored = _stored(targets)
        gone = _rolled_up(targets) - stored.keys()
        made = [(target, self._made(target, stored.get(target[:2]))) for target in targets if target[:2] not in gone]
        kept = [(target, readings) for target, readings in made if readings is not None]
        return Group(
            np.array([target.asset for target, _ in kept], np.int64),
            np.array([target.hour for target, _ in kept], np.int64),
            np.array([stored[t[:2]].through if t[:2] in stored else -1 for t, _ in kept], np.int64),
            chunks.joined([readings for _, readings in kept]),
            np.cumsum([0, *(len(readings.times) for _, readings in kept)])[:-1],
            [readings.locked for _, readings in kept],
            chunks.marks_of({target.asset for target, _ in kept}),
            [chunk for chunk in stored.values() if chunk.damaged],
            sum(_resent(target, stored.get(target[:2]), readings) for target, readings in kept),
            sum(target.rows.stop - target.rows.start for target in targets if target[:2] in gone),
        )

    def _made(self, target: Target, chunk: Stored | None) -> Readings | None:
        """Give an hour as it will be, None where it is so already."""
        rows = self._rows.take(target.rows)
        specials = self._specials.get(target.asset, ())
        if chunk is None and not specials and target.ordered:
            return Readings(rows.times, rows.whole())
        overlay = Overlay([rows] if len(rows) else [], tuple(self._of_hour(specials, target.hour)))
        overlay = overlay.behind(chunk.through) if chunk else overlay
        if not overlay:
            return None
        return _present(overlay.laid_over(chunk.readings if chunk else Readings()))

    @staticmethod
    def _of_hour(specials: Sequence[Special], hour: int) -> Iterator[Special]:
        for special in specials:
            if special.kind not in CORRECTIONS or (special.batch.times // HOUR == hour).all():
                yield special


def _joined(blocks: Sequence[Block]) -> Block:
    rows = EMPTY
    for block in blocks:
        rows = block if rows is EMPTY else rows.joined(block)
    return rows


def _sorted(rows: Block) -> Block:
    hours = rows.times // HOUR
    if ((np.diff(hours) < 0) & (np.diff(rows.assets) == 0)).any():
        # Stable: within its hour each row keeps its place in the order of writing.
        return rows.take(np.lexsort((hours, rows.assets)))
    return rows


def _targets(rows: Block) -> Iterator[Target]:
    if not len(rows):
        return
    hours = rows.times // HOUR
    new = (np.diff(hours) != 0) | (np.diff(rows.assets) != 0)
    starts = np.flatnonzero(np.concatenate([[True], new]))
    ends = np.append(starts[1:], len(rows))
    unruly = np.concatenate([[False], (np.diff(rows.times) <= 0) & ~new])
    ordered = ~np.logical_or.reduceat(unruly, starts)
    columns = (rows.assets[starts], hours[starts], starts, ends, ordered)
    for asset, hour, start, end, neat in zip(*(column.tolist() for column in columns), strict=True):
        yield Target(asset, hour, slice(start, end), neat)


def _stored(targets: Sequence[Target]) -> dict[tuple[int, int], Stored]:
    wanted = {target[:2] for target in targets}
    assets, hours = {asset for asset, _ in wanted}, {hour for _, hour in wanted}
    rows = Chunk.objects.filter(asset_id__in=assets, hour__in=hours)
    found = {}
    for asset, hour, through, payload in rows.values_list("asset_id", "hour", "through", "payload"):
        if (asset, hour) in wanted:
            found[asset, hour] = chunks.opened(asset, hour, through, bytes(payload))
    return found


def _rolled_up(targets: Sequence[Target]) -> set[tuple[int, int]]:
    """Name the hours that have a rollup: where it has outlived its chunk, nothing can be added any more."""
    assets, hours = {target.asset for target in targets}, {target.hour for target in targets}
    rows = Rollup.objects.filter(asset_id__in=assets, hour__in=hours)
    return {target[:2] for target in targets} & set(rows.values_list("asset_id", "hour"))


def _present(readings: Readings) -> Readings:
    """Leave out the rows that were removed; their locks stay."""
    if not readings.locked:
        return readings
    there = np.zeros(len(readings.times), bool)
    for column in readings.columns.values():
        there |= ~np.isnan(column)
    columns: dict[str, Floats] = {code: column[there] for code, column in readings.columns.items()}
    return Readings(readings.times[there], columns, readings.locked)


def _resent(target: Target, chunk: Stored | None, readings: Readings) -> int:
    """Count the rows that told nothing new; a merge of parameters counts too."""
    known = len(chunk.readings.times) if chunk else 0
    sent: int = target.rows.stop - target.rows.start
    return max(0, sent - (len(readings.times) - known))
