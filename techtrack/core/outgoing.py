"""Conversations with other servers: guarded, to the very address that was checked, and over at their deadline."""

from __future__ import annotations

import http.client
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from techtrack.core.destinations import (
    Address,
    Allowance,
    Destination,
    RefusedDestination,
    literal,
    permit,
    read_url,
)
from techtrack.core.errors import Unavailable

CONNECT_SECONDS = 3.0
LOOKUP_SECONDS = 3.0
MOST_READ = 64 * 1024
_AGENT = "TechTrack"


class Unreachable(Unavailable):
    """The other side did not answer as a server does; the same request may succeed later."""

    code = "unreachable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status, and the first MOST_READ bytes of the body as far as they came."""

    status: int
    reason: str
    body: bytes


class Call:
    """One conversation that ends within ``seconds``, however slowly the other side speaks.

    Timeouts of sockets are for each wait: a server that sends a byte a second never meets one. So every socket of
    the conversation is shut down at the deadline, from a thread of its own.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self.cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._over = False
        self.late = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    @property
    def left(self) -> float:
        """The seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long in all")
        return left

    def watch(self, sock: socket.socket) -> None:
        """Shut the connection of ``sock`` down at the deadline, into whatever it is wrapped meanwhile."""
        with self._lock:
            if self._over:
                raise TimeoutError("it took too long in all")
            # A second handle on the same connection: TLS takes the first one over.
            self._sockets.append(socket.fromfd(sock.fileno(), sock.family, sock.type))
        _ = self.left

    def open(self, host: str, port: int, *, allowance: Allowance | None) -> socket.socket:
        """Connect to an address of ``host``; each of them must be permitted, unless ``allowance`` is None.

        Raises:
            RefusedDestination: an address is not permitted; nothing was connected to.
            OSError: the name is not known, or no address answers in time.
        """
        found = look_up(host, port, seconds=min(LOOKUP_SECONDS, self.left))
        if allowance is not None:
            for address in found:
                permit(host, port, address, allowance)
        for place, address in enumerate(found, start=1):
            try:
                return self._connect(address, port)
            except OSError:
                if place == len(found):
                    raise
        raise OSError(f"{host} has no address")

    def _connect(self, address: Address, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)  # noqa: PLR2004 - IPv4
        try:
            self.watch(sock)
            sock.settimeout(min(CONNECT_SECONDS, self.left))
            sock.connect((str(address), port))
            sock.settimeout(self.left)
        except BaseException:
            sock.close()
            raise
        return sock

    def cut(self) -> None:
        """Shut every connection down: whoever waits for one is told that it has ended."""
        self.late = True
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def allowance() -> Allowance:
    """What the operator allows beside public addresses."""
    return Allowance.of(settings.PRIVATE_DESTINATIONS)


