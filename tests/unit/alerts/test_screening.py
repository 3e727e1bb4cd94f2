"""What the judge passes over in bulk is what nobody would have seen change: held against a plain fold."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import Phase as Part
from hypothesis import find, given, settings
from hypothesis import strategies as st

from techtrack.alerts import folding, screening
from techtrack.alerts.domain import lifecycle
from techtrack.alerts.domain.features.base import NEVER, Samples, chain
from techtrack.alerts.domain.lifecycle import Change, Look, Phase, State, Transition, due, step
from techtrack.alerts.folding import judge
from techtrack.alerts.memory import Memory
from techtrack.alerts.ticking import run_out
from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.reading import Kind, Origin
from tests.factories import NOW
from tests.unit.alerts.breathing import AirWalk, any_air_rule
from tests.unit.alerts.watching import LIMITS, Walk, any_rule, book_of, log_entry, proved, ruling_of

ASSETS = [3, 4, 7, 90]
# 5 and 1000 are assets that nobody watches.
SENDERS = [*ASSETS, 5, 1000]
CODES = ("t", "p")
SECOND = 1_000_000
BEGIN = to_micros(NOW)


@dataclass
class Plain:
    """One rule with one asset: every sample is fed to its features by itself, and every look is stepped."""

    watch: object
    state: State = field(default_factory=State)
    late: State | None = None
    raised: int | None = None
    lag: int = 0

    def __post_init__(self) -> None:
        self.links = [[(link, link.blank(1)) for link in chain(feature)[1:]] for feature in self.watch.features]

    def take(self, samples, position):
        """Take the samples of each feature's parameter: those that are current, as (at, value)."""
        looks = {}
        for place, some in enumerate(samples):
            for at, value in some:
                for end, derived in self._derived(place, at, value, position):
                    looks.setdefault(end, {})[place] = derived
        return [one for at in sorted(looks) for one in self.step(Look(at, looks[at]))]

    def _derived(self, place, at, value, position):
        one = Samples(np.array([0]), np.array([position]), np.array([at]), np.array([value], float))
        for link, columns in self.links[place]:
            one = link.feed(columns, one)
        return list(zip(one.at.tolist(), one.values.tolist(), strict=True))

    def step(self, look):
        self.state, transitions = step(self.state, look, self.watch)
        return transitions

    def judges_late(self, feature):
        return self.watch.of_late is not None and self.watch.of_late.features == (feature,)

    def take_current(self, at):
        """End the stretch of the past that can no longer go on."""
        if self.late is not None and at - self.late.seen > self.watch.late:
            return self._end_late()
        return []

    def take_late(self, at, value):
        """Judge a late sample beside what is current."""
        found = self._end_late() if self.late is not None and at <= self.late.seen else []
        self.late, transitions = step(self.late or State(), Look(at, {0: value}), self.watch.of_late)
        for one in transitions:
            if one.change is Change.RAISED:
                self.raised = one.at
            elif one.change is Change.RETURNED and self.raised is not None:
                found.append(Transition(Change.PAST, one.at, one.clause, one.value, self.raised))
                self.raised = None
        if self.late.asleep:
            self.late = None
        return found

    def _end_late(self):
        late, since, self.late, self.raised = self.late, self.raised, None, None
        if since is None:
            return []
        return [Transition(Change.PAST, late.seen, late.clause or 0, late.value, since)]


def kept(before, watch):
    """What goes on when a rule was changed: all if it looks at the same, else where it stands.

    Nobody was told yet of what is pending, so it begins anew; how grave an alert is, the next value says anew.
    """
    one = Plain(watch)
    if before is not None:
        one.state, one.lag = before.state, before.lag
        same = [getattr(before.watch, name) == getattr(watch, name) for name in ("features", "leaves", "count")]
        if all(same):
            one.late, one.raised = before.late, before.raised
        else:
            one.state = one.state._replace(truth=0, history=0)
        regraded = before.watch.clauses != watch.clauses
        if one.state.phase is Phase.PENDING and (regraded or not all(same)):
            one.state = one.state._replace(phase=Phase.NORMAL, since=0, clause=None, value=None)
        elif regraded:
            one.state = one.state._replace(clause=None)
    return one


