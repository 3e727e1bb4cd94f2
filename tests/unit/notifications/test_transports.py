"""Every transport, and the settings of e-mail."""

from __future__ import annotations

import dataclasses
import smtplib

import pytest

from techtrack.core.errors import Invalid
from techtrack.core.registry import UnknownKind
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.transport import NotDelivered, build, transports
from techtrack.notifications.transports import email


class TestTransports:
    def test_are_frozen_settings_that_can_send(self):
        assert "email" in transports.names()
        for name in transports.names():
            transport = transports.get(name)
            assert dataclasses.is_dataclass(transport)
            assert transport.__dataclass_params__.frozen
            assert callable(transport.send)

    def test_are_asked_for_by_name(self):
        with pytest.raises(UnknownKind) as caught:
            build("pigeon", {})
        assert caught.value.faults[0].pointer == "/kind"


class TestEmailSettings:
    def test_take_addresses(self):
        assert build("email", {"to": ["tom@plant.example", "root@localhost"]}) == email.Email(
            to=["tom@plant.example", "root@localhost"]
        )

    @pytest.mark.parametrize(
        ("config", "pointer"),
        [
            pytest.param([], "/config", id="not an object"),
            pytest.param({}, "/config/to", id="no addresses"),
            pytest.param({"to": []}, "/config/to", id="an empty list"),
            pytest.param({"to": "tom@plant.example"}, "/config/to", id="a text for a list"),
            pytest.param({"to": ["tom@plant.example"] * 51}, "/config/to", id="too many"),
            pytest.param({"to": ["tom@plant.example", "tom"]}, "/config/to/1", id="no host"),
            pytest.param({"to": [7]}, "/config/to/0", id="a number"),
            pytest.param({"to": [None]}, "/config/to/0", id="null"),
            pytest.param({"to": ["Tom <tom@plant.example>"]}, "/config/to/0", id="with a display name"),
            pytest.param({"to": ["tom@plant.example\nBcc: x@y.example"]}, "/config/to/0", id="a forged header"),
            pytest.param({"to": ["tom@plant.example\n"]}, "/config/to/0", id="a trailing break"),
            pytest.param({"to": ["a" * 250 + "@b.example"]}, "/config/to/0", id="too long"),
            pytest.param({"to": ["a@b.example"], "cc": []}, "/config/cc", id="an unknown field"),
        ],
    )
    def test_name_what_is_wrong(self, config, pointer):
        with pytest.raises(Invalid) as caught:
            build("email", config)
        assert [fault.pointer for fault in caught.value.faults] == [pointer]


class TestEmailFailure:
    @pytest.mark.parametrize(
        ("error", "retry"),
        [
            pytest.param(ConnectionRefusedError("refused"), True, id="nobody listens"),
            pytest.param(TimeoutError("too slow"), True, id="it hangs"),
            pytest.param(smtplib.SMTPServerDisconnected("gone"), True, id="it hung up"),
            pytest.param(smtplib.SMTPRecipientsRefused({"a@b.example": (450, b"later")}), True, id="mailbox busy"),
            pytest.param(smtplib.SMTPRecipientsRefused({"a@b.example": (550, b"no")}), False, id="no mailbox"),
            pytest.param(smtplib.SMTPAuthenticationError(535, b"bad password"), False, id="bad password"),
            pytest.param(smtplib.SMTPDataError(451, b"disk full"), True, id="its disk is full"),
            pytest.param(smtplib.SMTPDataError(552, b"too big"), False, id="it refused the message"),
        ],
    )
    def test_says_whether_waiting_may_help(self, monkeypatch, error, retry):
        def fail(_mail):
            raise error

        monkeypatch.setattr(email.EmailMessage, "send", fail)
        with pytest.raises(NotDelivered) as caught:
            email.Email(to=["a@b.example"]).send(Message("s", "b"), "1")
        assert caught.value.retry is retry
