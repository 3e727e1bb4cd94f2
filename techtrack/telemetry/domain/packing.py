"""How readings are put together into batches: as few as stay dense, since columns pay for what is absent too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from techtrack.telemetry.domain.reading import Batch, Floats, Row

# Columns of so many places (8 MB) are made however few of these are taken.
ALWAYS = 1_000_000


def is_dense(readings: int, codes: int, values: int) -> bool:
    """Tell whether so many values of ``codes`` parameters may stand in columns: those that are absent cost memory."""
    return readings * codes <= max(8 * values, ALWAYS)


def packed(rows: Sequence[Row]) -> list[Batch]:
    """Build as few batches from ``rows``, in their order, as stay dense."""
    if rows and is_dense(len(rows), len(set().union(*[row.values for row in rows])), 0):
        return [Batch.of(rows)]
    batches, start, codes, values = [], 0, set[str](), 0
    for index, row in enumerate(rows):
        wider = codes if row.values.keys() <= codes else codes | row.values.keys()
        if index > start and not is_dense(index + 1 - start, len(wider), values + len(row.values)):
            batches.append(Batch.of(rows[start:index]))
            start, wider, values = index, set(row.values), 0
        codes, values = wider, values + len(row.values)
    return [*batches, Batch.of(rows[start:])] if rows else []


def joined(batches: Sequence[Batch]) -> list[Batch]:
    """Join neighbours into as few batches, in their order, as take at most twice their room."""
    groups: list[list[Batch]] = []
    codes, cells, readings = dict[str, None](), 0, 0
    for batch in batches:
        wider = codes if batch.values.keys() == codes.keys() else codes | dict.fromkeys(batch.values)
        added = len(batch) * len(batch.values)
        if groups and is_dense(readings + len(batch), len(wider), (cells + added) // 4):
            groups[-1].append(batch)
            codes, cells, readings = wider, cells + added, readings + len(batch)
        else:
            groups.append([batch])
            codes, cells, readings = dict.fromkeys(batch.values), added, len(batch)
    return [_join(group) for group in groups]


def _join(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    codes = dict.fromkeys(code for batch in batches for code in batch.values)
    parts = {code: [_column(batch, code) for batch in batches] for code in codes}
    return Batch(
        np.concatenate([batch.assets for batch in batches]),
        np.concatenate([batch.times for batch in batches]),
        {code: np.concatenate(columns) for code, columns in parts.items()},
    )


def _column(batch: Batch, code: str) -> Floats:
    column = batch.values.get(code)
    return np.full(len(batch), np.nan) if column is None else column
