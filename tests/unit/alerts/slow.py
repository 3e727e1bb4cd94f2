"""Features as their docstrings say, one series and one sample at a time: what the columns must equal to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from techtrack.airquality.hours import MISSING
from techtrack.airquality.indexing import Scale
from techtrack.airquality.periods import QuarterHour
from techtrack.alerts.domain.features.base import Feature, Raw
from techtrack.alerts.domain.features.changes import Gap, Rate, Stuck
from techtrack.alerts.domain.features.running import Running
from techtrack.alerts.domain.features.statistics import Deviation, Signals
from techtrack.alerts.domain.features.windows import Forecast, Window

SECOND = 1_000_000
Told = list[tuple[int, float]]  # times in µs, values


class Slow:
    """One series of a feature: takes samples, gives its own."""

    def take(self, at: int, value: float) -> Told:
        """Take the next sample."""
        raise NotImplementedError

    def close(self, now: int) -> Told:
        """End what is over by a clock."""
        return []


class SlowWindows(Slow):
    """Windows that lie on multiples of their width, told when something later comes or a width has passed."""

    def __init__(self, width: int, tell: Callable[[list[tuple[float, float]]], float | None]) -> None:
        self._width, self._tell = width, tell
        self._number: int | None = None
        self._closed = -math.inf
        self._inside: list[tuple[float, float]] = []

    def take(self, at: int, value: float) -> Told:
        number = at // self._width
        if number <= self._closed:
            return []
        ended = self._end() if self._inside and number != self._number else []
        self._number = number
        self._inside.append((at % self._width / SECOND, value))
        return ended

    def close(self, now: int) -> Told:
        if not self._inside or self._number is None or (self._number + 2) * self._width > now:
            return []
        self._closed = self._number
        return self._end()

    def _end(self) -> Told:
        assert self._number is not None
        value = self._tell(self._inside)
        self._inside = []
        return [] if value is None else [((self._number + 1) * self._width, value)]


def statistic(name: str, least: int) -> Callable[[list[tuple[float, float]]], float | None]:
    """A statistic of what is in a window; sums are taken above the first value, one after the other."""

    def tell(inside: list[tuple[float, float]]) -> float | None:
        values = [value for _, value in inside]
        if len(values) < least:
            return None
        first, total, squares = values[0], 0.0, 0.0
        for value in values:
            total += value - first
            squares += (value - first) * (value - first)
        mean = total / len(values)
        return {
            "avg": lambda: first + mean,
            "sum": lambda: first * len(values) + total,
            "count": lambda: float(len(values)),
            "min": lambda: min(values),
            "max": lambda: max(values),
            "range": lambda: max(values) - min(values),
            "first": lambda: first,
            "last": lambda: values[-1],
            "delta": lambda: values[-1] - first,
            "stddev": lambda: math.sqrt(max(squares / len(values) - mean * mean, 0.0)),
        }[name]()

    return tell


def forecast(width: int, horizon: int) -> Callable[[list[tuple[float, float]]], float | None]:
    """Where the line of least squares will be ``horizon`` after the window's end."""

    def tell(inside: list[tuple[float, float]]) -> float | None:
        count, first = len(inside), inside[0][1]
        x = y = xx = xy = 0.0
        for seconds, value in inside:
            x += seconds
            y += value - first
            xx += seconds * seconds
            xy += seconds * (value - first)
        spread = xx - x * x / count
        if count < 3 or spread <= 0:
            return None
        return first + y / count + (xy - x * y / count) / spread * ((width + horizon) / SECOND - x / count)

    return tell


class SlowRate(Slow):
    """Against the sample before, or against the first of the stretch before."""

    def __init__(self, over: int, per: int = SECOND) -> None:
        self._over, self._per = over, per
        self._stretches: list[tuple[int, int, float]] = []  # number, and its first sample

    def take(self, at: int, value: float) -> Told:
        last = self._stretches[-1][0] if self._stretches else 0
        number = at // self._over if self._over else last + 1
        if not self._stretches or number != last:
            self._stretches.append((number, at, value))
        if len(self._stretches) < 2 or self._stretches[-2][0] != number - 1:
            return []
        _, before, was = self._stretches[-2]
        return [(at, (value - was) / ((at - before) / self._per))]


