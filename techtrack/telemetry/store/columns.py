"""Columns of many parameters side by side: whole where most rows have a value, else places and values.

A plant of fifty types of assets has hundreds of parameters, of which each reading carries a handful: as whole columns
the tail of its log would be a hundred times as large as what it tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.reading import Floats, Ints

# A column is kept whole where at least one row in so many has a value.
THIN = 8
Index = npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice


class Sparse(NamedTuple):
    """The rows (ascending) that have a value, and these; of ``size`` rows in all."""

    rows: Ints
    values: Floats
    size: int


Column = Floats | Sparse


def column_of(rows: Ints, values: Floats, size: int) -> Column:
    """Make a column of ``size`` rows, of which some have a value."""
    if THIN * len(rows) < size:
        return Sparse(rows, values, size)
    whole = np.full(size, np.nan)
    whole[rows] = values
    return whole


def whole(column: Column) -> Floats:
    """Give a column with NaN where there is no value."""
    if not isinstance(column, Sparse):
        return column
    filled = np.full(column.size, np.nan)
    filled[column.rows] = column.values
    return filled


def present(column: Column) -> tuple[Ints, Floats]:
    """Give the rows that have a value, and these."""
    if isinstance(column, Sparse):
        return column.rows, column.values
    rows = np.flatnonzero(~np.isnan(column))
    return rows, column[rows]


def taken(columns: dict[str, Column], index: Index, size: int) -> dict[str, Column]:
    """Give the rows at ``index`` of columns of ``size`` rows, without those that then have no value."""
    thin = [code for code, column in columns.items() if isinstance(column, Sparse)]
    found = {code: column[index] for code, column in columns.items() if not isinstance(column, Sparse)}
    if len(found) > THIN:
        found = {code: column for code, column in found.items() if not np.isnan(column).all()}
    if not thin:
        return dict(found)
    if isinstance(index, slice):
        start, stop, _ = index.indices(size)
        cut = {code: _cut(columns[code], start, stop) for code in thin}
    else:
        where = np.flatnonzero(index) if index.dtype == bool else index
        places = np.full(size, -1)
        places[where] = np.arange(len(where))
        cut = {code: _moved(columns[code], places, len(where)) for code in thin}
    return {**found, **{code: column for code, column in cut.items() if column is not None}}


def joined(parts: Iterable[tuple[Column | None, int]]) -> Column:
    """Join columns one behind another; None stands for so many rows without a value."""
    parts = list(parts)
    if not any(isinstance(column, Sparse) for column, _ in parts):
        return np.concatenate([np.full(size, np.nan) if column is None else column for column, size in parts])
    rows, values, offset = [], [], 0
    for column, size in parts:
        if column is not None:
            there, said = present(column)
            rows.append(there + offset)
            values.append(said)
        offset += size
    return column_of(np.concatenate(rows), np.concatenate(values), offset)


def _cut(column: Column, start: int, stop: int) -> Column | None:
    rows, values = present(column)
    first, last = np.searchsorted(rows, [start, stop])
    return column_of(rows[first:last] - start, values[first:last], stop - start) if first < last else None


def _moved(column: Column, places: Ints, size: int) -> Column | None:
    rows, values = present(column)
    new = places[rows]
    order = np.argsort(new, kind="stable")[np.count_nonzero(new < 0) :]
    return column_of(new[order], values[order], size) if len(order) else None
