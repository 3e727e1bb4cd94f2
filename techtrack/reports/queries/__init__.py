"""Reads of reports, in one module per subject."""

from techtrack.reports.queries.air import Asked, drawn
from techtrack.reports.queries.marks import people_of, with_names
from techtrack.reports.queries.people import personal_data

__all__ = ["Asked", "drawn", "people_of", "personal_data", "with_names"]
