"""Rules tried on made-up series: a file gives readings and says which alerts are to come of them; no database is asked.

Series are written as in unit tests of Prometheus: ``40x10 95x5 _x3 1+2x4`` are ten values of 40, five of 95, a silence
of three intervals, then 1, 3, 5 and 7. Here ``xN`` always makes N values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np

from techtrack.alerts.domain.backtest import Past, Series, episodes, replay
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.domain.features.base import Floats
from techtrack.alerts.domain.files import RuleName, Written, at, load, noting, refuse
from techtrack.alerts.domain.rule import parse_rule
from techtrack.core import params
from techtrack.core.clock import MICROSECOND, iso_duration, read_duration, to_micros
from techtrack.core.errors import Fault, Invalid, member

START = datetime(2026, 1, 1, tzinfo=UTC)
# Schedules look some years ahead of what they are asked about.
LATEST = to_micros(datetime(2200, 1, 1, tzinfo=UTC))
MOST_SLOTS = 1_000_000
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_PART = re.compile(
    rf"(?P<value>[-+]?{_NUMBER})(?:(?P<step>[-+]{_NUMBER})?x(?P<times>\d{{1,7}}))?|_(?:x(?P<silence>\d{{1,7}}))?"
)


class Shown(NamedTuple):
    """An alert; times in µs after the start, ``returned`` None where it is still active at the end."""

    severity: str | None
    raised: int
    returned: int | None

    def __str__(self) -> str:
        end = "the end" if self.returned is None else _told(self.returned)
        return f"{self.severity or 'any severity'} from {_told(self.raised)} to {end}"


@dataclass(frozen=True, slots=True)
class Case:
    """A rule, what an asset sent up to ``until`` (µs since 1970), and the alerts expected of that."""

    name: str
    rule: Written
    circumstances: Circumstances
    series: Mapping[str, Series]
    start: int
    until: int
    expected: Sequence[Shown]
    place: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case."""

    case: Case
    got: Sequence[Shown]

    @property
    def passed(self) -> bool:
        """Whether all that was expected came, and nothing else; a severity that is not expected may be any."""
        expected = self.case.expected
        return len(expected) == len(self.got) and all(
            wanted.severity in {None, shown.severity} and wanted[1:] == shown[1:]
            for wanted, shown in zip(expected, self.got, strict=True)
        )


@dataclass(frozen=True, slots=True)
class _Asset:
    attributes: dict[str, Any] = field(default_factory=dict)
    expected_interval: timedelta | None = None


@dataclass(frozen=True, slots=True)
class _Alert:
    raised: timedelta
    returned: timedelta | None = None
    severity: Literal["critical", "high", "medium", "low", "info"] | None = None


