"""CSV as RFC 4180 describes it, in UTF-8: a header, times in RFC 3339, an empty cell for what is absent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from techtrack.core.spreadsheets import harmless
from techtrack.telemetry.domain.moments import rfc3339
from techtrack.telemetry.files.tables import Block, Cells, Column, Type, numbers_or


def write(columns: Sequence[Column], blocks: Iterable[Block]) -> Iterator[bytes]:
    """Give the file, the header first."""
    yield _lines([[harmless(column.name) for column in columns]])
    for block in blocks:
        cells = [_cells(column.type, part) for column, part in zip(columns, block, strict=True)]
        yield _lines(zip(*cells, strict=True))


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(kind: Type, cells: Cells) -> Sequence[object]:
    match kind:
        case Type.TEXT:
            return [harmless(str(text)) for text in cells]
        case Type.TIME:
            return rfc3339(np.asarray(cells))
        case Type.INTEGER:
            return list(np.asarray(cells).tolist())
        case Type.NUMBER:
            return numbers_or(np.asarray(cells), absent="")
