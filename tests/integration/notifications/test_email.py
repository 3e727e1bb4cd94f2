"""E-mail over the wire: what a mail server gets, and what happens where it does not behave."""

from __future__ import annotations

import socket
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
from techtrack.notifications.transports import email, keeping
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
        to = ("a@b.example", "b@b.example", "c@b.example")
        with serving(server) as port, pytest.raises(NotDelivered, match=r"b@b\.example \(550 no such\)") as caught:
            send(mail_settings, port, to=to)
        assert len(server.mails) == 1
        assert caught.value.reached == {"a@b.example", "c@b.example"}
        # The next attempt is for the one who has it not.
        server = Smtp(RCPT=[b"250 ok", b"503 one was enough"])
        with serving(server) as port:
            send(mail_settings, port, replace(compose(FACTS), reached=caught.value.reached), to)
        assert parsed(server.mails[0])["To"] == "a@b.example, b@b.example, c@b.example"

    def test_that_refuses_all_has_reached_nobody(self, mail_settings):
        with serving(Smtp(RCPT=b"550 no such")) as port, pytest.raises(NotDelivered) as caught:
            send(mail_settings, port, to=("a@b.example", "b@b.example"))
        assert caught.value.reached == set()

    def test_is_not_asked_where_everybody_has_it(self, mail_settings):
        message = replace(compose(FACTS), reached=frozenset({"a@b.example"}))
        assert send(mail_settings, 9, message) == "Every address has it already."


class Calls:
    """Mail servers of which each connection meets the next; keeps how many there were."""

    def __init__(self, *servers: Smtp) -> None:
        self.servers, self.count = list(servers), 0

    def __call__(self, sock: socket.socket) -> None:
        self.count += 1
        self.servers[min(self.count, len(self.servers)) - 1](sock)


class TestRun:
    """Messages of one channel, one after the other."""

    @pytest.fixture
    def run(self, mail_settings):
        """``run(calls, count)``: send so many messages; return what became of each."""

        def send_all(calls: Calls, count: int) -> list[str]:
            told = []
            with serving(calls) as mail_settings.EMAIL_PORT, keeping.run():
                for number in range(count):
                    try:
                        told.append(Email(to=["a@b.example"]).send(compose(FACTS), f"id-{number}"))
                    except NotDelivered as error:
                        told.append(error.detail)
            return told

        return send_all

    def ids(self, server: Smtp) -> list[str]:
        return [parsed(mail)["Message-ID"].strip("<>").partition("@")[0] for mail in server.mails]

    def test_goes_over_one_connection_and_each_is_waited_for(self, run):
        server = Smtp(END=[b"250 first", b"250 second", b"250 third"])
        calls = Calls(server)
        told = run(calls, 3)
        assert told == [f"The mail server took it: 250 {which}" for which in ("first", "second", "third")]
        assert (calls.count, self.ids(server)) == (1, ["id-0", "id-1", "id-2"])

    def test_takes_another_connection_after_a_while(self, run, monkeypatch):
        monkeypatch.setattr(email, "MOST_MAILS", 2)
        server = Smtp()
        calls = Calls(server)
        run(calls, 5)
        assert (calls.count, len(server.mails)) == (3, 5)

    @pytest.mark.parametrize(
        "enough",
        [
            pytest.param(b"421 enough of you", id="says so"),
            pytest.param(b"", id="hangs up"),
            pytest.param(reset, id="breaks off"),
            pytest.param(b"452 too many", id="wants no more now"),
        ],
    )
    def test_goes_on_where_the_server_has_enough_between_two(self, run, enough):
        server, other = Smtp(MAIL=[b"250 fine", enough]), Smtp()
        told = run(Calls(server, other), 2)
        assert told == 2 * ["The mail server took it: 250 taken"]
        assert (self.ids(server), self.ids(other)) == (["id-0"], ["id-1"])

    @pytest.mark.parametrize(
        "end", [pytest.param(reset, id="breaks off"), pytest.param(b"", id="hangs up"), pytest.param(None, id="hangs")]
    )
    def test_that_ends_before_the_word_on_a_message_leaves_it_for_another_attempt(self, run, end):
        # Whether it was taken nobody knows: it is not sent a second time in the same attempt.
        server, other = Smtp(END=[b"250 taken", end]), Smtp()
        told = run(Calls(server, other), 3)
        assert told[0] == told[2] == "The mail server took it: 250 taken"
        assert told[1].startswith("127.0.0.1:")
        assert self.ids(other) == ["id-2"]

    def test_after_a_refusal_goes_over_a_new_connection(self, run):
        server, other = Smtp(RCPT=[b"250 ok", b"550 no such"]), Smtp()
        told = run(Calls(server, other), 3)
        assert "550 no such" in told[1]
        assert (self.ids(server), self.ids(other)) == (["id-0"], ["id-2"])

    def test_is_bounded_for_each_message(self, run, mail_settings, monkeypatch):
        monkeypatch.setattr(email, "MOST_REPLIES", 200)
        calls = Calls(Smtp())
        assert run(calls, 20) == 20 * ["The mail server took it: 250 taken"]
        assert calls.count == 1

    def test_of_one_thread_is_none_of_another(self, mail_settings):
        calls = Calls(Smtp())
        with serving(calls) as port, keeping.run():
            for _ in range(2):
                # In a thread of its own.
                send(mail_settings, port)
        assert calls.count == 2


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
