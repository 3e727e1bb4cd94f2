"""Background work of the live app."""

from __future__ import annotations

from techtrack.core import clock
from techtrack.live import services


def forget_old_events() -> bool:
    """Forget a part of what is older than a day; True where more may be left."""
    return services.forget_old(now=clock.now()) == services.FORGOTTEN_AT_ONCE
