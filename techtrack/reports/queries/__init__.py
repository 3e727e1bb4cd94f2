"""Reads of reports, in one module per subject."""

from techtrack.reports.queries.air import Asked, drawn
from techtrack.reports.queries.people import personal_data

__all__ = ["Asked", "drawn", "personal_data"]
