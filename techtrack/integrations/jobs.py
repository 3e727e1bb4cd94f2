"""What integrations do beside requests."""

from __future__ import annotations

from techtrack.core import clock
from techtrack.integrations import services


def forget_rejected() -> bool:
    """Delete what was refused long ago."""
    services.forget_rejected(now=clock.now())
    return False
