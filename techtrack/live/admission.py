"""Who may open a socket: from which page, and with which credentials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from techtrack.accounts import services
from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.addresses import client_address
from techtrack.accounts.queries import key_access, session_access
from techtrack.core import clock
from techtrack.core.errors import Forbidden, Unauthenticated, Unavailable
from techtrack.live.messages import Authenticate

Scope = MutableMapping[str, Any]
ADDRESS = "/ws/live"


class NoCredentials(Unauthenticated):
    """The first message must say who is calling."""


class NotForKeys(Forbidden):
    """The scope of the key does not reach live news."""


class Refused(Forbidden):
    """The socket is not opened at all: whoever asks is not a client of ours."""


class TooManySockets(Unavailable):
    """So many are open that another one must wait until one of them ends."""

    code = "too_many_sockets"


class Places:
    """How many sockets there are of whom, in one process; all in the event loop."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, whose: str, *, of: int) -> Iterator[None]:
        """Hold one of so many places.

        Raises:
            TooManySockets: all of them are taken.

        """
        if self._taken[whose] >= of:
            raise TooManySockets(f"{of} sockets are open already ({whose}): close one, or come again later")
        self._taken[whose] += 1
        try:
            yield
        finally:
            self._taken[whose] -= 1
            if not self._taken[whose]:
                del self._taken[whose]


class Request:
    """The opening request of a socket."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        # Of a header that comes twice neither is believed more: they are joined, and then match nothing.
        self._headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            self._headers[key] = ", ".join(filter(None, [self._headers.get(key), value.decode("latin-1")]))

    def check(self) -> None:
        """Pass a request from our own pages or from a program.

        Raises:
            Refused: it comes from a foreign page, for a foreign host or address, or carries something in its URL.

        """
        if self._scope["path"].rstrip("/") != ADDRESS:
            raise Refused(f"there is no socket here, only at {ADDRESS}/")
        if self._scope.get("query_string"):
            # A token here would stand in logs and histories; nothing else is taken either.
            raise Refused("the address takes no query: credentials go into a header or the first message")
        host = self._headers.get("host", "")
        if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
            raise Refused("this host name is not served here")
        origin = self._headers.get("origin")
        if origin is not None and not self._is_ours(origin, host):
            raise Refused("pages of this origin may not connect")

    def access(self) -> Access | None:
        """Return what the credentials of the request open, None where it has none; reads the database.

        Raises:
            Unauthenticated: they are wrong.
            NotForKeys: they are for something else.

        """
        scheme, _, credential = self._headers.get("authorization", "").strip().partition(" ")
        key = credential.strip() if scheme.lower() == "api-key" else self._headers.get("x-api-key")
        if key is not None:
            return admitted(key_access(key, self.address, clock.now()))
        if scheme.lower() == "bearer":
            return admitted(session_access(credential.strip(), clock.now()))
        if scheme:
            raise NoCredentials("Authorization takes Bearer or Api-Key")
        return None

    @property
    def address(self) -> str:
        """From where it comes."""
        peer = (self._scope.get("client") or ("", 0))[0]
        forwarded = self._headers.get("x-forwarded-for", "")
        return client_address(peer, forwarded, behind_proxy=settings.BEHIND_PROXY)

    @property
    def path(self) -> str:
        """What was asked for."""
        return str(self._scope["path"])

    @property
    def given_id(self) -> str:
        """The id that the request brought, if any."""
        return self._headers.get("x-request-id", "")

    @property
    def may_be_answered(self) -> bool:
        """Tell whether the server sends a whole answer in place of a socket."""
        return "websocket.http.response" in self._scope.get("extensions", {})

    def subprotocol(self, known: str) -> str | None:
        """Return ``known`` if the client offers it."""
        return known if known in self._scope.get("subprotocols", ()) else None

    def _is_ours(self, origin: str, host: str) -> bool:
        secure = self._scope.get("scheme") == "wss" or settings.SECURE
        return origin == f"{'https' if secure else 'http'}://{host}" or any(
            _trusts(trusted, origin) for trusted in (*settings.CSRF_TRUSTED_ORIGINS, *settings.CORS_ALLOWED_ORIGINS)
        )


def introduced(message: Authenticate) -> Access:
    """Return what the token or the ticket of a first message opens; reads the database.

    Raises:
        Unauthenticated: it is wrong, or not exactly one of them is there.

    """
    if message.ticket is not None and message.token is None:
        return admitted(services.redeem_ticket(ticket=message.ticket, now=clock.now()))
    if message.token is not None and message.ticket is None:
        return admitted(session_access(message.token, clock.now()))
    raise NoCredentials("authenticate takes either a token or a ticket")


def admitted(access: Access) -> Access:
    """Pass a person, or a key that may read."""
    if not access.may_use("live", writing=False):
        raise NotForKeys("the scope of this key does not reach live news")
    return access


def _trusts(trusted: str, origin: str) -> bool:
    """Compare as Django's CSRF check does: ``https://*.example.org`` stands for every name below."""
    if "*" not in trusted:
        return origin == trusted
    try:
        pattern, given = urlsplit(trusted), urlsplit(origin)
    except ValueError:
        return False
    return pattern.scheme == given.scheme and is_same_domain(given.netloc, pattern.netloc.lstrip("*"))