@dataclass
class PlainFold:
    """The oracle: every rule with every asset, every sample, one entry of the log after the other."""

    watched: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)
    said: list = field(default_factory=list)

    def adopt(self, book):
        before, self.watched = self.watched, {}
        for feature, column in book.columns.items():
            for row, asset in enumerate(column.panel.assets.tolist()):
                for entry in book.at(feature, row):
                    key = entry.rule_id, asset
                    self.watched[key] = self.watched.get(key) or kept(before.get(key), entry.watch)
        series = {(feature, asset) for (_, asset), one in self.watched.items() for feature in one.watch.features}
        self.seen = {key: self.seen.get(key, NEVER) for key in series}

    def fold(self, entries, now):
        """Take a page of the log."""
        times = {}
        for entry in entries:
            if entry.kind is not Kind.READINGS or entry.origin is Origin.IMPORT:
                continue
            current = {series: list(self._current(*series, entry.batch.rows())) for series in self.seen}
            for key, one in self.watched.items():
                samples = [current[feature, key[1]] for feature in one.watch.features]
                self._say(key, one.take(samples, entry.position))
                if came := [at for some in samples for at, _ in some]:
                    times[key] = min(came)
        for key, at in times.items():
            # As late as what the last entry brought of it.
            self.watched[key].lag = max(0, now - at)

    def _current(self, feature, asset, rows):
        """Give what is newer than all before; what is not, is told to those who judge late data."""
        told = [
            (row.time, row.values[feature.code]) for row in rows if row.asset == asset and feature.code in row.values
        ]
        for at, value in sorted(told):
            newest = self.seen[feature, asset]
            for (rule_id, who), one in self.watched.items():
                if who == asset and one.judges_late(feature):
                    self._past((rule_id, who), one, at, value, newest)
            if at > newest:
                self.seen[feature, asset] = at
                yield at, value

    def _past(self, key, one, at, value, newest):
        if at > newest:
            self._say(key, one.take_current(at))
        elif at >= newest - one.watch.late:
            self._say(key, one.take_late(at, value))

    def run_out(self, now):
        """Let delays and schedules end by a clock that is as late as the samples were."""
        for key, one in self.watched.items():
            while (end := due(one.state, one.watch)) is not None and end + one.lag <= now:
                self._say(key, one.step(Look(end)))

    def _say(self, key, transitions):
        self.said += [(key, transition) for transition in transitions]


# -- Many rules of all kinds, without a clock --------------------------------------------------------------------


def pages(dice, number, walks=Walk):
    """A log, cut into pages."""
    walk, found = walks(dice, SENDERS, BEGIN), []
    for position in range(1, number + 1):
        kind = dice.choice([Kind.READINGS] * 12 + [Kind.REPLACE])
        origin = dice.choice([Origin.LIVE] * 12 + [Origin.REPLAY, Origin.IMPORT])
        entry = log_entry(position, walk.rows(), kind=kind, origin=origin)
        if found and dice.random() < 0.5:
            found[-1].append(entry)
        else:
            found.append([entry])
    return found


def rules_of(dice, make, most=4):
    """Some rules, each watching all assets or some."""
    chosen = [dice.sample(ASSETS, dice.randint(0, 2)) for _ in range(dice.randint(1, most))]
    return [ruling_of(number, assets=assets, **make(dice)) for number, assets in enumerate(chosen, 1)]


def differs(dice, make=any_rule, walks=Walk):
    """Tell whether the judge says or remembers other than a plain fold, about rules of all kinds."""
    book = book_of(*rules_of(dice, make), assets=ASSETS)
    memory, plain, said = Memory(0, 0, 0, "judge:commits", book), PlainFold(), []
    plain.adopt(book)
    for page in pages(dice, dice.randint(1, 40), walks):
        said += judge(page, memory, BEGIN)
        plain.fold(page, BEGIN)
    return not_the_same(said, plain, memory)


# -- Rules that look at readings, with a clock and with other books ------------------------------------------------


def simple_rule(dice):
    """A rule that looks at readings as they are."""
    limits = {"above": {"limit": dice.choice(LIMITS)}, "below": {"limit": dice.choice(LIMITS)}}
    limits |= {"outside": {"low": 70.0, "high": 85.0}, "inside": {"low": 76.0, "high": 81.0}}
    schedule = {"timezone": "UTC", "rrule": "FREQ=HOURLY", "duration": "PT1M"}

    def draw():
        number = dice.choice([1, 1, 2])
        severities, kinds = dice.sample(["low", "medium", "high"], number), dice.sample(sorted(limits), number)
        delays = {name: timedelta(seconds=dice.choice([0, 0, 3, 20])) for name in ("on_delay", "off_delay")}
        return {
            "parameter": dice.choice(CODES),
            "conditions": [{"kind": k, **limits[k], "severity": s} for k, s in zip(kinds, severities, strict=True)],
            "deadband": dice.choice([0.0, 5.0]),
            "count": dice.choice([None, None, {"n": 2, "of": 3}]),
            "late_max_age": timedelta(seconds=dice.choice([0, 30])),
            "schedule": dice.choice([None, None, schedule]),
            **delays,
        }

    return proved(draw)


