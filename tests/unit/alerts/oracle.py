"""A second, slow and obvious judge, written from the documents: one rule with one asset, one sample at a time.

It shares nothing with the engine but how conditions are parsed. It is told what a clock did and when, for that is no
part of the log, and holds whether the clock could: what a delay, a window or a silence gives, it works out itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from techtrack.airquality.hours import MILLION
from techtrack.airquality.indexing import Scale
from techtrack.airquality.passing import highest_within, scales_of
from techtrack.airquality.periods import OzoneNowCast, QuarterHour
from techtrack.airquality.standard import standards
from techtrack.airquality.units import Amount, factor
from techtrack.alerts.domain.condition import Attribute, Limit, parse_condition, parse_conditions
from techtrack.core.clock import read_duration
from tests.unit.alerts.slow import (
    SlowChain,
    SlowDeviation,
    SlowGap,
    SlowIndex,
    SlowRate,
    SlowSignals,
    SlowStuck,
    SlowWindows,
    forecast,
    statistic,
)

SECOND = 1_000_000
INFINITY = float("inf")
SEVERITIES = ["info", "low", "medium", "high", "critical"]
# A derived series: the parameter, the kind, and what it is made with.
Key = tuple[Any, ...]
QUARTERS = 4
# What the name of an index's series stands for.
_SCALES: dict[Key, Scale] = {}


class Said(NamedTuple):
    """A transition, and after which entry of the log it was found; ``since``: when an episode of the past began."""

    position: int
    kind: str
    at: int
    severity: str
    value: float | None
    since: int | None = None


class Unlimited(Exception):
    """The asset does not bring the limit along: the rule does not watch it."""


@dataclass(eq=False)
class Leaf:
    """A comparison of a series; ``lapse``: it holds while nothing comes."""

    series: Key
    low: float = -INFINITY
    high: float = INFINITY
    inside: bool = False
    deadband: float = 0.0
    lapse: bool = False

    def holds(self, value: float, *, held: bool) -> bool:
        """Once it holds, it lets go only the deadband further back."""
        slack = self.deadband if held else 0.0
        if self.inside:
            return self.low - slack <= value <= self.high + slack
        return value < self.low + slack or value > self.high - slack

    @property
    def facts(self) -> tuple[object, ...]:
        return self.series, self.low, self.high, self.inside, self.deadband, self.lapse


@dataclass
class Clause:
    """A condition: it holds while all leaves of one of the sets do."""

    severity: str
    sets: list[frozenset[int]]


@dataclass
class Reading:
    """What a rule, in the form of its columns, says of an asset."""

    rule: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    interval: timedelta | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.on_delay, self.off_delay = (_micros(self.rule.get(name)) for name in ("on_delay", "off_delay"))
        self.late = _micros(self.rule.get("late_max_age"))
        self.count = self.rule.get("count")
        self.schedule = self.rule.get("schedule")
        silence = self.rule.get("no_data") or {"policy": "keep"}
        self.forgets = silence.get("policy", "alert") == "return"
        for ask in parse_conditions(self.rule["conditions"]):
            self.clauses.append(Clause(ask.severity, self._placed(ask.kind, ask.condition)))
        if silence.get("policy", "alert") != "keep":
            sets = self._leaf(Leaf(self._gap(silence["after"], ""), high=0.0, lapse=True))
            if not self.forgets:
                self.clauses.append(Clause(silence.get("severity", "medium"), sets))
        self.clauses.sort(key=lambda clause: -SEVERITIES.index(clause.severity))
        self.series = list(dict.fromkeys(leaf.series for leaf in self.leaves))

    def covers(self, at: int) -> bool:
        """Whether the rule is on duty; the only schedule known here is the first half of every hour in UTC."""
        return self.schedule is None or at % (3600 * SECOND) < 1800 * SECOND

    def next_change(self, at: int) -> int | None:
        """When that changes."""
        if self.schedule is None:
            return None
        assert (self.schedule["rrule"], self.schedule["duration"]) == ("FREQ=HOURLY", "PT30M")
        return at - at % (1800 * SECOND) + 1800 * SECOND

    def _placed(self, kind: str, one: Any) -> list[frozenset[int]]:
        return getattr(self, f"_{kind}")(one)  # type: ignore[no-any-return]

    def _leaf(self, leaf: Leaf) -> list[frozenset[int]]:
        for index, known in enumerate(self.leaves):
            if known.facts == leaf.facts:
                return [frozenset([index])]
        self.leaves.append(leaf)
        return [frozenset([len(self.leaves) - 1])]

    def _judged(self, one: Any) -> Key:
        """The readings of the condition's parameter, or the rule's aggregate of them."""
        aggregate = self.rule.get("aggregate")
        if aggregate is None:
            return (self._code(one),)
        share = aggregate.get("min_completeness", 0.0)
        return self._window(one, aggregate["window"], aggregate.get("statistic", "avg"), share)

    def _window(self, one: Any, window: str | timedelta, name: str, share: float) -> Key:
        width = _micros(window)
        least = 1
        while self.interval and share and least < share * width / _micros(self.interval):
            least += 1
        return (self._code(one), "window", width, name, least)

    def _code(self, one: Any) -> str:
        return getattr(one, "parameter", "") or self.rule["parameter"]

    def _number(self, limit: Limit) -> float:
        if not isinstance(limit, Attribute):
            return limit
        value = self.attributes.get(limit.attribute, limit.default)
        if not isinstance(value, int | float):
            raise Unlimited
        return float(value)

    @property
    def _deadband(self) -> float:
        return self.rule.get("deadband") or 0.0

    # -- The kinds ---------------------------------------------------------------------------------------------

    def _above(self, one: Any) -> list[frozenset[int]]:
        return self._leaf(Leaf(self._judged(one), high=self._number(one.limit), deadband=self._deadband))

    def _below(self, one: Any) -> list[frozenset[int]]:
        return self._leaf(Leaf(self._judged(one), low=self._number(one.limit), deadband=self._deadband))

    def _outside(self, one: Any) -> list[frozenset[int]]:
        low, high = self._number(one.low), self._number(one.high)
        return self._leaf(Leaf(self._judged(one), low, high, deadband=self._deadband))

    def _inside(self, one: Any) -> list[frozenset[int]]:
        low, high = self._number(one.low), self._number(one.high)
        return self._leaf(Leaf(self._judged(one), low, high, inside=True, deadband=self._deadband))

    def _rate_of_change(self, one: Any) -> list[frozenset[int]]:
        limit = self._number(one.limit)
        low = -INFINITY if one.direction == "rising" else -limit
        high = INFINITY if one.direction == "falling" else limit
        series = (*self._judged(one), "rate", _micros(one.over), _micros(one.per))
        return self._leaf(Leaf(series, low, high, deadband=self._deadband))

    def _flatline(self, one: Any) -> list[frozenset[int]]:
        # From so many µs on.
        least = (_micros(one.duration) - 0.4) / SECOND
        return self._leaf(Leaf((*self._judged(one), "stuck", one.tolerance), high=least))

    def _no_data(self, one: Any) -> list[frozenset[int]]:
        return self._leaf(Leaf(self._gap(one.after, one.parameter), high=0.0, lapse=True))

    def _gap(self, after: str, parameter: str) -> Key:
        code = parameter or self.rule["parameter"]
        if not after.endswith("x"):
            return (code, "gap", _micros(after) / SECOND, 0.0)
        times = float(after[:-1])
        if self.interval:
            return (code, "gap", times * _micros(self.interval) / SECOND, 0.0)
        return (code, "gap", 0.0, times)

    def _deviation(self, one: Any) -> list[frozenset[int]]:
        low = -INFINITY if one.direction == "above" else -one.sigmas
        high = INFINITY if one.direction == "below" else one.sigmas
        series = (*self._judged(one), "deviation", _micros(one.learn), one.mean, one.stddev)
        return self._leaf(Leaf(series, low, high, deadband=self._deadband))

    def _control_chart(self, one: Any) -> list[frozenset[int]]:
        series = (*self._judged(one), "signals", tuple(sorted(one.rules)), one.learn, one.mean, one.stddev)
        return self._leaf(Leaf(series, high=0.0))

    def _forecast(self, one: Any) -> list[frozenset[int]]:
        low = -INFINITY if one.below is None else self._number(one.below)
        high = INFINITY if one.above is None else self._number(one.above)
        series = (self._code(one), "forecast", _micros(one.over), _micros(one.horizon))
        return self._leaf(Leaf(series, low, high, deadband=self._deadband))

    def _air_quality(self, one: Any) -> list[frozenset[int]]:
        if one.standard is not None:
            scales = scales_of(standards.get(one.standard), self._code(one), method=one.method)
            return _sorted(itertools.chain.from_iterable(self._looked_up(one, scale) for scale in scales))
        series = self._window(one, one.average or "PT1H", "avg", one.completeness)
        return self._leaf(Leaf(series, high=self._number(one.limit), deadband=self._deadband))

    def _looked_up(self, one: Any, scale: Scale) -> list[frozenset[int]]:
        """The index of an average is above the limit where the average is above the last that is not."""
        end = highest_within(scale, self._number(one.limit))
        if end is None:
            return []
        unit = self.units.get(self._code(one))
        have = scale.amount if unit is None else Amount(unit)
        multiplier = factor(self._code(one), measured=have, wanted=scale.amount)
        parts = QUARTERS if isinstance(scale.period, QuarterHour) else 1
        hour = timedelta(hours=1) / parts
        name = index_name(scale.period, scale.rounding, multiplier)
        series = (*self._window(one, hour, "avg", one.completeness), *name)
        _SCALES[name] = scale
        return self._leaf(Leaf(series, high=int(end * MILLION) / MILLION / multiplier, deadband=self._deadband))

    def _all_of(self, one: Any) -> list[frozenset[int]]:
        return _sorted(frozenset().union(*chosen) for chosen in itertools.product(*self._parts(one)))

    def _any_of(self, one: Any) -> list[frozenset[int]]:
        return _sorted(itertools.chain.from_iterable(self._parts(one)))

    def _parts(self, one: Any) -> list[list[frozenset[int]]]:
        asks = [parse_condition(raw, pointer="") for raw in one.conditions]
        return [self._placed(ask.kind, ask.condition) for ask in asks]


class Life:
    """Where the rule stands, and what it said: normal, pending, active, returning."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.said: list[tuple[str, int, str, float | None]] = []
        self._forget()

    def _forget(self) -> None:
        self.phase, self.since, self.seen = "normal", 0, 0
        self.which: int | None = None
        self.value: float | None = None
        self._held = [False] * len(self._reading.leaves)
        self._last: list[list[bool]] = [[] for _ in self._reading.leaves]

    @property
    def asleep(self) -> bool:
        """Whether it stands at nothing."""
        return self.phase == "normal" and not any(self._held) and not any(map(any, self._last))

    def look(self, at: int, values: Mapping[Key, float]) -> None:
        """Take the new values of one reading."""
        # A gap that ends with this reading was too long before it came, whether or not a clock has noticed.
        gaps = [(values.get(leaf.series, 0.0), index) for index, leaf in self._leaves() if leaf.lapse]
        for when, index in sorted((at - round(gap * SECOND), index) for gap, index in gaps if gap > 0):
            self._see(when, {}, {index})
        if len(self._reading.series) > 1:
            values = {key: value for key, value in values.items() if self._minds(key, value)}
            if not values:
                return
        self.hear(at, values)

    def hear(self, at: int, values: Mapping[Key, float]) -> None:
        """Take values as they are, whether or not they are quiet."""
        self._see(at, values, set())

    def silence(self, at: int, leaves: set[int]) -> None:
        """Nothing has come for these."""
        self._see(at, {}, leaves)

    def run(self, until: int) -> None:
        """Let end what ends by then."""
        while (end := self.due()) is not None and end <= until:
            self._end(end)

    def due(self) -> int | None:
        """When something ends by itself."""
        ends = []
        if self.phase == "pending":
            ends.append(self.since + self._reading.on_delay)
        if self.phase == "returning":
            ends.append(self.since + self._reading.off_delay)
        change = self._reading.next_change(self.seen)
        if change is not None and not self.asleep:
            ends.append(change)
        return min(ends, default=None)

    def _leaves(self) -> Iterable[tuple[int, Leaf]]:
        return enumerate(self._reading.leaves)

    def _minds(self, key: Key, value: float) -> bool:
        """A series that is quiet and was, is nothing to a rule of several."""
        return any(
            self._held[index] or any(self._last[index]) or leaf.holds(value, held=False)
            for index, leaf in self._leaves()
            if leaf.series == key
        )

    def _see(self, at: int, values: Mapping[Key, float], silent: set[int]) -> None:
        if self.asleep:
            self._forget()
        at = max(at, self.seen, self.since)
        self.run(at)
        # What is over is forgotten.
        if self.asleep:
            self._forget()
        self.seen = at
        for index, leaf in self._leaves():
            if silent and self._reading.forgets:
                self._held[index], self._last[index] = False, []
            elif leaf.series in values:
                self._held[index] = not leaf.lapse and leaf.holds(values[leaf.series], held=self._held[index])
                if self._reading.count and not leaf.lapse:
                    self._last[index] = [*self._last[index], self._held[index]][-self._reading.count["of"] :]
            elif index in silent:
                self._held[index] = True
        self._value(values)
        self._judge(at)

    def _true(self) -> set[int]:
        count = self._reading.count
        return {
            index
            for index, leaf in self._leaves()
            if (self._held[index] if leaf.lapse or not count else sum(self._last[index]) >= count["n"])
        }

    def _met(self) -> int | None:
        true = self._true()
        for place, clause in enumerate(self._reading.clauses):
            if any(one <= true for one in clause.sets):
                return place
        return None

    def _value(self, values: Mapping[Key, float]) -> None:
        """It is about the newest value that makes its condition hold, or that lets it go."""
        met = self._met()
        place = self.which if met is None else met
        if place is None:
            return
        for one in self._reading.clauses[place].sets:
            for index in sorted(one):
                leaf = self._reading.leaves[index]
                if (met is None or one <= self._true()) and not leaf.lapse and leaf.series in values:
                    self.value = values[leaf.series]
                    return

    def _judge(self, at: int) -> None:
        met = self._met() if self._reading.covers(at) else None
        if met is not None:
            self._hold(met, at)
        elif self.phase == "pending":
            self.phase, self.since, self.which, self.value = "normal", at, None, None
        elif self.phase == "active":
            self.phase, self.since = "returning", at
            if not self._reading.off_delay:
                self._end(at)

    def _hold(self, met: int, at: int) -> None:
        was, self.which = self.which, met
        if self.phase == "normal":
            self.phase, self.since = "pending", at
            if not self._reading.on_delay:
                self._end(at)
            return
        if self.phase == "returning":
            self.phase, self.since = "active", at
        if self.phase == "active" and was != met:
            self._say("severity_changed", at)

    def _end(self, end: int) -> None:
        if self.phase == "pending" and end == self.since + self._reading.on_delay:
            self.phase, self.since = "active", end
            self._say("raised", end)
        elif self.phase == "returning" and end == self.since + self._reading.off_delay:
            self._say("returned", end)
            self.phase, self.since, self.which = "normal", end, None
        else:
            self.seen = end
            self._judge(end)

    def _say(self, kind: str, at: int) -> None:
        self.said.append((kind, at, self._reading.clauses[self.which or 0].severity, self.value))


