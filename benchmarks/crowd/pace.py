"""How often a crowd asks, and what became of what it asked."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import gevent
from gevent.event import Event

REFUSALS = (429, 503)


class Pace:
    """So many at once, each again when it is answered; or so many a second, whatever becomes of those before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.at_once, self.rate, self.until = 0, 0.0, 0.0
        self.began = Event()

    def begin(self, *, at_once: int, rate: float, seconds: float) -> None:
        """Let them ask for so long; ``rate`` is of all together, and 0 where they wait for answers."""
        self.at_once, self.rate = at_once, rate
        self.until = time.perf_counter() + seconds
        self.began.set()

    def end(self) -> None:
        """Let them wait for the next time."""
        self.began.clear()

    def has(self, place: int) -> bool:
        """Tell whether the one at ``place`` is among those who ask."""
        return bool(self.rate) or place < self.at_once


class Tally:
    """What became of the requests since ``begin``."""

    def __init__(self) -> None:
        self.under_way = 0
        self.begin(until=0.0)

    def begin(self, *, until: float) -> None:
        """Forget all; ``good`` counts what is answered well before ``until``."""
        self.until = until
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong: dict[str, int] = defaultdict(int)
        self.sent = self.good = self.refused = 0
        self.lateness = 0.0

    def note(self, name: str, answer: Any, wanted: tuple[int, ...], due: float) -> bool:
        """Count an answer; tell whether it is one of those that were wanted."""
        now = time.perf_counter()
        self.sent += 1
        if answer.status_code in wanted:
            self.good += now <= self.until
            self.seconds[name].append(now - due)
            return True
        if answer.status_code in REFUSALS and (answer.headers or {}).get("Retry-After", "").isdigit():
            self.refused += 1
            return False
        # Also a refusal that does not say when to come again.
        said = " ".join((answer.text or str(answer.error or "")).split())[:200]
        self.wrong[f"{name}: {answer.status_code} {said}"] += 1
        return False

    def settle(self, patience: float) -> None:
        """Wait until all that was sent is answered, but no longer than so many seconds."""
        deadline = time.perf_counter() + patience
        while self.under_way and time.perf_counter() < deadline:
            gevent.sleep(0.02)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        names = ("sent", "good", "refused", "lateness", "seconds", "wrong")
        return {name: getattr(self, name) for name in names}
