"""The other side of telling people: a mail server that notes when it took what, and a port where nobody answers."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time

_MESSAGE_ID = re.compile(rb"^Message-ID: *(<[^>]*>)", re.IGNORECASE | re.MULTILINE)


class MailServer:
    """Takes everything, in a thread of its own; ``taken``: by Message-ID, when it was said to be taken first."""

    def __init__(self) -> None:
        self.taken: dict[bytes, float] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def wait(self, count: int, *, patience: float) -> None:
        """Return when so many different messages were taken.

        Raises:
            TimeoutError: for ``patience`` seconds none came.
        """
        seen, since = len(self.taken), time.monotonic()
        while len(self.taken) < count:
            time.sleep(0.002)
            if len(self.taken) != seen:
                seen, since = len(self.taken), time.monotonic()
            if time.monotonic() - since > patience:
                raise TimeoutError(f"{seen:,} of {count:,} messages came")

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 plant.example\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            writer.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb.strip(), b"250 OK\r\n"))
            if verb == b"QUIT":
                break
            if verb == b"DATA":
                mail = await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
                found = _MESSAGE_ID.search(mail)
                self.taken.setdefault(found[1] if found else b"", time.monotonic())
        writer.close()


class Silence:
    """A port that takes connections, and never says a word."""

    def __init__(self) -> None:
        # The system takes them, as long as nobody looks.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = int(self._socket.getsockname()[1])

    def close(self) -> None:
        """End it; who still waits is told so."""
        self._socket.close()
