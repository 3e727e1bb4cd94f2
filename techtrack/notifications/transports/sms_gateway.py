"""SMS through any gateway that is asked by HTTP: address, headers and body are templates."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urlencode

import msgspec
from django.conf import settings

from techtrack.core.destinations import LONGEST_URL, read_url
from techtrack.core.errors import Invalid, member
from techtrack.core.outgoing import Answer
from techtrack.notifications.domain import template
from techtrack.notifications.domain.headers import Headers, check_headers, joined
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.phones import check_number
from techtrack.notifications.domain.sms import fit
from techtrack.notifications.domain.transport import ALL_HAVE_IT, NotDelivered, transports
from techtrack.notifications.transports.http import is_2xx, post

# What templates may name, beside the names of ``secrets``.
VARIABLES = ("to", "text", "id", "subject", "severity", "status", "link")
# Requests of HTTP_TIMEOUT for all numbers: the rest waits for the next attempt.
MOST_WAITS = 6
MOST_DEEP = 8
NO_GATEWAY = "No SMS gateway is set (url): texts are written to the log of what sends them, and nobody gets them."
_SAMPLE = "x"
_log = logging.getLogger(__name__)

Text = Annotated[str, msgspec.Meta(max_length=2000)]
Secret = Annotated[str, msgspec.Meta(max_length=2000)]
Status = Annotated[int, msgspec.Meta(ge=200, le=299)]


def _usual_body() -> dict[str, Any]:
    return {"to": "{{ to }}", "text": "{{ text }}"}


@transports.register("sms_gateway")
@dataclass(frozen=True, slots=True)
class SmsGateway:
    """One request for each number of ``to``, with a text that fits one SMS.

    ``url``, ``headers`` and the texts in ``body`` may name ``{{ to }}``, ``{{ text }}``, ``{{ id }}`` (the same at each
    attempt), ``{{ subject }}``, ``{{ severity }}``, ``{{ status }}``, ``{{ link }}``, and what ``secrets`` names. The
    body goes as JSON or as a form; with GET there is none. Any status 2xx, or one of ``success``, means taken, if
    ``answer`` stands in what the gateway says, white space aside: many answer 200 to what they refuse.

    Without an address there is no gateway yet: texts are written to the log, and say so.
    """

    SECRETS: ClassVar[frozenset[str]] = frozenset({"headers", "secrets"})
    # The body too: as the text of a message a secret would be sent to whoever stands in ``to``.
    BOUND: ClassVar[frozenset[str]] = frozenset({"url", "body"})

    to: Annotated[list[str], msgspec.Meta(min_length=1, max_length=20)]
    url: Annotated[str, msgspec.Meta(max_length=LONGEST_URL)] = ""
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: Headers = field(default_factory=dict)
    format: Literal["json", "form"] = "json"
    body: dict[str, Any] = field(default_factory=_usual_body)
    success: Annotated[list[Status], msgspec.Meta(max_length=20)] = field(default_factory=list)
    answer: Annotated[str, msgspec.Meta(max_length=200)] = ""
    secrets: Annotated[dict[str, Secret], msgspec.Meta(max_length=20)] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, number in enumerate(self.to):
            check_number(number, pointer=f"/config/to/{index}")
        for name in self.secrets:
            if not template.is_name(name) or name in VARIABLES:
                raise Invalid(f"{name[:80]!r} cannot be the name of a secret", pointer=member("/config/secrets", name))
        known = [*VARIABLES, *self.secrets]
        for pointer, text in self._templates():
            template.check(text, known, pointer=f"/config{pointer}")
        if self.url:
            self._check_host(known)
        check_headers({name: template.fill(text, dict.fromkeys(known, _SAMPLE)) for name, text in self.headers.items()})
        if self.format == "form" and not all(isinstance(value, str | int) for value in self.body.values()):
            raise Invalid("a form has texts and whole numbers, no lists or objects", pointer="/config/body")

    def _check_host(self, known: list[str]) -> None:
        # A variable in place of the host would let an alert choose where the message goes.
        sample = dict.fromkeys(known, _SAMPLE)
        host = read_url(template.fill(self.url, sample), pointer="/config/url").authority
        if host != read_url(template.fill(self.url, dict.fromkeys(known, "y")), pointer="/config/url").authority:
            raise Invalid("the host of a gateway is written out", pointer="/config/url")

    def urls(self) -> dict[str, str]:
        """The address that is looked up when it is saved."""
        if not self.url:
            return {}
        return {"/url": template.fill(self.url, dict.fromkeys([*VARIABLES, *self.secrets], _SAMPLE))}

    def nowhere(self) -> str:
        """Why nobody gets what is sent, where that is so."""
        return "" if self.url else NO_GATEWAY

    def send(self, message: Message, delivery_id: str) -> str:
        """Ask for one SMS after the other; it is delivered once the gateway has taken every one."""
        failures: list[tuple[str, NotDelivered]] = []
        told = ALL_HAVE_IT
        until = time.monotonic() + MOST_WAITS * settings.HTTP_TIMEOUT
        left = [number for number in self.to if number not in message.reached]
        for number in left:
            try:
                told = self._ask(number, message, delivery_id, until=until)
            except NotDelivered as error:
                failures.append((number, error))
        if failures:
            raise self._failed(failures, anew=len(failures) < len(left))
        return told

    def _failed(self, failures: list[tuple[str, NotDelivered]], *, anew: bool) -> NotDelivered:
        detail = "; ".join(f"{number}: {error.detail}" for number, error in failures)
        retry = any(error.retry for _, error in failures)
        # A gateway that took none this time, and refused none for good, is away: that is not the fault of numbers.
        alive = anew or not all(error.retry for _, error in failures)
        reached = {*self.to} - {number for number, _ in failures} if alive else ()
        return NotDelivered(detail, retry=retry, reached=reached)

    def _ask(self, number: str, message: Message, delivery_id: str, *, until: float) -> str:
        text = fit(message.short or message.subject, link=message.link)
        if not self.url:
            _log.warning("SMS %s to %s, to nobody but this log: %s", delivery_id, number, text)
            return NO_GATEWAY
        if time.monotonic() > until:
            raise NotDelivered("the numbers before it took all the time", retry=True)
        values = {
            **self.secrets,
            "to": number,
            "text": text,
            "id": delivery_id,
            "subject": message.subject,
            "severity": message.facts[0].severity if message.facts else "",
            "status": message.status,
            "link": message.link,
        }
        headers = {name: template.fill(text, values, escape=_in_header) for name, text in self.headers.items()}
        kind, body = self._body(values) if self.method != "GET" else ("", b"")
        url = template.fill(self.url, values, escape=_in_url)
        return post(
            self.method,
            url,
            headers=joined(headers, {"Content-Type": kind} if kind else {}),
            body=body,
            secrets=[*self.secrets.values(), *headers.values()],
            is_taken=self._is_taken,
        )

    def _is_taken(self, answer: Answer) -> bool:
        fine = answer.status in self.success if self.success else is_2xx(answer)
        return fine and _dense(self.answer) in _dense(answer.body.decode(errors="replace"))

    def _body(self, values: Mapping[str, str]) -> tuple[str, bytes]:
        filled = _each(self.body, lambda text: template.fill(text, values))
        if self.format == "form":
            return "application/x-www-form-urlencoded", urlencode(filled).encode()
        return "application/json", json.dumps(filled, ensure_ascii=False).encode()

    def _templates(self) -> Iterator[tuple[str, str]]:
        yield "/url", self.url
        for name, text in self.headers.items():
            yield member("/headers", name), text
        yield from _texts(self.body, "/body", deep=0)


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of some JSON with every text in it changed; names stay."""
    if isinstance(value, dict):
        return {name: _each(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _texts(value: Any, pointer: str, *, deep: int) -> Iterator[tuple[str, str]]:
    if deep > MOST_DEEP:
        raise Invalid("it is nested too deeply", pointer=f"/config{pointer}")
    if isinstance(value, str):
        yield pointer, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _texts(item, member(pointer, name), deep=deep + 1)


def _dense(text: str) -> str:
    return "".join(text.split())


def _in_url(text: str) -> str:
    return quote(text, safe="")


def _in_header(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)
