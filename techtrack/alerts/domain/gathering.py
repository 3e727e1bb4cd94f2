"""Takes the samples of a column out of blocks of the log, in the order in which a series was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from techtrack.alerts.domain.blocks import Block
from techtrack.alerts.domain.features.base import NOTHING, Flags, Samples
from techtrack.alerts.domain.series import Column, Ints


def gather(code: str, column: Column, read: Sequence[Block], flags: Flags | None = None) -> Samples:
    """Return the samples of the column's assets, or of the flagged rows, sorted by row, turn, time and value."""
    if flags is None and len(read) == 1 and not (known := read[0].rowwise(column.panel)).twice:
        # Sorted once for all columns of the assets.
        values = read[0].values[code][known.places]
        samples, absent = Samples(known.rows, known.turns, known.times, values), np.isnan(values)
        return samples.pick(~absent) if absent.any() else samples
    return _sorted(code, column, read, flags)


def _sorted(code: str, column: Column, read: Iterable[Block], flags: Flags | None) -> Samples:
    parts = []
    for block in read:
        rows, values = block.rows(column.panel), block.values[code]
        wanted = rows < len(column.panel) if flags is None else flags.take(rows)
        places = (wanted & ~np.isnan(values)).nonzero()[0]
        if len(places):
            parts.append((rows[places], block.turns(places), block.times[places], values[places]))
    if not parts:
        return NOTHING
    rows, turns, at, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if len(rows) == 1:
        return Samples(rows, turns, at, values)
    order = np.lexsort((values, at, turns, rows))
    return Samples(rows[order], turns[order], at[order], values[order])


def in_order(samples: Samples, seen: Ints) -> Flags:
    """Flag the samples that are newer than all before them in their row, and than what was ``seen`` of it."""
    heads, known = samples.heads(), seen[samples.rows]
    newer = samples.at > known
    if newer.all() and (heads[1:] | (samples.at[1:] > samples.at[:-1])).all():
        return newer
    # Row by row the newest so far: times as ranks, each row's above those of the rows before it.
    times, ranks = np.unique(samples.at, return_inverse=True)
    floor = (np.cumsum(heads) - 1) * (len(times) + 1)
    base = floor + np.searchsorted(times, known, side="right")
    newest = np.maximum.accumulate(np.maximum(floor + ranks + 1, base))
    before = np.where(heads, base, np.concatenate([newest[:1], newest[:-1]]))
    ordered: Flags = floor + ranks + 1 > before
    return ordered
