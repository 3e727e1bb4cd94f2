"""Reads of air quality, in one module per subject."""

from techtrack.environment.queries.air import (
    Stretch,
    air_of,
    declared_for,
    last_full_hour,
    of_air,
    references_of,
    with_correction,
)
from techtrack.environment.queries.index import Judged, index_history, index_now, quarters_of, worst
from techtrack.environment.queries.neighbours import Unlike, unlike_around
from techtrack.environment.queries.plans import plans_of, tested_codes
from techtrack.environment.queries.short import with_short
from techtrack.environment.queries.year import (
    exceedances_of,
    offset_of,
    ozone_before,
    year_at,
    year_of_air,
)

__all__ = [
    "Judged",
    "Stretch",
    "Unlike",
    "air_of",
    "declared_for",
    "exceedances_of",
    "index_history",
    "index_now",
    "last_full_hour",
    "of_air",
    "offset_of",
    "ozone_before",
    "plans_of",
    "quarters_of",
    "references_of",
    "tested_codes",
    "unlike_around",
    "with_correction",
    "with_short",
    "worst",
    "year_at",
    "year_of_air",
]
