"""Many WebSockets for little CPU: frames are not decoded, only searched for when what they tell was sent."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import re
import resource
import selectors
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

MARK = b'"sent_at":'
NUMBER = re.compile(rb"\s*[0-9.eE+]+")
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def raise_file_limit(wanted: int = 8192) -> None:
    """Allow this process, and those it starts, so many open sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))


class Wire:
    """One open socket, subscribed to a topic."""

    def __init__(self, port: int, key: str, topic: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(60)
        self.buffer = b""
        nonce = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /ws/live/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\nAuthorization: Api-Key {key}\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head_text, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert b" 101 " in head_text.split(b"\r\n")[0], head_text
        self._tell(TEXT, json.dumps({"type": "subscribe", "topics": [topic]}).encode())

    def hear(self) -> Any:
        """Wait for the next message and decode it."""
        while True:
            frame = self._frame()
            if frame is None:
                self._more()
                continue
            opcode, payload = frame
            assert opcode != CLOSE, f"closed: {payload!r}"
            if opcode == PING:
                self._tell(PONG, payload)
            elif opcode == TEXT:
                return json.loads(payload)

    def heard(self) -> Iterator[bytes]:
        """Read what has come, once; give the messages that are whole."""
        self._more()
        while (frame := self._frame()) is not None:
            if frame[0] == PING:
                self._tell(PONG, frame[1])
            elif frame[0] == TEXT:
                yield frame[1]
            else:
                assert frame[0] != CLOSE, f"closed: {frame[1]!r}"

    def _more(self) -> None:
        part = self.socket.recv(65_536)
        assert part, "the socket was closed"
        self.buffer += part

    def _frame(self) -> tuple[int, bytes] | None:
        if len(self.buffer) < 2:
            return None
        length, start = self.buffer[1] & 127, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(self.buffer) < start:
                return None
            length = int.from_bytes(self.buffer[2:start])
        if len(self.buffer) < start + length:
            return None
        opcode, payload = self.buffer[0] & 15, self.buffer[start : start + length]
        self.buffer = self.buffer[start + length :]
        return opcode, payload

    def _tell(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = bytes([128 | len(payload)]) if len(payload) < 126 else struct.pack(">BH", 254, len(payload))
        self.socket.sendall(bytes([128 | opcode]) + size + mask + masked)


class Audience:
    """So many subscribers in a process of their own."""

    def __init__(self, port: int, key: str, topic: str, *, size: int) -> None:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_attend, args=(theirs, port, key, topic, size))
        self._process.start()
        told = self._ours.recv()
        assert told == "ready", told

    def leave(self) -> tuple[list[float], float]:
        """End it; return the seconds from sending to receiving of all that came, and the CPU it cost to read."""
        self._ours.send("leave")
        told: Any = self._ours.recv()
        self._process.join()
        assert not isinstance(told, str), told
        return told  # type: ignore[no-any-return]


def _attend(pipe: Any, port: int, key: str, topic: str, size: int) -> None:
    try:
        hearing = _Hearing()
        for _ in range(size):
            wire = Wire(port, key, topic)
            while wire.hear().get("type") != "subscribed":
                pass
            hearing.selector.register(wire.socket, selectors.EVENT_READ, wire)
            # Those that are open already want their pings answered.
            hearing.step(0)
        hearing.selector.register(pipe, selectors.EVENT_READ, None)
        pipe.send("ready")
        cpu = time.process_time()
        while hearing.step(None):
            pass
        pipe.send((hearing.latencies, time.process_time() - cpu))
    except Exception as error:  # noqa: BLE001 - told to the process that waits for it
        pipe.send(f"{type(error).__name__}: {error}")


class _Hearing:
    """All sockets of the process, and what was heard."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.latencies: list[float] = []

    def step(self, wait: float | None) -> bool:
        """Read what has come; False when it is over."""
        for key, _ in self.selector.select(wait):
            if key.data is None:
                return False
            now = time.monotonic()
            for message in key.data.heard():
                self._note(message, now)
        return True

    def _note(self, message: bytes, now: float) -> None:
        at = message.find(MARK)
        while at >= 0:
            said = message[at + len(MARK) : at + len(MARK) + 24]
            self.latencies.append(now - float(NUMBER.match(said)[0]))  # type: ignore[index]
            at = message.find(MARK, at + len(MARK))