class SlowStuck(Slow):
    """How long it has been within the tolerance of where it came to rest."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._rest: tuple[int, float] | None = None

    def take(self, at: int, value: float) -> Told:
        if self._rest is None or not -self._tolerance <= value - self._rest[1] <= self._tolerance:
            self._rest = at, value
        return [(at, (at - self._rest[0]) / SECOND)]


class SlowGap(Slow):
    """By how much the time since the sample before was too long."""

    def __init__(self, seconds: float, times: float) -> None:
        self._seconds, self._times = seconds, times
        self._last: int | None = None
        self._usual = 0.0

    def allowed(self) -> int | None:
        """How long (µs) nothing may come now."""
        seconds = self._times * self._usual if self._times else self._seconds
        return round(seconds * SECOND) if seconds > 0 else None

    def lapses(self) -> int | None:
        """When it will have been silent for too long."""
        allowed = self.allowed()
        return None if self._last is None or allowed is None else self._last + allowed

    def take(self, at: int, value: float) -> Told:
        last, allowed, self._last = self._last, self.allowed(), at
        if last is None:
            return []
        gap, was = (at - last) / SECOND, self._usual
        self._usual = was + (min(gap, 2 * was) - was) / 8 if was else gap
        return [] if allowed is None else [(at, (at - last - allowed) / SECOND)]


class SlowDeviation(Slow):
    """In standard deviations from the mean of what came while it learnt."""

    def __init__(self, learn: int, mean: float | None, stddev: float | None) -> None:
        self._learn, self._given = learn, None if mean is None or stddev is None else (mean, stddev)
        self._learnt: list[tuple[int, float]] = []

    def take(self, at: int, value: float) -> Told:
        if self._given is not None:
            return [(at, (value - self._given[0]) / self._given[1])]
        if not self._learnt or at < self._learnt[0][0] + self._learn:
            # What is beyond is no measurement.
            self._learnt += [(at, value)] if abs(value) <= 1e140 else []
            return []
        if len(self._learnt) < 10:
            return []
        mean, spread = self._baseline()
        return [(at, (value - mean) / spread)]

    def _baseline(self) -> tuple[float, float]:
        first, total, squares = self._learnt[0][1], 0.0, 0.0
        for _, value in self._learnt:
            total += value - first
            squares += (value - first) * (value - first)
        above = total / len(self._learnt)
        spread = math.sqrt(max(squares / len(self._learnt) - above * above, 0.0))
        return first + above, max(spread, 1e-9 * max(abs(first + above), 1.0))


class SlowSignals(Slow):
    """Nelson's rules, each looked up in all that came after the learning."""

    def __init__(self, rules: tuple[int, ...], learn: int, mean: float | None, stddev: float | None) -> None:
        self._rules, self._learn = rules, learn
        self._given = None if mean is None or stddev is None else (mean, stddev)
        self._learnt: list[float] = []
        self._values: list[float] = []

    def take(self, at: int, value: float) -> Told:
        if self._given is None and len(self._learnt) < self._learn:
            self._learnt += [value] if abs(value) <= 1e140 else []
            return []
        # No rule looks further back.
        self._values = [*self._values[-19:], value]
        mean, spread = self._given or self._scale()
        far = [(one - mean) / spread for one in self._values]
        steps = [(b > a) - (b < a) for a, b in zip(self._values, self._values[1:], strict=False)]
        return [(at, float(sum(2 ** (rule - 1) for rule in self._rules if broken(rule, far, steps))))]

    def _scale(self) -> tuple[float, float]:
        first, total, ranges = self._learnt[0], 0.0, 0.0
        for before, value in zip([first, *self._learnt], self._learnt, strict=False):
            total += value - first
            ranges += abs(value - before)
        mean = first + total / len(self._learnt)
        return mean, max(ranges / (len(self._learnt) - 1) / 1.128, 1e-9 * max(abs(mean), 1.0))


