"""A table on its way into a file: typed columns, and blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from techtrack.telemetry.domain.reading import Floats, Ints


class Type(Enum):
    """What a column holds."""

    INTEGER = auto()  # int64
    TIME = auto()  # µs since 1970 (UTC)
    NUMBER = auto()  # float64, NaN for absent
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading and what it holds."""

    name: str
    type: Type


Cells = Ints | Floats | Sequence[str]
Block = Sequence[Cells]  # one entry a column, all of one length
Write = Callable[[Sequence[Column], Iterable[Block]], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file; ``write`` gives its bytes piece by piece, and stops reading blocks when it is closed."""

    name: str
    media_type: str
    write: Write


def numbers_or(cells: Floats, *, absent: str | None) -> list[float | str | None]:
    """Return numbers as Python's own, with ``absent`` where there is none."""
    listed: list[float | str | None] = cells.tolist()
    for place in np.flatnonzero(np.isnan(cells)).tolist():
        listed[place] = absent
    return listed
