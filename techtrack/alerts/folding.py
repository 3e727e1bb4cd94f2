"""Folds entries of the log through the rules: what must be stepped is stepped, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from techtrack.alerts.domain.clocks import set_right
from techtrack.alerts.domain.lifecycle import Change, Look, State, Transition, step
from techtrack.alerts.domain.rule import Watch
from techtrack.alerts.memory import Key, Late, Memory
from techtrack.alerts.recording import Finding
from techtrack.alerts.rulebook import Entry
from techtrack.alerts.screening import Sample, Touched, screened
from techtrack.telemetry.domain.reading import Kind
from techtrack.telemetry.store.base import LogEntry

# A finding, and the position of the entry that brought it.
Found = tuple[int, Finding]
# Looks of a rule at an asset: turn, time, feature, value.
Looks = list[tuple[int, int, int, float]]


def judge(entries: Sequence[LogEntry], memory: Memory, plant_now: int) -> list[Finding]:
    """Fold entries into ``memory``; return what was found, in the order of the log. ``plant_now`` in µs."""
    if not entries:
        return []
    memory.position = entries[-1].position
    touched = screened(_in_time([entry for entry in entries if entry.kind is Kind.READINGS], memory), memory, plant_now)
    found = fold(touched, memory, plant_now)
    # Stable: within an entry and asset the order of features and rules stays.
    return [finding for _, finding in sorted(found, key=lambda one: (one[0], one[1].asset_id))]


def _in_time(entries: Sequence[LogEntry], memory: Memory) -> list[LogEntry]:
    """Set right what clocks that are ahead have sent, and note whose they are."""
    found = []
    for entry in entries:
        right, ahead = set_right(entry)
        memory.sightings.note_clocks(entry.batch.assets, ahead)
        found.append(right)
    return found


def fold(touched: Iterable[Touched], memory: Memory, plant_now: int) -> list[Found]:
    """Step the rules of series that are awake or may wake; all others see nothing that matters."""
    found: list[Found] = []
    several: dict[tuple[Key, int], tuple[Entry, Looks]] = {}
    for one in touched:
        asset = int(memory.book.columns[one.feature].panel.assets[one.row])
        for entry in memory.book.at(one.feature, one.row):
            if one.late or (entry.rule_id, asset) in memory.late:
                found += _settle_late(entry, asset, one, memory)
            if not one.samples or not _stirs(entry, asset, one, memory):
                continue
            place = entry.watch.features.index(one.feature)
            looks = [(sample.turn, sample.at, place, sample.value) for sample in one.samples]
            if len(entry.watch.features) == 1:
                found += _step_all(entry, asset, looks, memory, plant_now)
            else:
                several.setdefault(((entry.rule_id, asset), id(entry)), (entry, []))[1].extend(looks)
    for (key, _), (entry, looks) in several.items():
        found += _step_all(entry, key[1], sorted(looks), memory, plant_now)
    return found


def settle_state(entry: Entry, asset: int, looks: Iterable[tuple[int, Look]], memory: Memory) -> list[Found]:
    """Step a rule with an asset through looks, each with the position that brought it."""
    if entry.rule_id in memory.faults:
        return []
    state, found = memory.states.get((entry.rule_id, asset), State()), []
    try:
        for turn, look in looks:
            state, transitions = step(state, look, entry.watch)
            found += [(turn, Finding(entry, asset, transition)) for transition in transitions]
    except Exception as error:  # noqa: BLE001 - such as a mistake of a plug-in
        memory.end_rule(entry, asset, error)
        return []
    memory.put(entry, asset, state)
    return found


def _stirs(entry: Entry, asset: int, one: Touched, memory: Memory) -> bool:
    """Tell whether a rule is awake or wakes with these samples."""
    key = (entry.rule_id, asset)
    if key in memory.states or key in memory.late:
        return True
    low, high = entry.quiet[entry.watch.features.index(one.feature)]
    return any(sample.value < low or sample.value > high for sample in one.samples)


def _step_all(entry: Entry, asset: int, looks: Looks, memory: Memory, plant_now: int) -> list[Found]:
    key = (entry.rule_id, asset)
    # Its delays run by a clock that is as much behind as its readings are late: those that came last, for what came
    # before them may have been told earlier, had this judge been faster.
    newest = looks[-1][0]
    memory.lags[key] = max(0, plant_now - min(at for turn, at, _, _ in looks if turn == newest))
    found = settle_state(entry, asset, _joined(looks), memory)
    if key not in memory.states:
        memory.lags.pop(key, None)
    return found


def _joined(looks: Looks) -> Iterator[tuple[int, Look]]:
    """Join what came of one reading: all features that have a value at the same time, by the same entry."""
    place = 0
    while place < len(looks):
        turn, at, *_ = looks[place]
        values = {}
        while place < len(looks) and looks[place][:2] == (turn, at):
            values[looks[place][2]] = looks[place][3]
            place += 1
        yield turn, Look(at, values)


# -- What comes late ------------------------------------------------------------------------------------------


def _settle_late(entry: Entry, asset: int, one: Touched, memory: Memory) -> list[Found]:
    if entry.rule_id in memory.faults:
        return []
    try:
        return _step_late(entry, asset, one, memory)
    except Exception as error:  # noqa: BLE001 - as above
        memory.end_rule(entry, asset, error)
        return []


def _step_late(entry: Entry, asset: int, one: Touched, memory: Memory) -> list[Found]:
    """Judge what comes late beside what is current: it may tell of an episode that is over, and of nothing else."""
    watch, key = entry.late, (entry.rule_id, asset)
    if watch is None or one.feature != watch.features[0]:
        return []
    newest, late = one.seen, memory.late.get(key)
    found: list[Found] = []
    for sample in sorted([*one.samples, *one.late]):
        if sample.at < newest - watch.late:
            continue
        # What is current ends what late data left open and can no longer go on; so does another stretch of the past.
        current = sample.at > newest
        if late is not None and (sample.at - late.state.seen > watch.late if current else sample.at <= late.state.seen):
            found += _past(entry, asset, late, late.state.seen, sample.turn)
            late = None
        if current:
            newest = sample.at
        else:
            late, more = _look_late(entry, watch, asset, late or Late(), sample)
            found += more
    if late is not None and late.state.asleep:
        late = None
    memory.put_late(entry, asset, late)
    return found


def _look_late(entry: Entry, watch: Watch, asset: int, late: Late, sample: Sample) -> tuple[Late, list[Found]]:
    state, transitions = step(late.state, Look(sample.at, {0: sample.value}), watch)
    raised, found = late.raised, []
    for transition in transitions:
        if transition.change is Change.RAISED:
            raised = transition.at
        elif transition.change is Change.RETURNED and raised is not None:
            over = Transition(Change.PAST, transition.at, transition.clause, transition.value, raised)
            found.append((sample.turn, Finding(entry, asset, over)))
            raised = None
    return Late(state, raised), found


def _past(entry: Entry, asset: int, late: Late, at: int, turn: int) -> list[Found]:
    if late.raised is None:
        return []
    over = Transition(Change.PAST, at, late.state.clause or 0, late.state.value, late.raised)
    return [(turn, Finding(entry, asset, over))]
