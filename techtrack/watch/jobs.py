"""Doors of the machine to watching itself: each process beats, looks at all, and helps out where nobody works."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from techtrack.core import clock, outgoing
from techtrack.core.jobs import running
from techtrack.watch import queries, services
from techtrack.watch.domain.checks import examine
from techtrack.watch.domain.facts import nobody_sends

# What the address that is pinged answers when it has heard us.
TAKEN = range(200, 300)
_log = logging.getLogger(__name__)


class Pulse:
    """The heartbeat of this process; ``kind``: web, worker, or both."""

    def __init__(self, kind: str) -> None:
        self._process = uuid.uuid4()
        self._kind = kind

    def beat(self) -> bool:
        """Say that the process lives, and how its loops and disks are."""
        who = {"host": socket.gethostname(), "pid": os.getpid(), "kind": self._kind, "disks": _free()}
        at = queries.moment(clock.now())
        services.beat(process=self._process, who=who, loops=running(), at=at)
        return False

    def end(self) -> None:
        """Say that it ends."""
        services.end(process=self._process, at=queries.moment(clock.now()))


def _free() -> dict[str, int]:
    """The free bytes of disks, by folder."""
    found = {}
    for folder in queries.folders():
        # A database "here" may be in a container, with folders of its own.
        with suppress(OSError):
            found[str(folder)] = shutil.disk_usage(folder).free
    return found


class Watch:
    """Looks at everything; knows after each look whether nobody sends messages."""

    def __init__(self) -> None:
        self._nobody_sends = self._seen_so = False

    def look(self) -> bool:
        """Look once, and raise or return what follows."""
        now = clock.now()
        at = queries.moment(now)
        facts, limits = queries.look(at), queries.limits()
        # Seen twice, as all trouble must be: at its first look a process may not have beaten yet.
        so = nobody_sends(facts, limits)
        self._nobody_sends, self._seen_so = so and self._seen_so, so
        services.settle(findings=examine(facts, limits), at=at, now=now)
        return False

    def stand_in(self, step: Callable[[], bool]) -> bool:
        """While nobody sends messages, take a step of those who should; leases keep them apart if they wake."""
        return self._nobody_sends and step()


class DeadMan:
    """Pings the address that raises the alarm when it hears nothing: only while all grave things are well."""

    def __init__(self, url: str, *, every: float = 60.0) -> None:
        self._url = url
        self._every = every
        self._due = 0.0

    def work(self) -> bool:
        """Look and ping, if it is time and nothing is wrong; where something is, look again before the next time."""
        if time.monotonic() >= self._due and self._is_well():
            self._due = time.monotonic() + self._every
            self._ping()
        return False

    def _is_well(self) -> bool:
        facts, limits = queries.look(queries.moment(clock.now())), queries.limits()
        grave = [finding.title for finding in examine(facts, limits) if finding.is_grave]
        if nobody_sends(facts, limits):
            # At once: whoever is asked why no message came must have looked.
            grave.append("nobody sends messages")
        if grave:
            _log.warning("the dead-man address is not pinged: %s", "; ".join(grave))
        return not grave

    def _ping(self) -> None:
        try:
            answer = outgoing.request("GET", self._url, headers={}, body=b"", trusted=True)
        except outgoing.Unreachable as error:
            _log.warning("the dead-man address did not take the ping: %s", error.detail)
        else:
            if answer.status not in TAKEN:
                _log.warning("the dead-man address answered %s %s", answer.status, answer.reason)
