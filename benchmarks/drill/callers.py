"""Clients who hold the platform to its word: they send again once, read back what they wrote, and keep count."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from benchmarks.drill.ledger import BROKEN, Attempt, Call, Ledger
from benchmarks.plant import ALARM

# Where nobody said when to come again.
PAUSE = 1.0
# Longer than any part of the platform lets a client wait.
PATIENCE = 30.0
READINGS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that counts: the last one, and how often it was asked for."""

    status: int
    headers: Mapping[str, str]
    body: Any
    attempts: int


class GaveUp(Exception):
    """The drill is over, and the platform still did not answer."""


class Caller:
    """One connection through the proxy; a request that fails is sent again, as often as it takes, and each is noted."""

    def __init__(self, port: int, headers: Mapping[str, str], ledger: Ledger, over: threading.Event) -> None:
        self._port, self._headers = port, dict(headers)
        self.ledger, self._over = ledger, over
        self.waits_since: float | None = None
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, door: str, method: str, path: str, body: Any = None, *, good: int, **headers: str) -> Answer:
        """Send a request until it is answered otherwise than by a failure; any status but ``good`` is a complaint.

        Raises:
            GaveUp: it was not, and the drill is over.
        """
        attempts: list[Attempt] = []
        told = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        raw = None if body is None else json.dumps(body)
        self.waits_since = time.monotonic()
        try:
            while True:
                attempt, answer_headers, said = self._try(method, path, raw, told)
                attempts.append(attempt)
                if not attempt.failed:
                    break
                self._pause(attempt)
        finally:
            self.waits_since = None
            self.ledger.note(Call(door, tuple(attempts)))
        if attempt.status != good:
            self.ledger.complain(f"{method} {path} was answered {attempt.status}: {str(said)[:200]}")
        return Answer(attempt.status, answer_headers, said, len(attempts))

    def _pause(self, attempt: Attempt) -> None:
        if self._over.is_set():
            raise GaveUp
        time.sleep(PAUSE if attempt.retry_after is None else attempt.retry_after)

    def _try(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[Attempt, Mapping[str, str], Any]:
        began = time.monotonic()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Attempt(began, time.monotonic(), BROKEN, said=type(error).__name__), {}, None
        after, said = answer.headers.get("Retry-After", ""), _read(answer.headers.get("Content-Type", ""), raw)
        wait = float(after) if after.isdigit() else None
        detail = said.get("detail", "") if isinstance(said, dict) and answer.status >= 500 else ""
        return Attempt(began, time.monotonic(), answer.status, wait, detail), answer.headers, said

    def close(self) -> None:
        """Hang up; the next request connects anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read(media_type: str, raw: bytes) -> Any:
    return json.loads(raw) if "json" in media_type and raw else raw.decode("utf-8", "replace")


class Client(threading.Thread):
    """Takes a step so many times a second until told to end; a step that takes longer delays the next."""

    def __init__(self, name: str, rate: float, over: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._every, self._over = 1 / rate, over

    def run(self) -> None:
        """Take steps."""
        # Not all at the same moment.
        due = time.monotonic() + random.uniform(0, self._every)
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._every, time.monotonic())
            try:
                self.step()
            except GaveUp:
                return

    def step(self) -> None:
        """Do it once."""
        raise NotImplementedError


class Gateway(Client):
    """Sends the readings of one machine, numbered; all below ``acknowledged`` were."""

    def __init__(self, caller: Caller, machine: int, begins: datetime, *, rate: float, over: threading.Event) -> None:
        super().__init__(f"gateway {machine}", rate, over)
        self.machine, self.acknowledged = machine, 0
        self._caller, self._begins = caller, begins

    def step(self) -> None:
        """Send the next readings, again and again until they are acknowledged."""
        numbers = range(self.acknowledged, self.acknowledged + READINGS_AT_ONCE)
        items = [self._item(number) for number in numbers]
        answer = self._caller.ask("readings", "POST", "/api/ingest/", {"items": items}, good=200)
        if answer.status == 200:
            self.acknowledged = numbers.stop

    def _item(self, number: int) -> dict[str, Any]:
        at = stamp(self._begins + timedelta(milliseconds=number))
        return {"asset": self.machine, "timestamp": at, "values": {"number": number}}


class Reader(Client):
    """Reads the history of what a gateway sends: whatever was acknowledged before must be there."""

    def __init__(self, caller: Caller, gateway: Gateway, *, rate: float, over: threading.Event) -> None:
        super().__init__(f"reader of {gateway.machine}", rate, over)
        self._caller, self._gateway = caller, gateway

    def step(self) -> None:
        """Read the newest readings."""
        due, machine = self._gateway.acknowledged, self._gateway.machine
        answer = self._caller.ask("history", "GET", f"/api/data/?equipment={machine}&page_size=5", good=200)
        if due and answer.status == 200:
            shown = [row["values"]["number"] for row in answer.body["results"]]
            if not shown or shown[0] < due - 1:
                self._caller.ledger.complain(f"history of {machine} shows {shown}, {due - 1} was acknowledged")


class Person(Client):
    """Makes, renames, reads and deletes machines; ``made`` are those that must be there at the end, by id."""

    def __init__(self, caller: Caller, name: str, site: int, *, rate: float, over: threading.Event) -> None:
        super().__init__(f"person {name}", rate, over)
        self.made: dict[int, str] = {}
        self.deleted: set[int] = set()
        self.open: set[int] = set()
        self._caller, self._name, self._site = caller, name, site
        self._turn = 0

    def step(self) -> None:
        """Make one and rename it; delete every second one."""
        self._turn += 1
        name = f"{self._name} {self._turn}"
        body = {"name": name, "site": self._site}
        made = self._write("POST", "/api/equipment/", body, good=201)
        if made.status != 201:
            return
        number, path = made.body["id"], f"/api/equipment/{made.body['id']}/"
        self.made[number] = name
        self._check(path, name)
        self.open.add(number)
        merge = {"Content_Type": "application/merge-patch+json", "If_Match": made.headers.get("ETag", "*")}
        if self._write("PATCH", path, {"name": f"{name} b"}, good=200, **merge).status == 200:
            self.made[number] = f"{name} b"
            self._check(path, f"{name} b")
        if self._turn % 2:
            self._write("DELETE", path, None, good=204)
            del self.made[number]
            self.deleted.add(number)
        self.open.discard(number)

    def _write(self, method: str, path: str, body: Any, *, good: int, **headers: str) -> Answer:
        return self._caller.ask("writes", method, path, body, good=good, Idempotency_Key=token_hex(16), **headers)

    def _check(self, path: str, name: str) -> None:
        answer = self._caller.ask("reads", "GET", path, good=200)
        if answer.status == 200 and answer.body["name"] != name:
            self._caller.ledger.complain(f"{path} is called {answer.body['name']!r}, {name!r} was acknowledged")


class Alarm(Client):
    """Lets one machine run hot and cool again; ``raised`` times it must have been told."""

    def __init__(self, caller: Caller, machine: int, *, rate: float, over: threading.Event) -> None:
        super().__init__("alarm", rate, over)
        self.raised = 0
        self._caller, self._machine = caller, machine

    def step(self) -> None:
        """Raise the alert and let it go."""
        for value in (90.0, 10.0):
            item = {"asset": self._machine, "timestamp": stamp(datetime.now(UTC)), "values": {ALARM: value}}
            self._caller.ask("readings", "POST", "/api/ingest/", {"items": [item]}, good=200)
            self.raised += value > 80


def stamp(moment: datetime) -> str:
    """Write a time as devices do."""
    return moment.isoformat().replace("+00:00", "Z")


def joined(clients: list[Client], ask: Callable[[str], None]) -> None:
    """Wait until they have ended, and complain of those who have not."""
    deadline = time.monotonic() + 2 * PATIENCE
    for client in clients:
        client.join(max(0.0, deadline - time.monotonic()))
        if client.is_alive():
            ask(f"{client.name} still waits for an answer")
