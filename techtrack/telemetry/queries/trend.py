"""The trend of a series, from averages of equal stretches."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from techtrack.core.errors import Invalid
from techtrack.telemetry.domain.aggregation import average
from techtrack.telemetry.domain.directions import is_direction
from techtrack.telemetry.domain.trend import Trend, theil_sen
from techtrack.telemetry.domain.windows import edges, nice_interval
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.database import store

# Every pair of points is compared: 200 of them make 19,900 slopes, in a millisecond or two.
POINTS = 200
UTC = ZoneInfo("UTC")


class GoesRound(Invalid):
    """A direction has no trend: behind 360 comes 0."""

    code = "goes_round"


def trend(*, asset_id: int, code: str, span: Span, confidence: float) -> tuple[Trend | None, int]:
    """Return the trend of a series and how many values it has; None where they are too few to tell.

    Raises:
        GoesRound: the series is a direction.
    """
    if is_direction(code):
        raise GoesRound(f"{code} is a direction, and has no trend: behind 360 degrees comes 0", pointer="?parameter")
    # Whole hours and days, where the span is long enough for them, are what the store has ready.
    interval = nice_interval(span[1] - span[0], points=POINTS)
    bounds = edges(interval, start=span[0], end=span[1], zone=UTC)
    bounds = np.array([span[0], *bounds[1:-1], span[1]])
    found = store.statistics([asset_id], codes=[code], edges=bounds).get((asset_id, code))
    if found is None:
        return None, 0
    found = found[found["count"] > 0]
    # A stretch stands where its values do: of one that is half empty this is not the middle.
    middles = (found["first_at"] + found["last_at"]) // 2
    return theil_sen(middles, average(found), confidence=confidence), int(found["count"].sum())
