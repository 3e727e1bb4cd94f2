"""A webhook: JSON to an address of somebody's, signed as Standard Webhooks has it."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import msgspec
from django.conf import settings
from standardwebhooks import Webhook as Signer

from techtrack.core import clock
from techtrack.core.destinations import LONGEST_URL, read_url
from techtrack.core.errors import Invalid
from techtrack.notifications.domain.headers import Headers, check_headers, joined
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.payload import alertmanager, own
from techtrack.notifications.domain.transport import transports
from techtrack.notifications.transports.http import post

SECRET_BYTES = range(24, 65)


@transports.register("webhook")
@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts JSON to ``url``; any answer of the kind 2xx means that it was taken.

    ``body`` is TechTrack's own form, or the Alertmanager's (version 4). With a ``secret`` (``whsec_`` and 24 to 64
    bytes in base64) every request is signed; the header ``webhook-id`` is the same at each attempt.
    """

    SECRETS: ClassVar[frozenset[str]] = frozenset({"secret", "headers"})
    BOUND: ClassVar[frozenset[str]] = frozenset({"url"})

    url: Annotated[str, msgspec.Meta(max_length=LONGEST_URL)]
    secret: Annotated[str, msgspec.Meta(max_length=200)] = ""
    body: Literal["techtrack", "alertmanager"] = "techtrack"
    headers: Headers = field(default_factory=dict)

    def __post_init__(self) -> None:
        read_url(self.url, pointer="/config/url")
        check_headers(self.headers)
        if self.secret:
            self._signer()

    def urls(self) -> dict[str, str]:
        """The address that is looked up when it is saved."""
        return {"/url": self.url}

    def send(self, message: Message, delivery_id: str) -> str:
        """Post it."""
        if self.body == "alertmanager":
            content = alertmanager(message, public_url=settings.PUBLIC_URL)
        else:
            content = own(message, delivery_id)
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        headers = joined(self.headers, {"Content-Type": "application/json"} | self._signed(delivery_id, body))
        secrets = [self.secret, *self.headers.values()]
        return post("POST", self.url, headers=headers, body=body.encode(), secrets=secrets)

    def _signed(self, delivery_id: str, body: str) -> dict[str, str]:
        now = clock.now()
        named = {"webhook-id": delivery_id, "webhook-timestamp": str(int(now.timestamp()))}
        if not self.secret:
            return named
        return named | {"webhook-signature": self._signer().sign(delivery_id, now, body)}

    def _signer(self) -> Signer:
        text = self.secret.removeprefix("whsec_").rstrip("=")
        try:
            key = b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            key = b""
        if not self.secret.startswith("whsec_") or len(key) not in SECRET_BYTES:
            raise Invalid("a secret is whsec_ followed by 24 to 64 bytes in base64", pointer="/config/secret")
        return Signer(key)
