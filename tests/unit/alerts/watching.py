"""Rules in the form in which they travel, and looks at samples, for tests of the engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from unittest import mock

from techtrack.airquality.units import Amount
from techtrack.alerts.domain.condition import Circumstances, worst_first
from techtrack.alerts.domain.features.windows import STATISTICS
from techtrack.alerts.domain.lifecycle import Change, Look, State, Transition, due, step
from techtrack.alerts.domain.rule import Watch, parse_rule
from techtrack.alerts.domain.scope import Fleet, Scope
from techtrack.alerts.models import Rule
from techtrack.alerts.rulebook import RuleBook, Ruling, spec_of
from techtrack.core.errors import Invalid
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.store.base import LogEntry
from tests.unit.alerts.slow import SlowChain, SlowGap, slow

SECOND = 1_000_000
# A full hour.
BEGIN = 1_795_240_800 * SECOND
HOT = {"kind": "above", "limit": 80.0, "severity": "high"}
HOTTER = {"kind": "above", "limit": 90.0, "severity": "critical"}


def micros(number: float) -> timedelta:
    """A duration in µs, which tests of single steps count in."""
    return timedelta(microseconds=number)


def watch_of(
    *conditions: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    interval: int | None = None,
    air: Mapping[str, Amount] | None = None,
    **rule: Any,
) -> Watch:
    """What a rule with these conditions on the parameter ``t`` watches of an asset."""
    definition = {"parameter": "t", "conditions": [*conditions, *rule.pop("conditions", ())], **rule}
    return parse_rule(definition).watch(Circumstances(attributes or {}, interval, air))


def looks(*samples: tuple[int, float]) -> list[Look]:
    """Looks at values of the only feature: (time in µs, value)."""
    return [Look(at, {0: value}) for at, value in samples]


def run(watch: Watch, events: Iterable[Look], *, state: State | None = None) -> tuple[State, list[Transition]]:
    """Take looks one after the other; return the last state and all transitions."""
    state, said = state or State(), []
    for event in events:
        state, transitions = step(state, event, watch)
        said += transitions
    return state, said


def told(transitions: Sequence[Transition]) -> list[tuple[Change, int]]:
    """What changed, and when."""
    return [(one.change, one.at) for one in transitions]


def ruling_of(rule_id: int, *, assets: Iterable[int] = (), **fields: Any) -> Ruling:
    """A rule as the book reads it, which no database has."""
    rule = Rule(pk=rule_id, name=f"Rule {rule_id}", **({"parameter": "t", "conditions": [HOT]} | fields))
    return Ruling((1, rule_id), rule, spec_of(rule), Scope(assets=frozenset(assets)))


def book_of(*rulings: Ruling, assets: Sequence[int]) -> RuleBook:
    """The book of these rules, with no asset that brings anything along."""
    for ruling in rulings:
        assert ruling.spec is not None
        assert not ruling.spec.attributes
    with mock.patch("techtrack.alerts.rulebook._Asking", return_value=mock.Mock(of=lambda _: Circumstances())):
        fleet = Fleet((asset, None, None, []) for asset in assets)
        return RuleBook.of(1, {ruling.rule.pk: ruling for ruling in rulings}, fleet)


def log_entry(
    position: int,
    rows: Sequence[tuple[int, int, Mapping[str, float]]],
    *,
    kind: Kind = Kind.READINGS,
    origin: Origin = Origin.LIVE,
) -> LogEntry:
    """An entry of (asset, time, {code: value}); what is left out is absent."""
    return LogEntry(position, kind, origin, Batch.of([Row(*row) for row in rows]))


# -- Rules and logs of all kinds -------------------------------------------------------------------------------

CODES = ("t", "p")
LIMITS = (70.0, 80.0, 90.0)
_SHIFT = {"timezone": "UTC", "rrule": "FREQ=HOURLY", "duration": "PT30M"}


def any_condition(dice: random.Random, *, nested: bool = False) -> dict[str, Any]:
    """A condition of any kind on ``t`` or ``p``, with values that a short log meets."""
    kinds = ["above", "below", "inside", "outside", "rate_of_change", "flatline", "deviation", "control_chart"]
    kinds += ["above", "below", "forecast", "air_quality", "no_data"]
    kinds += [] if nested else ["all_of", "any_of"]
    kind = dice.choice(kinds)
    if kind in {"all_of", "any_of"}:
        parts = [any_condition(dice, nested=True) for _ in range(dice.randint(1, 3))]
        return {"kind": kind, "conditions": parts}
    fields: dict[str, Any] = {
        "above": {"limit": dice.choice(LIMITS)},
        "below": {"limit": dice.choice(LIMITS)},
        "inside": {"low": 75.0, "high": dice.choice([79.0, 85.0])},
        "outside": {"low": 65.0, "high": dice.choice([80.0, 90.0])},
        "rate_of_change": {
            "limit": dice.choice([60.0, 300.0]),
            "over": dice.choice(["PT0S", "PT4S", "PT10S"]),
            "direction": dice.choice(["rising", "falling", "both"]),
        },
        "flatline": {"duration": dice.choice(["PT3S", "PT10S"]), "tolerance": dice.choice([0.0, 2.0])},
        "deviation": {"sigmas": 6.0, "learn": dice.choice(["PT10S", "PT30S"])}
        | dice.choice([{}, {"mean": 78.0, "stddev": 1.5}]),
        "control_chart": {"rules": sorted(dice.sample(range(1, 9), dice.randint(1, 8))), "learn": dice.choice([2, 5])}
        | dice.choice([{}, {"mean": 78.0, "stddev": 4.0}]),
        "forecast": {"horizon": "PT20S", "over": dice.choice(["PT5S", "PT10S"]), "above": 90.0, "below": 60.0},
        "air_quality": {"limit": dice.choice(LIMITS), "average": dice.choice(["PT5S", "PT10S"])},
        "no_data": {"after": dice.choice(["PT7S", "PT20S", "2x", "4x"])},
    }[kind]
    return {"kind": kind, **fields} | ({"parameter": dice.choice(CODES)} if dice.random() < 0.3 else {})


def proved(draw: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A drawn rule as it is kept; one that contradicts itself is drawn again."""
    while True:
        rule = draw()
        try:
            parse_rule(rule)
        except Invalid:
            continue
        return {**rule, "conditions": worst_first(rule["conditions"])}


