"""What was doubted or taken out in a stretch of time, by tests and by people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import BigIntegerField, Count, Sum, Value
from django.db.models.functions import Greatest, Least

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
    marks = telemetry.marks(asset_id=asset_id, start=span[0], end=span[1])
    # Of a year there may be half a million of one test: the database adds them up.
    first, last = (Value(edge, BigIntegerField()) for edge in span)
    length = Least("end_at", last) - Greatest("start_at", first)
    tests = marks.exclude(flag="").order_by("code", "flag").values_list("code", "flag")
    said = marks.filter(flag="").order_by("start_at", "position")
    return {
        "tests": [
            {"parameter": code, "flag": flag, "stretches": stretches, "hours": round(int(micros) / HOUR, 3)}
            for code, flag, stretches, micros in tests.annotate(stretches=Count("position"), micros=Sum(length))
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
        "said_besides": max(said.count() - MOST_SAID, 0),
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
