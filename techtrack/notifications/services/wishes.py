"""Writes of how a person wants to be told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.core.errors import Stale
from techtrack.notifications import queries
from techtrack.notifications.models import Delivery, DeliveryState, Preference


@transaction.atomic
def set_preference(*, user_id: int, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Preference:
    """Write how a person wants to be told, if it still has the ``expected`` version: 0 before it is first written.

    Raises:
        Stale: it was changed meanwhile.
    """
    stamps = {"created_at": now, "updated_at": now}
    row, made = Preference.objects.get_or_create(user_id=user_id, defaults={**changes, **stamps})
    if made and expected not in {None, queries.NO_VERSION}:
        raise Stale("it was changed by somebody else since you read it")
    if not made:
        row.change(expected=expected, now=now, **changes)
    # What waits is looked at again: it may be wanted now.
    waiting = Delivery.objects.filter(person=user_id, state=DeliveryState.HELD)
    waiting.update(next_attempt_at=now)
    return row
