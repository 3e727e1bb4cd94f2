"""Every write of telling people: channels, routes, and the outbox of deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access, Role
from techtrack.core import events, params
from techtrack.core.errors import Fault, Invalid
from techtrack.notifications import queries
from techtrack.notifications.domain.message import compose
from techtrack.notifications.domain.retry import next_delay
from techtrack.notifications.domain.transport import build
from techtrack.notifications.events import DeliveriesQueued
from techtrack.notifications.models import Channel, Delivery, DeliveryState, Route

# A replay or a gateway that was away for a day must page nobody for the past.
NOTIFY_MAX_AGE = timedelta(hours=1)
LEASE = timedelta(seconds=60)
LONGEST_ERROR = 1000


class UnknownChannel(Invalid):
    """A route names a channel that does not exist, or that the caller may not see."""

    code = "unknown_channel"


@transaction.atomic
def create_channel(*, by: Access, data: Mapping[str, Any], now: datetime) -> Channel:
    """Create a channel from ``name, kind, config, site, enabled``; an engineer at its site may.

    Raises:
        Invalid: ``config`` does not suit ``kind``; the fault names the setting.
    """
    _require_engineer(by, data.get("site"))
    config = params.dump(build(data["kind"], data.get("config", {})))
    return Channel.objects.create(**{**data, "config": config}, created_at=now, updated_at=now)


@transaction.atomic
def update_channel(
    *, channel: Channel, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> Channel:
    """Change a channel; an engineer at its old and new site may. Raises as ``create_channel`` does."""
    _require_engineer(by, channel.site, changes.get("site", channel.site))
    changes = dict(changes)
    if "kind" in changes or "config" in changes:
        transport = build(changes.get("kind", channel.kind), changes.get("config", channel.config))
        changes["config"] = params.dump(transport)
    channel.change(expected=expected, now=now, **changes)
    if not channel.enabled:
        _give_up_pending(channel)
    return channel


@transaction.atomic
def delete_channel(*, channel: Channel, by: Access, expected: int | None, now: datetime) -> None:
    """Delete a channel with its deliveries; routes to it lose it."""
    _require_engineer(by, channel.site)
    Route.objects.filter(channels=channel).update(version=F("version") + 1, updated_at=now)
    channel.remove(expected=expected)


@transaction.atomic
def create_route(*, by: Access, data: Mapping[str, Any], now: datetime) -> Route:
    """Create a route from its columns and ``channel_ids``; an engineer at its site may.

    Raises:
        UnknownChannel: the caller may not see one of the channels.
    """
    data = dict(data)
    _require_engineer(by, data.get("site"))
    channels = _visible_channels(by, data.pop("channel_ids", []), held=[])
    route = Route.objects.create(**data, created_at=now, updated_at=now)
    route.channels.set(channels)
    return route


@transaction.atomic
def update_route(*, route: Route, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Route:
    """Change a route; an engineer at its old and new site may. Raises as ``create_route`` does."""
    changes = dict(changes)
    _require_engineer(by, route.site, changes.get("site", route.site))
    channels = changes.pop("channel_ids", None)
    if channels is not None:
        channels = _visible_channels(by, channels, held=route.channel_ids)
    route.change(expected=expected, now=now, **changes)
    if channels is not None:
        route.channels.set(channels)
    return route


@transaction.atomic
def delete_route(*, route: Route, by: Access, expected: int | None) -> None:
    """Delete a route; its channels stay."""
    _require_engineer(by, route.site)
    route.remove(expected=expected)


@transaction.atomic
def enqueue_for_alert(*, alert_id: int, event: str, at: datetime, now: datetime, plant_now: datetime) -> list[Delivery]:
    """Write one delivery per channel that is to learn of ``event`` (raised or returned) of an alert.

    Call it in the transaction of the cause. ``at`` and ``plant_now`` are plant time, ``now`` is wall time.
    That an alert returned is told only to those who were told that it was raised.
    """
    if at < plant_now - NOTIFY_MAX_AGE:
        return []
    alert = queries.alert_to_tell(alert_id)
    channels = queries.channels_for(alert)
    if event == "returned":
        told = set(Delivery.objects.filter(alert=alert, event="raised").values_list("channel", flat=True))
        channels = [channel for channel in channels if channel.pk in told]
    if not channels:
        return []
    message = compose(queries.facts_of(alert, event=event, public_url=settings.PUBLIC_URL))
    common = {"alert": alert, "site_id": alert.asset.site_id, "event": event, "next_attempt_at": now, "created_at": now}
    rows = [Delivery(channel=channel, subject=message.subject, body=message.body, **common) for channel in channels]
    Delivery.objects.bulk_create(rows)
    events.publish(DeliveriesQueued(alert_id=alert_id, count=len(rows)))
    return rows


@transaction.atomic
def claim_next(*, channel_id: int, now: datetime) -> Delivery | None:
    """Take the delivery of a channel that is due the longest, for LEASE; None when nothing is due.

    The attempt counts from here, so that a message which kills its sender cannot do so for ever.
    """
    for delivery in queries.due(now).filter(channel=channel_id).select_related("channel")[:10]:
        # Other senders look at the same rows: the database lets one of them move each.
        mine = queries.due(now).filter(pk=delivery.pk).order_by()
        if mine.update(lease_until=now + LEASE, attempts=F("attempts") + 1):
            delivery.refresh_from_db(fields=["lease_until", "attempts"])
            return delivery
    return None


@transaction.atomic
def record_sent(*, delivery: Delivery, now: datetime) -> None:
    """Note that the other side has taken the message: a fact, whoever holds the lease by now."""
    rows = Delivery.objects.filter(pk=delivery.pk)
    rows.update(state=DeliveryState.SENT, sent_at=now, lease_until=None, error="")


@transaction.atomic
def record_failure(*, delivery: Delivery, error: str, retry: bool, now: datetime, chance: float) -> None:
    """Note a failed attempt and when to try again, or that it is given up; ``chance`` in [0, 1) is the jitter."""
    delay = next_delay(delivery.attempts, retry=retry, chance=chance)
    outcome: dict[str, Any] = {"state": DeliveryState.DEAD} if delay is None else {"next_attempt_at": now + delay}
    # Whose lease has run out leaves the row to the one who took it over.
    mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING, lease_until=delivery.lease_until)
    mine.update(**outcome, lease_until=None, error=error[:LONGEST_ERROR])


def _give_up_pending(channel: Channel) -> None:
    """Let nothing wait for a channel that is switched off, only to arrive when it is stale."""
    pending = Delivery.objects.filter(channel=channel, state=DeliveryState.PENDING)
    pending.update(state=DeliveryState.DEAD, error="the channel was switched off")


def _require_engineer(by: Access, *sites: Any) -> None:
    for site in sites:
        by.require(Role.ENGINEER, site.pk if site else None)


def _visible_channels(by: Access, ids: Sequence[int], *, held: Sequence[int]) -> list[Channel]:
    """The channels of ``ids``: visible to the caller, or on the route already (``held``)."""
    visible = set(Channel.objects.visible_to(by).filter(pk__in=ids).values_list("pk", flat=True))
    faults = [
        Fault(f"/channels/{index}", UnknownChannel.code, f"there is no channel {pk} that you may see")
        for index, pk in enumerate(ids)
        if pk not in visible and pk not in held
    ]
    if faults:
        raise UnknownChannel(faults[0].detail, faults=faults)
    return list(Channel.objects.filter(pk__in=ids))
