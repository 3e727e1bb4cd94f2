"""Lets the channel that was made for a person without any follow the e-mail address of the account."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from techtrack.accounts.models import User
from techtrack.notifications.models import Channel

NO_ADDRESS = "the account has no verified e-mail address"


def address_of(pk: int) -> str:
    """The address that was shown to be the person's; another could be anybody's, who is not to read of our plants."""
    rows = User.objects.filter(pk=pk, email_verified_at__isnull=False)
    return rows.values_list("email", flat=True).first() or ""


def make_automatic(*, user_id: int, email: str, now: datetime) -> Channel:
    """Return the automatic channel of a person; the unique constraint decides between two who make it."""
    made = {"name": "E-mail", "kind": "email", "config": {"to": [email]}}
    stamps = {"created_at": now, "updated_at": now}
    return Channel.objects.get_or_create(owner_id=user_id, automatic=True, defaults=made | stamps)[0]


@transaction.atomic
def follow_account(*, channel: Channel, email: str, now: datetime) -> bool:
    """Send an automatic channel's messages to ``email`` from now on; tell whether it leads anywhere.

    Without an address it is switched off and says so, with one it is on again.
    """
    if not channel.automatic:
        return True
    stopped = not channel.enabled and channel.error == NO_ADDRESS
    if not email:
        if channel.enabled:
            # What waits is given up by who sends: nobody may wait here for more than this row.
            channel.change(expected=None, now=now, enabled=False, error=NO_ADDRESS)
        return False
    if stopped or channel.config.get("to") != [email]:
        back = {"enabled": True, "error": ""} if stopped else {}
        channel.change(expected=None, now=now, config={"to": [email]}, **back)
    return True