class Oracle:
    """One rule with one asset over the log; raises Unlimited."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._life = Life(reading)
        self._chains = {key: _chain(key) for key in reading.series}
        self._newest: dict[str, int] = {}
        self._silences: set[tuple[Key, int]] = set()
        self._late: Life | None = None
        self._raised: int | None = None
        self.said: list[Said] = []
        # Of series that only tell whether anything comes, nothing comes late.
        asked = list(dict.fromkeys(leaf.series for leaf in reading.leaves if not leaf.lapse))
        self._judges_late = reading.late > 0 and len(asked) == 1 and len(asked[0]) == 1

    def take(self, position: int, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Take the readings of the asset in one entry of the log."""
        current = {code: self._current(position, code, rows) for code in {key[0] for key in self._reading.series}}
        looks: dict[int, dict[Key, float]] = {}
        for key, chain in self._chains.items():
            for at, value in current[key[0]]:
                for when, derived in chain.take(at, value):
                    looks.setdefault(when, {})[key] = derived
        for when in sorted(looks):
            self._life.look(when, looks[when])
        self._told(position)

    def looks_at(self, key: Key) -> bool:
        """Whether the rule looks at a series."""
        return key in self._chains

    def ring(self, position: int, at: int) -> None:
        """A clock let end what ends by then."""
        assert self._life.due() == at, f"nothing ends at {at}"
        self._life.run(at)
        self._told(position)

    def silence(self, position: int, at: int, key: Key) -> None:
        """A clock found that nothing had come."""
        gap = self._chains[key].links[0]
        assert isinstance(gap, SlowGap)
        assert gap.lapses() == at, f"silence is not too long at {at}"
        assert not self._reading.forgets or (key, at) not in self._silences, f"told twice of the silence from {at} on"
        self._silences.add((key, at))
        self._life.silence(at, {i for i, leaf in enumerate(self._reading.leaves) if leaf.lapse and leaf.series == key})
        self._told(position)

    def close(self, position: int, at: int, key: Key) -> None:
        """A clock ended the window that is over by then."""
        for when, derived in self._chains[key].close(at):
            self._life.look(when, {key: derived})
        self._told(position)

    def _current(self, position: int, code: str, rows: Sequence[tuple[int, Mapping[str, float]]]) -> list[Any]:
        """What is newer than all before; what is not, is late."""
        found = []
        for at, value in sorted((at, values[code]) for at, values in rows if code in values):
            newest = self._newest.get(code)
            if newest is None or at > newest:
                self._end_late(position, too_old=at - self._reading.late)
                self._newest[code] = at
                found.append((at, value))
            elif self._judges_late and at >= newest - self._reading.late:
                self._take_late(position, at, code, value)
        return found

    # -- The past ----------------------------------------------------------------------------------------------

    def _take_late(self, position: int, at: int, code: str, value: float) -> None:
        if (code,) not in self._chains:
            return
        if self._late is not None and at <= self._late.seen:
            self._end_late(position)
        late = self._late = self._late or Life(self._reading)
        late.hear(at, {(code,): value})
        for kind, when, severity, about in late.said:
            if kind == "raised":
                self._raised = when
            elif kind == "returned":
                self._past(position, when, severity, about)
        late.said.clear()
        if late.asleep:
            self._late = None

    def _end_late(self, position: int, too_old: float = INFINITY) -> None:
        if self._late is not None and self._late.seen < too_old:
            severity = self._reading.clauses[self._late.which or 0].severity
            if self._raised is not None:
                self._past(position, self._late.seen, severity, self._late.value)
            self._late = None

    def _past(self, position: int, at: int, severity: str, value: float | None) -> None:
        self.said.append(Said(position, "past", at, severity, value, self._raised))
        self._raised = None

    def _told(self, position: int) -> None:
        self.said += [Said(position, *one) for one in self._life.said]
        self._life.said.clear()


