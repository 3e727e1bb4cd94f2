"""The fleet's maintenance records as tasks that were done: what the log of the machines says, as people find it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros, to_micros
from techtrack.demo.clock import Loop
from techtrack.demo.recordings import Recording
from techtrack.tasks import services as tasks
from techtrack.tasks.models import State, Task


@transaction.atomic
def record(*, asset: Asset, recording: Recording, loop: Loop, start: datetime, by: Access, owner_id: int) -> None:
    """Write a done task for each component that was replaced before the story's start; a second time nothing."""
    if Task.objects.filter(asset=asset).exists():
        return
    when, which = loop.between(int(loop.times[0]) - 1, 0)
    replaced, failed = (recording.columns[code][which] for code in ("maintenance", "failure"))
    for index in np.flatnonzero(~np.isnan(replaced)).tolist():
        at = from_micros(to_micros(start) + int(when[index]))
        component = int(replaced[index])
        reason = "after its failure" if failed[index] == component else "as planned"
        data = {
            "title": f"Replace component {component} {reason}",
            "description": "From the maintenance records of the simulation.",
            "asset": asset,
            "state": State.DONE,
            "owners": [owner_id],
        }
        tasks.create_task(by=by, data=data, now=at)
