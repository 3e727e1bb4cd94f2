"""How far a value may be trusted: marks that people lay over stretches of a series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Quality(IntEnum):
    """What a value is worth; bad and missing ones do not enter statistics."""

    GOOD = 0
    SUSPECT = 1
    BAD = 2
    MISSING = 3


USABLE = Quality.SUSPECT
Qualities = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Mark:
    """The quality of an asset's values with ``start <= time < end`` (µs); of all parameters where ``code`` is None.

    ``flag`` is the code of the test that doubts them, empty where a person says it.
    """

    asset: int
    code: str | None
    start: int
    end: int
    quality: Quality
    flag: str = ""


def in_force(marks: Iterable[Mark]) -> list[Mark]:
    """Order marks so that the last one on a value says it: a person goes before tests, and of tests the gravest."""
    return sorted(marks, key=lambda mark: (not mark.flag, mark.quality if mark.flag else 0))


def qualities(times: npt.NDArray[np.int64], code: str, marks: Iterable[Mark]) -> Qualities:
    """Return the quality of a parameter's values at ``times`` (ascending): of several marks the last one says it."""
    found = np.zeros(len(times), np.uint8)
    for mark in marks:
        if mark.code in {None, code}:
            first, last = np.searchsorted(times, [mark.start, mark.end])
            found[first:last] = mark.quality
    return found
