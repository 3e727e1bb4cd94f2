"""What goes on beside requests: people are reminded of what is due."""

from __future__ import annotations

import logging

from techtrack.core import clock
from techtrack.tasks import queries, services

_log = logging.getLogger(__name__)


def remind_due() -> bool:
    """Fire the reminders that are due; True if more are."""
    now = clock.now()
    due = queries.reminders_due(now)
    failed = [pk for pk in due if not _fire(pk)]
    if failed:
        # Those that can be fired are; for the others this waits longer each time, and looks again.
        raise RuntimeError(f"reminders {failed} cannot be fired")
    return len(due) == queries.MOST_REMINDED


def _fire(pk: int) -> bool:
    try:
        services.fire_reminder(pk=pk, now=clock.now())
    except Exception:  # noqa: BLE001 - one that nobody foresaw must not keep the others from being fired
        _log.exception("reminder %s cannot be fired", pk)
        return False
    return True
