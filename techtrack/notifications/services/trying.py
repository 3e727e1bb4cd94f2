"""Tries a channel out: one message, at once, and what the other side said of it in a sentence."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.services import spend
from techtrack.core.errors import TechTrackError, Unavailable
from techtrack.notifications.domain.message import Message
from techtrack.notifications.models import Channel
from techtrack.notifications.services.channels import authorise
from techtrack.notifications.services.sending import LONGEST_ERROR, free

_log = logging.getLogger(__name__)
# Each holds a thread of the server until the other side has answered.
MOST_AT_ONCE = 4
_trying: set[int] = set()
_lock = threading.Lock()


class BeingTried(Unavailable):
    """The channel, or as many others as may be at once, are being tried."""

    code = "being_tried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a test message was taken, and what the other side said."""

    sent: bool
    detail: str


def try_channel(*, channel: Channel, by: Access, now: datetime) -> Outcome:
    """Send a test message now, outside any transaction, and note on the channel how that went.

    Raises:
        BeingTried: try again when the one before has ended.
        TooMany: the caller tests too often.
    """
    authorise(by, site=channel.site, owner=channel.owner_id)
    spend("tests", by.principal, now=now)
    with _lock:
        if channel.pk in _trying or len(_trying) >= MOST_AT_ONCE:
            raise BeingTried("a test of it, or of several other channels, is under way")
        _trying.add(channel.pk)
    try:
        outcome = _send(channel, by, now)
    finally:
        _trying.discard(channel.pk)
    _note(channel, outcome, now)
    return outcome


def _send(channel: Channel, by: Access, now: datetime) -> Outcome:
    text = f"This is a test of the channel “{channel.name}”, asked for by {by.username}. No alert stands behind it."
    message = Message(
        subject=f"[TEST] TechTrack: {channel.name}",
        text=f"{text}\n\n{settings.PUBLIC_URL}/\n",
        short=f"TechTrack: test of the channel {channel.name}, asked for by {by.username} at {now:%H:%M} UTC",
        status="resolved",
        group=f"test/{channel.pk}",
        receiver=channel.name,
        link=f"{settings.PUBLIC_URL}/",
    )
    try:
        said = channel.transport().send(message, str(uuid4()))
    except TechTrackError as error:
        return Outcome(sent=False, detail=error.detail)
    except Exception as error:  # noqa: BLE001 - a transport may come from elsewhere, and the answer is a sentence
        _log.exception("the test of channel %s broke", channel.pk)
        return Outcome(sent=False, detail=f"the transport broke: {type(error).__name__}: {error}")
    return Outcome(sent=True, detail=said or "It was taken.")


@transaction.atomic
def _note(channel: Channel, outcome: Outcome, now: datetime) -> None:
    rows = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk)
    found = rows.first()
    if found is None:
        return
    if outcome.sent:
        rows.update(last_sent_at=now)
        # What waited for the channel to work again goes at once.
        free(channel=found, now=now)
        return
    works = found.last_sent_at is not None and found.failing_since is None
    # What works otherwise is not failing for a test; with its next message the sentence goes, too.
    found.failing_since = None if works else found.failing_since or now
    found.error = f"{'a test failed: ' if works else ''}{outcome.detail}"[:LONGEST_ERROR]
    found.save(update_fields=["error", "failing_since"])
