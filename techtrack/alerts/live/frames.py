"""The frames that tell of alerts, as the document of the socket describes them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class AlertSummary(TypedDict):
    """An alert; ``equipment`` or ``sensor`` is there, as the asset is one. All of it is at /api/alerts/{id}/."""

    id: int
    asset: int
    equipment: NotRequired[int]
    sensor: NotRequired[int]
    asset_name: str
    site: int | None
    rule: int | None
    parameter: str
    severity: Literal["info", "low", "medium", "high", "critical"]
    title: str
    state: str
    status: str
    active: bool
    latched: bool
    suppressed_by: str
    occurrences: int
    value: float | None
    limit: float | None
    raised_at: str
    returned_at: str | None
    acknowledged_at: str | None
    shelved_until: str | None
    out_of_service_until: str | None
    acknowledged_by: int | None
    acknowledged_by_name: str | None
    assignee: int | None
    assignee_name: str | None
    version: int


class AlertFrame(TypedDict):
    """Something happened to an alert: ``event`` is what, as in its history at /api/alerts/{id}/events/.

    ``deleted`` is also told at a site that its asset has left, and ``moved`` at the one where it stands now.
    """

    type: Literal["alert"]
    sequence: int
    event: str
    alert: AlertSummary


class AlertsShown(TypedDict):
    """The open alerts that the subscriber may see, the newest first, at most 500."""

    alerts: list[AlertSummary]
