"""What a rule would have done with an asset, as people weigh it: how often, how long, how well, and how restlessly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from techtrack.alerts.domain.backtest import Episode
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.features.base import SECOND, Ints
from techtrack.alerts.domain.kpi import Happenings, Kind, Measures

DAY = 86_400 * SECOND


class Incident(NamedTuple):
    """Something that is known to have happened: an alert active in ``start`` <= time < ``end`` (µs) has found it.

    ``end`` is when everybody knew: the failure. ``asset`` is None where any of them may tell of it.
    """

    start: int
    end: int
    asset: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Outcome:
    """The alerts of one rule with one asset in ``span`` (µs); ``ranks`` are the severities of ``episodes``.

    A raise that comes less than ``reraise`` (µs) after the last return takes that alert up again; one that comes less
    than ``restless`` after it is a *repeat*: nothing new was said.
    """

    asset: int
    span: tuple[int, int]
    episodes: Sequence[Episode]
    ranks: Sequence[int]
    reraise: int
    restless: int

    @property
    def raises(self) -> int:
        """How often it was raised."""
        return len(self.episodes)

    @cached_property
    def starts(self) -> Ints:
        """When each was raised."""
        return np.array([one.raised for one in self.episodes], np.int64)

    @cached_property
    def ends(self) -> Ints:
        """When each returned, or the end of the span."""
        ends = [self.span[1] if one.returned is None else one.returned for one in self.episodes]
        return np.array(ends, np.int64)

    @cached_property
    def pauses(self) -> Ints:
        """How long (µs) it was quiet before each but the first."""
        return self.starts[1:] - self.ends[:-1]

    @property
    def repeats(self) -> int:
        """How many raises said nothing new."""
        return int((self.pauses < self.restless).sum())

    @cached_property
    def alerts(self) -> list[tuple[int, int]]:
        """(raised, returned) of each alert, with those that were taken up again as one."""
        if not self.episodes:
            return []
        # Without a window none is taken up again, not even the one that returned in the same moment.
        first = np.append(True, (self.pauses >= self.reraise) | (not self.reraise))
        begins = np.flatnonzero(first)
        lasts = np.append(begins[1:] - 1, len(self.episodes) - 1)
        return list(zip(self.starts[begins].tolist(), self.ends[lasts].tolist(), strict=True))

    @property
    def active(self) -> int:
        """How long (µs) in all."""
        return int((self.ends - self.starts).sum())

    @property
    def longest(self) -> int:
        """How long (µs) the longest was."""
        return int((self.ends - self.starts).max(initial=0))

    @property
    def share(self) -> float:
        """The share of the time in which it was active."""
        whole = self.span[1] - self.span[0]
        return self.active / whole if whole > 0 else 0.0

    @property
    def standing(self) -> bool:
        """Whether it is active at the end."""
        return bool(self.episodes) and self.episodes[-1].returned is None

    def severities(self) -> dict[str, int]:
        """Count raises by severity."""
        counts = Counter(SEVERITIES[rank] for rank in self.ranks)
        return {severity: counts[severity] for severity in reversed(SEVERITIES) if counts[severity]}

    def days(self) -> dict[int, int]:
        """Count raises by day (UTC, its first µs); days without any are left out."""
        days, counts = np.unique(self.starts // DAY * DAY, return_counts=True)
        return dict(zip(days.tolist(), counts.tolist(), strict=True))

    def leads(self, incidents: Iterable[Incident]) -> dict[Incident, int | None]:
        """Return of each incident of this asset how long (µs) before its end it was known; None: never."""
        mine = [one for one in incidents if one.asset in {None, self.asset}]
        return {one: self._lead(one) for one in mine}

    def false_alarms(self, incidents: Iterable[Incident]) -> int:
        """Count the alerts that tell of no incident."""
        mine = [one for one in incidents if one.asset in {None, self.asset}]
        return sum(not any(_meets(alert, one) for one in mine) for alert in self.alerts)

    def _lead(self, incident: Incident) -> int | None:
        found = [raised for raised, returned in self.alerts if _meets((raised, returned), incident)]
        return incident.end - max(min(found), incident.start) if found else None


def _meets(alert: tuple[int, int], incident: Incident) -> bool:
    return alert[0] < incident.end and max(alert[1], alert[0] + 1) > incident.start


def leads(outcomes: Iterable[Outcome], incidents: Sequence[Incident]) -> dict[Incident, int | None]:
    """Return of each incident how long (µs) before its end the first asset told of it; None where none did."""
    best: dict[Incident, int | None] = dict.fromkeys(incidents)
    for outcome in outcomes:
        for incident, lead in outcome.leads(incidents).items():
            held = best[incident]
            if lead is not None and (held is None or lead > held):
                best[incident] = lead
    return best


def load(outcomes: Sequence[Outcome], span: tuple[int, int]) -> Measures:
    """Measure the alerts as the key figures of an alarm system do; identities are places in ``outcomes``."""
    raises = [outcome.starts for outcome in outcomes]
    returns = [
        np.array([one.returned for one in outcome.episodes if one.returned is not None], np.int64)
        for outcome in outcomes
    ]
    sizes = [len(times) for times in (*raises, *returns)]
    times = np.concatenate([*raises, *returns]) if outcomes else np.empty(0, np.int64)
    kinds = np.repeat([Kind.RAISED, Kind.RETURNED], [sum(sizes[: len(raises)]), sum(sizes[len(raises) :])])
    places = np.repeat(np.tile(np.arange(len(outcomes)), 2), sizes)
    ranks = [rank for outcome in outcomes for rank in outcome.ranks]
    severities = np.array([*ranks, *[0] * (len(times) - len(ranks))], np.int64)
    hidden = np.zeros(len(times), bool)
    events = Happenings(times, times, kinds.astype(np.int64), places, places, severities, hidden)
    return Measures(events.only(np.argsort(times, kind="stable")), span)


class Capability(NamedTuple):
    """How well a process keeps within its specification; Cp only where that has two limits."""

    mean: float
    stddev: float
    cp: float | None
    cpk: float


def capability(mean: float, stddev: float, *, lsl: float | None, usl: float | None) -> Capability | None:
    """Compute Cp and Cpk (ISO 22514-2: the room within the limits over three standard deviations to each side).

    None without a limit, or where nothing spreads.
    """
    rooms = [] if usl is None else [usl - mean]
    rooms += [] if lsl is None else [mean - lsl]
    if not rooms or stddev <= 0:
        return None
    cp = (usl - lsl) / (6 * stddev) if usl is not None and lsl is not None else None
    return Capability(mean, stddev, cp, min(rooms) / (3 * stddev))
