"""Sends readings through a door in batches, again where it is busy, and counts what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from techtrack.demo.generators.faults import Item
from techtrack.demo.replay import Refused

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0


class Takes(Protocol):
    """A door: takes readings, answers when they are stored."""

    def send(self, items: list[Item]) -> dict[str, Any]:
        """Store them, or raise Refused."""


class GivenUp(Exception):
    """The door does not take the readings, and asking again would not help; the message says what it said."""


@dataclass(slots=True)
class Tally:
    """What became of readings: ``sent`` counts each once, ``retried`` batches that went out once more."""

    sent: int = 0
    values: int = 0
    accepted: int = 0
    refused: int = 0
    batches: int = 0
    retried: int = 0
    seconds: float = 0.0

    @property
    def values_a_second(self) -> float:
        """How many values were sent in a second."""
        return self.values / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Sender:
    """Collects readings into batches; a batch that is not answered well is kept and sent again."""

    door: Takes
    batch: int
    tally: Tally = field(default_factory=Tally)
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    _waiting: list[Item] = field(default_factory=list)

    def add(self, items: list[Item]) -> None:
        """Take readings; whole batches go out at once.

        Raises:
            GivenUp: see there.
        """
        self._waiting += items
        while len(self._waiting) >= self.batch:
            part, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
            self._send(part)

    def flush(self) -> None:
        """Send what is left, however little.

        Raises:
            GivenUp: see there.
        """
        part, self._waiting = self._waiting, []
        if part:
            self._send(part)

    def _send(self, items: list[Item]) -> None:
        answer = self._until_taken(items)
        self.tally.sent += len(items)
        self.tally.values += sum(len(item["values"]) for item in items)
        self.tally.accepted += answer.get("accepted", 0)
        self.tally.refused += answer.get("refused", 0)
        self.tally.batches += 1

    def _until_taken(self, items: list[Item]) -> dict[str, Any]:
        pause, waited = FIRST_PAUSE, 0.0
        while True:
            try:
                return self.door.send(items)
            except Refused as refusal:
                if not refusal.passes or waited >= self.patience:
                    raise GivenUp(f"The door does not take the readings: {refusal}") from refusal
                wait = refusal.retry_after or pause
                self.sleep(wait)
                waited, pause = waited + wait, min(pause * 2, LONGEST_PAUSE)
                self.tally.retried += 1
