"""What the demo plant plans: an inspection of each machine of the fleet by the hours that it ran."""

from __future__ import annotations

from datetime import datetime

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import AssetType
from techtrack.demo import story
from techtrack.tasks import services as tasks
from techtrack.tasks.models import Plan

NAME = "Inspect the machine"
# A few more than the recording holds before the story begins: they are full before the visitor's eyes.
HOURS = 1840
# Its rotation is about 450 while a machine runs; these ten hardly ever stand.
METER = {"kind": "hours", "parameter": "rotate", "above": 50.0}


def plan(*, start: datetime, by: Access, now: datetime) -> None:
    """Make the plan for the fleet, once; the work was done last when its recording begins, long before ``start``."""
    if Plan.objects.filter(name=NAME).exists():
        return
    data = {
        "name": NAME,
        "description": f"Every {HOURS:,} hours of running, as they are counted from telemetry; once a year at least.",
        "asset_type": AssetType.objects.get(slug="machine"),
        "last_done": start - story.FLEET_DAYS,
        "checklist": [
            {"type": "tick", "title": "Guards are in place"},
            {"type": "number", "title": "Vibration at the bearing", "low": 20, "high": 60},
            {"type": "choice", "title": "Belt", "options": ["good", "worn", "torn"], "failing": ["torn"]},
        ],
        "triggers": {
            "timezone": "UTC",
            "meters": [{"meter": METER, "every": HOURS}],
            "schedule": {"rrule": "FREQ=YEARLY", "dtstart": "2026-01-05T06:00", "anchor": "completed"},
        },
    }
    tasks.create_plan(by=by, data=data, now=now)
