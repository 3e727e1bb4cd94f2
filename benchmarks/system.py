"""What a line of the table asks of a system, be it ours or a peer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from benchmarks import client
from benchmarks.load import Load
from benchmarks.processes import cpu_seconds, wait_until_idle


class NotInstalled(Exception):
    """The peer is not on this machine; its column says so."""


class System:
    """A running system; subclasses say how it is spoken to."""

    name: ClassVar[str]
    durable: ClassVar[bool] = True
    # At least so long after the last write until what it does later has begun.
    begins_to_settle: ClassVar[float] = 2.0

    port: int
    machines: Sequence[int]
    version: str = ""

    @property
    def pids(self) -> list[int]:
        """The first processes of all that it consists of."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it and remove what it wrote."""
        raise NotImplementedError

    def write_request(self, load: Load, first: int, last: int, machines: Sequence[int] | None = None) -> bytes:
        """Return the HTTP request that stores the ticks first <= tick < last, of ``machines`` if not of all."""
        raise NotImplementedError

    def single_request(self, load: Load, tick: int, machine: int) -> bytes:
        """Return the HTTP request that stores one reading."""
        raise NotImplementedError

    def stored_bytes(self) -> int:
        """Return how many bytes the readings take, all told."""
        raise NotImplementedError

    def cpu(self) -> float:
        """CPU seconds that it has used since it started."""
        return cpu_seconds(self.pids)

    def settle(self) -> bool:
        """Wait until it has finished what it does behind its answers; tell whether it came to rest."""
        return wait_until_idle(self.pids, at_least=self.begins_to_settle)

    def ask(self, path: str) -> bytes:
        """Return the answer to a GET.

        Raises:
            AssertionError: it is not 200.
        """
        status, body = client.ask(self.port, self.get_request(path))
        assert status == 200, f"{self.name}: GET {path}: {status} {body[:500]!r}"
        return body

    def get_request(self, path: str) -> bytes:
        """Return the HTTP request that reads ``path``."""
        return client.request("GET", path)
