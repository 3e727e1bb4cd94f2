"""What open sockets could still be shown of a person who goes."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Q

from techtrack.live import services as live


def forget_person(user_id: int) -> None:
    """Take the name of a person who goes out of what open pages may still ask for; and what went to that person."""
    live.rewrite(
        rows=Q(payload__alert__acknowledged_by=user_id) | Q(payload__alert__assignee=user_id),
        change=partial(_nameless, user_id),
    )
    own = [f"users/{user_id}/{what}" for what in ("tasks", "deliveries")]
    live.rewrite(rows=Q(topics__in=own), change=lambda payload: {"type": payload["type"]})
    live.rewrite(
        rows=Q(payload__delivery__person=user_id),
        change=lambda payload: payload | {"delivery": payload["delivery"] | {"error": "", "subject": ""}},
    )


def _nameless(person: int, payload: dict[str, Any]) -> dict[str, Any]:
    alert = dict(payload["alert"])
    for role in ("acknowledged_by", "assignee"):
        if alert.get(role) == person:
            alert |= {role: None, f"{role}_name": None}
    return payload | {"alert": alert}
