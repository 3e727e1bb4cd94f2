"""Another process on the same database: says what its hub tells a socket, and writes what it is told to write.

It looks at rows on its own only when it begins: what it tells later, it was given a hint of.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading

from django.db import transaction

from techtrack.accounts.domain.access import internal
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.live import services
from techtrack.live.bus import bus
from techtrack.live.hub import hub
from techtrack.live.outbox import Outbox
from techtrack.live.subscriber import Subscriber
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.services import ingest

NEVER = 3600.0
TOPICS = frozenset({"readings", "alerts"})


def say(message):
    print(json.dumps(message), flush=True)


def write(kind, value):
    """Store a reading of an asset, or record an event of a topic, as services do."""
    now = clock.now()
    if kind == "ingest":
        batch = Batch.of([Row(value, to_micros(now), {"temperature": 20.5})])
        ingest(batch=batch, by=internal(), now=now, origin=Origin.LIVE)
    else:
        with transaction.atomic():
            services.record(topics=[value], payload={"type": "alert", "n": 1}, now=now)


async def listen(member):
    """Subscribe ``member`` to everything on the hub of this process, which looks only when it is woken."""
    hub._every = hub._seldom = NEVER
    await hub.join(member)
    hub.subscribe(member, TOPICS)
    member.begin([], 0)


async def settled():
    """Return when the hub has looked at what it was woken for until now; nothing is left that makes it look again."""
    step, ended = hub._step, asyncio.Event()

    async def look():
        found = await step()
        ended.set()
        return found

    hub._step = look
    hub.wake()
    await ended.wait()
    del hub._step


async def run():
    member = Subscriber(internal(), Outbox())
    member.outbox.at_once = lambda frame: say(frame.body) is None
    await listen(member)
    bus.open()
    # It becomes so in another thread.
    while not bus.healthy:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    # What the new connection to the bus made it look at is behind us.
    await settled()
    say("ready")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def obey():
        for line in sys.stdin:
            write(*json.loads(line))
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=obey, daemon=True).start()
    await ended.wait()
    hub.leave(member)
    bus.close()
