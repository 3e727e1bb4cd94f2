"""Writes of destinations."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.services import require_recent
from techtrack.core import outgoing, params
from techtrack.core.destinations import RefusedDestination
from techtrack.core.errors import Forbidden, Invalid
from techtrack.core.sealing import Unreadable
from techtrack.notifications.domain import template
from techtrack.notifications.domain.message import VARIABLES
from techtrack.notifications.domain.transport import Transport, bound_of, build, secrets_of
from techtrack.notifications.models import Channel, Route
from techtrack.notifications.models.secrets import completed, resealed, sealed
from techtrack.notifications.services.permissions import require_engineer
from techtrack.notifications.services.sending import SWITCHED_OFF, free, give_up

TEMPLATES = ("subject_template", "body_template")


def create_channel(*, by: Access, data: Mapping[str, Any], now: datetime) -> Channel:
    """Create a channel of its columns; an engineer at its site may, and with ``personal`` whoever it leads to.

    Raises:
        Invalid: ``config`` does not suit ``kind``, or a template names an unknown variable; the fault says where.
        RefusedDestination: it leads where requests may not go.
    """
    data = dict(data)
    owner = by.user_id if data.pop("personal", False) else None
    authorise(by, site=data.get("site"), owner=owner)
    require_recent(by=by, now=now)
    if owner is not None and data.get("site") is not None:
        raise Invalid("a channel of a person belongs to no site", pointer="/site")
    config = _checked_config(data["kind"], data.get("config", {}), old={})
    _check_templates(data)
    with transaction.atomic():
        return Channel.objects.create(**{**data, "config": config, "owner_id": owner}, created_at=now, updated_at=now)


def update_channel(
    *, channel: Channel, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> Channel:
    """Change a channel; an engineer at its old and new site may, or its owner. Raises as ``create_channel`` does.

    Whoever changes where or how it sends, or switches it on, has mended it: what waits is tried at once. What waits for
    one that is switched off is given up, as it would be stale when it came; there it can be seen, and retried.
    """
    changes = dict(changes)
    authorise(by, site=channel.site, owner=channel.owner_id)
    if changes.pop("personal", channel.personal) != channel.personal:
        raise Invalid("whether a channel is personal is decided when it is made", pointer="/personal")
    if changes.get("site", channel.site) != channel.site:
        if channel.personal:
            raise Invalid("a channel of a person belongs to no site", pointer="/site")
        require_engineer(by, changes["site"])
    if "kind" in changes or "config" in changes:
        # Where messages go, and with which secrets, is how one listens in without being seen.
        require_recent(by=by, now=now)
        kind = changes.get("kind", channel.kind)
        old = channel.config if kind == channel.kind else {}
        changes["config"] = _checked_config(kind, changes.get("config", channel.config), old=old)
        # What somebody has set no longer follows the account.
        changes["automatic"] = channel.automatic and changes["config"] == channel.config
    _check_templates(changes)
    mended = any(name in changes and changes[name] != getattr(channel, name) for name in ("kind", "config", "enabled"))
    with transaction.atomic():
        channel.change(expected=expected, now=now, **changes)
        if not channel.enabled:
            give_up(channel=channel, why=SWITCHED_OFF, now=now)
        elif mended:
            free(channel=channel, now=now)
    return channel


@transaction.atomic
def delete_channel(*, channel: Channel, by: Access, expected: int | None, now: datetime) -> None:
    """Delete a channel with its deliveries; routes to it lose it."""
    authorise(by, site=channel.site, owner=channel.owner_id)
    Route.objects.filter(channels=channel).update(version=F("version") + 1, updated_at=now)
    # Before its messages, as who sends them locks it.
    Channel.objects.select_for_update().filter(pk=channel.pk).first()
    channel.remove(expected=expected)


def reseal_channels() -> int:
    """Encrypt with SECRET_KEY what was encrypted with one of SECRET_KEY_FALLBACKS; return of how many channels.

    What neither opens stays as it is: its channel says so with each message, and where to give it again.
    """
    count = 0
    for channel in Channel.objects.order_by("pk"):
        with suppress(Unreadable):
            anew = resealed(channel.config)
            if anew != channel.config:
                # Who changes it meanwhile encrypts it with the present key in any case.
                count += Channel.objects.filter(pk=channel.pk, version=channel.version).update(config=anew)
    return count


def authorise(by: Access, *, site: Any, owner: int | None) -> None:
    """Pass an engineer at the site of a shared channel; the owner of a personal one, or an admin for all sites.

    Raises:
        Forbidden: it is neither.
    """
    if owner is None:
        require_engineer(by, site)
    elif owner != by.user_id or by.scope is not None:
        by.require(Role.ADMIN, None)
    elif not (by.sites(Role.OPERATOR) is None or by.sites(Role.OPERATOR)):
        # Whoever signs up may look around, not have messages sent.
        raise Forbidden("this needs the role operator at some site")


def _checked_config(kind: str, new: Mapping[str, Any], *, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are stored. Outside any transaction: names are looked up."""
    secrets = secrets_of(kind)
    transport = build(kind, completed(new, old, names=secrets, bound=bound_of(kind)))
    _check_urls(transport)
    return sealed(params.dump(transport), secrets)


def _check_urls(transport: Transport) -> None:
    urls: Mapping[str, str] = transport.urls() if hasattr(transport, "urls") else {}
    for pointer, url in urls.items():
        try:
            outgoing.check(url)
        except RefusedDestination as error:
            raise RefusedDestination(error.detail, pointer=f"/config{pointer}") from error


def _check_templates(changes: Mapping[str, Any]) -> None:
    for name in TEMPLATES:
        template.check(changes.get(name, ""), VARIABLES, pointer=f"/{name}")


@transaction.atomic
def forget_person(*, user_id: int) -> None:
    """Prepare for a person's deletion: own channels go with their messages, in the order in which senders lock."""
    own = Channel.objects.filter(owner=user_id)
    list(own.select_for_update().order_by("pk").values_list("pk"))
    own.delete()
