"""What goes on beside requests: tasks that were deleted long ago are forgotten."""

from __future__ import annotations

from techtrack.core import clock
from techtrack.tasks import services


def forget_deleted() -> bool:
    """Remove what was deleted too long ago to come back; True if more is due."""
    return services.forget_deleted(now=clock.now())
