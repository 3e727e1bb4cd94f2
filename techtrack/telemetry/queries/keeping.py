"""How the store is doing: what it holds, what waits, what was run over it, and from when on raw readings are kept."""

from __future__ import annotations

from techtrack.telemetry.store.figures import Consumer, Figures, Lag, Table, consumers, figures, lag
from techtrack.telemetry.store.survey import Problem, total
from techtrack.telemetry.store.upkeep import raw_since

__all__ = [
    "Consumer",
    "Figures",
    "Lag",
    "Problem",
    "Table",
    "consumers",
    "figures",
    "lag",
    "raw_since",
    "total",
]
