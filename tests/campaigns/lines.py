"""A line between a client and a server that tests may cut: reset, hung up, or dead without a word."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self


class Fault(Enum):
    """What befalls a connection."""

    RESET = "reset"
    HUNG_UP = "hung up"
    DEAD = "dead"


@dataclass
class Deaths:
    """In seconds, how long each side took to let go of a connection that was dead."""

    client: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)


class _Wire:
    """One connection through the line."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.died: float | None = None

    def cut(self, fault: Fault) -> None:
        if fault is Fault.DEAD:
            # Both go on to say things that nobody hears.
            self.died = time.monotonic()
            return
        for side in (self.near, self.far):
            if side.is_closing():
                continue
            if fault is Fault.RESET:
                raw: socket.socket = side.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.transport.abort()
            else:
                side.close()


class Line:
    """Listens on a port of its own and carries each connection to another port."""

    def __init__(self, port: int) -> None:
        self.deaths = Deaths()
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._wires: list[_Wire] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for wire in list(self._wires):
            wire.cut(Fault.RESET)
        # Each of them ends by itself, once it has noticed.
        while self._wires:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def cut(self, fault: Fault) -> bool:
        """Do this to what is connected; False where nothing is."""
        living = [wire for wire in self._wires if wire.died is None]
        for wire in living:
            wire.cut(fault)
        return bool(living)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        wire = _Wire(writer, far_writer)
        self._wires.append(wire)
        try:
            ways = ((reader, far_writer, self.deaths.client), (far_reader, writer, self.deaths.server))
            await asyncio.gather(*(self._pump(wire, *way) for way in ways))
        finally:
            self._wires.remove(wire)
            for side in (writer, far_writer):
                side.transport.abort()

    async def _pump(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaths: list[float]
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if wire.died is None:
                    writer.write(data)
        except OSError:
            pass
        if wire.died is not None:
            deaths.append(time.monotonic() - wire.died)
        else:
            writer.close()
