"""What a report says of the index: the hours of each class, and the worst of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from techtrack.airquality.hours import HOUR, Hours
from techtrack.airquality.standard import Standard
from techtrack.airquality.tables import NONE
from techtrack.core.clock import isoformat
from techtrack.core.errors import Invalid
from techtrack.environment.domain.correcting import Air


def index_of(
    air: Air, standard: Standard, begin: datetime, through: datetime
) -> tuple[dict[str, Any] | None, list[str]]:
    """Count the hours of each class of the index, and tell the worst one; what is not declared comes beside."""
    hours, missing = _judgeable(air.hours, standard)
    found = standard.history(hours)
    first = (begin - found.first) // HOUR + 1 if len(found.index) else 0
    stretch = slice(first, first + (through - begin) // HOUR)
    index, places = found.index[stretch], found.categories(standard.categories)[stretch]
    known = places != NONE
    if not known.any():
        return None, missing
    names = [one.name for one in standard.categories]
    counts = np.bincount(places[known], minlength=len(names)).tolist()
    worst = int(index.argmax())
    dominant = int(found.dominant[stretch][worst])
    told: dict[str, int] = {}
    for name, count in zip(names, counts, strict=True):
        told[name] = told.get(name, 0) + count
    return {
        "hours": int(known.sum()),
        "classes": [{"class": name, "hours": count} for name, count in told.items()],
        "worst": int(index[worst]),
        "worst_class": names[int(places[worst])],
        "worst_at": isoformat(begin + (worst + 1) * HOUR),
        "dominant": None if dominant == NONE else found.parameters[dominant],
    }, missing


def _judgeable(hours: Mapping[str, Hours], standard: Standard) -> tuple[dict[str, Hours], list[str]]:
    """Leave out the parameters whose unit or reference the standard misses; say what that is."""
    try:
        standard.judge(hours, at=next(iter(hours.values())).last)
    except Invalid as error:
        left_out = {fault.pointer.split("/")[1] for fault in error.faults if fault.pointer.count("/") > 1}
        rest = {code: one for code, one in hours.items() if code not in left_out}
        return rest, [fault.detail for fault in error.faults]
    return dict(hours), []
