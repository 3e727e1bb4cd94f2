"""Reads of reports, in one module per subject."""

from techtrack.reports.queries.air import Asked, drawn

__all__ = ["Asked", "drawn"]
