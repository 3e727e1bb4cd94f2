"""The letters that were owed: sent through the outbox, as the sender would, and read like their receivers do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.core import mail

from techtrack.core import clock
from techtrack.notifications import jobs, services
from techtrack.notifications.models import LETTER, Channel

LINK = re.compile(r"https?://\S+/accounts/(?P<kind>[a-z/]+)/(?P<key>[^/\s]{20,})/")


@dataclass(frozen=True)
class Read:
    """A letter as it came: ``path`` and ``key`` are of its link, empty where it has none that opens something."""

    to: str
    subject: str
    text: str

    @property
    def path(self) -> str:
        """The path of the link."""
        found = LINK.search(self.text)
        return f"/accounts/{found['kind']}/{found['key']}/" if found else ""

    @property
    def key(self) -> str:
        """What is secret in the link."""
        found = LINK.search(self.text)
        return found["key"] if found else ""


def post() -> list[Read]:
    """Send every letter that waits; return those that came out, in their order."""
    mail.outbox.clear()
    channel = Channel.objects.filter(kind=LETTER).first()
    while channel and (delivery := services.claim_next(channel_id=channel.pk, now=clock.now())):
        assert jobs.send(delivery)
    return [Read(one.to[0], one.subject, str(one.body)) for one in mail.outbox]


def only() -> Read:
    """Send what waits, which is one letter."""
    letters = post()
    assert len(letters) == 1, letters
    return letters[0]
