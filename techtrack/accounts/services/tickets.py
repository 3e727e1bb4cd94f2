"""Tickets: a browser cannot put a header on a WebSocket, so it brings a secret that opens one, once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.models import OneTimeSecret
from techtrack.accounts.queries import current_access
from techtrack.accounts.services.keys import NotByKey
from techtrack.core.errors import Unauthenticated

PURPOSE = "live"
TICKET_SECONDS = 30


class BadTicket(Unauthenticated):
    """The ticket is unknown, used, too old, or its session has ended."""

    code = "ticket_not_valid"


@transaction.atomic
def issue_ticket(*, by: Access, now: datetime) -> str:
    """Return a ticket for the session that ``by`` speaks in, good once and for half a minute.

    Raises:
        NotByKey: a key needs no ticket; it goes into the header.

    """
    if by.scope is not None:
        raise NotByKey("a key opens the WebSocket by itself, in its Authorization header")
    OneTimeSecret.objects.filter(purpose=PURPOSE, expires_at__lte=now).delete()
    ticket = secrets.token_urlsafe(32)
    OneTimeSecret.objects.create(
        digest=digest(ticket),
        purpose=PURPOSE,
        session=by.session_id or "",
        user_id=by.user_id,
        expires_at=now + timedelta(seconds=TICKET_SECONDS),
    )
    return ticket


@transaction.atomic
def redeem_ticket(*, ticket: str, now: datetime) -> Access:
    """Spend a ticket and return the access of its session as it is now.

    Raises:
        BadTicket: it opens nothing.

    """
    rows = OneTimeSecret.objects.filter(digest=digest(ticket), purpose=PURPOSE, expires_at__gt=now)
    found = rows.select_related("user").first()
    # Two sockets may bring the same ticket: the one that deletes the row has it.
    if found is None or found.user is None or not rows.delete()[0]:
        raise BadTicket("the ticket is not valid, or was used before")
    named = Access(found.user.pk, found.user.username, session_id=found.session or None)
    access = current_access(named, now)
    if access is None:
        raise BadTicket("the session of the ticket has ended")
    return access
