"""A Redis server of our own that tests may kill, stop and start again."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests import servers
from tests.plugins.platform import free_port


class RedisServer:
    """One server on a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        self._program = servers.program("redis-server", how="apt-get install redis-server")
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/3"

    def start(self) -> None:
        """Start it; it may take a moment before it answers."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._program, *options], stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """Pull its plug."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it as a debugger does: it takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
