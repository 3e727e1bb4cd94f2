"""Letters to people: queued with their cause, written when they are sent, to one address each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from techtrack.accounts.domain.letters import Letter
from techtrack.accounts.events import LetterOwed
from techtrack.accounts.services import write_letter
from techtrack.core import events
from techtrack.core.sealing import seal, unseal
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.transport import NotDelivered
from techtrack.notifications.events import DeliveriesQueued, LetterAsked
from techtrack.notifications.models import LETTER, Channel, Delivery
from techtrack.notifications.services.following import address_of
from techtrack.notifications.transports.email import Email

MAIL_SERVER = "the mail server"
NOBODY = "There was nobody to write to."


def owe_letter(fact: LetterOwed, *, now: datetime) -> Delivery:
    """Queue a letter about an account; call it in the transaction of its cause.

    The row is the same whoever is to get it, and says to nobody who reads the table what it is about.
    """
    order = {"kind": fact.kind, "user": fact.user_id, "invitation": fact.invitation_id, "sealed": fact.sealed}
    return _queue([(fact.user_id, order)], subject="A letter about an account", now=now)[0]


def owe_notes(*, kind: str, people: Iterable[int], about: Mapping[str, Any], now: datetime) -> list[Delivery]:
    """Queue a letter to each of these people; call it in the transaction of its cause.

    What it says is asked by ``LetterAsked`` when it is sent. It goes to addresses that were shown to be theirs.
    """
    orders = [(person, {"kind": kind, "user": person, "about": dict(about)}) for person in people]
    return _queue(orders, subject="A letter about work", now=now)


def send_letter(delivery: Delivery, *, now: datetime) -> str:
    """Write the letter of a delivery and hand it to the mail server; return what that said.

    Raises:
        NotDelivered: it was not taken.
    """
    order = json.loads(unseal(delivery.body))
    letter = _note(order) if "about" in order else _about_account(order, now)
    if letter is None:
        return NOBODY
    try:
        return Email(to=[letter.to]).send(Message(letter.subject, letter.text), str(delivery.pk))
    except NotDelivered as error:
        if error.retry:
            raise
        # One address was refused by a server that works: letters to others must not wait.
        raise NotDelivered(error.detail, retry=False, reached={MAIL_SERVER}) from error


def _about_account(order: Mapping[str, Any], now: datetime) -> Letter | None:
    owed = LetterOwed(order["kind"], order["user"], order["invitation"], order["sealed"])
    return write_letter(owed, now=now)


def _note(order: Mapping[str, Any]) -> Letter | None:
    to = address_of(order["user"])
    words = events.ask(LetterAsked(order["kind"], order["user"], order["about"])) if to else []
    return Letter(to, *words[0]) if words else None


def _queue(orders: Iterable[tuple[int | None, dict[str, Any]]], *, subject: str, now: datetime) -> list[Delivery]:
    channel = _channel(now)
    rows = [
        Delivery(
            channel=channel,
            person_id=person,
            event=LETTER,
            subject=subject,
            body=seal(json.dumps(order)),
            next_attempt_at=now,
            created_at=now,
        )
        for person, order in orders
    ]
    Delivery.objects.bulk_create(rows)
    events.publish(DeliveriesQueued(count=len(rows)))
    return rows


def _channel(now: datetime) -> Channel:
    """The channel in whose line letters wait; nobody sees or chooses it, and it leads to no address of its own."""
    found = Channel.objects.filter(kind=LETTER).order_by("pk").first()
    return found or Channel.objects.create(name="Letters", kind=LETTER, created_at=now, updated_at=now)
