"""What hides alerts from people: silences, work on an asset, alerts that explain others. Decides for open alerts."""

from techtrack.alerts.hiding.covering import cover, reconcile
from techtrack.alerts.hiding.looking import FOR_EVER, HEAD, quiets, timetable
from techtrack.alerts.hiding.silences import (
    check_inhibition,
    create_silence,
    delete_silence,
    suppress,
    unsuppress,
    update_silence,
)

__all__ = [
    "FOR_EVER",
    "HEAD",
    "check_inhibition",
    "cover",
    "create_silence",
    "delete_silence",
    "quiets",
    "reconcile",
    "suppress",
    "timetable",
    "unsuppress",
    "update_silence",
]
