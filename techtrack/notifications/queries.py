"""Reads of telling people: the facts of an alert, who is to be told, which channels have something to send."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Q

from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset, Parameter
from techtrack.notifications.domain.message import Facts
from techtrack.notifications.domain.routing import Labels, Matcher, matches
from techtrack.notifications.models import Channel, Delivery, DeliveryQuerySet, DeliveryState, Route


def alert_to_tell(alert_id: int) -> Alert:
    """The alert with everything that a message says of it, in one query."""
    return Alert.objects.select_related("asset__site", "asset__type", "rule").get(pk=alert_id)


def channels_for(alert: Alert) -> list[Channel]:
    """The enabled channels that some enabled route gives ``alert`` to, each once."""
    asset = alert.asset
    labels = Labels(
        site_id=asset.site_id,
        severity=alert.severity,
        asset_type=asset.type.slug if asset.type else None,
        tags=frozenset(asset.tags),
    )
    rows = Route.objects.filter(Q(site=None) | Q(site=asset.site_id), enabled=True)
    routes = rows.select_related("asset_type").prefetch_related("channels")
    chosen = {
        channel.pk: channel
        for route in routes
        if matches(labels, _matcher(route))
        for channel in route.channels.all()
        if channel.enabled
    }
    return list(chosen.values())


def facts_of(alert: Alert, *, event: str, public_url: str) -> Facts:
    """What a message about ``event`` of ``alert`` says, in the time zone of the asset's site."""
    asset = alert.asset
    zone = _zone(asset)
    guidance = alert.rule.guidance if alert.rule else {}
    returned = event == "returned" and alert.returned_at
    return Facts(
        event=event,
        severity=alert.severity,
        title=alert.title,
        site=asset.site.name if asset.site else "",
        asset=asset.name,
        parameter=alert.parameter,
        value=alert.value,
        limit=alert.limit,
        unit=_unit(asset, alert.parameter),
        since=alert.raised_at.astimezone(zone),
        returned_at=returned.astimezone(zone) if returned else None,
        link=f"{public_url}/alerts/{alert.pk}/",
        origin=_origin(asset),
        advice=str(guidance.get("action") or ""),
    )


def due(now: datetime) -> DeliveryQuerySet:
    """Deliveries whose time has come and that nobody holds, the longest due first."""
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    rows = Delivery.objects.filter(free, state=DeliveryState.PENDING, next_attempt_at__lte=now)
    return rows.order_by("next_attempt_at", "pk")


def channels_due(now: datetime) -> list[int]:
    """The ids of the channels that have something to send."""
    return list(due(now).order_by("channel").values_list("channel", flat=True).distinct())


def _matcher(route: Route) -> Matcher:
    return Matcher(
        site_id=route.site_id,
        asset_type=route.asset_type.slug if route.asset_type else None,
        minimum_severity=route.minimum_severity,
        tags=frozenset(route.tags),
    )


def _zone(asset: Asset) -> tzinfo:
    try:
        return ZoneInfo(asset.site.timezone) if asset.site else UTC
    except (ZoneInfoNotFoundError, ValueError):
        # A zone that this machine does not know must not keep an alarm from being told.
        return UTC


def _unit(asset: Asset, code: str) -> str:
    """The unit of a parameter: as the asset's type has it, else as the parameter has it."""
    for entry in asset.type.parameters if asset.type else []:
        if entry.get("code") == code and entry.get("unit"):
            return str(entry["unit"])
    return Parameter.objects.filter(code=code).values_list("unit", flat=True).first() or ""


def _origin(asset: Asset) -> tuple[str, ...]:
    """What must be said of data that were not measured here and now."""
    marks = {name: asset.attributes.get(name) for name in ("simulated", "replayed")}
    return tuple(mark if isinstance(mark, str) else name for name, mark in marks.items() if mark)
