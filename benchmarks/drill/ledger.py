"""What was asked of the platform in a drill and what came of it, attempt by attempt."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

AWAY = 503
BROKEN = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a request, in seconds of the monotonic clock; ``status`` 0 is a broken connection."""

    began: float
    ended: float
    status: int
    retry_after: float | None = None
    said: str = ""  # the detail of a problem

    @property
    def failed(self) -> bool:
        """Whether it is worth sending again."""
        return self.status == BROKEN or self.status >= 500


@dataclass(frozen=True, slots=True)
class Call:
    """A request and all its attempts, through the ``door`` readings, entries, writes, reads or history."""

    door: str
    attempts: tuple[Attempt, ...]


@dataclass(slots=True)
class Outage:
    """A time in which the database was away: from the signal that stopped it until it took connections again."""

    began: float
    ended: float = float("inf")

    def meets(self, attempt: Attempt) -> bool:
        """Tell whether the attempt was under way at some moment of it."""
        return self.began <= attempt.ended and attempt.began <= self.ended


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the requests that were under way in some time."""

    requests: int
    gap: float  # the longest time without any good answer at one of the doors, in seconds
    troubled: float  # from the beginning until the last failure
    refused: int  # answers 503
    broken: int  # connections that broke
    outage: int  # of those 503, while the database was away
    retried: int  # requests that needed their retry
    failed: int  # requests that failed after it


@dataclass
class Ledger:
    """All calls, what was wrong with answers, and when the database was away. Safe from any thread."""

    calls: list[Call] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, call: Call) -> None:
        """Write down what came of a request."""
        with self._lock:
            self.calls.append(call)

    def complain(self, text: str) -> None:
        """Write down an answer that contradicts one before it, or that nobody should get."""
        with self._lock:
            self.wrong.append(text)

    def count(self, since: float, until: float) -> Count:
        """Count the requests that were under way between two moments."""
        calls = [call for call in self._since(since) if call.attempts[0].began <= until]
        bad = [one for call in calls for one in call.attempts if one.failed and since <= one.ended <= until]
        failures = [self.failures(call) for call in calls]
        return Count(
            requests=len(calls),
            gap=max((_gap(calls, door, since, until) for door in {call.door for call in calls}), default=0.0),
            troubled=max((one.ended - since for one in bad), default=0.0),
            refused=sum(one.status == AWAY for one in bad),
            broken=sum(one.status == BROKEN for one in bad),
            outage=sum(self.is_outage(one) for one in bad),
            retried=sum(number > 0 for number in failures),
            failed=sum(number > 1 for number in failures),
        )

    def failures(self, call: Call) -> int:
        """Count how often a request failed; an honest 503 while the database was away is none."""
        return sum(one.failed and not self.is_outage(one) for one in call.attempts)

    def is_outage(self, attempt: Attempt) -> bool:
        """Tell whether it was refused, with word when to come again, because the database was away."""
        said = attempt.status == AWAY and attempt.retry_after is not None
        return said and any(outage.meets(attempt) for outage in self.outages)

    def faults(self) -> list[str]:
        """Return what no set-up may do, whatever dies: a sentence for each kind of it."""
        calls = self._all()
        attempts = [one for call in calls for one in call.attempts]
        statuses = Counter(one.status for one in attempts if one.status >= 500 and one.status != AWAY)
        silent = sum(one.status == AWAY and one.retry_after is None for one in attempts)
        lost = Counter(call.door for call in calls if self.failures(call) > 1)
        return [
            *(f"{number} answers were {status}" for status, number in sorted(statuses.items())),
            *([f"{silent} answers 503 did not say when to come again"] if silent else []),
            *(f"{number} requests ({door}) failed after one retry" for door, number in sorted(lost.items())),
            *self.wrong[:20],
        ]

    def _all(self) -> list[Call]:
        with self._lock:
            return list(self.calls)

    def _since(self, moment: float) -> list[Call]:
        """Return the calls that ended after a moment: they are noted in the order in which they end, nearly."""
        found: list[Call] = []
        with self._lock:
            for call in reversed(self.calls):
                if call.attempts[-1].ended < moment - 1:
                    break
                found.append(call)
        return [call for call in reversed(found) if call.attempts[-1].ended >= moment]


def _gap(calls: Iterable[Call], door: str, since: float, until: float) -> float:
    """Return the longest time without a good answer at a door."""
    good = sorted(_good_moments(calls, door, since, until))
    moments = [since, *good, until]
    return max(after - before for before, after in pairwise(moments))


def _good_moments(calls: Iterable[Call], door: str, since: float, until: float) -> Iterator[float]:
    for call in calls:
        last = call.attempts[-1]
        if call.door == door and not last.failed and since <= last.ended <= until:
            yield last.ended
