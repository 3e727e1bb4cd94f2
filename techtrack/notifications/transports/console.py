"""Writes messages to the log of the process that sends them: for trying out, and for machines without any gateway."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.sms import fit
from techtrack.notifications.domain.transport import transports

NOWHERE = "There is no gateway behind this channel: messages are written to the log of the process that sends."
_log = logging.getLogger(__name__)


@transports.register("console")
@dataclass(frozen=True, slots=True)
class Console:
    """Delivers to nobody and says so. ``form`` chooses what is shown: the text, or the line that an SMS would be."""

    form: Literal["text", "sms"] = "text"

    def send(self, message: Message, delivery_id: str) -> str:
        """Write it to the log."""
        text = fit(message.short, link=message.link) if self.form == "sms" else message.text
        _log.warning("message %s, to nobody but this log: %s\n%s", delivery_id, message.subject, text)
        return NOWHERE

    def nowhere(self) -> str:
        """Why nobody gets what is sent."""
        return NOWHERE