def any_rule(dice: random.Random) -> dict[str, Any]:
    """What is judged of a rule, of any kind."""

    def draw() -> dict[str, Any]:
        severities = dice.sample(["low", "medium", "high", "critical"], dice.choice([1, 1, 2, 3]))
        rule: dict[str, Any] = {
            "parameter": dice.choice(CODES),
            "conditions": [{**any_condition(dice), "severity": severity} for severity in severities],
            "deadband": dice.choice([0.0, 0.0, 2.0]),
            "on_delay": timedelta(seconds=dice.choice([0, 0, 3, 12])),
            "off_delay": timedelta(seconds=dice.choice([0, 0, 3, 12])),
            "late_max_age": timedelta(seconds=dice.choice([0, 10, 40])),
        }
        if dice.random() < 0.3:
            rule["aggregate"] = {"window": dice.choice(["PT3S", "PT10S"]), "statistic": dice.choice(STATISTICS)}
        if dice.random() < 0.2:
            rule["count"] = dice.choice([{"n": 2, "of": 3}, {"n": 1, "of": 2}, {"n": 3, "of": 3}])
        if dice.random() < 0.3:
            after, policy = dice.choice(["PT9S", "3x", "1.5x"]), dice.choice(["alert", "keep", "return"])
            rule["no_data"] = {"after": after, "policy": policy, "severity": dice.choice(["info", "critical"])}
        if dice.random() < 0.2:
            rule["schedule"] = _SHIFT
        return rule

    return proved(draw)


