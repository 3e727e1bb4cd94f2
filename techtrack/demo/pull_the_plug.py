"""``techtrack demo --pull-the-plug``: kills the server in mid-ingest and counts what is there of what it promised."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from django.core.management import call_command
from django.db import connections
from django.db.models import QuerySet
from rich.console import Console

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role, Scope, internal
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.clock import isoformat
from techtrack.demo import folder
from techtrack.demo.load import load_plant
from techtrack.demo.replay import Door, Refused
from techtrack.demo.server import NotReady, Server, free_port

OK, LOST, FAILED = 0, 1, 2
ASSET = "pull-the-plug"
SENDERS = 4
AT_ONCE = 200
# Long enough for hundreds of commits; not a whole number of anything, so that it ends in the middle of one.
PULLED_AFTER = (0.8, 1.7)


@dataclass(frozen=True, slots=True)
class Count:
    """What was acknowledged, and which of that is not there."""

    acknowledged: int
    there: int
    lost: frozenset[int]


def compare(acknowledged: Iterable[int], there: Iterable[int]) -> Count:
    """Hold the numbers of acknowledged readings against those that are there.

    More may be there than was acknowledged (the plug was pulled before the answer), never less.
    """
    promised, found = frozenset(acknowledged), frozenset(there)
    return Count(len(promised), len(found), promised - found)


@dataclass(slots=True)
class Stream:
    """Numbered readings on their way to a server: one a microsecond after the other, from ``begins``."""

    begins: datetime
    acknowledged: set[int] = field(default_factory=set)
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, door: Door, until_refused: threading.Event) -> None:
        """Send batch after batch, and note the numbers of those that the door acknowledged."""
        while not until_refused.is_set():
            numbers = self._take()
            try:
                door.send([self._item(number) for number in numbers])
            except Refused:
                break
            with self._lock:
                self.acknowledged.update(numbers)
        door.close()

    def _take(self) -> range:
        with self._lock:
            self._next += AT_ONCE
            return range(self._next - AT_ONCE, self._next)

    def _item(self, number: int) -> dict[str, object]:
        at = self.begins + timedelta(microseconds=number)
        return {"asset": ASSET, "timestamp": isoformat(at), "values": {"number": number}}


def pull_the_plug(*, times: int = 3) -> int:
    """Pull it so many times; return 1 if anything that was acknowledged is missing afterwards."""
    console = Console(highlight=False)
    call_command("migrate", verbosity=0, interactive=False)
    keys = _keys(clock.now())
    connections.close_all()
    lost = 0
    try:
        for number in range(1, times + 1):
            count = _once(console, number, keys)
            lost += len(count.lost)
            colour = "red" if count.lost else "green"
            console.print(
                f"  {count.acknowledged:,} readings were acknowledged before the kill, {count.there:,} are there: "
                f"[{colour}]{len(count.lost):,} lost[/]"
            )
    except NotReady as error:
        console.print(f"[red]{error}[/]")
        return FAILED
    except KeyboardInterrupt:
        console.print("Stopped.")
        return FAILED
    return LOST if lost else OK


def _once(console: Console, number: int, keys: tuple[str, str]) -> Count:
    # Judging and mailing are not the question here, and a demo that runs beside this does both.
    quiet = {"TECHTRACK_EMBEDDED_WORKERS": "false", "TECHTRACK_DEMO": "false", "LOG_LEVEL": "ERROR"}
    server = Server(host="127.0.0.1", port=free_port(), log=folder.file("plug.log"), settings_=quiet)
    writing, reading = keys
    stream = Stream(clock.now() - timedelta(minutes=1))
    try:
        server.start()
        server.wait()
        console.print(f"Pull {number}: sending numbered readings to {server.url} …")
        _send_and_kill(server, stream, writing)
        console.print("  killed with SIGKILL in mid-ingest; starting it again …")
        server.start()
        server.wait()
        return compare(stream.acknowledged, read_numbers(server, reading, stream.begins))
    finally:
        server.stop()


def _send_and_kill(server: Server, stream: Stream, key: str) -> None:
    dead = threading.Event()
    doors = [Door(server.host, server.port, key) for _ in range(SENDERS)]
    senders = [threading.Thread(target=stream.send, args=(door, dead), daemon=True) for door in doors]
    for sender in senders:
        sender.start()
    shortest, longest = PULLED_AFTER
    time.sleep(shortest + (longest - shortest) * secrets.randbelow(1000) / 1000)
    server.kill()
    dead.set()
    for sender in senders:
        sender.join()


def read_numbers(server: Server, key: str, begins: datetime) -> Iterator[int]:
    """Read back through the API, page by page, the numbers of the readings from ``begins`` on."""
    path = f"/api/data/?equipment={ASSET}&from={quote(isoformat(begins))}&page_size=500"
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    while path:
        connection.request("GET", path, headers={"Authorization": f"Api-Key {key}"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != http.client.OK:
            raise NotReady(f"The readings cannot be read back: {body}")
        yield from (int(row["values"]["number"]) for row in body["results"])
        following = urlsplit(body["next"] or "")
        path = f"{following.path}?{following.query}" if body["next"] else ""
    connection.close()


def _keys(now: datetime) -> tuple[str, str]:
    """Make the asset that counts, if it is not there, and one key to write and one to read; old ones go."""
    us = internal("demo")
    asset = Asset.objects.filter(key=ASSET).first()
    if asset is None:
        data = {"key": ASSET, "name": "Pull the plug", "description": "Counts what survives a kill -9."}
        asset = assets.create_asset(kind=Kind.EQUIPMENT, by=us, now=now, data=data)
    if not _administrators().exists():
        load_plant(now)
    maker = access_of(_administrators()[0])
    expires = now + timedelta(hours=1)
    texts = [
        accounts.create_key(
            by=maker,
            name="Pull the plug",
            scope=scope,
            site=None,
            asset_id=asset.pk,
            expires_at=expires,
            allowed_addresses=["127.0.0.1"],
            now=now,
        )[1]
        for scope in (Scope.INGEST, Scope.READ)
    ]
    return texts[0], texts[1]


def _administrators() -> QuerySet[User]:
    return User.objects.filter(memberships__site=None, memberships__role=Role.ADMIN, is_active=True).order_by("pk")
