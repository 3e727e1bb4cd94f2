"""Reads of reports, in one module per subject."""

from techtrack.reports.queries.air import Asked, Part, drawn, table_of
from techtrack.reports.queries.marks import people_of, with_names
from techtrack.reports.queries.people import personal_data

__all__ = ["Asked", "Part", "drawn", "people_of", "personal_data", "table_of", "with_names"]
