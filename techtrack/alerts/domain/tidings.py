"""Words what the history of an alert says of telling people: to whom, for those who may know, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTIFIED, FAILED = TELLINGS = ("notified", "notification_failed")
WAYS = {
    "email": "e-mail",
    "sms_gateway": "text message",
    "apprise": "message",
    "webhook": "webhook",
    "console": "line in the log",
}
# What everybody may know who sees the alert: names and refusals may hold people's addresses.
OPEN = frozenset({"event", "way", "row"})


def in_words(kind: str, evidence: Mapping[str, Any], *, name: str = "") -> str:
    """Return one sentence of what ``evidence`` holds, and the ``name`` of the person whom it names by id."""
    if "way" not in evidence:
        return _unsent(evidence)
    what = WAYS.get(str(evidence["way"]), str(evidence["way"]))
    whom = name or str(evidence.get("channel_name") or "")
    told = f"{what} to {whom}" if whom else what
    why = str(evidence.get("event", "")).replace("_", " ")
    if kind == NOTIFIED:
        return f"{told}: {why}"
    error = str(evidence.get("error") or "")
    return f"{told} was given up: {why}" + (f" ({error})" if error else "")


def guarded(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the evidence everybody may see."""
    return {name: value for name, value in evidence.items() if name in OPEN}


def _unsent(evidence: Mapping[str, Any]) -> str:
    """Word that nothing was sent at all: to nobody, or as it could not be written."""
    route = f" of the route {evidence['route_name']}" if evidence.get("route_name") else ""
    if evidence.get("error"):
        return f"the message{route} could not be written: {evidence['error']}"
    row = evidence.get("row")
    return f"row {row} of the escalation{route} reached nobody" if row else f"the message{route} reached nobody"
