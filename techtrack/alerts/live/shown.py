"""What open sockets are told of alerts, and by which topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from techtrack.alerts import queries
from techtrack.alerts.events import AlertChanged


def of_alerts(facts: Sequence[AlertChanged]) -> list[tuple[list[str], dict[str, Any]]]:
    """What became of alerts, for those who may see their sites."""
    known = queries.summaries(fact.alert_id for fact in facts)
    return [
        ([f"sites/{fact.site_id or 0}/alerts"], {"type": "alert", "event": fact.event, "alert": known[fact.alert_id]})
        for fact in facts
    ]
