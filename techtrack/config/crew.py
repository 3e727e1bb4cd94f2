"""Several processes behind one address: this one hands connections out, the others serve, and one of them also judges.

A connection goes to the process that has fewest. Left to the system, the few connections of a gateway lie as chance
will have it, and one process idles while the other is full (docs/decisions/0011-gateway.md).
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from ctypes import Array, c_ulonglong
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn

from techtrack.core.writes import writes

APPLICATION = "techtrack.config.asgi:application"
# What a process tells: how many connections it was given so far, how many of them are open.
REPORT = struct.Struct("!QQ")
BACKLOG = 2048
# When to try again to hand over whom nobody could take, in seconds.
SOON = 0.02
# By this name prometheus_client is told of a folder that several processes share.
COUNTS = "PROMETHEUS_MULTIPROC_DIR"
# Who ended within so many seconds of its start waits as long before it is started again.
SHORT_LIFE = 2.0
# Ending takes its requests 5 s at most, and what waits to be committed and the loops some more.
LONGEST_END = 30.0
ENDING = (signal.SIGTERM, signal.SIGINT)
_spawn = multiprocessing.get_context("spawn")
_log = logging.getLogger(__name__)


class NeverServed(Exception):
    """A process ended before any of them could serve."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all processes see: a number for each, raised when it writes, and the folder where each counts (metrics)."""

    writes: Array[c_ulonglong]
    counts: str


class Process:
    """A serving process as the one that hands out sees it."""

    def __init__(self, number: int, shared: Shared, options: Mapping[str, Any]) -> None:
        self.began = time.monotonic()
        self.ready = False
        self._given = self._taken = self._open = 0
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(0)
        with theirs:
            arguments = (number, theirs, shared, dict(options))
            self.system = _spawn.Process(target=serve_part, args=arguments, name=f"server {number}")
            self.system.start()

    @property
    def load(self) -> tuple[int, int]:
        """By what it is chosen: its open connections, those on their way to it among them; then all it ever had."""
        return self._open + self._given - self._taken, self._given

    def give(self, connection: socket.socket) -> bool:
        """Hand a connection over; tells whether it was taken."""
        try:
            socket.send_fds(self.channel, [b"c"], [connection.fileno()])
        except OSError:
            # It has just ended, or hangs.
            return False
        self._given += 1
        return True

    def hear(self) -> bool:
        """Take note of what it tells, of which the first word is that it serves; tells whether it may say more."""
        said = b""
        with suppress(OSError):
            said = self.channel.recv(1024 * REPORT.size)
        self.ready = bool(said)
        if said:
            self._taken, self._open = REPORT.unpack(said[-REPORT.size :])
        return self.ready

    def end(self, deadline: float) -> None:
        """Wait until it has ended; it is killed after ``deadline``."""
        self.system.join(max(0.0, deadline - time.monotonic()))
        self.system.kill()
        self.system.join()
        self.channel.close()


