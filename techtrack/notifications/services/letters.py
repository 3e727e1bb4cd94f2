"""Letters to people about their accounts: queued with their cause, written when they are sent, to one address each."""

from __future__ import annotations

import json
from datetime import datetime

from techtrack.accounts.events import LetterOwed
from techtrack.accounts.services import write_letter
from techtrack.core import events
from techtrack.core.sealing import seal, unseal
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.transport import NotDelivered
from techtrack.notifications.events import DeliveriesQueued
from techtrack.notifications.models import LETTER, Channel, Delivery
from techtrack.notifications.transports.email import Email

MAIL_SERVER = "the mail server"
NOBODY = "There was nobody to write to."


def owe_letter(fact: LetterOwed, *, now: datetime) -> Delivery:
    """Queue a letter; call it in the transaction of its cause.

    The row is the same whoever is to get it, and says to nobody who reads the table what it is about.
    """
    order = {"kind": fact.kind, "user": fact.user_id, "invitation": fact.invitation_id, "sealed": fact.sealed}
    delivery = Delivery.objects.create(
        channel=_channel(now),
        person_id=fact.user_id,
        event=LETTER,
        subject="A letter about an account",
        body=seal(json.dumps(order)),
        next_attempt_at=now,
        created_at=now,
    )
    events.publish(DeliveriesQueued(count=1))
    return delivery


def send_letter(delivery: Delivery, *, now: datetime) -> str:
    """Write the letter of a delivery and hand it to the mail server; return what that said.

    Raises:
        NotDelivered: it was not taken.
    """
    order = json.loads(unseal(delivery.body))
    owed = LetterOwed(order["kind"], order["user"], order["invitation"], order["sealed"])
    letter = write_letter(owed, now=now)
    if letter is None:
        return NOBODY
    try:
        return Email(to=[letter.to]).send(Message(letter.subject, letter.text), str(delivery.pk))
    except NotDelivered as error:
        if error.retry:
            raise
        # One address was refused by a server that works: letters to others must not wait.
        raise NotDelivered(error.detail, retry=False, reached={MAIL_SERVER}) from error


def _channel(now: datetime) -> Channel:
    """The channel in whose line letters wait; nobody sees or chooses it, and it leads to no address of its own."""
    found = Channel.objects.filter(kind=LETTER).order_by("pk").first()
    return found or Channel.objects.create(name="Letters", kind=LETTER, created_at=now, updated_at=now)