class Walk:
    """Readings of some assets: random walks around the limits, often stuck or with a gap, some late or sent twice."""

    codes: Sequence[str] = CODES

    def __init__(self, dice: random.Random, assets: Sequence[int], begin: int) -> None:
        """``begin`` in µs."""
        self._dice, self._assets, self._clock = dice, assets, begin
        self._values = {(asset, code): 78.0 for asset in assets for code in self.codes}

    @property
    def clock(self) -> int:
        """The newest event time there may be (µs)."""
        return self._clock

    def rows(self) -> list[tuple[int, int, dict[str, float]]]:
        """What one entry of the log brings."""
        dice, found = self._dice, []
        for _ in range(dice.randint(1, 6)):
            self._clock += self._pause() * SECOND
            asset = dice.choice(self._assets)
            at = self._clock - (dice.randint(1, 30) * SECOND if dice.random() < 0.15 else 0)
            codes = [code for code in self.codes if dice.random() < 0.7] or [dice.choice(self.codes)]
            found.append((asset, at, {code: self._next(asset, code) for code in codes}))
            if dice.random() < 0.05:
                found.append((asset, at, {code: self._next(asset, code) for code in codes}))
        return found

    def _pause(self) -> int:
        return self._dice.choice([0, 1, 1, 1, 1, 2, 2, 15, 600 if self._dice.random() < 0.1 else 1])

    def _next(self, asset: int, code: str) -> float:
        dice, value = self._dice, self._values[asset, code]
        if dice.random() < 0.7:
            value = min(99.0, max(55.0, value + dice.choice([-8.0, -3.0, -1.0, -0.5, 0.5, 1.0, 3.0, 8.0])))
        self._values[asset, code] = value
        return value


def play(watch: Watch, *events: float | tuple[float, Mapping[str, float] | float]) -> list[tuple[str, float, str, Any]]:
    """Let a rule see readings, as (second, value of ``t`` or values by code), and clocks, as seconds.

    Returns (change, second, kind of condition, value); time begins at a full hour.
    """
    chains, state, said = [slow(feature) for feature in watch.features], State(), []
    told: set[int] = set()
    for event in events:
        if isinstance(event, tuple):
            looks = _looks_at_reading(watch, chains, *event)
        else:
            looks = _looks_of_clock(watch, chains, BEGIN + round(event * SECOND), told)
        for look in looks:
            state, transitions = step(state, look, watch)
            said += transitions
        while not isinstance(event, tuple) and (end := due(state, watch)) is not None:
            if end > BEGIN + event * SECOND:
                break
            state, transitions = step(state, Look(end), watch)
            said += transitions
    return [(one.change.value, (one.at - BEGIN) / SECOND, watch.clauses[one.clause].kind, one.value) for one in said]


def _looks_at_reading(
    watch: Watch, chains: Sequence[SlowChain], second: float, values: Mapping[str, float] | float
) -> list[Look]:
    values = values if isinstance(values, Mapping) else {"t": values}
    found: dict[int, dict[int, float]] = {}
    for place, (feature, chain) in enumerate(zip(watch.features, chains, strict=True)):
        if feature.code in values:
            for at, value in chain.take(BEGIN + round(second * SECOND), float(values[feature.code])):
                found.setdefault(at, {})[place] = value
    return [Look(at, found[at]) for at in sorted(found)]


def _looks_of_clock(watch: Watch, chains: Sequence[SlowChain], now: int, told: set[int]) -> list[Look]:
    found = []
    for place, chain in enumerate(chains):
        found += [Look(at, {place: value}) for at, value in chain.close(now)]
        gap = chain.links[0] if chain.links else None
        if isinstance(gap, SlowGap) and (lapse := gap.lapses()) is not None and lapse < now and lapse not in told:
            silent = {index for index, leaf in enumerate(watch.leaves) if leaf.lapse and leaf.feature == place}
            found.append(Look(lapse, silent=frozenset(silent)))
            told.add(lapse)
    return found
