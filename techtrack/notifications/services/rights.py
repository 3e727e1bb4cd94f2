"""Asks again, when a message is sent, what its receiver may know by then: hours may lie between, and a role."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import User
from techtrack.notifications import queries
from techtrack.notifications.domain.message import told_from_json
from techtrack.notifications.models import Delivery
from techtrack.notifications.queries import Known
from techtrack.notifications.services.composing import Draft, messages_of
from techtrack.notifications.services.following import NO_ADDRESS, address_of, follow_account

GONE = "the account of the person is gone, or switched off"
NOTHING_LEFT = "whom it was for may not see any of it any more"


def recheck(*, delivery: Delivery, now: datetime) -> str:
    """Return why a claimed message must not be sent any more, empty where it may be.

    What the receiver may not know any more is taken out of the message, in its row and in ``delivery``. An automatic
    channel leads to the address that the account has by now. A channel that is shared by all sites costs no query.
    """
    channel, access = delivery.channel, None
    person = delivery.person_id or channel.owner_id
    if person is not None:
        user = User.objects.prefetch_related("memberships").filter(pk=person, is_active=True).first()
        if user is None:
            return GONE
        if not follow_account(channel=channel, email=address_of(user.pk), now=now):
            return NO_ADDRESS
        access = user.access()
    elif channel.site_id is None:
        return ""
    links = Delivery.alerts.through.objects.filter(delivery=delivery.pk).order_by("pk")
    known = queries.known(links.values_list("alert", flat=True))
    allowed = {pk: one for pk, one in known.items() if may_know(one, site=channel.site_id, access=access)}
    if known and not allowed:
        return NOTHING_LEFT
    if len(allowed) < len(known):
        _narrow(delivery, allowed, now)
    return ""


def may_know(alert: Known, *, site: int | None, access: Access | None) -> bool:
    """Tell whether an alert may be told: a channel knows its ``site``, a person the sites of the roles held."""
    if site not in {None, alert.site_id}:
        return False
    return access is None or access.allows(Role.VIEWER, alert.site_id)


@transaction.atomic
def _narrow(delivery: Delivery, allowed: Mapping[int, Known], now: datetime) -> None:
    told, _ = told_from_json(delivery.facts)
    said = {facts.alert: facts.event for facts in told}
    reasons = {pk: said.get(pk, delivery.event) for pk in allowed}
    [made] = messages_of([Draft(delivery.channel, list(allowed.values()), reasons)], now=now)
    for name in ("facts", "subject", "body", "site_id", "alert_id"):
        setattr(delivery, name, getattr(made, name))
    delivery.save(update_fields=["facts", "subject", "body", "site", "alert"])
    Delivery.alerts.through.objects.filter(delivery=delivery.pk).exclude(alert__in=allowed).delete()
