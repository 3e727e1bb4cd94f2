"""Gateways on loopback that break every rule: a mail server with many boxes, and HTTP servers; all note what came.

Each is as bad as it is told to be, again and again and never more than a few times in a row, or wholly until it is
mended. What they hold of a message that came whole is an Arrival; what became of it there is its ``fault``.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from tests.campaigns.telling_certificates import Certificates

SHARE = 0.4
# So that each message gets through long before it is given up.
MOST_IN_A_ROW = 3
LONGEST_MESSAGE = 2**24
FLOOD = 10 * 2**20
FLOOD_OF_MAIL = b"250-" + b"." * 500 + b"\r\n"
# A sender that waited so long may have gone, whatever we then said.
SLOW = 0.4
DOMAIN = "plant.example"
CASE = re.compile(r"case-\d+")
OVER = re.compile(r'"event": ?"returned"|Event: +returned|\[returned, was')


class Fault(StrEnum):
    """What a gateway does instead of its duty."""

    REFUSE = "refuses the connection"
    CERTIFICATE = "has a bad certificate"
    HANG = "hangs after the connection"
    HANG_AFTER_DATA = "hangs after the message"
    LATER = "says later"
    NEVER = "says never"
    RESET = "resets before the answer"
    DRIP = "answers one byte a second"
    FLOOD = "answers with ten megabytes"
    SLOW = "answers late, because the machine is busy"


# After these a sender may believe that it was.
TAKEN = {None, Fault.DRIP, Fault.FLOOD, Fault.SLOW}
# What happens before a word is said; anything else becomes of a message.
EARLY = frozenset({Fault.REFUSE, Fault.HANG})
ENCRYPTED = frozenset({Fault.CERTIFICATE})
OF_MESSAGE = frozenset(Fault) - EARLY - ENCRYPTED - {Fault.SLOW}
# Those that make a sender wait are rarer: they take as long as many of the others.
WEIGHTS = {Fault.HANG: 1, Fault.HANG_AFTER_DATA: 1, Fault.DRIP: 1}


class Arrival(NamedTuple):
    """A message that came whole: to whom, under which id, of which alerts, and whether it says that they are over.

    ``fault`` is None where it was taken at once; ``id`` is empty where the service has no place for one.
    """

    gateway: str
    id: str
    cases: frozenset[str]
    over: bool
    fault: Fault | None
    at: float


def _http(status: str, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@dataclass(frozen=True, slots=True)
class Answers:
    """What an HTTP server says to a message that it takes, that it may take later, that it never will."""

    # Understood by those who look at the status alone, and by those who read what Vonage says.
    taken: bytes = _http("200 OK", b'{"messages": [{"status": "0"}]}')
    later: bytes = _http("503 Away")
    never: bytes = _http("404 Not Found")


# Vonage says in the body what it thinks of a message, whatever the status.
OF_VONAGE = Answers(
    later=_http("200 OK", b'{"messages": [{"status": "1", "error-text": "Throttled"}]}'),
    never=_http("200 OK", b'{"messages": [{"status": "6", "error-text": "Unroutable message"}]}'),
)


@dataclass(slots=True)
class Manner:
    """How a gateway behaves: a ``share`` of what it does is one of ``faults``."""

    faults: frozenset[Fault] = frozenset()
    share: float = SHARE
    most: float = MOST_IN_A_ROW
    _in_a_row: int = 0
    _of_message: Counter[str] = field(default_factory=Counter)

    @classmethod
    def always(cls, fault: Fault) -> Manner:
        """Nothing but this, until it is mended."""
        return cls(frozenset([fault]), share=1.0, most=float("inf"))

    def draw(self, dice: random.Random, among: frozenset[Fault], message: str = "") -> Fault | None:
        """Decide on a fault that belongs to this moment."""
        chosen = sorted(self.faults & among)
        if self._in_a_row >= self.most or self._of_message[message] >= self.most:
            chosen = []
        weights = [WEIGHTS.get(one, 3) for one in chosen]
        if dice.random() * sum(WEIGHTS.get(one, 3) for one in self.faults) >= self.share * sum(weights):
            # Whoever was greeted has not yet been served.
            self._in_a_row *= not message
            return None
        self._in_a_row += 1
        self._of_message[message] += bool(message)
        return dice.choices(chosen, weights=weights)[0]


class Gateways:
    """All of them, in a thread of their own; ``arrivals`` may be read at any time."""

    def __init__(self, certificates: Certificates, seed: int) -> None:
        self.arrivals: list[Arrival] = []
        self.faults: Counter[Fault] = Counter()
        self.connections: Counter[str] = Counter()
        self.manners: dict[str, Manner] = {}
        self._answers: dict[str, Answers] = {}
        self._dice = random.Random(seed)
        self._certificates = certificates
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open_mail(self, manner: Manner, boxes: Mapping[str, Manner]) -> int:
        """Open the mail server, which encrypts from the first byte; ``manner`` is that of connections."""
        self.manners |= {"mail": manner, **boxes}
        return self._open("mail", self._mail, encrypted=True)

    def open_web(self, name: str, manner: Manner, *, encrypted: bool = False, answers: Answers | None = None) -> int:
        """Open an HTTP server; return its port."""
        self.manners[name], self._answers[name] = manner, answers or Answers()
        return self._open(name, self._web, encrypted=encrypted)

    def mend(self) -> None:
        """From now on all of them do their duty."""
        for manner in self.manners.values():
            manner.faults = frozenset()
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.start_serving(), self._loop).result(30)

    def close(self) -> None:
        """End all."""

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for server in self._servers:
                server.close()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            # Also what is still shaking hands: a socket left open is found in the middle of another test.
            for transport in list(self._loop._transports.values()):  # type: ignore[attr-defined]
                transport.abort()
            # What is aborted is closed in the next turn of the loop.
            await asyncio.sleep(0.01)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _open(self, name: str, serve: Callable[..., Awaitable[None]], *, encrypted: bool) -> int:
        context = self._context(name) if encrypted else None

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            line = _Line(reader, writer, time.monotonic())
            self.connections[name] += 1
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):
                if (fault := self._draw(name, EARLY)) is None:
                    await serve(name, line)
                await (line.hang() if fault is Fault.HANG else line.reset() if fault else line.close())
            with suppress(OSError, RuntimeError):
                writer.close()

        async def start() -> int:
            # Who refuses connections has a port, and does not listen there.
            refuses = self.manners[name] == Manner.always(Fault.REFUSE)
            self._servers.append(
                await asyncio.start_server(
                    greet, "127.0.0.1", 0, ssl=context, limit=LONGEST_MESSAGE, backlog=500, start_serving=not refuses
                )
            )
            return int(self._servers[-1].sockets[0].getsockname()[1])

        return asyncio.run_coroutine_threadsafe(start(), self._loop).result(30)

    def _context(self, name: str) -> ssl.SSLContext:
        good, bad = self._certificates.context(good=True), self._certificates.context(good=False)

        def choose(line: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
            if self._draw(name, ENCRYPTED):
                line.context = bad

        good.sni_callback = choose
        return good

    def _draw(self, name: str, among: frozenset[Fault], message: str = "") -> Fault | None:
        fault = self.manners[name].draw(self._dice, among, message)
        if fault is not None:
            self.faults[fault] += 1
        return fault

    def _take(self, name: str, message: str, text: str, *, late: bool) -> Fault | None:
        """Note a message that came whole; return what becomes of it."""
        cases, over = frozenset(CASE.findall(text)), bool(OVER.search(text))
        fault = self._draw(name, OF_MESSAGE, message or f"{sorted(cases)} {over}")
        fault = Fault.SLOW if late and fault is None else fault
        self.arrivals.append(Arrival(name, message, cases, over, fault, time.monotonic()))
        return fault

    # -- Mail ----------------------------------------------------------------------------------------------

    async def _mail(self, name: str, line: _Line) -> None:
        await line.say(f"220 {DOMAIN} ESMTP")
        box = ""
        while said := await line.read_line():
            verb = said[:4].upper()
            if verb == "RCPT":
                box = said.partition("<")[2].partition("@")[0]
                await line.say("250 OK" if box in self.manners else "550 nobody of that name")
            elif verb == "DATA":
                await line.say("354 go on")
                await self._take_mail(box, line)
            elif verb == "QUIT":
                await line.say("221 bye")
                return
            else:
                await line.say(f"250 {DOMAIN}" if verb in {"EHLO", "HELO", "MAIL", "RSET", "NOOP"} else "502 what?")

    async def _take_mail(self, box: str, line: _Line) -> None:
        began = time.monotonic()
        mail: Any = message_from_bytes(await line.reader.readuntil(b"\r\n.\r\n"), policy=policy.default)
        texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
        message = mail["Message-ID"].strip("<>").partition("@")[0]
        text = "\n".join([mail["Subject"], *texts])
        fault = self._take(box, message, text, late=time.monotonic() - began > SLOW)
        flood = FLOOD_OF_MAIL * (FLOOD // len(FLOOD_OF_MAIL)) if fault is Fault.FLOOD else b""
        await line.answer(fault, taken=flood + b"250 taken\r\n", later=b"451 later\r\n", never=b"554 never\r\n")

    # -- Web -----------------------------------------------------------------------------------------------

    async def _web(self, name: str, line: _Line) -> None:
        head = (await line.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {key.lower(): value for key, _, value in (one.partition(": ") for one in head.split("\r\n")[1:])}
        if headers.get("expect"):
            await line.say("HTTP/1.1 100 Continue\r\n")
        body = (await line.reader.readexactly(int(headers.get("content-length", 0)))).decode()
        text = unquote_plus(body) if headers.get("content-type", "").endswith("form-urlencoded") else body
        fault = self._take(name, headers.get("webhook-id", ""), text, late=time.monotonic() - line.since > SLOW)
        answers = self._answers[name]
        taken = _http("200 OK", bytes(FLOOD)) if fault is Fault.FLOOD else answers.taken
        await line.answer(fault, taken=taken, later=answers.later, never=answers.never)


@dataclass(slots=True)
class _Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since: float

    async def read_line(self) -> str:
        return (await self.reader.readline()).decode("latin-1").strip()

    async def say(self, text: str) -> None:
        self.writer.write(text.encode("latin-1") + b"\r\n")
        await self.writer.drain()

    async def answer(self, fault: Fault | None, *, taken: bytes, later: bytes, never: bytes) -> None:
        """Answer a message as ``fault`` has it."""
        if fault is Fault.HANG_AFTER_DATA:
            await self.hang()
        elif fault is Fault.RESET:
            await self.reset()
        elif fault is Fault.DRIP:
            for byte in taken:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(1)
        else:
            self.writer.write({Fault.LATER: later, Fault.NEVER: never}.get(fault or Fault.SLOW, taken))
            await self.writer.drain()

    async def close(self) -> None:
        """Part in good order."""
        self.writer.close()

    async def hang(self) -> None:
        """Say nothing until the other side has gone."""
        while await self.reader.read(2**16):
            pass
        raise EOFError

    async def reset(self) -> None:
        """Cut the line in the middle of the conversation."""
        kept: socket.socket = self.writer.get_extra_info("socket")
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise EOFError
