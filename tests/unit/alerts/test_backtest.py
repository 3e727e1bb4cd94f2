"""The rule lab's replay on columns finds what ``step`` finds when it is fed every value, whatever the rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from techtrack.alerts.domain.backtest import Episode, Past, Series, episodes, replay
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.domain.features.base import SECOND, Columns, Feature, Samples, chain
from techtrack.alerts.domain.features.changes import Gap
from techtrack.alerts.domain.features.windows import Windows
from techtrack.alerts.domain.lifecycle import Change, Look, State, Transition, step
from techtrack.alerts.domain.rule import Watch, parse_rule
from techtrack.core.errors import Invalid
from tests.unit.alerts.breathing import AIR, BANDS, INDICES, LEVELS

BEGIN = 1_700_000_000 * SECOND
STEPS = [1, 2, 5, 10, 30, 60, 61, 300, 1500]
VALUES = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0]
# Of the air: minutes to hours apart, and on breakpoints.
HOURLY = [60, 900, 1800, 3600, 3600, 3600, 7200]
DUST = [0.0, 10.0, 35.4, 35.5, 55.4, 55.5, 71.0, 125.5, 200.0]
DELAYS = [timedelta(0), timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=10)]
PLAIN: list[dict[str, Any]] = [
    {"kind": "above", "limit": 1.5},
    {"kind": "below", "limit": 0.0},
    {"kind": "outside", "low": 0.0, "high": 2.0},
    {"kind": "inside", "low": 0.5, "high": 1.0},
    {"kind": "rate_of_change", "limit": 1.0},
    {"kind": "rate_of_change", "limit": 1.0, "over": "PT1M", "direction": "falling"},
    {"kind": "flatline", "duration": "PT10S"},
    {"kind": "flatline", "duration": "PT1M", "tolerance": 0.6},
    {"kind": "no_data", "after": "PT2M"},
    {"kind": "no_data", "after": "3x"},
    {"kind": "deviation", "sigmas": 1.5, "learn": "PT10M"},
    {"kind": "deviation", "sigmas": 1.5, "mean": 1.0, "stddev": 1.0},
    {"kind": "forecast", "above": 2.0, "over": "PT1M", "horizon": "PT5M"},
    {"kind": "air_quality", "limit": 1.0, "average": "PT5M"},
    {"kind": "control_chart", "rules": [1, 2, 3, 5], "learn": 5},
]

NELSON: list[dict[str, Any]] = [{"kind": "control_chart", "rules": [rule], "learn": 40} for rule in range(1, 9)]
NELSON.append({"kind": "control_chart", "rules": [4, 8], "mean": 1.0, "stddev": 0.4})


def _combined(part: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    parts = st.lists(part, min_size=1, max_size=3)
    return st.builds(
        lambda kind, some: {"kind": kind, "conditions": some}, st.sampled_from(["all_of", "any_of"]), parts
    )


def _rules(plain: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    conditions = st.lists(st.one_of(plain, plain, _combined(plain)), min_size=1, max_size=3)
    severities = st.permutations(["low", "medium", "high"])
    return st.fixed_dictionaries(
        {
            "parameter": st.just("a"),
            "conditions": st.builds(
                lambda some, ranks: [one | {"severity": rank} for one, rank in zip(some, ranks, strict=False)],
                conditions,
                severities,
            ),
            "deadband": st.sampled_from([0.0, 0.0, 0.5, 0.9]),
            "on_delay": st.sampled_from(DELAYS),
            "off_delay": st.sampled_from(DELAYS),
            "count": st.sampled_from([None, None, {"n": 2, "of": 3}, {"n": 1, "of": 2}]),
            "aggregate": st.sampled_from([None, None, {"window": "PT1M", "statistic": "max"}]),
        }
    )


ONE_PARAMETER = _rules(st.sampled_from(PLAIN))
TWO_PARAMETERS = _rules(
    st.builds(lambda one, code: one | {"parameter": code}, st.sampled_from(PLAIN), st.sampled_from(["a", "b"]))
)
OF_AIR = _rules(
    st.builds(
        lambda of, limit: {"kind": "air_quality", **of, "limit": BANDS.get(of["standard"], LEVELS)[limit]},
        st.sampled_from(INDICES),
        st.integers(0, 2),
    )
)
SILENCE = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "after": st.sampled_from(["PT2M", "PT10M", "2x"]),
            "policy": st.sampled_from(["alert", "keep", "return"]),
            "severity": st.sampled_from(["info", "critical"]),
        }
    ),
)
SCHEDULE = st.sampled_from(
    [None, None, {"timezone": "UTC", "rrule": "FREQ=HOURLY;BYMINUTE=0,20,40", "duration": "PT7M"}]
)


@st.composite
def readings(
    draw: st.DrawFn, most: int = 60, between: Sequence[int] = STEPS, values_of: Sequence[float] = VALUES
) -> Series:
    """A series with pauses, and values that rest, jump and lie on limits."""
    steps = draw(st.lists(st.sampled_from(between), min_size=1, max_size=most))
    values = draw(st.lists(st.sampled_from(values_of), min_size=len(steps), max_size=len(steps)))
    at = BEGIN + np.cumsum(np.array(steps, np.int64)) * SECOND
    return Series(at, np.array(values))


def watch_of(rule: Mapping[str, Any], **more: Any) -> Watch | None:
    """What the rule watches, None where it makes no sense."""
    try:
        return parse_rule({**rule, **more}).watch(Circumstances())
    except Invalid:
        return None


def slowly(watch: Watch, series: Mapping[str, Series], until: int) -> list[Transition]:
    """Feed ``step`` with every value of every feature, and with every silence when a clock would notice it."""
    values: dict[int, dict[int, float]] = defaultdict(dict)
    silent: dict[int, set[int]] = defaultdict(set)
    for place, feature in enumerate(watch.features):
        links, readings = chain(feature), series.get(feature.code)
        if readings is None:
            continue
        memories = [link.blank(1) for link in links]
        chained = list(zip(links, memories, strict=True))
        for at, value in zip(readings.at.tolist(), readings.values.tolist(), strict=True):
            _notice(watch, place, memories[-1], at, silent)
            samples = Samples(np.zeros(1, np.intp), np.zeros(1, np.int64), np.array([at]), np.array([value]))
            _lead(samples, chained, place, values)
        _notice(watch, place, memories[-1], until, silent)
        if len(links) > 1 and isinstance(links[1], Windows):
            _lead(links[1].close(memories[1], np.array([until])), chained[2:], place, values)
    state, found = State(), list[Transition]()
    for at in sorted({*values, *silent}):
        look = Look(at, values.get(at, {}), frozenset(silent.get(at, ())))
        state, transitions = step(state, look, watch)
        found += transitions
    return found + step(state, Look(until), watch)[1]


def _notice(watch: Watch, place: int, memory: Columns, before: int, silent: dict[int, set[int]]) -> None:
    """Note that a series was silent for too long, if it was before the next thing happens."""
    feature = watch.features[place]
    if isinstance(feature, Gap) and (lapse := int(feature.lapses(memory)[0])) < before:
        silent[lapse] |= {index for index, leaf in enumerate(watch.leaves) if leaf.lapse and leaf.feature == place}


def _lead(
    samples: Samples, links: list[tuple[Feature, Columns]], place: int, values: dict[int, dict[int, float]]
) -> None:
    """Lead samples through all that a feature is made of, and note its values by time."""
    for link, memory in links:
        samples = link.feed(memory, samples)
    for at, value in zip(samples.at.tolist(), samples.values.tolist(), strict=True):
        values[at][place] = value


def without_values(transitions: list[Transition]) -> list[Transition]:
    """Leave out what transitions are about."""
    return [one._replace(value=None) for one in transitions]


_many = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


class TestReplay:
    @_many
    @given(ONE_PARAMETER, SILENCE, SCHEDULE, readings(), st.sampled_from([0, 1, 90, 700, 5000]))
    def test_finds_what_step_finds_in_every_value(
        self, rule: dict[str, Any], silence: Any, schedule: Any, series: Series, later: int
    ) -> None:
        watch = watch_of(rule, no_data=silence, schedule=schedule)
        if watch is None:
            return
        until = int(series.at[-1]) + later * SECOND

        assert without_values(replay(watch, Past({"a": series}, until))) == without_values(
            slowly(watch, {"a": series}, until)
        )

    @_many
    @given(TWO_PARAMETERS, SCHEDULE, readings(), readings(), st.sampled_from([0, 1, 700]))
    def test_finds_it_in_two_series(
        self, rule: dict[str, Any], schedule: Any, one: Series, other: Series, later: int
    ) -> None:
        watch = watch_of(rule, schedule=schedule)
        if watch is None:
            return
        series = {"a": one, "b": other}
        until = int(max(one.at[-1], other.at[-1])) + later * SECOND

        assert without_values(replay(watch, Past(series, until))) == without_values(slowly(watch, series, until))

    @_many
    @given(
        OF_AIR,
        SCHEDULE,
        st.fixed_dictionaries({code: readings(between=HOURLY, values_of=DUST) for code in AIR}),
        st.sampled_from([0, 700, 9000]),
    )
    def test_finds_it_in_the_index_of_the_air(
        self, rule: dict[str, Any], schedule: Any, series: dict[str, Series], later: int
    ) -> None:
        watch = watch_of(rule, schedule=schedule)
        if watch is None:
            return
        series["o3"] = series["o3"]._replace(values=series["o3"].values / 1000)
        until = max(int(one.at[-1]) for one in series.values()) + later * SECOND

        assert without_values(replay(watch, Past(series, until))) == without_values(slowly(watch, series, until))

    @_many
    @given(st.sampled_from([one for one in PLAIN if one["kind"] != "no_data"]), readings(), st.sampled_from(DELAYS))
    def test_says_the_value_that_step_says(self, condition: dict[str, Any], series: Series, delay: timedelta) -> None:
        watch = watch_of({"parameter": "a", "conditions": [condition], "on_delay": delay, "off_delay": delay})
        assert watch is not None
        until = int(series.at[-1]) + 3600 * SECOND

        assert replay(watch, Past({"a": series}, until)) == slowly(watch, {"a": series}, until)

    @pytest.mark.parametrize("condition", PLAIN + NELSON, ids=lambda one: "-".join(map(str, one.values())))
    @pytest.mark.parametrize("seed", range(3))
    def test_finds_it_in_long_series(self, condition: dict[str, Any], seed: int) -> None:
        # Long enough for the ways that features have for many samples of one row.
        rng = np.random.default_rng(seed)
        at = BEGIN + np.cumsum(rng.choice([9, 10, 10, 10, 11, 400], 900)).astype(np.int64) * SECOND
        values = np.round(rng.normal(1, 0.6, 900), 1) + np.where(np.arange(900) % 300 > 250, 1.0, 0.0)
        values[400:460] = np.tile([0.8, 1.2], 30)
        watch = watch_of({"parameter": "a", "conditions": [condition], "deadband": 0.1})
        assert watch is not None
        series, until = {"a": Series(at, values)}, int(at[-1]) + 60 * SECOND

        assert replay(watch, Past(series, until)) == slowly(watch, series, until)

    def test_notices_a_planted_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # The comparison has teeth: a replay that forgets the deadband is found out.
        from techtrack.alerts.domain import backtest  # noqa: PLC0415 - patched here

        compared = backtest._compared
        series = Series(BEGIN + np.arange(4, dtype=np.int64) * SECOND, np.array([0.0, 2.0, 1.4, 0.0]))
        watch = watch_of({"parameter": "a", "conditions": [{"kind": "above", "limit": 1.5}], "deadband": 0.5})
        assert watch is not None
        until = int(series.at[-1])
        assert replay(watch, Past({"a": series}, until)) == slowly(watch, {"a": series}, until)

        def without_deadband(comparator: Any, values: Any, fresh: Any) -> Any:
            return compared(type(comparator)(comparator.low, comparator.high), values, fresh)

        monkeypatch.setattr(backtest, "_compared", without_deadband)
        assert replay(watch, Past({"a": series}, until)) != slowly(watch, {"a": series}, until)


class TestEpisodes:
    def test_join_raises_and_returns(self) -> None:
        watch = watch_of({"parameter": "a", "conditions": [{"kind": "above", "limit": 1.0}]})
        assert watch is not None
        told = [
            Transition(Change.RAISED, 10, 0, 2.0),
            Transition(Change.RETURNED, 20, 0, 0.0),
            Transition(Change.RAISED, 30, 0, 3.0),
        ]

        assert episodes(told, watch) == [Episode(10, 20, 0, 2.0, 1.0), Episode(30, None, 0, 3.0, 1.0)]


class TestLongFeed:
    @pytest.mark.parametrize("condition", [*NELSON, {"kind": "no_data", "after": "3x"}], ids=str)
    def test_leaves_behind_what_samples_one_by_one_do(self, condition: dict[str, Any]) -> None:
        watch = watch_of({"parameter": "a", "conditions": [condition]})
        assert watch is not None
        link = chain(watch.features[0])[-1]
        rng = np.random.default_rng(3)
        at = BEGIN + np.cumsum(rng.choice([9, 10, 400], 300)).astype(np.int64) * SECOND
        values = np.round(rng.normal(1, 0.6, 300), 1)
        whole, single = link.blank(1), link.blank(1)

        link.feed(whole, Samples(np.zeros(300, np.intp), np.zeros(300, np.int64), at, values))
        for place in range(300):
            some = slice(place, place + 1)
            link.feed(single, Samples(np.zeros(1, np.intp), np.zeros(1, np.int64), at[some], values[some]))

        assert {name: column.tolist() for name, column in whole.items()} == {
            name: column.tolist() for name, column in single.items()
        }