class Crew:
    """Keeps ``count`` processes serving, and hands them what ``listener``, only bound as yet, accepts."""

    def __init__(self, count: int, listener: socket.socket, options: Mapping[str, Any]) -> None:
        self._listener, self._options = listener, options
        self._counts = TemporaryDirectory(prefix="techtrack-counts-")
        self._shared = Shared(_spawn.RawArray(c_ulonglong, count), self._counts.name)
        self._processes: list[Process | None] = [None] * count
        self._due = [0.0] * count
        self._selector = selectors.DefaultSelector()
        self._served = self._at_the_door = False
        # Came when nobody could take one more.
        self._held: socket.socket | None = None

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            NeverServed: a process ended before any of them could serve.
        """
        for number in ENDING:
            # Ctrl-C too: a shell may have told us not to hear it.
            signal.signal(number, signal.default_int_handler)
        try:
            while True:
                self._start_who_is_due()
                self._hand_over()
                self._watch_the_door()
                for key, _ in self._selector.select(self._patience):
                    key.data()
        except KeyboardInterrupt:
            return
        finally:
            self._end()

    @property
    def _patience(self) -> float | None:
        """For how long nothing needs to be looked after that does not speak for itself, in seconds."""
        if self._held is not None:
            return SOON
        return None if all(self._processes) else SHORT_LIFE / 10

    @property
    def _ready(self) -> list[Process]:
        return [process for process in self._processes if process and process.ready]

    def _start_who_is_due(self) -> None:
        for number, process in enumerate(self._processes):
            if process is None and time.monotonic() >= self._due[number]:
                started = self._processes[number] = Process(number, self._shared, self._options)
                self._selector.register(started.channel, selectors.EVENT_READ, partial(self._hear, started))
                self._selector.register(started.system.sentinel, selectors.EVENT_READ, partial(self._bury, number))

    def _watch_the_door(self) -> None:
        """Listen from when the first can serve; while nobody can take one, connections wait in the system's line."""
        if self._ready and not self._served:
            self._served = True
            self._listener.listen(BACKLOG)
            self._listener.settimeout(0)
        if (bool(self._ready) and self._held is None) != self._at_the_door:
            self._at_the_door = not self._at_the_door
            if self._at_the_door:
                self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            else:
                self._selector.unregister(self._listener)

    def _accept(self) -> None:
        # Who came may have gone again.
        with suppress(OSError):
            self._held, _ = self._listener.accept()
            self._hand_over()

    def _hand_over(self) -> None:
        """Give whom we hold to the one with fewest; nobody can while the lines to all of them are full."""
        held = self._held
        if held is not None and any(process.give(held) for process in sorted(self._ready, key=lambda one: one.load)):
            held.close()
            self._held = None

    def _hear(self, process: Process) -> None:
        if not process.hear():
            self._hear_no_more(process)

    def _hear_no_more(self, process: Process) -> None:
        # It says that it ends, and then it ends: either may be noticed first.
        with suppress(KeyError, ValueError):
            self._selector.unregister(process.channel)

    def _bury(self, number: int) -> None:
        """A process has ended: its connections are gone, the others serve on, and it is started again."""
        process = self._processes[number]
        assert process is not None  # noqa: S101 - its sentinel was registered with it
        self._hear_no_more(process)
        self._selector.unregister(process.system.sentinel)
        process.end(0)
        if not self._served:
            raise NeverServed(f"a process ended with code {process.system.exitcode} before it could serve")
        _log.error("server process %s ended with code %s; it is started again", number, process.system.exitcode)
        self._processes[number] = None
        now = time.monotonic()
        self._due[number] = now + SHORT_LIFE if now - process.began < SHORT_LIFE else now

    def _end(self) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        self._listener.close()
        if self._held is not None:
            self._held.close()
        living = [process for process in self._processes if process]
        for process in living:
            process.system.terminate()
        deadline = time.monotonic() + LONGEST_END
        for process in living:
            process.end(deadline)
        self._selector.close()
        self._counts.cleanup()


class Part(uvicorn.Server):
    """A server whose connections come through ``channel``; it ends with the one that hands them out."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket) -> None:
        super().__init__(config)
        self._channel = channel
        self._taken = 0
        self._told = b""
        self._arriving: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, with no address of its own."""
        await super().startup(sockets=[])
        self._channel.settimeout(0)
        asyncio.get_running_loop().add_reader(self._channel, self._take)

    async def on_tick(self, counter: int) -> bool:
        """Tell how many connections there are; ten times a second."""
        told = REPORT.pack(self._taken, len(self.server_state.connections))
        if told != self._told:
            with suppress(OSError):
                self._channel.send(told)
                self._told = told
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more."""
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        await super().shutdown(sockets)

    def _take(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            said, handles, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            said, handles = b"", []
        if not said:
            loop.remove_reader(self._channel)
            self.should_exit = True
            return
        self._taken += 1
        for handle in handles:
            connection = socket.socket(fileno=handle)
            connection.settimeout(0)
            task = loop.create_task(self._welcome(connection))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _welcome(self, connection: socket.socket) -> None:
        # Who comes may go again before it is greeted, or speak no TLS.
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        # Loaded by now; either a class or what made it, as uvicorn itself calls it.
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return made


def serve_part(number: int, channel: socket.socket, shared: Shared, options: dict[str, Any]) -> None:
    """Serve what comes through ``channel`` until told to end; number 0 runs the background loops, if they are ours."""
    writes.share(shared.writes, number)
    # Read when the first metric is made, as everything that makes one is imported below.
    os.environ[COUNTS] = shared.counts
    if number:
        os.environ["TECHTRACK_EMBEDDED_WORKERS"] = "false"
    # How uvicorn ends after Ctrl-C.
    with suppress(KeyboardInterrupt):
        Part(uvicorn.Config(APPLICATION, **options), channel).run()
