"""Chat, push and SMS services through the library Apprise, by its addresses such as ``slack://…`` or ``twilio://…``."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
from django.conf import settings

from techtrack.core import outgoing
from techtrack.core.destinations import RefusedDestination
from techtrack.core.errors import Invalid
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.sms import fit
from techtrack.notifications.domain.transport import NotDelivered, transports
from techtrack.notifications.transports.http import may_help

# One of the library's services may run a program, read a file or write to this machine: only those are let in that ask
# a server of the service, or of one's own, by HTTP.
SMS = frozenset({"twilio", "vonage", "nexmo", "sinch", "msgbird", "clicksend", "plivo", "bulksms", "d7sms", "seven",
                 "46elks", "httpsms", "kavenegar", "smsmanager", "sns"})  # fmt: skip
CHAT = frozenset({"slack", "workflow", "workflows", "tgram", "ntfy", "ntfys", "matrix", "matrixs", "discord", "gchat",
                  "mmost", "mmosts", "rocket", "rockets", "webex", "wxteams", "zulip", "signal", "signals", "whatsapp",
                  "gotify", "gotifys", "pover", "pbul", "opsgenie", "pagerduty", "spike", "splunk"})  # fmt: skip
ALLOWED = SMS | CHAT
# Requests of HTTP_TIMEOUT for one message in all: some services ask for a room or a session first.
MOST_REQUESTS = 3
LONGEST_TEXT = 3000
_SCHEME = re.compile(r"(?P<scheme>[a-z0-9]{2,12})://[!-~]+", re.IGNORECASE)
_STATUS = re.compile(r"\berror[= ](?P<status>[45][0-9]{2})\b")


@transports.register("apprise")
@dataclass(frozen=True, slots=True)
class Apprise:
    """Sends to one service, named by an address of Apprise's; it holds the credentials, so nobody sees it again."""

    SECRETS: ClassVar[frozenset[str]] = frozenset({"url"})

    url: Annotated[str, msgspec.Meta(max_length=2000)]

    def __post_init__(self) -> None:
        match = _SCHEME.fullmatch(self.url)
        if match is None:
            raise Invalid("an address such as slack://… is expected, without blanks", pointer="/config/url")
        if self._scheme not in ALLOWED:
            known = ", ".join(sorted(ALLOWED))
            raise Invalid(f"{match['scheme']}:// is not a service that is let in: {known}", pointer="/config/url")
        if self._scheme != "whatsapp" and _names_template(self.url):
            raise Invalid("a template would be a file of this machine: leave it out", pointer="/config/url")

    @property
    def _scheme(self) -> str:
        return self.url.partition("://")[0].lower()

    def send(self, message: Message, delivery_id: str) -> str:
        """Hand it to the library; the service's answer decides."""
        title, text = message.subject, message.text[:LONGEST_TEXT]
        if self._scheme in SMS:
            # The service would cut it into parts, or send the whole in UCS-2.
            title, text = "", fit(message.short or message.subject, link=message.link)
        with outgoing.Call(MOST_REQUESTS * settings.HTTP_TIMEOUT) as call, _listening() as heard:
            try:
                taken = outgoing.within(call, lambda: _notify(self.url, title, text, heard))
            except RefusedDestination as error:
                raise NotDelivered(error.detail, retry=True) from error
            except OSError as error:
                raise NotDelivered(f"{self._scheme}: {outgoing.told(error)}", retry=True) from error
        if not taken:
            raise NotDelivered(f"{self._scheme}: {heard.words}", retry=heard.retry)
        return f"{self._scheme} took it."


def _notify(url: str, title: str, text: str, heard: _Heard) -> bool:
    heard.listen_here()
    # Said to be plain: what is "<" in it would be a broken tag to Telegram, which refuses the message then.
    return bool(_service(url).notify(body=text, title=title, body_format="text"))


def _service(url: str) -> Any:
    """Make the library's object for an address, without redirects, without looser TLS, with short waits."""
    # Imported here: it is large, and only a process that sends through it needs it.
    import apprise  # noqa: PLC0415

    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True, storage_mode="memory", plugin_paths=[])
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise NotDelivered("Apprise does not understand the address: see its page on this service", retry=False)
    template = getattr(service, "template", None)
    if isinstance(template, apprise.AppriseAttachment) and template:
        raise NotDelivered("the address names a template, which would be a file of this machine", retry=False)
    # What the address itself may have asked for otherwise.
    service.redirects = False
    service.verify_certificate = True
    service.socket_connect_timeout = service.socket_read_timeout = settings.HTTP_TIMEOUT
    return service


def _names_template(url: str) -> bool:
    """Tell whether an address asks the library to read a file, and to send it in place of the message."""
    asked = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    return any(name.strip().lower() == "template" for name, _ in asked)


class _Heard(logging.Handler):
    """What the library logs in the thread that sends: the only place where it says why something was not taken."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = 0
        self._lines: list[str] = []

    def listen_here(self) -> None:
        """Listen to this thread."""
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._lines.append(record.getMessage().strip().rstrip("."))

    @property
    def words(self) -> str:
        """What was said, in one line."""
        return " ".join("; ".join(self._lines).split())[:500] or "it was not taken, and the service did not say why"

    @property
    def retry(self) -> bool:
        """Whether waiting may help: a service that answers 4xx has refused."""
        codes = [int(match["status"]) for line in self._lines for match in _STATUS.finditer(line)]
        return not codes or any(may_help(code) for code in codes)


@contextmanager
def _listening() -> Iterator[_Heard]:
    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)
