"""Who is calling, remembered for a moment: a gateway shows the same key a thousand times a second."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.addresses import client_address
from techtrack.core import clock
from techtrack.core.api.native import Headers
from techtrack.core.errors import Unauthenticated
from techtrack.core.writes import writes
from techtrack.telemetry import services
from techtrack.telemetry.ingest.threads import Threads
from techtrack.telemetry.services import Known

# Behind another address a role may change, a key be revoked: 5 s are promised until that is felt.
REMEMBERED = 2.0
# A wrong credential may become right: somebody has only now made the session or the key.
WRONG_REMEMBERED = 1.0
MOST = 10_000
MOST_WRONG = 1_000
MOST_ASSETS = 5_000


@dataclass(slots=True)
class Visitor:
    """What a caller may do, and the assets whose readings it may enter, as far as it has asked; until ``until``.

    ``access`` is None where the headers had no credential that this door knows.
    """

    access: Access | None
    until: float
    threads: Threads
    known: Known = field(default_factory=Known)
    memory: dict[Hashable, Any] = field(default_factory=dict)  # what else it was told
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _asked: int = 0

    async def get_to_know(self, refs: Collection[int | str]) -> bool:
        """Ask for those assets that are not known yet; tell whether all are now."""
        if self.access is None:
            return False
        # One question at a time: what others wait for is in the answer, mostly.
        async with self._lock:
            if missing := set(refs) - self.known.ids.keys():
                # Who asks again speaks for many assets, one by one: then for all of them at once.
                beside = MOST_ASSETS if self._asked else 0
                self.known.add(await self.threads.run(services.know, refs=missing, by=self.access, beside=beside))
                self._asked += 1
        return self.known.ids.keys() >= set(refs)


class Callers:
    """Turns credentials into visitors; of the event loop alone."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._known: dict[bytes, Visitor] = {}
        self._wrong: dict[bytes, tuple[float, Unauthenticated]] = {}
        self._asking: dict[bytes, asyncio.Task[Visitor]] = {}
        self._state = writes.state

    def forget(self) -> None:
        """Ask anew from now on; what is being asked may be answered with what was true before."""
        self._known, self._wrong, self._asking = {}, {}, {}

    async def visitor(self, headers: Headers, peer: str) -> Visitor:
        """Return who shows these headers.

        Raises:
            Unauthenticated: the credential is wrong.
        """
        if (state := writes.state) != self._state:
            self._state = state
            self.forget()
        name, now = _name_of(headers, peer), time.monotonic()
        visitor = self._known.get(name)
        if visitor is not None and now < visitor.until:
            return visitor
        until, error = self._wrong.get(name, (0.0, None))
        if error is not None and now < until:
            raise type(error)(error.detail)
        return await self._ask(name, headers, peer)

    async def _ask(self, name: bytes, headers: Headers, peer: str) -> Visitor:
        """Ask once for all who show the same at the same time."""
        task = self._asking.get(name)
        if task is None:
            # The dictionaries of now: an answer that comes after ``forget`` goes where nobody looks.
            task = asyncio.create_task(self._answer(name, headers, peer, self._known, self._wrong))
            self._asking[name] = task
            task.add_done_callback(partial(self._asked, name))
        return await asyncio.shield(task)

    def _asked(self, name: bytes, task: asyncio.Task[Visitor]) -> None:
        if self._asking.get(name) is task:
            del self._asking[name]
        if not task.cancelled():
            task.exception()  # whoever waits for it has heard it; perhaps nobody does any more

    async def _answer(
        self,
        name: bytes,
        headers: Headers,
        peer: str,
        known: dict[bytes, Visitor],
        wrong: dict[bytes, tuple[float, Unauthenticated]],
    ) -> Visitor:
        # From before the question: what it was answered with is at least so old.
        asked = time.monotonic()
        try:
            access, left = await self._threads.run(_recognised, headers, peer)
        except Unauthenticated as error:
            _make_room(wrong, MOST_WRONG)
            wrong[name] = (asked + WRONG_REMEMBERED, error)
            raise
        visitor = Visitor(access, asked + left, self._threads)
        if access is not None:
            _leave_the_old(known, time.monotonic())
            _make_room(known, MOST)
            known[name] = visitor
        return visitor


def _recognised(headers: Headers, peer: str) -> tuple[Access | None, float]:
    """Return what the credential opens, and for how many seconds that may be remembered; reads the database."""
    now = clock.now()
    key = headers.get(b"x-api-key")
    caller = accounts.recognise(
        authorization=headers.get(b"authorization", b"").decode("latin-1"),
        api_key=None if key is None else key.decode("latin-1"),
        address=client_address(peer, _forwarded(headers), behind_proxy=settings.BEHIND_PROXY),
        now=now,
    )
    if caller is None:
        return None, 0.0
    left = REMEMBERED if caller.until is None else min(REMEMBERED, (caller.until - now).total_seconds())
    return caller.access, left


def _forwarded(headers: Headers) -> str:
    return headers.get(b"x-forwarded-for", b"").decode("latin-1")


def _name_of(headers: Headers, peer: str) -> bytes:
    """Hash all that decides on the answer, so that no secret is kept in memory."""
    shown, key = headers.get(b"authorization", b""), headers.get(b"x-api-key", b"")
    forwarded = headers.get(b"x-forwarded-for", b"") if settings.BEHIND_PROXY else b""
    return hashlib.sha256(b"%b\n%b\n%b\n%b" % (shown, key, forwarded, peer.encode())).digest()


def _leave_the_old(known: dict[bytes, Visitor], now: float) -> None:
    """Drop those who are due to be asked anew: about in the order in which they came."""
    while known and (oldest := next(iter(known))) and known[oldest].until <= now:
        del known[oldest]


def _make_room(entries: dict[bytes, Any], most: int) -> None:  # the oldest go first
    while len(entries) >= most:
        del entries[next(iter(entries))]
