"""A mail server for a test: ``mailbox`` keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from tests.mail import MailServer
from tests.plugins.platform import free_port


class Mailbox:
    """What the mail server on ``port`` of 127.0.0.1 got: the messages, parsed, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[EmailMessage] = []

    @property
    def url(self) -> str:
        """Where a platform is told to send its mail."""
        return f"smtp://127.0.0.1:{self.port}"

    def has(self, *words: str) -> bool:
        """Tell whether some subject has all the words."""
        return any(all(word in str(message["Subject"]) for word in words) for message in self.messages)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real mail server."""
    box = Mailbox(free_port())
    server = MailServer(box, box.port)
    server.start()
    yield box
    server.stop()
