"""Every write of reports."""

from techtrack.reports.services.air import (
    AlreadySigned,
    NotComplete,
    OtherContent,
    delete_report,
    draw_up,
    forget_person,
    refresh_report,
    require_person,
    sign_report,
)

__all__ = [
    "AlreadySigned",
    "NotComplete",
    "OtherContent",
    "delete_report",
    "draw_up",
    "forget_person",
    "refresh_report",
    "require_person",
    "sign_report",
]
