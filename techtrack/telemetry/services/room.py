"""Room in the log for whoever has so much to bring that it can wait."""

from __future__ import annotations

import time
from datetime import datetime

from techtrack.telemetry.store import compaction
from techtrack.telemetry.store.backlog import backlog
from techtrack.telemetry.store.compaction import Overtaken

PAUSE = 0.2


def make_room(*, now: datetime) -> None:
    """Return when the log takes more, outside of a transaction; an import needs no server that folds: it does so."""
    while backlog.is_full():
        try:
            folded = compaction.compact(now, force=True)
        except Overtaken:
            folded = None
        if folded is None:
            time.sleep(PAUSE)