@dataclass(frozen=True, slots=True)
class _Test:
    """The shape of a test."""

    name: str
    series: dict[str, Any]
    expect: Literal["none"] | list[_Alert]
    rule: str | RuleName | None = None
    asset: _Asset = field(default_factory=_Asset)
    start: datetime | None = None
    interval: timedelta | None = None
    until: timedelta | None = None


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What tests of a file have in common."""

    start: datetime = START
    interval: timedelta | None = None


def rules_path(text: str) -> str | None:
    """Return the path of the file whose rules a file tests, None where it has them itself."""
    rules = load(text)["rules"]
    return rules if isinstance(rules, str) else None


def read_cases(text: str, rules: Sequence[Written], *, source: str = "") -> list[Case]:
    """Read the tests of a file; ``rules`` are those it tests.

    Raises:
        BadFile: the faults say where.

    """
    with at(f"{source}#"):
        raw = load(text)
        shared = params.build(_Defaults, {name: raw[name] for name in ("start", "interval") if name in raw})
        tests = raw.get("tests")
        if not isinstance(tests, list) or not tests:
            raise Invalid("a list of tests is expected", pointer="/tests")
    found, faults = list[Case](), list[Fault]()
    for number, one in enumerate(tests):
        with noting(faults):
            found.append(_case(one, rules, shared, f"{source}#/tests/{number}"))
    refuse(faults)
    return found


def run(case: Case) -> Outcome:
    """Replay the series and see what the rule makes of them.

    Raises:
        BadFile: the rule cannot watch such an asset.

    """
    with at(case.place):
        watch = parse_rule(case.rule.columns).watch(case.circumstances)
    found = episodes(replay(watch, Past(case.series, case.until)), watch)
    shown = [
        Shown(
            watch.clauses[one.clause].severity,
            one.raised - case.start,
            None if one.returned is None else one.returned - case.start,
        )
        for one in found
    ]
    return Outcome(case, shown)


def _case(raw: Any, rules: Sequence[Written], shared: _Defaults, place: str) -> Case:
    with at(place):
        test = params.build(_Test, raw)
        start = _sane(to_micros(_aware(test.start or shared.start)), "/start")
        interval = _above_zero(test.interval or shared.interval, "/interval")
        grid = _Grid(start, interval)
        read = {code: grid.read(told, member("/series", code)) for code, told in test.series.items()}
        end = max((last for _, last in read.values()), default=start)
        until = end if test.until is None else _sane(start + test.until // MICROSECOND, "/until")
        if until < end:
            raise Invalid("readings come after it", pointer="/until")
        own = _above_zero(test.asset.expected_interval, "/asset/expected_interval")
        circumstances = Circumstances(test.asset.attributes, own or interval)
        rule = _rule(test.rule, rules)
        series = {code: one for code, (one, _) in read.items()}
    return Case(test.name, rule, circumstances, series, start, until, _expected(test), place)


def _rule(wanted: str | RuleName | None, rules: Sequence[Written]) -> Written:
    found = [rule for rule in rules if wanted is None or rule.name.is_meant_by(wanted)]
    if len(found) == 1:
        return found[0]
    several = (
        f"there are {len(found)} rules {'here' if wanted is None else repr(str(wanted))}: say which by name and scope"
    )
    raise Invalid(several if found else f"there is no rule {str(wanted)!r}", pointer="/rule")


def _expected(test: _Test) -> list[Shown]:
    alerts = [] if test.expect == "none" else test.expect
    return [
        Shown(one.severity, one.raised // MICROSECOND, None if one.returned is None else one.returned // MICROSECOND)
        for one in alerts
    ]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where values lie in time that are told without: every ``interval`` from ``start`` on (µs)."""

    start: int
    interval: int | None

    def read(self, told: Any, pointer: str) -> tuple[Series, int]:
        """Return a series, and when the last of it is over that is told, be it silence."""
        if isinstance(told, dict):
            return self._at_times(told, pointer)
        if isinstance(told, bool) or not isinstance(told, str | int | float):
            raise Invalid("values such as 40x10 95x5 are expected, or values by their times", pointer=pointer)
        if not self.interval:
            raise Invalid("this needs an interval, such as PT10S", pointer="/interval")
        values = _values(str(told), pointer)
        last = _sane(self.start + (len(values) - 1) * self.interval, pointer)
        times = self.start + np.arange(len(values), dtype=np.int64) * self.interval
        there = ~np.isnan(values)
        return Series(times[there], values[there]), last

    def _at_times(self, told: Mapping[str, Any], pointer: str) -> tuple[Series, int]:
        pairs: dict[int, float] = {}
        for text, value in told.items():
            moment = self._moment(text, pointer)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Invalid(f"{value!r} is no number", pointer=pointer)
            if moment in pairs:
                raise Invalid("two values are of the same time", pointer=pointer)
            pairs[moment] = float(value)
        if not pairs:
            raise Invalid("values by their times are expected", pointer=pointer)
        times = sorted(pairs)
        return Series(np.array(times, np.int64), np.array([pairs[time] for time in times])), times[-1]

    def _moment(self, text: str, pointer: str) -> int:
        after = read_duration(text)
        if after is not None:
            return _sane(self.start + after // MICROSECOND, pointer)
        try:
            return _sane(to_micros(_aware(datetime.fromisoformat(text))), pointer)
        except ValueError:
            raise Invalid(
                f"{text!r} is no time: PT30S after the start, or 2026-01-01T00:00:30Z", pointer=pointer
            ) from None


def _values(told: str, pointer: str) -> Floats:
    """Return the values that a notation tells, NaN where there is silence."""
    blocks = [_block(part, pointer) for part in told.split()]
    if not 0 < sum(map(len, blocks)) <= MOST_SLOTS:
        raise Invalid(f"1 to {MOST_SLOTS:,} values are expected", pointer=pointer)
    return np.concatenate(blocks)


def _block(part: str, pointer: str) -> Floats:
    found = _PART.fullmatch(part)
    if found is None:
        raise Invalid(f"{part!r} is no value, nor values such as 40x10, 40+0.5x10 or _x10", pointer=pointer)
    if found["value"] is None:
        return np.full(_times(found["silence"], pointer), np.nan)
    times = _times(found["times"], pointer)
    values: Floats = float(found["value"]) + float(found["step"] or 0) * np.arange(times, dtype=np.float64)
    return values


def _times(told: str | None, pointer: str) -> int:
    times = int(told or 1)
    if times > MOST_SLOTS:
        raise Invalid(f"1 to {MOST_SLOTS:,} values are expected", pointer=pointer)
    return times


def _sane(at: int, pointer: str) -> int:
    """Return a time (µs), once it is one at which something may be measured."""
    if not 0 <= at <= LATEST:
        raise Invalid("a time from 1970 to 2199 is expected", pointer=pointer)
    return at


def _above_zero(duration: timedelta | None, pointer: str) -> int | None:
    """Return a duration in µs, once it is above zero."""
    if duration is not None and duration <= timedelta(0):
        raise Invalid("a duration above zero is expected", pointer=pointer)
    return duration // MICROSECOND if duration else None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _told(micros: int) -> str:
    return iso_duration(timedelta(microseconds=micros))
