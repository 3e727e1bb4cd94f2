"""Background work of the live app."""

from __future__ import annotations

from techtrack.core import clock
from techtrack.live import services


def forget_old_events() -> bool:
    """Forget what is older than a day; nothing is left to do at once."""
    services.forget_old(now=clock.now())
    return False
