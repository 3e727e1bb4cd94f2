"""A drill from its beginning to its verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

from benchmarks.compose import Compose
from benchmarks.drill import callers, verdict
from benchmarks.drill.callers import Alarm, Caller, Client, Gateway, Person, Reader
from benchmarks.drill.faults import Fault, Stuck
from benchmarks.drill.ledger import Count, Ledger
from benchmarks.drill.listeners import Screens
from benchmarks.drill.verdict import Verdict
from benchmarks.processes import DidNotStart

PREFIX = "drill"
GATEWAYS, READERS, PEOPLE, SCREENS = 4, 2, 3, 4
# Steps a second of each of them; a person's step is five or six requests.
SENDS, LOOKS, WORKS, ALARMS = 8.0, 4.0, 1.5, 1.0
CLIENTS = (
    f"{GATEWAYS} gateways send numbered readings ({SENDS * GATEWAYS:.0f} requests a second), {PEOPLE} people make, "
    f"rename and delete machines and read back what they wrote, {READERS} read the newest history, one machine runs "
    f"hot and cools down every second, and {SCREENS} screens listen."
)
# So long without a failure, and all is served again; and how long that may take.
QUIET, LONGEST_RECOVERY = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault cost: seconds until the part was back, what became of requests, how long a screen was not live."""

    name: str
    back: float
    count: Count
    screens: float


class Drill:
    """Clients at work on a set-up; ``strike`` does something to it, ``end`` judges."""

    def __init__(self, compose: Compose, *, say: Callable[[str], None]) -> None:
        self.compose, self.ledger, self.rows = compose, Ledger(), list[Row]()
        self._say, self._over = say, Event()
        self._callers: list[Caller] = []
        self._url = f"http://127.0.0.1:{compose.port}"
        sent, asset = compose.machines[:GATEWAYS], compose.machines[-1]
        begins = datetime.now(UTC) - timedelta(minutes=10)
        self._gateways = [Gateway(self._caller("ingest"), one, begins, rate=SENDS, over=self._over) for one in sent]
        self._people = [
            Person(self._caller("write"), f"{PREFIX} {n}", compose.site, rate=WORKS, over=self._over)
            for n in range(PEOPLE)
        ]
        self._alarm = Alarm(self._caller("ingest"), asset, rate=ALARMS, over=self._over)
        readers = [Reader(self._caller("read"), self._gateways[n], rate=LOOKS, over=self._over) for n in range(READERS)]
        self._clients: list[Client] = [*self._gateways, *self._people, *readers, self._alarm]
        topics = [["alerts", f"assets/{sent[n % GATEWAYS]}/readings"] for n in range(SCREENS)]
        self._screens = Screens(self._url, compose.keys["read"], topics)

    def begin(self) -> None:
        """Let the screens listen, and then the others begin."""
        self._screens.start()
        self._await(lambda: self._screens.are_live, "the screens are not live")
        for client in self._clients:
            client.start()
        time.sleep(QUIET)

    def strike(self, faults: Sequence[Fault]) -> None:
        """Let one fault after the other happen, each when all is served again after the one before it."""
        for fault in faults:
            began = time.monotonic()
            try:
                fault.strike(self.compose, self.ledger)
            except (Stuck, DidNotStart) as error:
                self.ledger.complain(f"{fault.name}: {error}")
            back = time.monotonic() - began
            self._recover(fault.name)
            now = time.monotonic()
            row = Row(fault.name, back, self.ledger.count(began, now), self._screens.longest_away(began, now))
            self.rows.append(row)
            self._say(as_line(row))

    def end(self) -> Verdict:
        """End the clients, and hold what they know against what is there."""
        self._over.set()
        callers.joined(self._clients, self.ledger.complain)
        newest = [gateway.acknowledged - 1 for gateway in self._gateways]
        self._await(
            lambda: all(screen.newest >= newest[n % GATEWAYS] for n, screen in enumerate(self._screens.screens)),
            "a screen was not told the last reading",
        )
        with self.compose.connect() as database:
            rows, wrong_rows = verdict.of_rows(self._people, database, PREFIX)
            self._await(lambda: not self._of_alerts(database)[2], "the judge or the screens did not catch up")
            self._screens.close()
            alerts, frames, wrong_alerts = self._of_alerts(database)
        readings, lost, doubled = verdict.of_readings(self._gateways, self._url, self.compose.keys["read"])
        faults = [*self.ledger.faults(), *wrong_rows, *wrong_alerts]
        faults += [f"{lost} acknowledged readings are lost"] if lost else []
        faults += [f"{doubled} readings are there twice"] if doubled else []
        faults += [self._screens.failure] if self._screens.failure else []
        deleted = sum(len(person.deleted) for person in self._people)
        return Verdict(readings, lost, doubled, rows, deleted, alerts, frames, tuple(faults))

    def close(self) -> None:
        """End everything, whatever happened."""
        self._over.set()
        self._screens.close()

    def _caller(self, scope: str) -> Caller:
        made = Caller(self.compose.port, self.compose.headers(scope), self.ledger, self._over)
        self._callers.append(made)
        return made

    def _of_alerts(self, database: Any) -> tuple[int, int, list[str]]:
        return verdict.of_alerts(self._alarm, self.compose.machines[-1], self._screens.screens, database)

    def _await(self, is_so: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + LONGEST_RECOVERY
        while not is_so():
            if time.monotonic() > deadline:
                self.ledger.complain(f"{complaint} within {LONGEST_RECOVERY:.0f} s")
                return
            time.sleep(0.1)

    def _recover(self, name: str) -> None:
        """Wait until nothing has failed for a while, and all screens are live."""
        deadline = time.monotonic() + LONGEST_RECOVERY
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = time.monotonic()
            count = self.ledger.count(now - QUIET, now)
            if count.refused or count.broken or not self._screens.are_live or self._anybody_waits(now):
                quiet_since = now
            elif now - quiet_since >= QUIET:
                return
        self.ledger.complain(f"{name}: not all was served again within {LONGEST_RECOVERY:.0f} s")

    def _anybody_waits(self, now: float) -> bool:
        return any(caller.waits_since is not None and now - caller.waits_since > QUIET for caller in self._callers)


def as_line(row: Row) -> str:
    """Say what a fault cost."""
    count = row.count
    return (
        f"{row.name}: back after {row.back:.1f} s; longest gap {count.gap:.1f} s, last failure after "
        f"{count.troubled:.1f} s; of {count.requests} requests {count.retried} needed their retry, {count.failed} "
        f"failed after it; {count.refused} x 503 ({count.outage} for the database), {count.broken} connections broke; "
        f"screens were away for {row.screens:.1f} s"
    )
