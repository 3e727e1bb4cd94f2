"""What telemetry announces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmentAppended:
    """A batch took ``position`` in the log of ``lane``; whoever follows the log may look."""

    lane: int
    position: int


@dataclass(frozen=True, slots=True)
class StoreRunAsked:
    """A check or a rebuild of the store waits to be done."""

    run_id: int
