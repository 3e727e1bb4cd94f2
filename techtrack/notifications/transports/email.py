"""E-mail by SMTP, through the server that EMAIL_URL names."""

from __future__ import annotations

import re
import smtplib
import socket
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import localtime, parseaddr
from typing import Annotated, Any, cast

import msgspec
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.utils import DNS_NAME

from techtrack.core import outgoing
from techtrack.core.errors import Invalid
from techtrack.notifications.domain.letter import letter
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.transport import ALL_HAVE_IT, NotDelivered, transports
from techtrack.notifications.transports import keeping
from techtrack.notifications.transports.http import without

# The WHATWG's definition (HTML, "valid e-mail address"): what a browser's own field accepts, hosts of an
# intranet without a dot included.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
LONGEST_ADDRESS = 254
REFUSED = 500
# Waits of EMAIL_TIMEOUT for one message in all, connecting included. The lease of a delivery is longer.
MOST_WAITS = 3
# A connection takes so many: some servers end one that wants more.
MOST_MAILS = 100
MOST_REPLIES = 256 * 1024
SMTP = "django.core.mail.backends.smtp.EmailBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
CHART = "chart@techtrack"


@transports.register("email")
@dataclass(frozen=True, slots=True)
class Email:
    """One message to all addresses of ``to``, which see each other; delivered once the server takes every one.

    Where it refuses some the others have it, and the next attempt is for those that have not.
    """

    to: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]

    def __post_init__(self) -> None:
        for index, address in enumerate(self.to):
            if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
                raise Invalid(f"{address[:80]!r} is not an e-mail address", pointer=f"/config/to/{index}")

    def nowhere(self) -> str:
        """Why nobody gets what is sent, where that is so."""
        if settings.EMAIL_BACKEND == SMTP:
            return ""
        return f"No mail server is set (EMAIL_URL): messages are written {_aside()}, and nobody gets them."

    def send(self, message: Message, delivery_id: str) -> str:
        """Send it; a server that answers 5xx has refused, anything else is worth waiting for."""
        left = [address for address in self.to if address not in message.reached]
        if not left:
            return ALL_HAVE_IT
        if settings.EMAIL_BACKEND != SMTP:
            return _elsewhere(message, delivery_id, left)
        seconds = MOST_WAITS * settings.EMAIL_TIMEOUT
        with outgoing.Call(seconds) as call:
            try:
                return _hand_over(call, written(message, delivery_id, self.to).as_bytes(), left)
            except smtplib.SMTPRecipientsRefused as error:
                raise _refused(error, self.to) from error
            except smtplib.SMTPAuthenticationError as error:
                # The message is not at fault: it waits for the one who mends the setting.
                raise NotDelivered(f"the mail server refused name or password: {_words(error)}", retry=True) from error
            except smtplib.SMTPResponseException as error:
                raise NotDelivered(f"the mail server said {_words(error)}", retry=error.smtp_code < REFUSED) from error
            except (smtplib.SMTPException, OSError) as error:
                told = f"no answer within {seconds:g} s" if call.late else outgoing.told(error)
                raise NotDelivered(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {told}", retry=True) from error


def _aside() -> str:
    """Where messages go without a mail server."""
    backend = settings.EMAIL_BACKEND
    return "to the console" if backend == CONSOLE else f"by {backend.rpartition('.')[0]}"


def written(message: Message, delivery_id: str, to: list[str]) -> EmailMessage:
    """Return the message as it goes over the wire: plain text, and HTML with the chart inside of it."""
    mail = EmailMessage(policy.SMTP)
    mail["Message-ID"] = f"<{delivery_id}@techtrack>"
    mail["Subject"] = message.subject
    mail["From"] = settings.DEFAULT_FROM_EMAIL
    mail["To"] = ", ".join(to)
    mail["Date"] = localtime()
    mail["Auto-Submitted"] = "auto-generated"
    # Quoted: not every server passes bytes beyond ASCII on, and a long line may be broken by none.
    mail.set_content(_text(message), cte="quoted-printable")
    if message.facts:
        html = letter(message, chart=f"cid:{CHART}" if message.chart else "")
        mail.add_alternative(html, subtype="html", cte="quoted-printable")
        if message.chart:
            page = cast("list[EmailMessage]", mail.get_payload())[1]
            shown: dict[str, Any] = {"cid": f"<{CHART}>", "filename": "chart.png", "disposition": "inline"}
            page.add_related(message.chart, "image", "png", **shown)
    return mail


def _text(message: Message) -> str:
    if message.acknowledge in {"", message.link} or message.status != "firing":
        return message.text
    return f"{message.text.rstrip()}\nTake it:   {message.acknowledge}\n"


# -- The conversation ----------------------------------------------------------------------------------------------


class _Server(smtplib.SMTP):
    """SMTP over a watched connection, whose replies have a bound, for one message after the other."""

    def __init__(self, call: outgoing.Call) -> None:
        super().__init__(local_hostname=str(DNS_NAME))
        self._call = call
        # The name that TLS verifies.
        self._host = settings.EMAIL_HOST
        self.mails = 0

    def go_on(self, call: outgoing.Call) -> None:
        """Speak of the next message, within a deadline of its own."""
        assert self.sock is not None  # noqa: S101 - it is connected
        self._call = call
        call.watch(self.sock)
        if isinstance(self.file, _Bounded):
            self.file.renew()

    def leave(self) -> None:
        """Say good-bye: how a server answers that changes nothing, and nobody waits for it."""
        with suppress(smtplib.SMTPException, OSError):
            self.putcmd("quit")
        self.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # smtplib's own hook
        # The operator has named the server, so it may be anywhere.
        sock = self._call.open(host, port, allowance=None)
        sock.settimeout(settings.EMAIL_TIMEOUT)
        return outgoing.tls().wrap_socket(sock, server_hostname=host) if settings.EMAIL_USE_SSL else sock

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()


class _Bounded:
    """Lines of a server, until it has said more than anybody reads."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MOST_REPLIES

    def renew(self) -> None:
        """Let it say as much again."""
        self._left = MOST_REPLIES

    def readline(self, most: int) -> bytes:
        line: bytes = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("its reply has no end")
        return line

    def close(self) -> None:
        self._file.close()


def _connected(call: outgoing.Call) -> _Server:
    server = _Server(call)
    try:
        _greet(server)
    except BaseException:
        server.close()
        raise
    return server


def _greet(server: _Server) -> None:
    code, said = server.connect(settings.EMAIL_HOST, settings.EMAIL_PORT)
    if code != 220:  # noqa: PLR2004 - RFC 5321, 3.1
        raise smtplib.SMTPConnectError(code, said)
    if settings.EMAIL_USE_TLS:
        server.starttls(context=outgoing.tls())
    if settings.EMAIL_HOST_USER:
        server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    server.ehlo_or_helo_if_needed()


def _hand_over(call: outgoing.Call, mail: bytes, to: list[str]) -> str:
    """Hand a message over; the connection waits for the next one of the run, if there is any."""
    server = _begun(call)
    try:
        said = _told(server, mail, to)
    except BaseException:
        # Whatever it is about to say belongs to this message, not to the next.
        server.close()
        raise
    server.mails += 1
    if server.mails < MOST_MAILS:
        keeping.keep(server)
    else:
        server.leave()
    return said


def _begun(call: outgoing.Call) -> _Server:
    """A connection on which a message is begun: the one before it, where the server still listens, or a new one."""
    kept: _Server | None = keeping.take()
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    if kept is not None:
        try:
            kept.go_on(call)
            _expect(kept.mail(sender))
        except (smtplib.SMTPException, OSError):
            # It has hung up, or has enough of this connection; nothing was said of the message yet.
            kept.close()
        else:
            return kept
    server = _connected(call)
    try:
        _expect(server.mail(sender))
    except BaseException:
        server.close()
        raise
    return server


def _told(server: _Server, mail: bytes, to: list[str]) -> str:
    refused = {address: answer for address in to if (answer := server.rcpt(address))[0] not in {250, 251}}
    if len(refused) == len(to):
        raise smtplib.SMTPRecipientsRefused(refused)
    said = _expect(server.data(mail))
    if refused:
        # The others have it; it is not delivered before everybody has.
        raise smtplib.SMTPRecipientsRefused(refused)
    return f"The mail server took it: {said}"


def _expect(answer: tuple[int, bytes]) -> str:
    code, said = answer
    if code != 250:  # noqa: PLR2004 - RFC 5321
        raise smtplib.SMTPResponseException(code, said)
    return f"{code} {said.decode(errors='replace')}"[:200]


def _refused(error: smtplib.SMTPRecipientsRefused, to: list[str]) -> NotDelivered:
    answers = error.recipients
    told = "; ".join(f"{name} ({code} {said.decode(errors='replace')})" for name, (code, said) in answers.items())
    retry = any(code < REFUSED for code, _ in answers.values())
    return NotDelivered(f"addresses were refused: {told[:500]}", retry=retry, reached=set(to) - answers.keys())


def _words(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    words = f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return without([settings.EMAIL_HOST_PASSWORD or ""], words)[:500]


# -- Without a mail server -----------------------------------------------------------------------------------------


def _elsewhere(message: Message, delivery_id: str, to: list[str]) -> str:
    """Leave it to the backend that EMAIL_URL names: the console, a folder, a test's memory."""
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=_text(message),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=to,
        headers={"Message-ID": f"<{delivery_id}@techtrack>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(),
    )
    mail.send()
    return f"No mail server is set (EMAIL_URL): it was written {_aside()}."
