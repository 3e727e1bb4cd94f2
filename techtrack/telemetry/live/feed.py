"""New readings as frames for open sockets: the newest of each asset in each batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros, isoformat
from techtrack.telemetry import queries
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.store.base import LogEntry

PAGE = 100


class ReadingsFeed:
    """Follows the log from where it is now; imports are history, not news."""

    def position(self) -> int:
        """Return where the log ends now."""
        return queries.head()

    def since(self, position: int) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
        """Return the new position and ``(topic, frame)`` for what came behind ``position``."""
        entries = queries.log(after=position, limit=PAGE)
        if not entries:
            return position, []
        parts = [part for entry in entries if _is_news(entry) for part in entry.batch.by_asset()]
        sites = dict(Asset.objects.filter(pk__in={asset for asset, _ in parts}).values_list("pk", "site_id"))
        frames: list[tuple[str, dict[str, Any]]] = []
        for asset, part in parts:
            frame = _frame(asset, part)
            frames += [(f"assets/{asset}/readings", frame), (f"sites/{sites.get(asset) or 0}/readings", frame)]
        return entries[-1].position, frames


def _is_news(entry: LogEntry) -> bool:
    return entry.kind is Kind.READINGS and entry.origin is not Origin.IMPORT


def _frame(asset: int, part: Batch) -> dict[str, Any]:
    order = np.argsort(part.times, kind="stable")
    values = {}
    for code, column in part.values.items():
        there = column[order][~np.isnan(column[order])]
        if len(there):
            values[code] = float(there[-1])
    newest = from_micros(int(part.times.max()))
    return {"type": "reading", "asset": asset, "timestamp": isoformat(newest), "values": values}
