"""What was doubted or taken out in a stretch of time, by tests and by people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from techtrack.core.clock import from_micros, isoformat
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.store.base import Span

HOUR = 3_600_000_000
# Of people's marks so many are told one by one; a report is to be read.
MOST_SAID = 200


def quality_of(asset_id: int, span: Span) -> dict[str, Any]:
    """Tell of an asset's marks in a span: how many stretches each test doubted, and what people said of which.

    People are numbers: the names of those whose accounts go must go, and a report that is signed cannot change.
    """
    rows = list(telemetry.marks(asset_id=asset_id, start=span[0], end=span[1]).order_by("start_at", "position"))
    by_test: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.flag:
            length = (min(row.end_at, span[1]) - max(row.start_at, span[0])) / HOUR
            by_test.setdefault((row.code, row.flag), []).append(length)
    said = [row for row in rows if not row.flag]
    return {
        "tests": [
            {"parameter": code, "flag": flag, "stretches": len(lengths), "hours": round(sum(lengths), 3)}
            for (code, flag), lengths in sorted(by_test.items())
        ],
        "said": [
            {
                "parameter": row.code or None,
                "from": isoformat(from_micros(row.start_at)),
                "to": isoformat(from_micros(row.end_at)),
                "quality": Quality(row.quality).name.lower(),
                "reason": row.reason,
                "by": row.by_id,
            }
            for row in said[:MOST_SAID]
        ],
        "said_besides": max(len(said) - MOST_SAID, 0),
    }


def people_of(content: Mapping[str, Any]) -> dict[int, str]:
    """Return the user names of those whom a report cites by number and who are still there."""
    return telemetry.names_of(one["by"] for sensor in content["sensors"] for one in sensor["quality"]["said"])


def with_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says with names in place of the numbers, None for those who are gone: to be read only."""
    names, sensors = people_of(content), []
    for sensor in content["sensors"]:
        said = [one | {"by": names.get(one["by"])} for one in sensor["quality"]["said"]]
        sensors.append(sensor | {"quality": sensor["quality"] | {"said": said}})
    return {**content, "sensors": sensors}
