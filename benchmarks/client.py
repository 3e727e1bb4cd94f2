"""A client that costs little: ready-made requests over plain sockets, in a process of its own.

It shares the machine with the server it measures; what it costs is measured apart from the server.
"""

from __future__ import annotations

import multiprocessing
import os
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the requests: seconds, the client's CPU, statuses, seconds of each, an answer, bytes of all."""

    seconds: float
    cpu: float
    statuses: dict[int, int]
    latencies: list[float]
    last: bytes
    received: int

    def check(self, what: str, *, good: Sequence[int] = (200, 201, 204)) -> None:
        """Raise unless all of them were well received."""
        if bad := {status: count for status, count in self.statuses.items() if status not in good}:
            raise AssertionError(f"{what}: {bad} of {self.statuses}; {self.last[:400]!r}")


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """Write an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Sending:
    """Requests on their way in another process; ``result`` waits for what became of them."""

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        *,
        connections: int = 1,
        rate: float | None = None,
        seconds: float | None = None,
    ) -> None:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe(duplex=False)
        arguments = (theirs, port, requests, connections, rate, seconds)
        self._process = context.Process(target=_run, args=arguments)
        self._process.start()
        theirs.close()

    def result(self) -> Sent:
        """Wait for it.

        Raises:
            AssertionError: a connection broke.
        """
        try:
            told: Any = self._ours.recv()
        finally:
            self._process.join()
        assert not isinstance(told, str), told
        return Sent(*told)


def send(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int = 1,
    rate: float | None = None,
    seconds: float | None = None,
) -> Sent:
    """Send the requests over so many connections, each when the one before it is answered; in another process.

    With ``rate`` a second, each is due at its time and its latency counts from then, whenever it could go out.
    With ``seconds`` they are sent again and again until then.
    """
    return Sending(port, requests, connections=connections, rate=rate, seconds=seconds).result()


def _run(
    pipe: Any, port: int, requests: Sequence[bytes], connections: int, rate: float | None, limit: float | None
) -> None:
    try:
        pipe.send(_Sender(port, requests, connections, rate, limit).run())
    except Exception as error:  # noqa: BLE001 - told to the process that waits for it
        pipe.send(f"{type(error).__name__}: {error}")
    pipe.close()


class _Sender:
    def __init__(
        self, port: int, requests: Sequence[bytes], connections: int, rate: float | None, limit: float | None
    ) -> None:
        self._requests, self._rate, self._limit = requests, rate, limit
        self._total = None if limit else len(requests)
        self._next = 0
        self._done = 0
        self._latencies: list[float] = []
        self._statuses: dict[int, int] = {}
        self._last = b""
        self._received = 0
        self._lines = [_Line(port) for _ in range(connections)]

    def run(self) -> tuple[float, float, dict[int, int], list[float], bytes, int]:
        selector = selectors.DefaultSelector()
        for line in self._lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
        cpu, self._began = time.process_time(), time.perf_counter()
        idle = list(self._lines)
        while True:
            idle = self._give_out(idle)
            if len(idle) == len(self._lines) and self._is_over():
                break
            for key, _ in selector.select(self._pause(idle)):
                line = key.data
                if (answer := line.read()) is not None:
                    self._count(line, *answer)
                    idle.append(line)
        seconds = time.perf_counter() - self._began
        for line in self._lines:
            line.socket.close()
        return seconds, time.process_time() - cpu, self._statuses, self._latencies, self._last, self._received

    def _give_out(self, idle: list[_Line]) -> list[_Line]:
        while idle and not self._is_over():
            now = time.perf_counter()
            due = self._began + self._next / self._rate if self._rate else now
            if due > now:
                break
            # The one that has waited longest: a server closes connections over which nothing comes.
            line = idle.pop(0)
            line.since = due
            line.send(self._requests[self._next % len(self._requests)])
            self._next += 1
        return idle

    def _is_over(self) -> bool:
        if self._limit is not None:
            return time.perf_counter() - self._began >= self._limit
        return self._total is not None and self._next >= self._total

    def _pause(self, idle: list[_Line]) -> float | None:
        if not self._rate or not idle:
            return 1.0
        return max(0.0, self._began + self._next / self._rate - time.perf_counter())

    def _count(self, line: _Line, status: int, body: bytes) -> None:
        self._latencies.append(time.perf_counter() - line.since)
        self._received += len(body)
        self._statuses[status] = self._statuses.get(status, 0) + 1
        if status >= 300 or not self._last:
            self._last = body


class _Line:
    """One connection with one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(60)
        self.since = 0.0
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> tuple[int, bytes] | None:
        """Return status and body once the answer is whole."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError(f"the server closed the connection after {self._buffer[:300]!r}")
        self._buffer += part
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        head, whole = self._buffer[:head_end].lower(), head_end + 4
        if b"transfer-encoding: chunked" in head:
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return None
            body = _dechunked(self._buffer[whole:])
        else:
            at = head.find(LENGTH)
            length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < whole + length:
                return None
            body = self._buffer[whole:]
        self._buffer = b""
        return int(head[9:12]), body


def _dechunked(raw: bytes) -> bytes:
    parts = []
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        parts.append(raw[:length])
        raw = raw[length + 2 :]
        if not length:
            break
    return b"".join(parts)


def ask(port: int, raw: bytes) -> tuple[int, bytes]:
    """Send one request over a connection of its own, in this process; return status and body."""
    line = _Line(port)
    try:
        line.send(raw)
        while (answer := line.read()) is None:
            pass
        return answer
    finally:
        line.socket.close()


def cores() -> int:
    """Return how many cores client and server share."""
    return len(os.sched_getaffinity(0))
