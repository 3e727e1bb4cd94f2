"""Reads of air quality, in one module per subject."""

from techtrack.environment.queries.air import (
    Air,
    Stretch,
    air_of,
    corrected,
    declared_for,
    last_full_hour,
    of_air,
    raw_and_corrected,
    references_of,
)
from techtrack.environment.queries.index import Judged, index_history, index_now, quarters_of, worst
from techtrack.environment.queries.neighbours import Unlike, unlike_around
from techtrack.environment.queries.plans import plans_of, tested_codes
from techtrack.environment.queries.year import (
    Capture,
    captures,
    exceedances_of,
    offset_of,
    year_at,
    year_of_air,
)

__all__ = [
    "Air",
    "Capture",
    "Judged",
    "Stretch",
    "Unlike",
    "air_of",
    "captures",
    "corrected",
    "declared_for",
    "exceedances_of",
    "index_history",
    "index_now",
    "last_full_hour",
    "of_air",
    "offset_of",
    "plans_of",
    "quarters_of",
    "raw_and_corrected",
    "references_of",
    "tested_codes",
    "unlike_around",
    "worst",
    "year_at",
    "year_of_air",
]
