"""What is kept of assets and people for maintenance."""

from __future__ import annotations

from collections.abc import Iterator

from techtrack.accounts.events import PersonalDataAsked
from techtrack.assets.events import WhatHolds
from techtrack.core.rows import Section, naming
from techtrack.tasks.models import Downtime, Plan, PlanOwner


def kept_up(question: WhatHolds) -> list[str]:
    """Answer which plans and down times would go with an asset (connected to ``WhatHolds``)."""
    counts = {
        "plan": Plan.objects.filter(asset=question.asset_id).count(),
        "down time": Downtime.objects.filter(asset=question.asset_id).count(),
    }
    return [f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count]


def personal_upkeep(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with the plans that a person is to do the work of, and the down times that the person noted."""
    yield naming(PlanOwner, asked.user_id, "user")
    yield naming(Downtime, asked.user_id, "created_by")
