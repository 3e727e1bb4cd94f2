"""Chat, push and SMS services through the library Apprise, by its addresses such as ``slack://…`` or ``twilio://…``."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec
from django.conf import settings

from techtrack.core import outgoing
from techtrack.core.destinations import RefusedDestination
from techtrack.core.errors import Invalid
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.sms import fit
from techtrack.notifications.domain.transport import ALL_HAVE_IT, NotDelivered, transports
from techtrack.notifications.transports.http import may_help, without

# One of the library's services may run a program, read a file or write to this machine: only those are let in that ask
# a server of the service, or of one's own, by HTTP. Left out is what answers 200 to a text that it refuses, and says so
# in words that the library does not read (seven, ClickSend); Vonage does too, and is asked here.
VONAGE = frozenset({"vonage", "nexmo"})
SMS = VONAGE | {"twilio", "sinch", "msgbird", "plivo", "bulksms", "d7sms", "46elks", "httpsms", "kavenegar",
                "smsmanager", "sns"}  # fmt: skip
CHAT = frozenset({"slack", "workflow", "workflows", "tgram", "ntfy", "ntfys", "matrix", "matrixs", "discord", "gchat",
                  "mmost", "mmosts", "rocket", "rockets", "webex", "wxteams", "zulip", "signal", "signals", "whatsapp",
                  "gotify", "gotifys", "pover", "pbul", "opsgenie", "pagerduty", "spike", "splunk"})  # fmt: skip
ALLOWED = SMS | CHAT
# Requests of HTTP_TIMEOUT for one message in all: some services ask for a room or a session first.
MOST_REQUESTS = 3
# The same for a text to all its numbers: the rest waits for the next attempt.
MOST_WAITS = 6
LONGEST_TEXT = 3000
# Vonage's own words for: something is missing or wrong, no such number, a number that is barred, no such sender.
VONAGE_REFUSES = {"2", "3", "6", "7", "15"}
_SCHEME = re.compile(r"(?P<scheme>[a-z0-9]{2,12})://[!-~]+", re.IGNORECASE)
_BETWEEN = re.compile(r"[/@:?&=]")
# What the service said: a status of HTTP, or of Twilio's own codes those that speak of what was asked for.
_STATUS = re.compile(r"\berror[= ](?P<status>[45][0-9]{2}|21[0-9]{3})\b")
_OF_TWILIO = 21_000


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
        if self._scheme in SMS:
            return self._send_texts(message)
        title, text = message.subject, message.text[:LONGEST_TEXT]
        with outgoing.Call(MOST_REQUESTS * settings.HTTP_TIMEOUT) as call, self._listening() as heard:
            taken = self._within(call, lambda: heard.by(_service(self.url), text, title=title))
        if not taken:
            raise NotDelivered(f"{self._scheme}: {heard.words}", retry=heard.retry)
        return f"{self._scheme} took it."

    def _send_texts(self, message: Message) -> str:
        """Send one text to each number: the library would pause for seconds between them, and begin anew each time."""
        # The service would cut it into parts, or send the whole in UCS-2.
        text = fit(message.short or message.subject, link=message.link)
        sent = _Texts(text, message.reached, until=time.monotonic() + (MOST_WAITS - 1) * settings.HTTP_TIMEOUT)
        try:
            with outgoing.Call(MOST_WAITS * settings.HTTP_TIMEOUT) as call, self._listening() as heard:
                self._within(call, lambda: sent.send(_service(self.url), heard, vonage=self._scheme in VONAGE))
        except NotDelivered as error:
            raise NotDelivered(error.detail, retry=error.retry, reached=sent.reached if sent.taken else ()) from error
        if sent.failures:
            detail = "; ".join(f"{number}: {error.detail}" for number, error in sent.failures.items())
            refused = not all(error.retry for error in sent.failures.values())
            retry = any(error.retry for error in sent.failures.values())
            # A service that took none this time, and refused none for good, is away: not the fault of numbers.
            raise NotDelivered(
                f"{self._scheme}: {detail}", retry=retry, reached=sent.reached if sent.taken or refused else ()
            )
        return f"{self._scheme} took it." if sent.taken else ALL_HAVE_IT

    def _within(self, call: outgoing.Call, work: Any) -> Any:
        try:
            return outgoing.within(call, work)
        except RefusedDestination as error:
            raise NotDelivered(error.detail, retry=True) from error
        except OSError as error:
            raise NotDelivered(f"{self._scheme}: {outgoing.told(error)}", retry=True) from error

    @contextmanager
    def _listening(self) -> Iterator[_Heard]:
        heard = _Heard(_parts(self.url))
        logger = logging.getLogger("apprise")
        logger.addHandler(heard)
        try:
            yield heard
        finally:
            logger.removeHandler(heard)


@dataclass(slots=True)
class _Texts:
    """One text on its way to several numbers: who has it, who took it this time, and why others did not."""

    text: str
    reached: Collection[str]
    until: float
    taken: int = 0
    failures: dict[str, NotDelivered] = field(default_factory=dict)

    def send(self, service: Any, heard: _Heard, *, vonage: bool) -> None:
        """Send it to those who have not got it."""
        for number in _one_by_one(service):
            if number in self.reached:
                continue
            try:
                self._ask(service, number, heard, vonage=vonage)
            except NotDelivered as error:
                self.failures[number] = error
            else:
                self.taken += 1
                self.reached = {*self.reached, number}

    def _ask(self, service: Any, number: str, heard: _Heard, *, vonage: bool) -> None:
        if time.monotonic() > self.until:
            raise NotDelivered("the numbers before it took all the time", retry=True)
        if vonage:
            _ask_vonage(service, number, self.text)
        elif not heard.by(service, self.text):
            raise NotDelivered(heard.words, retry=heard.retry)


def _one_by_one(service: Any) -> Iterator[str]:
    """Let a service lead to one of its numbers after the other; one that leads to other things too to all at once."""
    # Of the library's own pauses most are longer than an answer may take.
    service.request_rate_per_sec = 0
    targets = list(getattr(service, "targets", ()))
    if not targets or len(service) != len(targets):
        yield ""
        return
    for one in targets:
        service.targets = [one]
        yield one if isinstance(one, str) else str(one[-1])


def _ask_vonage(service: Any, number: str, text: str) -> None:
    """Ask for one text, with what the library has read from the address."""
    form = {"api_key": service.apikey, "api_secret": service.secret, "ttl": service.ttl, "text": text}
    form |= {"from": service.source, "to": number or service.source}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = outgoing.request("POST", service.notify_url, headers=kind, body=urlencode(form).encode())
    except (RefusedDestination, outgoing.Unreachable) as error:
        raise NotDelivered(error.detail, retry=True) from error
    if answer.status != 200:  # noqa: PLR2004 - the only one whose body says more
        raise NotDelivered(f"the answer was {answer.status} {answer.reason}", retry=may_help(answer.status))
    try:
        [said] = json.loads(answer.body)["messages"]
        status, words = str(said["status"]), " ".join(str(said.get("error-text", "")).split())[:200]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotDelivered("the answer was none of Vonage's", retry=True) from error
    if status != "0":
        secrets = [service.apikey, service.secret]
        raise NotDelivered(f"{without(secrets, words)} (status {status})", retry=status not in VONAGE_REFUSES)


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


def _parts(url: str) -> set[str]:
    """What may be a secret in an address, as services keep keys in different places; no host, and no number."""
    parts = {unquote(part) for part in _BETWEEN.split(url.partition("://")[2])}
    return {part for part in parts if "." not in part and not part.lstrip("+").isdigit()}


def _names_template(url: str) -> bool:
    """Tell whether an address asks the library to read a file, and to send it in place of the message."""
    asked = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    return any(name.strip().lower() == "template" for name, _ in asked)


class _Heard(logging.Handler):
    """What the library logs in the thread that sends: the only place where it says why something was not taken."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__(logging.WARNING)
        self._secrets = secrets
        self._thread = 0
        self._lines: list[str] = []

    def by(self, service: Any, text: str, *, title: str = "") -> bool:
        """Let the service send a text, and listen to what is said of it in this thread; tell whether it was taken."""
        self._thread, self._lines = threading.get_ident(), []
        # Said to be plain: what is "<" in it would be a broken tag to Telegram, which refuses the message then.
        return bool(service.notify(body=text, title=title, body_format="text"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._lines.append(record.getMessage().strip().rstrip("."))

    @property
    def words(self) -> str:
        """What was said, in one line."""
        told = without(self._secrets, " ".join("; ".join(self._lines).split()))
        return told[:500] or "it was not taken, and the service did not say why"

    @property
    def retry(self) -> bool:
        """Whether waiting may help: a service that answers 4xx has refused."""
        codes = [int(match["status"]) for line in self._lines for match in _STATUS.finditer(line)]
        return not codes or any(code < _OF_TWILIO and may_help(code) for code in codes)
