"""Minds all sockets of a process together: their heartbeat, and whether their credentials still open anything."""

from __future__ import annotations

import asyncio
import logging

from django.db import DatabaseError

from techtrack.accounts.domain.access import Access
from techtrack.accounts.queries import current_accesses
from techtrack.core import clock
from techtrack.live import subscribing
from techtrack.live.hub import Hub
from techtrack.live.outbox import Frame
from techtrack.live.subscriber import ENDED, UNAVAILABLE, Subscriber
from techtrack.live.threads import in_thread

HEARTBEAT = Frame({"type": "heartbeat"}, key="heartbeat")
_log = logging.getLogger(__name__)

Credential = tuple[int, str | None, int | None]


class Minder:
    """Two tasks, however many sockets there are; they rest while there is none."""

    def __init__(self, hub: Hub, *, heartbeat: float, recheck: float) -> None:
        self._hub = hub
        self._heartbeat = heartbeat
        self._recheck = recheck
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Mind the sockets from now on, if that has not begun."""
        if not self._tasks or self._tasks[0].done():
            self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._look_again())]

    def rest(self) -> None:
        """Nobody is there any more."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            for member in self._hub.members:
                member.say(HEARTBEAT)

    async def _look_again(self) -> None:
        """Look again and again whether each credential still opens anything, and what."""
        while True:
            await asyncio.sleep(self._recheck)
            members = self._hub.members
            try:
                await self._check(members)
            except DatabaseError:
                _log.exception("the database is away; the clients are asked to come again")
                for member in members:
                    member.end(UNAVAILABLE)
            except Exception:  # noqa: BLE001
                # The last resort: nobody may stay because we could not find out whether he may.
                _log.exception("rights could not be checked; the clients are asked to come again")
                for member in members:
                    member.end(UNAVAILABLE)

    async def _check(self, members: list[Subscriber]) -> None:
        # Many sockets of one session, as the tabs of a browser, are one question.
        asked = {_credential(member.access): member.access for member in members}
        found = await in_thread(current_accesses, list(asked.values()), clock.now())
        now = dict(zip(asked, found, strict=True))
        for member in members:
            access = now[_credential(member.access)]
            if access is None:
                member.end(ENDED)
            elif access != member.access:
                await self._narrow(member, access)

    async def _narrow(self, member: Subscriber, access: Access) -> None:
        for name in await subscribing.narrow(self._hub, member, access):
            detail = f"you may no longer see {name!r}"
            member.say(Frame({"type": "error", "code": "forbidden", "detail": detail}))


def _credential(access: Access) -> Credential:
    return access.user_id, access.session_id, access.key_id
