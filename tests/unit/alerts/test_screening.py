"""What the judge passes over in bulk is what nobody would have seen change: held against a plain fold."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import Phase as Part
from hypothesis import find, given, settings
from hypothesis import strategies as st

from techtrack.alerts import memory as memories
from techtrack.alerts import screening
from techtrack.alerts.domain.condition import Value, parse_conditions, quiet_range
from techtrack.alerts.domain.lifecycle import Phase, State, Tick, Watch, due, step
from techtrack.alerts.domain.scope import Fleet, Scope
from techtrack.alerts.judge import judge, run_out
from techtrack.alerts.memory import Memory
from techtrack.alerts.rulebook import Entry, RuleBook, Ruling
from techtrack.core.clock import from_micros
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.store.base import LogEntry
from tests.factories import NOW

ASSETS = [3, 4, 7, 90]
CODES = ["t", "p"]
SECOND = 1_000_000
NAN = float("nan")


def entry(rule_id, code, kinds_and_limits, *, deadband=0.0, on_delay=0, off_delay=0):
    """A rule as the judge has it."""
    raw = [{"kind": kind, "limit": limit, "severity": severity} for kind, limit, severity in kinds_and_limits]
    watch = Watch(parse_conditions(raw), deadband, on_delay, off_delay)
    return Entry(rule_id, f"Rule {rule_id}", 1, code, watch, None, {}, quiet_range(watch.clauses))


def book_of(rules, assets=ASSETS):
    """The book of ``rules``: pairs of an entry and the assets it watches, empty for all."""
    rulings = {one.rule_id: Ruling((1, NOW), one, Scope(assets=frozenset(scope))) for one, scope in rules}
    return RuleBook.of(1, rulings, Fleet((asset, None, None, []) for asset in assets))


def memory_of(book):
    return Memory(0, 0, 0, "judge:commits", book)


def log_entry(position, rows, *, kind=Kind.READINGS, origin=Origin.LIVE):
    """An entry of (asset, time, {code: value}); what is left out is absent."""
    codes = sorted({code for _, _, values in rows for code in values})
    columns = {code: np.array([values.get(code, NAN) for _, _, values in rows], float) for code in codes}
    assets, times = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
    return LogEntry(position, kind, origin, Batch(assets, times, columns))


@dataclass
class PlainFold:
    """The independent oracle: every rule with every asset has its state, every sample is stepped."""

    states: dict = field(default_factory=dict)
    lags: dict = field(default_factory=dict)
    said: list = field(default_factory=list)

    def adopt(self, rules, assets=ASSETS):
        watched = {(one.rule_id, asset): one for one, scope in rules for asset in scope or assets}
        self.rules = watched
        self.states = {key: self.states.get(key, State()) for key in watched}

    def fold(self, entries, now):
        for one in entries:
            if one.kind is not Kind.READINGS or one.origin is Origin.IMPORT:
                continue
            for (rule_id, asset), rule in self.rules.items():
                column = one.batch.values.get(rule.parameter, np.full(len(one.batch), NAN))
                rows = zip(one.batch.assets.tolist(), one.batch.times.tolist(), column.tolist(), strict=True)
                samples = sorted((at, value) for who, at, value in rows if who == asset and not np.isnan(value))
                for at, value in samples:
                    self._step((rule_id, asset), Value(at, value))
                if samples:
                    self.lags[rule_id, asset] = max(0, now - self.states[rule_id, asset].seen)
        for key, state in self.states.items():
            end = due(state, self.rules[key].watch)
            tick = Tick(now - self.lags.get(key, 0))
            if end is not None and end <= tick.at:
                self._step(key, tick)

    def _step(self, key, event):
        self.states[key], transitions = step(self.states[key], event, self.rules[key].watch)
        self.said += [(*key, transition) for transition in transitions]


limits = st.sampled_from([70.0, 80.0, 90.0])
clauses = st.lists(
    st.tuples(st.sampled_from(["above", "below"]), limits, st.sampled_from(["low", "critical"])), min_size=1, max_size=2
)
delays = st.sampled_from([0, 0, 3, 20])


@st.composite
def rulebooks(draw):
    """Some rules, each watching all assets or some."""
    rules = []
    for rule_id in draw(st.sets(st.integers(1, 5), max_size=4)):
        delay = {"on_delay": draw(delays) * SECOND, "off_delay": draw(delays) * SECOND}
        how = {"deadband": draw(st.sampled_from([0, 5])), **delay}
        rule = entry(rule_id, draw(st.sampled_from(CODES)), draw(clauses), **how)
        rules.append((rule, draw(st.sets(st.sampled_from(ASSETS), max_size=2))))
    return rules


values = st.sampled_from([60.0, 70.0, 75.0, 79.0, 80.0, 81.0, 90.0, 95.0])
row = st.tuples(
    # 5 and 1000 are assets that nobody watches.
    st.sampled_from([*ASSETS, 5, 1000]),
    st.integers(1, 60).map(lambda second: second * SECOND),
    st.dictionaries(st.sampled_from([*CODES, "x"]), values, min_size=1, max_size=3),
)
kinds = st.sampled_from([Kind.READINGS] * 8 + [Kind.REPLACE])
origins = st.sampled_from([Origin.LIVE] * 8 + [Origin.REPLAY, Origin.IMPORT])
turns = st.lists(st.tuples(st.lists(row, min_size=1, max_size=6), kinds, origins), max_size=4)
looks = st.lists(st.tuples(turns, st.integers(0, 100), st.none() | rulebooks()), min_size=1, max_size=6)


def run(looks, first):
    """Give what the judge said, what the oracle said, and both states in the end."""
    memory, oracle = memory_of(book_of(first)), PlainFold()
    oracle.adopt(first)
    said, position = [], 0
    for batches, second, rules in looks:
        entries = []
        for rows, kind, origin in batches:
            position += 1
            entries.append(log_entry(position, rows, kind=kind, origin=origin))
        if rules is not None and rules_apart(rules, oracle.rules):
            memory.adopt(book_of(rules))
            oracle.adopt(rules)
        now = second * SECOND
        found = judge(entries, memory, from_micros(now)) + run_out(memory, from_micros(now))
        said += [(one.entry.rule_id, one.asset_id, one.transition) for one in found]
        oracle.fold(entries, now)
    return said, oracle.said, states_of(memory), oracle.states


def rules_apart(rules, known):
    """A rule that is given another parameter is another rule: its service makes the judge read everything anew."""
    codes = {rule_id: one.parameter for (rule_id, _), one in known.items()}
    return all(codes.get(one.rule_id, one.parameter) == one.parameter for one, _ in rules)


def states_of(memory):
    """What the judge would step next, for every rule and asset; what a normal state remembers besides is no matter."""
    return {
        (one.rule_id, asset): memory.state(one, asset, row)
        for code, column in memory.book.columns.items()
        for row, asset in enumerate(column.panel.assets.tolist())
        for one in memory.book.at(code, row)
    }


def essence(state):
    normal = state.phase is Phase.NORMAL
    return (state.phase, state.seen) if normal else (state.phase, state.seen, state.since, state.clause, state.value)


def differs(looks, first):
    said, expected, states, plain = run(looks, first)
    by_key = {key: [one for one in said if one[:2] == key] for key in plain}
    plainly = {key: [one for one in expected if one[:2] == key] for key in plain}
    if by_key != plainly or len(said) != len(expected):
        return True
    return {key: essence(state) for key, state in states.items()} != {k: essence(state) for k, state in plain.items()}


@pytest.fixture(params=["loop", "columns", "columns in small blocks"])
def way(request):
    """Each way of looking, whatever the number of readings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening, "FEW", 10**9 if request.param == "loop" else -1)
        if request.param.endswith("blocks"):
            patch.setattr("techtrack.alerts.domain.blocks.LARGEST", 3)
        yield request.param


