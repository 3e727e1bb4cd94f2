"""An alert at the plant, channels and routes, and a mail server that keeps what it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.notifications import jobs, services
from techtrack.notifications.models import Channel, Delivery, Route
from tests import factories
from tests.integration.notifications.day import Day
from tests.mail import MailServer
from tests.plugins import post
from tests.plugins.platform import free_port


@pytest.fixture
def make_alert(robot: Asset) -> Callable[..., Alert]:
    """``make_alert(asset=…, severity=…)``: an alert, written directly."""

    def make(**fields: Any) -> Alert:
        defaults = {
            "asset": robot,
            "parameter": "temperature",
            "severity": "high",
            "title": "Too hot",
            "value": 91.5,
            "limit": 80.0,
            "raised_at": factories.NOW,
        }
        return Alert.objects.create(**defaults | fields, **factories.STAMPS)

    return make


@pytest.fixture
def make_channel(db: None) -> Callable[..., Channel]:
    """``make_channel("shift", site=…)``: an e-mail channel to shift@plant.example."""

    def make(name: str, **fields: Any) -> Channel:
        defaults = {"kind": "email", "config": {"to": [f"{name}@plant.example"]}}
        return Channel.objects.create(name=name, **defaults | fields, **factories.STAMPS)

    return make


@pytest.fixture
def make_route(db: None) -> Callable[..., Route]:
    """``make_route(channel, …, site=…)``: a route to the channels."""

    def make(*channels: Channel, **fields: Any) -> Route:
        route = Route.objects.create(**{"name": "A route", **fields}, **factories.STAMPS)
        route.channels.set(channels)
        return route

    return make


@pytest.fixture
def enqueue() -> Callable[..., list[Delivery]]:
    """``enqueue(alert)``: say that it was raised, at this moment of the wall clock; return the messages of that."""

    def make(alert: Alert, event: str = "raised", *, at: datetime = factories.NOW) -> list[Delivery]:
        before = set(Delivery.objects.values_list("pk", flat=True))
        services.enqueue_for_alert(alert_id=alert.pk, event=event, at=at, now=clock.now(), plant_now=factories.NOW)
        jobs.tell_due()
        return list(Delivery.objects.exclude(pk__in=before).select_related("channel").order_by("created_at"))

    return make


@pytest.fixture
def send() -> Callable[[], bool]:
    """``send()``: send all that is due; tell whether there was anything."""
    sender = jobs.Sender()

    def run() -> bool:
        started = sender.step()
        while True:
            assert sender.settle(20), "a thread never ended"
            if not sender.step():
                return started

    return run


@pytest.fixture
def day(db: None) -> Day:
    """The day of what is told."""
    return Day()


class Mailbox(post.Mailbox):
    """One that may refuse messages, or addresses, with an answer of the test's own."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        # To whom each message went.
        self.envelopes: list[list[str]] = []
        self.refuse = ""
        self.refuse_to: dict[str, str] = {}

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's
        if address in self.refuse_to:
            return self.refuse_to[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.refuse:
            return self.refuse
        self.envelopes.append(list(envelope.rcpt_tos))
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def mail_port(settings: Any) -> int:
    """The port of 127.0.0.1 that TechTrack is told to send its mail to; nobody listens there yet."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = free_port()
    settings.EMAIL_TIMEOUT = 5
    return int(settings.EMAIL_PORT)


@pytest.fixture
def mailbox(mail_port: int) -> Iterator[Mailbox]:
    """A real mail server on that port."""
    box = Mailbox(mail_port)
    server = MailServer(box, mail_port)
    server.start()
    yield box
    server.stop()
