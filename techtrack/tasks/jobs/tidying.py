"""What goes on beside requests: contents that no task has any more go, and clocks that nobody stops are stopped."""

from __future__ import annotations

from techtrack.core import clock
from techtrack.tasks import services


def collect_files() -> bool:
    """Delete contents that nobody uses; True if more may be left."""
    return bool(services.collect(now=clock.now()))


def stop_clocks() -> bool:
    """Stop the clocks that ran as long as anybody works."""
    services.stop_forgotten(now=clock.now())
    return False
