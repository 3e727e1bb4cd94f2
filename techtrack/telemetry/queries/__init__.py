"""Reads of telemetry, in one module per subject. No door looks deeper."""

from techtrack.telemetry.queries.corrections import corrected_at, corrections, marks, names_of
from techtrack.telemetry.queries.exports import export_table
from techtrack.telemetry.queries.history import Question, SeriesBuckets, TooMuch, history
from techtrack.telemetry.queries.keeping import (
    Consumer,
    Figures,
    Lag,
    Problem,
    consumers,
    figures,
    lag,
    raw_since,
    total,
)
from techtrack.telemetry.queries.log import consumed, head, log
from techtrack.telemetry.queries.looking import Unreadable, looking, within
from techtrack.telemetry.queries.means import highest, means, spacings
from techtrack.telemetry.queries.newest import count, counts, extent, latest, newest
from techtrack.telemetry.queries.pages import Found, Place, newer, older, reading
from techtrack.telemetry.queries.sound import sound
from techtrack.telemetry.queries.standing import Doubted, Standing, doubted, standing
from techtrack.telemetry.queries.subjects import Subject, subjects, units, units_of_types
from techtrack.telemetry.queries.thinning import thinned
from techtrack.telemetry.queries.trend import trend
from techtrack.telemetry.queries.walking import walk

__all__ = [
    "Consumer",
    "Doubted",
    "Figures",
    "Found",
    "Lag",
    "Place",
    "Problem",
    "Question",
    "SeriesBuckets",
    "Standing",
    "Subject",
    "TooMuch",
    "Unreadable",
    "consumed",
    "consumers",
    "corrected_at",
    "corrections",
    "count",
    "counts",
    "doubted",
    "export_table",
    "extent",
    "figures",
    "head",
    "highest",
    "history",
    "lag",
    "latest",
    "log",
    "looking",
    "marks",
    "means",
    "names_of",
    "newer",
    "newest",
    "older",
    "raw_since",
    "reading",
    "sound",
    "spacings",
    "standing",
    "subjects",
    "thinned",
    "total",
    "trend",
    "units",
    "units_of_types",
    "walk",
    "within",
]
