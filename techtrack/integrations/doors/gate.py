"""The doors of firmwares as plain ASGI: what many units push at once is committed together, as at the fast door.

Behind it stand the same doors as views (views.py), for what is rare: other methods, odd headers, other servers.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.core.exceptions import RequestDataTooBig

from techtrack.accounts.domain.addresses import client_address
from techtrack.accounts.domain.lockout import network_of
from techtrack.core import clock
from techtrack.core.api import native
from techtrack.core.api.native import Answer, Application, Gone, Headers, NotOurs, Receive, Scope, Send, declared
from techtrack.core.errors import Overloaded
from techtrack.integrations.domain.pushing import LONGEST_BODY
from techtrack.integrations.doors.firmwares import (
    AIRGRADIENT,
    SENSOR_COMMUNITY,
    Firmware,
    Post,
    accepted,
    received,
    refusal,
)
from techtrack.integrations.services import Prepared
from techtrack.telemetry.ingest.body import Patience, Place, Room, Saturated, read_body
from techtrack.telemetry.ingest.threads import Threads
from techtrack.telemetry.ingest.writer import Writer

# People write it into a form of the unit, and forget the slash.
COMMUNITY = frozenset({"/v1/push-sensor-data/", "/v1/push-sensor-data"})
MEASURES = re.compile(r"/sensors/airgradient:([^/]{1,200})/measures")
ROUTES = {SENSOR_COMMUNITY.door: "v1/push-sensor-data/", AIRGRADIENT.door: "sensors/airgradient:<str:serial>/measures"}
WORKERS = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """How many posts may be in work or in line, how many readings wait to be committed, seconds for a body.

    ``open_of_one`` is how many bodies that are still to come one address (of IPv6: a network) may keep us waiting for.
    """

    waiting: int = 200
    waiting_readings: int = 500_000
    patience: float = 5.0
    open_of_one: int = 16


class Gate:
    """The ASGI application; ``behind`` answers all that is not a firmware's plain POST. ``writer`` is shared."""

    def __init__(self, behind: Application, writer: Writer, limits: Limits | None = None) -> None:
        self._behind = behind
        self._writer = writer
        self._limits = limits or Limits()
        self._room = Room(self._limits.waiting * LONGEST_BODY)
        self._patience = Patience(self._limits.patience)
        self._threads = Threads(WORKERS, name="firmwares")
        self._open = Counter[str]()
        self._in_hand: dict[tuple[str, ...], asyncio.Task[Prepared]] = {}

    def close(self) -> None:
        """Finish what was begun; the writer is closed by whoever shares it."""
        self._threads.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _firmware(scope["path"])
        if found is None:
            await self._behind(scope, receive, send)
            return
        try:
            headers = native.read_headers(scope, method="POST")
            post = _post(scope, headers, *found)
            work = partial(self._served, post, headers, receive)
            await native.answer(scope, send, route=ROUTES[post.firmware.door], headers=headers, work=work)
        except NotOurs:
            await self._behind(scope, receive, send)
        except Gone:
            return

    async def _served(self, post: Post, headers: Headers, receive: Receive) -> Answer:
        try:
            with self._admitted(headers) as place:
                post = replace(post, body=await self._read(post, receive, place))
                prepared = await self._once(post)
            return accepted(post.firmware, prepared)
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - problems.py says what each kind is, and logs what nobody expected
            return await self._threads.run(refusal, post, error, now=clock.now())

    def _admitted(self, headers: Headers) -> Place:
        size = declared(headers)
        if size > LONGEST_BODY:
            raise RequestDataTooBig
        if self._threads.inside >= self._limits.waiting:
            raise Overloaded
        if self._writer.waiting >= self._limits.waiting_readings:
            raise Saturated
        return self._room.place(size)

    async def _read(self, post: Post, receive: Receive, place: Place) -> bytes:
        """Return the body; a few who declare much and send nothing do not hold all the room there is."""
        network = network_of(post.address)
        if self._open[network] >= self._limits.open_of_one:
            raise Overloaded
        self._open[network] += 1
        try:
            return await read_body(receive, place, most=LONGEST_BODY, patience=self._patience)
        finally:
            self._open[network] -= 1
            if not self._open[network]:
                del self._open[network]

    async def _once(self, post: Post) -> Prepared:
        """Take in a post; the same one that comes meanwhile, from whoever lost patience, is told apart."""
        shown = (post.path, *(f"{name}:{value}" for name, value in sorted(post.headers.items())))
        name = (*shown, post.address, post.body.hex())
        task = self._in_hand.get(name)
        if task is not None:
            return replace(await asyncio.shield(task), repeated=True)
        task = self._in_hand[name] = asyncio.create_task(self._take(post))
        task.add_done_callback(partial(self._done, name))
        # Who goes away cancels the answer, not the commit.
        return await asyncio.shield(task)

    async def _take(self, post: Post) -> Prepared:
        prepared = await self._threads.run(received, post, now=clock.now())
        if prepared.checked is not None:
            await self._writer.submit(prepared.checked, len(prepared.checked))
        return prepared

    def _done(self, name: tuple[str, ...], task: asyncio.Task[Prepared]) -> None:
        del self._in_hand[name]
        if not task.cancelled():
            task.exception()  # whoever waits for it has heard it


def _firmware(path: str) -> tuple[Firmware, str] | None:
    if path in COMMUNITY:
        return SENSOR_COMMUNITY, ""
    found = MEASURES.fullmatch(path)
    return (AIRGRADIENT, found[1]) if found else None


def _post(scope: Scope, headers: Headers, firmware: Firmware, unit_id: str) -> Post:
    told = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    peer = (scope.get("client") or ("", 0))[0]
    address = client_address(peer, told.get("x-forwarded-for", ""), behind_proxy=settings.BEHIND_PROXY)
    return Post(firmware, scope["path"], told, address, unit_id=unit_id)