@pytest.mark.usefixtures("way")
class TestTheScreenedJudge:
    @given(looks, rulebooks())
    def test_says_and_remembers_what_a_plain_fold_does(self, looks, first):
        assert not differs(looks, first)


def forgets_awake_series(patch):
    real = Memory.rest

    def rest(self, code, row, seen):
        real(self, code, row, seen)
        self.tracks[code].awake[row] = False

    patch.setattr(Memory, "rest", rest)


def takes_new_rules_for_old_ones(patch):
    patch.setattr(memories, "_fresh", lambda *_: [])


def takes_readings_for_ordered(patch):
    patch.setattr(
        "techtrack.alerts.domain.blocks.Block.in_time", lambda _, there: slice(None) if there is None else there
    )


def takes_the_limit_for_quiet_at_any_deadband(patch):
    """A rule that is not normal is held for normal as soon as its value is back in the quiet range."""
    real = Memory.put

    def put(self, key, before, state):
        if state.phase is Phase.PENDING:
            state = State(seen=state.seen)
        real(self, key, before, state)

    patch.setattr(Memory, "put", put)


@pytest.mark.parametrize(
    "plant",
    [
        forgets_awake_series,
        takes_new_rules_for_old_ones,
        takes_readings_for_ordered,
        takes_the_limit_for_quiet_at_any_deadband,
    ],
)
def test_the_property_catches_a_screen_that(plant, monkeypatch):
    """The planted bugs: with each of them the search must find a log that is judged otherwise."""
    monkeypatch.setattr(screening, "FEW", -1)
    plant(monkeypatch)
    search = settings(max_examples=3000, derandomize=True, database=None, phases=[Part.generate])
    assert find(st.tuples(looks, rulebooks()), lambda one: differs(*one), settings=search)
