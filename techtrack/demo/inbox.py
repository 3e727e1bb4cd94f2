"""The demo's mail server and what it caught: real SMTP on this machine, each message one file."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from techtrack.core.errors import NotFound
from techtrack.demo import folder

NAME = re.compile(r"\d{8}T\d{12}-\d{6}")
SHOWN = 200


class NoSuchMail(NotFound):
    """No such message was caught, or it was sent to somebody else."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A caught message; ``image`` is its chart as a data URI, empty where it has none or none was asked for."""

    name: str
    subject: str
    sender: str
    to: tuple[str, ...]
    date: datetime | None
    body: str
    image: str = ""


class Catcher:
    """An SMTP server on 127.0.0.1 that delivers nothing and keeps everything."""

    def __init__(self, port: int, now: Callable[[], datetime]) -> None:
        self._now = now
        self._count = 0
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    def start(self) -> None:
        """Begin."""
        self._controller.start()

    def stop(self) -> None:
        """End."""
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one message; called by the library."""
        self._count += 1
        name = f"{self._now():%Y%m%dT%H%M%S%f}-{self._count:06}"
        content = envelope.content
        folder.replace(_folder() / f"{name}.eml", content.encode() if isinstance(content, str) else content or b"")
        return "250 OK"


def mails(*, readable: Callable[[Mail], bool]) -> list[Mail]:
    """Return the newest caught messages that may be read, newest first."""
    paths = sorted(_folder().glob("*.eml"), reverse=True)
    return [mail for mail in map(_read, paths[:SHOWN]) if readable(mail)]


def mail(name: str, *, readable: Callable[[Mail], bool]) -> Mail:
    """Return one caught message.

    Raises:
        NoSuchMail: there is none of that name that may be read.
    """
    path = _folder() / f"{name}.eml"
    if NAME.fullmatch(name) and path.is_file() and readable(found := _read(path)):
        return replace(found, image=_image(path))
    raise NoSuchMail("there is no such e-mail")


def _folder() -> Path:
    path = folder.file("inbox")
    path.mkdir(exist_ok=True, mode=0o700)
    return path


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - the policy makes it one
    body = message.get_body(("plain", "html"))
    to = [address for _, address in getaddresses([str(value) for value in message.get_all("To", [])])]
    return Mail(
        path.stem,
        str(message.get("Subject", "")),
        str(message.get("From", "")),
        tuple(to),
        _date(str(message.get("Date", ""))),
        str(body.get_content()) if body else "",
    )


def _image(path: Path) -> str:
    message = message_from_bytes(path.read_bytes(), policy=default)
    parts = (part for part in message.walk() if part.get_content_type() == "image/png")
    found = next((part.get_payload(decode=True) for part in parts), b"")
    return f"data:image/png;base64,{b64encode(found).decode()}" if isinstance(found, bytes) and found else ""


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # RFC 5322: -0000 says that it is UTC and that nobody knows the sender's zone.
    return date.replace(tzinfo=date.tzinfo or UTC)