def look_up(host: str, port: int, *, seconds: float) -> list[Address]:
    """Return the addresses of a host, each once.

    Raises:
        OSError: there are none, or the resolver takes longer than ``seconds``.
    """
    if address := literal(host):
        return [address]
    answers: list[list[Any] | OSError] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answers.append(error)
        except UnicodeError:
            answers.append(OSError("the name has a part that is too long"))

    # The resolver knows no deadline, so it is left behind where it does not answer.
    thread = threading.Thread(target=ask, name="look-up", daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise TimeoutError(f"looking up {host} took too long")
    if isinstance(answers[0], OSError):
        raise OSError(f"the name {host} cannot be looked up: {answers[0].strerror or answers[0]}") from answers[0]
    found = [literal(str(entry[4][0]).partition("%")[0]) for entry in answers[0]]
    return list(dict.fromkeys(address for address in found if address is not None))


def check(url: str, *, seconds: float = LOOKUP_SECONDS) -> None:
    """Pass an address where requests may go by what its name says now; a name that nobody knows yet passes too.

    Raises:
        RefusedDestination: they may not.
    """
    destination = read_url(url)
    with suppress(OSError):
        for address in look_up(destination.host, destination.port, seconds=seconds):
            permit(destination.host, destination.port, address, allowance())


def request(method: str, url: str, *, headers: Mapping[str, str], body: bytes, trusted: bool = False) -> Answer:
    """Ask once, follow no redirect, use no proxy and no credentials of the environment.

    A ``trusted`` address is the operator's own setting, and may lead anywhere.

    Raises:
        RefusedDestination: requests may not go there.
        Unreachable: there was no answer in time.
    """
    destination = read_url(url)
    seconds = settings.HTTP_TIMEOUT
    with Call(seconds) as call:
        try:
            sock = call.open(destination.host, destination.port, allowance=None if trusted else allowance())
            return _ask(call, sock, method, destination, headers, body)
        except (OSError, http.client.HTTPException) as error:
            reason = f"no answer within {seconds:g} s" if call.late else told(error)
            raise Unreachable(f"{destination.authority}: {reason}") from error


def _ask(
    call: Call, sock: socket.socket, method: str, to: Destination, headers: Mapping[str, str], body: bytes
) -> Answer:
    try:
        if to.secure:
            sock = tls().wrap_socket(sock, server_hostname=to.host)
        connection = http.client.HTTPConnection(to.host, to.port)
        connection.sock = sock
        connection.auto_open = 0
        agent = {} if any(name.lower() == "user-agent" for name in headers) else {"User-Agent": _AGENT}
        sent = {**agent, **headers, "Host": to.authority, "Connection": "close"}
        connection.request(method, to.target, body=body, headers=sent)
        with connection.getresponse() as response:
            # Headers that were cut off at the deadline would pass for whole ones.
            _ = call.left
            return Answer(response.status, response.reason, _read(response))
    finally:
        sock.close()


def _read(response: http.client.HTTPResponse) -> bytes:
    """Read what comes: the status has decided already, the body is only words about it."""
    parts: list[bytes] = []
    with suppress(OSError, http.client.HTTPException):
        while sum(map(len, parts)) < MOST_READ and (part := response.read1(MOST_READ)):
            parts.append(part)
    return b"".join(parts)[:MOST_READ]


@cache
def tls() -> ssl.SSLContext:
    """What this machine trusts; certificates and names are verified."""
    return ssl.create_default_context()


def told(error: BaseException) -> str:
    """An error of a conversation in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return (
            str(error) if error.errno is None and error.args and error.args[0] != "timed out" else "it did not answer"
        )
    return f"{type(error).__name__}: {error}"[:500]


# -- Libraries that connect by themselves --------------------------------------------------------------------------

_held = threading.local()


def within(call: Call, work: Callable[[], Any]) -> Any:
    """Do ``work`` of a library in a thread in which every connection is permitted first, and cut at the deadline.

    Raises:
        RefusedDestination: the library wanted to connect to where requests may not go; it did not.
        TimeoutError: it was not done in time.
    """
    _install_hook()
    answers: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        _held.call, _held.allowance, _held.host, _held.refusal = call, allowance(), "", None
        try:
            result = work()
            answers.append((result, _held.refusal))
        except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
            answers.append((None, _held.refusal or error))

    thread = threading.Thread(target=run, name="outgoing", daemon=True)
    thread.start()
    thread.join(call.left)
    if not answers:
        call.cut()
        raise TimeoutError("it took too long in all")
    result, error = answers[0]
    if error is not None:
        raise error
    return result


@cache
def _install_hook() -> None:
    # The interpreter tells it of each connection before it is made, whichever library makes it, with the address
    # that will be connected to: nothing can resolve anew in between. It costs other threads one attribute.
    sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not event.startswith("socket.") or not hasattr(_held, "call"):
        return
    if event == "socket.getaddrinfo":
        _held.host = str(args[0] or "").lower()
    elif event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        _permit_connection(*args)


def _permit_connection(sock: socket.socket, where: Any) -> None:
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        raise PermissionError("only the internet is meant")
    address = literal(str(where[0]).partition("%")[0])
    if address is None:
        raise PermissionError("an address is connected to, not a name")
    try:
        permit(_held.host or str(address), where[1], address, _held.allowance)
    except RefusedDestination as error:
        # For the library it is a network that is down, which it knows how to tidy up after.
        _held.refusal = error
        raise PermissionError(error.detail) from error
    _held.call.watch(sock)