def broken(rule: int, far: list[float], steps: list[int]) -> bool:
    """Whether the last point breaks a rule; ``far`` in standard deviations, ``steps`` are their ups and downs."""

    def one_side(last: int, least: int, limit: float) -> bool:
        some = far[-last:]
        return max(sum(z > limit for z in some), sum(z < -limit for z in some)) >= least

    return {
        1: lambda: abs(far[-1]) > 3,
        2: lambda: one_side(9, 9, 0.0),
        3: lambda: len(steps) >= 5 and abs(sum(steps[-5:])) == 5,
        4: lambda: len(steps) >= 13 and all(a * b < 0 for a, b in zip(steps[-13:], steps[-12:], strict=False)),
        5: lambda: one_side(3, 2, 2.0),
        6: lambda: one_side(5, 4, 1.0),
        7: lambda: len(far) >= 15 and all(abs(z) < 1 for z in far[-15:]),
        8: lambda: len(far) >= 8 and all(abs(z) > 1 for z in far[-8:]),
    }[rule]()


class SlowRunning(Slow):
    """What a period makes of the latest windows, those that never came included; the rest is the standard's."""

    def __init__(self, feature: Running) -> None:
        self._feature = feature
        self._known: dict[int, int] = {}

    def take(self, at: int, value: float) -> Told:
        feature, number = self._feature, at // self._feature.of.width
        amount = value * feature.multiplier
        if abs(amount) <= 1e9:
            self._known[number] = round(amount * 1e6)
        latest = [self._known.get(one, MISSING) for one in range(number - feature.period.hours + 1, number + 1)]
        mean = int(feature.period.fast(np.array(latest))[-1])
        if mean == MISSING:
            return []
        rounded = feature.rounding.exact(Decimal(max(mean, 0)) / 1_000_000)
        return [(at, float(rounded) / feature.multiplier)]


class SlowIndex(Slow):
    """What a scale looks up of the latest windows, by the decimals in which the library judges one moment."""

    def __init__(self, scale: Scale, *, width: int, multiplier: float) -> None:
        self._scale, self._width, self._multiplier = scale, width, multiplier
        self._known: dict[int, Decimal] = {}

    def take(self, at: int, value: float) -> Told:
        number, amount = at // self._width, value * self._multiplier
        if abs(amount) <= 1e9:
            self._known[number] = Decimal(round(amount * 1e6)) / 1_000_000
        found = self._mean(number)
        if found is None:
            return []
        return [(at, float(self._scale.rounding.exact(max(found, Decimal(0)))) / self._multiplier)]

    def _mean(self, number: int) -> Decimal | None:
        period = self._scale.period
        if isinstance(period, QuarterHour):
            return max((self._known[one] for one in range(number - 3, number + 1) if one in self._known), default=None)
        return period.exact([self._known.get(one) for one in range(number - period.hours + 1, number + 1)]).amount


class SlowChain(Slow):
    """A feature of a feature."""

    def __init__(self, links: list[Slow]) -> None:
        self.links = links

    def take(self, at: int, value: float) -> Told:
        return self._on([(at, value)], self.links)

    def close(self, now: int) -> Told:
        return self._on(self.links[0].close(now), self.links[1:]) if self.links else []

    @staticmethod
    def _on(told: Told, links: list[Slow]) -> Told:
        for link in links:
            told = [one for at, value in told for one in link.take(at, value)]
        return told


def slow(feature: Feature) -> SlowChain:
    """One series of a feature, by its parameters."""
    links: list[Slow] = []
    link: Feature | None = feature
    while link is not None and not isinstance(link, Raw):
        links.append(_link(link))
        link = link.of
    return SlowChain(links[::-1])


def _link(feature: Feature) -> Slow:
    made: Slow
    match feature:
        case Window():
            made = SlowWindows(feature.width, statistic(feature.statistic, feature.least))
        case Forecast():
            made = SlowWindows(feature.width, forecast(feature.width, feature.horizon))
        case Running():
            made = SlowRunning(feature)
        case Rate():
            made = SlowRate(feature.over, feature.per)
        case Stuck():
            made = SlowStuck(feature.tolerance)
        case Gap():
            made = SlowGap(feature.seconds, feature.times)
        case _:
            made = _learning(feature)
    return made


def _learning(feature: Feature) -> Slow:
    match feature:
        case Deviation():
            return SlowDeviation(feature.learn, feature.mean, feature.stddev)
        case Signals():
            return SlowSignals(feature.rules, feature.learn, feature.mean, feature.stddev)
        case _:
            raise AssertionError(feature)