def index_name(period: Any, rounding: Any, multiplier: float) -> Key:
    """How the series of an index is called: by its average, and how that is rounded."""
    # What hours alone say of quarters and of ozone has a period of its own in the engine.
    kind = {QuarterHour: "Highest", OzoneNowCast: "Surrogate"}.get(type(period), type(period).__name__)
    hours = {"Highest": QUARTERS, "Surrogate": 3}.get(kind, period.hours)
    return ("index", kind, hours, getattr(period, "least", 0), str(rounding), multiplier)


def _chain(key: Key) -> SlowChain:
    links: list[Any] = []
    rest = list(key[1:])
    while rest:
        kind, *rest = rest
        if kind == "window":
            links.append(SlowWindows(rest[0], statistic(rest[1], rest[2])))
            rest = rest[3:]
        elif kind == "forecast":
            links.append(SlowWindows(rest[0], forecast(rest[0], rest[1])))
            rest = rest[2:]
        elif kind == "index":
            links.append(SlowIndex(_SCALES[kind, *rest], width=key[2], multiplier=rest[-1]))
            rest = []
        else:
            made = {"rate": SlowRate, "stuck": SlowStuck, "gap": SlowGap, "deviation": SlowDeviation}
            links.append((made | {"signals": SlowSignals})[kind](*rest))
            rest = []
    return SlowChain(links)


