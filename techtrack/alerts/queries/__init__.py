"""Reads of alerts, in one module per subject. No door looks deeper."""

from techtrack.alerts.queries.explain import Explanation, Held, Line, Precedent, duration_of, explain
from techtrack.alerts.queries.files import Export, rules_told, twins_told
from techtrack.alerts.queries.hiders import hiders
from techtrack.alerts.queries.kpi import Report, kpi
from techtrack.alerts.queries.lab import (
    MOST_VALUES,
    Asked,
    Preview,
    TooMuch,
    codes_of,
    in_scope,
    preview,
    warning,
    weigh,
)
from techtrack.alerts.queries.lab_report import report
from techtrack.alerts.queries.summaries import (
    IN_SIGHT,
    open_summaries,
    summaries,
    what_we_hold,
    worst_active_severities,
    worst_active_severity,
)
from techtrack.alerts.queries.told import Reader

__all__ = [
    "IN_SIGHT",
    "MOST_VALUES",
    "Asked",
    "Explanation",
    "Export",
    "Held",
    "Line",
    "Precedent",
    "Preview",
    "Reader",
    "Report",
    "TooMuch",
    "codes_of",
    "duration_of",
    "explain",
    "hiders",
    "in_scope",
    "kpi",
    "open_summaries",
    "preview",
    "report",
    "rules_told",
    "summaries",
    "twins_told",
    "warning",
    "weigh",
    "what_we_hold",
    "worst_active_severities",
    "worst_active_severity",
]
