"""E-mail over the wire: what a mail server gets, and what happens where it does not behave."""

from __future__ import annotations

import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import numpy as np
import pytest

from techtrack.core import outgoing
from techtrack.notifications.domain.chart import Curve, draw
from techtrack.notifications.domain.message import Facts, Message, compose
from techtrack.notifications.domain.transport import NotDelivered
from techtrack.notifications.transports.email import Email
from tests.integration.notifications.gateways import Authority, Smtp, drip, flood, reset, serving

GENEROUS = 30
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FACTS = Facts(
    event="raised",
    severity="high",
    title="Too hot — µ",
    site="Plant",
    asset="Robot 7",
    parameter="temperature",
    value=91.5,
    limit=80.0,
    unit="°C",
    since=AT,
    returned_at=None,
    link="https://plant.example/alerts/7/",
    alert=7,
)
ID = "0b7b6d0e-0000-4000-8000-000000000001"
LINK = "https://plant.example/acknowledge/abc/"


@pytest.fixture
def mail_settings(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_TIMEOUT = 0.5
    settings.DEFAULT_FROM_EMAIL = "TechTrack <plant@plant.example>"
    return settings


def send(settings, port: int, message: Message | None = None, to: tuple[str, ...] = ("a@b.example",)) -> str:
    """Send within GENEROUS seconds, or fail."""
    settings.EMAIL_PORT = port
    results: list[str | BaseException] = []

    def run() -> None:
        try:
            results.append(Email(to=list(to)).send(message or compose(FACTS), ID))
        except BaseException as error:  # noqa: BLE001 - raised again below
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(GENEROUS)
    assert results, "it does not end"
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def parsed(mail: bytes) -> EmailMessage:
    return message_from_bytes(mail, policy=policy.default)  # type: ignore[return-value]


class TestMail:
    def test_is_text_and_html_with_the_chart_inside(self, mail_settings):
        times = np.arange(10, dtype=np.int64) * 60_000_000 + int(AT.timestamp() * 1e6)
        chart = draw(Curve(times, np.linspace(70, 95, 10), "°C", 80.0, AT, UTC))
        assert chart is not None
        message = replace(compose(FACTS), chart=chart, acknowledge=LINK)
        server = Smtp()
        with serving(server) as port:
            said = send(mail_settings, port, message)
        assert said == "The mail server took it: 250 taken"
        mail = parsed(server.mails[0])
        assert mail.get_content_type() == "multipart/alternative"
        text, page = mail.iter_parts()
        assert text.get_content_type() == "text/plain"
        assert f"Take it:   {LINK}" in text.get_content()
        assert page.get_content_type() == "multipart/related"
        html, image = page.iter_parts()
        assert f'href="{LINK}"' in html.get_content()
        assert f"cid:{image['Content-ID'].strip('<>')}" in html.get_content()
        assert image.get_content() == chart
        assert mail["Message-ID"] == f"<{ID}@techtrack>"
        assert mail["Subject"] == message.subject

    def test_is_plain_bytes_of_ascii_with_short_lines(self, mail_settings):
        server = Smtp()
        with serving(server) as port:
            send(mail_settings, port, replace(compose(FACTS), text="µ" * 2000 + "\n.\n.dot\n"))
        mail = server.mails[0]
        assert mail.isascii()
        assert max(len(line) for line in mail.split(b"\r\n")) <= 998
        text = next(parsed(mail).iter_parts()).get_content()
        # The server's end of the line between: dots at the beginning are doubled on the way.
        assert "µ" * 2000 in text

    def test_offers_a_shared_channel_the_page_only_once(self, mail_settings):
        server = Smtp()
        with serving(server) as port:
            send(mail_settings, port, replace(compose(FACTS), acknowledge=FACTS.link))
        assert "Take it" not in next(parsed(server.mails[0]).iter_parts()).get_content()

    def test_without_a_mail_server_says_where_it_went(self, settings, capsys):
        settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
        said = Email(to=["a@b.example"]).send(compose(FACTS), ID)
        assert said == "No mail server is set (EMAIL_URL): it was written to the console."
        assert "Robot 7" in capsys.readouterr().out


class TestServer:
    @pytest.mark.parametrize(
        ("script", "retry", "words"),
        [
            pytest.param({"BANNER": None}, True, "", id="hangs after connecting"),
            pytest.param({"BANNER": drip}, True, "", id="greets a byte at a time"),
            pytest.param({"BANNER": b"554 go away"}, False, "554 go away", id="greets nobody"),
            pytest.param({"BANNER": b"421 busy"}, True, "421 busy", id="is busy"),
            pytest.param({"BANNER": b""}, True, "", id="hangs up"),
            pytest.param({"EHLO": flood, "HELO": b""}, True, "", id="introduces itself without end"),
            pytest.param({"MAIL": b"451 later"}, True, "451 later", id="takes no sender now"),
            pytest.param({"RCPT": b"450 busy"}, True, "a@b.example (450 busy)", id="has a busy mailbox"),
            pytest.param({"RCPT": b"550 no such"}, False, "a@b.example (550 no such)", id="has no mailbox"),
            pytest.param({"DATA": b"451 full"}, True, "451 full", id="has a full disk"),
            pytest.param({"END": b"552 too big"}, False, "552 too big", id="refuses the message"),
            pytest.param({"END": b"452 later"}, True, "452 later", id="takes it later"),
            pytest.param({"END": None}, True, "", id="hangs after the message"),
            pytest.param({"END": drip}, True, "", id="answers a byte at a time"),
            pytest.param({"END": reset}, True, "", id="breaks off before its 250"),
            pytest.param({"END": flood}, True, "", id="answers ten megabytes"),
            pytest.param({"RCPT": b"\xff\xfe garbage"}, True, "", id="speaks no SMTP"),
        ],
    )
    def test_that_misbehaves_delivers_nothing_and_is_told_in_words(self, mail_settings, script, retry, words):
        with serving(Smtp(**script)) as port, pytest.raises(NotDelivered) as caught:
            send(mail_settings, port)
        assert caught.value.retry is retry
        assert words in caught.value.detail
        assert caught.value.detail

    def test_that_is_not_there_is_told(self, mail_settings):
        with serving(Smtp()) as port:
            pass
        with pytest.raises(NotDelivered, match="ConnectionRefusedError"):
            send(mail_settings, port)

    def test_that_refuses_the_password_keeps_the_message_waiting(self, mail_settings):
        mail_settings.EMAIL_HOST_USER, mail_settings.EMAIL_HOST_PASSWORD = "tom", "wrong"
        script = {"EHLO": b"250-hello\r\n250 AUTH PLAIN", "AUTH": b"535 bad credentials"}
        with serving(Smtp(**script)) as port, pytest.raises(NotDelivered) as caught:
            send(mail_settings, port)
        assert caught.value.detail == "the mail server refused name or password: 535 bad credentials"
        assert caught.value.retry is True

    def test_that_knows_no_encryption_gets_no_password(self, mail_settings):
        mail_settings.EMAIL_USE_TLS = True
        server = Smtp()
        with serving(server) as port, pytest.raises(NotDelivered, match="STARTTLS"):
            send(mail_settings, port)
        assert server.mails == []

    def test_that_says_no_good_bye_has_taken_it(self, mail_settings):
        with serving(Smtp(QUIT=None)) as port:
            assert send(mail_settings, port)

    def test_that_refuses_one_address_has_not_delivered_and_others_have_it(self, mail_settings):
        server = Smtp(RCPT=[b"250 ok", b"550 no such", b"250 ok"])
        with serving(server) as port, pytest.raises(NotDelivered, match=r"b@b\.example \(550 no such\)"):
            send(mail_settings, port, to=("a@b.example", "b@b.example", "c@b.example"))
        assert len(server.mails) == 1


class TestEncryption:
    @pytest.fixture
    def authority(self, tmp_path, monkeypatch):
        made = Authority(tmp_path)
        monkeypatch.setattr(outgoing, "tls", lambda: ssl.create_default_context(cafile=str(made.file)))
        return made

    @pytest.fixture
    def encrypted(self, mail_settings, monkeypatch):
        mail_settings.EMAIL_USE_SSL = True
        mail_settings.EMAIL_HOST = "localhost"
        mail_settings.EMAIL_TIMEOUT = 5
        return mail_settings

    def test_is_taken_from_the_first_byte(self, encrypted, authority):
        server = Smtp()
        with serving(server, tls=authority.server("localhost")) as port:
            send(encrypted, port)
        assert len(server.mails) == 1

    def test_with_a_certificate_for_another_host_is_none(self, encrypted, authority):
        server = Smtp()
        with serving(server, tls=authority.server("other.example")) as port, pytest.raises(NotDelivered) as caught:
            send(encrypted, port)
        assert "certificate is not trusted" in caught.value.detail
        assert (caught.value.retry, server.mails) == (True, [])

    def test_with_a_certificate_that_nobody_vouches_for_is_none(self, encrypted, tmp_path):
        server = Smtp()
        with (
            serving(server, tls=Authority(tmp_path).server("localhost")) as port,
            pytest.raises(NotDelivered) as caught,
        ):
            send(encrypted, port)
        assert "certificate is not trusted" in caught.value.detail
        assert server.mails == []