def _micros(duration: timedelta | str | None) -> int:
    if isinstance(duration, str):
        duration = read_duration(duration)
    return (duration or timedelta(0)) // timedelta(microseconds=1)


def _sorted(sets: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """In the order in which the leaves were written."""
    return sorted(set(sets), key=lambda one: sum(1 << index for index in one))


class Ticked(NamedTuple):
    """What a clock did to a rule and asset, or (rule 0) to a series of the asset, after an entry of the log."""

    position: int
    rule: int
    asset: int
    at: int
    series: Key | None = None


def replay(
    readings: Mapping[tuple[int, int], Reading],
    log: Iterable[tuple[int, float, Sequence[tuple[int, int, Mapping[str, float]]]]],
    ticks: Sequence[Ticked],
) -> dict[tuple[int, int], list[Said]]:
    """Give what is said of each rule and asset, in order.

    The log is (position, when it came, [(asset, time, values)]).
    """
    oracles = {key: Oracle(reading) for key, reading in readings.items()}
    waiting = list(ticks)[::-1]
    for position, came, rows in [(0, 0, []), *log, (INFINITY, 0, [])]:
        while waiting and waiting[-1].position < position:
            _tick(oracles, waiting.pop())
        for (_, asset), oracle in oracles.items():
            mine = [(at, values) for who, at, values in rows if who == asset]
            if mine:
                oracle.take(int(position), _by_the_right_time(mine, came))
    return {key: oracle.said for key, oracle in oracles.items()}


def _by_the_right_time(
    readings: list[tuple[int, Mapping[str, float]]], came: float
) -> list[tuple[int, Mapping[str, float]]]:
    """Of an asset whose clock is more than five minutes ahead the newest reading was read when it came."""
    fast = max(at for at, _ in readings) - came
    return [(at - int(fast), values) for at, values in readings] if fast > 300 * SECOND else readings


def _tick(oracles: Mapping[tuple[int, int], Oracle], tick: Ticked) -> None:
    if tick.series is None:
        oracles[tick.rule, tick.asset].ring(tick.position, tick.at)
    elif tick.rule:
        oracles[tick.rule, tick.asset].silence(tick.position, tick.at, tick.series)
    else:
        for (_, asset), oracle in oracles.items():
            if asset == tick.asset and oracle.looks_at(tick.series):
                oracle.close(tick.position, tick.at, tick.series)


def told_of_the_past(said: Sequence[Said]) -> list[Said]:
    """Those episodes of the past of which there is no alert yet, if nobody acknowledges: one alert stays open."""
    found: list[Said] = []
    begun: int | None = None
    over: float = INFINITY
    for one in said:
        if one.kind == "raised":
            begun, over = one.at if begun is None else begun, INFINITY
        elif one.kind == "returned":
            over = one.at
        elif one.kind == "past":
            assert one.since is not None
            known = [(begun, over)] if begun is not None else []
            known += [(late.since, late.at) for late in found]
            if not any(start <= one.at and end >= one.since for start, end in known):
                found.append(one)
    return found