def differs_with_a_clock(dice):
    """Tell whether the judge says or remembers other, when clocks run and rules come and go."""
    book = book_of(*rules_of(dice, simple_rule), assets=ASSETS)
    memory, plain, said = Memory(0, 0, 0, "judge:commits", book), PlainFold(), []
    plain.adopt(book)
    for page in pages(dice, dice.randint(1, 25)):
        if dice.random() < 0.15:
            memory.adopt(book := book_of(*rules_of(dice, simple_rule), assets=ASSETS))
            plain.adopt(book)
        now = BEGIN + dice.randint(0, 200) * SECOND
        said += judge(page, memory, now) + run_out(memory, now)
        plain.fold(page, now)
        plain.run_out(now)
    return not_the_same(said, plain, memory)


def not_the_same(said, plain, memory):
    """Compare what was said of each rule and asset, and what is remembered of them."""
    found = {}
    for one in said:
        found.setdefault((one.entry.rule_id, one.asset_id), []).append(one.transition)
    wanted = {}
    for key, transition in plain.said:
        wanted.setdefault(key, []).append(transition)
    states = {key: one.state for key, one in plain.watched.items() if not one.state.asleep}
    late = {key: (one.late, one.raised) for key, one in plain.watched.items() if one.late is not None}
    remembered = {key: (one.state, one.raised) for key, one in memory.late.items()}
    return (found, memory.states, remembered) != (wanted, states, late)


@pytest.fixture(params=["loop", "columns", "columns in small blocks"])
def way(request):
    """Each way of looking, whatever the number of readings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening, "FEW", 10**9 if request.param == "loop" else -1)
        if request.param.endswith("blocks"):
            patch.setattr("techtrack.alerts.domain.blocks.LARGEST", 3)
        yield request.param


dices = st.integers(0, 2**32).map(random.Random)


@pytest.mark.usefixtures("way")
class TestTheScreenedJudge:
    @settings(deadline=None)  # What lasts is not asked here.
    @given(dices)
    def test_says_and_remembers_what_a_plain_fold_does(self, dice):
        assert not differs(dice)

    @settings(deadline=None)  # What lasts is not asked here.
    @given(dices)
    def test_does_so_of_the_index_of_the_air(self, dice):
        assert not differs(dice, any_air_rule, AirWalk)

    @settings(deadline=None)  # What lasts is not asked here.
    @given(dices)
    def test_does_so_when_clocks_run_and_rules_change(self, dice):
        assert not differs_with_a_clock(dice)


def forgets_awake_series(patch):
    patch.setattr(Memory, "_count", lambda *_: None)


def takes_new_rules_for_old_ones(patch):
    patch.setattr(Memory, "edit", lambda *_, **__: None)


def takes_readings_for_ordered(patch):
    patch.setattr(screening, "in_order", lambda samples, _: np.ones(len(samples.rows), bool))


def takes_the_limit_for_quiet_at_any_deadband(patch):
    """A rule that is not normal is held for normal as soon as its value is back in the quiet range."""
    real = Memory.put

    def put(self, entry, asset, state):
        real(self, entry, asset, State() if state.phase is Phase.PENDING else state)

    patch.setattr(Memory, "put", put)


def lets_quiet_parameters_of_a_rule_in(patch):
    patch.setattr(lifecycle, "_heard", lambda _, look, __: look)


def judges_late_data_by_the_end_of_the_page(patch):
    real = folding._step_late

    def step_late(entry, asset, one, memory):
        newest = int(memory.tracks[one.feature].seen[one.row])
        return real(entry, asset, one._replace(seen=newest), memory)

    patch.setattr(folding, "_step_late", step_late)


@pytest.mark.parametrize(
    ("plant", "property_"),
    [
        (forgets_awake_series, differs_with_a_clock),
        (takes_new_rules_for_old_ones, differs_with_a_clock),
        (takes_readings_for_ordered, differs_with_a_clock),
        (takes_the_limit_for_quiet_at_any_deadband, differs_with_a_clock),
        (lets_quiet_parameters_of_a_rule_in, differs),
        (judges_late_data_by_the_end_of_the_page, differs_with_a_clock),
    ],
)
def test_the_property_catches_a_screen_that(plant, property_, monkeypatch):
    """The planted bugs: with each of them the search must find a log that is judged otherwise."""
    monkeypatch.setattr(screening, "FEW", -1)
    plant(monkeypatch)
    search = settings(max_examples=3000, derandomize=True, database=None, phases=[Part.generate])
    assert find(dices, property_, settings=search)
