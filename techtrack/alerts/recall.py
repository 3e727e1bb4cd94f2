"""How the judge remembers after a restart: what the blob knew, the log behind it once more, and phases from rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import numpy as np

from techtrack.alerts.domain.lifecycle import Phase, State
from techtrack.alerts.domain.remembering import CorruptMemory, Known, decode
from techtrack.alerts.folding import judge
from techtrack.alerts.memory import HELD, Key, Late, Memory, state_of
from techtrack.alerts.models import JudgeMemory, RuleFault, RuleState
from techtrack.alerts.rulebook import RuleBook
from techtrack.core.models import Head
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.store.base import LogEntry

# So many readings are decoded at once, about: what a page holds in memory, and how long its transaction is.
MOST_READINGS = 250_000
_FIRST, _MOST = 4, 50
# Gives entries of the log without the values that are not to be judged.
Sound = Callable[[Sequence[LogEntry]], Sequence[LogEntry]]
_log = logging.getLogger(__name__)


def recall(
    consumer: str, commits: str, book: RuleBook, *, now: datetime, afresh: bool = True, sound: Sound = telemetry.sound
) -> Memory:
    """Read everything as of the committed cursor of ``consumer``; ``afresh``: rules that failed are tried again.

    What ``sound`` leaves out was not judged then, and is not seen now.
    """
    # The number first: if a commit slips in between, the number tells, and all is read again.
    number = Head.current(commits)
    position = telemetry_services.begin(consumer=consumer)
    memory = Memory(position, position, number, commits, book, telemetry_services.begin(consumer=HELD))
    memory.told_faults = dict(RuleFault.objects.values_list("rule_id", "detail"))
    memory.faults = {} if afresh else {pk: why for pk, why in memory.told_faults.items() if pk not in book.faults}
    blob = JudgeMemory.objects.filter(name=commits).first()
    if blob is not None:
        _lay_out(_decoded(blob), memory)
        _hold(memory, blob.position)
        _catch_up(memory, blob.position, sound)
    _read_phases(memory)
    memory.adopt(memory.book)
    # What the blob lacks, since a rule is new, is saved when it is due. To commit for that alone would overtake all
    # other judges, who would read everything anew, commit for it, and so on without end. Without a blob one is needed.
    memory.saved_at = now if blob is not None else None
    return memory


def _decoded(blob: JudgeMemory) -> Known:
    try:
        return decode(bytes(blob.seen))
    except CorruptMemory:
        # Without it windows and baselines begin anew, and nobody knows what is late: that must not stop the judge.
        _log.exception("what the judge had seen cannot be read; windows and baselines begin anew")
        return Known({}, [], [])


def page(after: int) -> tuple[list[LogEntry], bool]:
    """Return the log behind a position, about ``MOST_READINGS`` readings at most, and whether there may be more."""
    entries: list[LogEntry] = []
    size, limit = 0, _FIRST
    while size < MOST_READINGS:
        found = telemetry.log(after=entries[-1].position if entries else after, limit=limit)
        entries += found
        if len(found) < limit:
            return entries, False
        # No more than would fit if all were as large as those just read.
        largest = max(len(entry.batch) for entry in found) or 1
        size += sum(len(entry.batch) for entry in found)
        limit = max(1, min(2 * limit, _MOST, (MOST_READINGS - size) // largest))
    return entries, True


def _lay_out(known: Known, memory: Memory) -> None:
    for feature, column in memory.book.columns.items():
        columns = known.columns.get(repr(feature))
        if columns is None:
            continue
        rows = column.panel.find(columns["assets"])
        there = rows < len(column.panel)
        memory.tracks[feature].take(columns, rows[there], np.flatnonzero(there))
    for one in known.late:
        memory.late[one.rule, one.asset] = Late(state_of(one), one.raised)
    for one in known.states:
        memory.states[one.rule, one.asset] = state_of(one)
    for one in (*known.states, *known.late):
        key = (one.rule, one.asset)
        memory.edit(key, elsewhere=_edited(memory, key, one.made_of))
    memory.adopt(memory.book)
    # Nobody is to be told of what went meanwhile before the rows are read.
    memory.dropped.clear()


def _hold(memory: Memory, position: int) -> None:
    """Let the consumer that holds the log back for this start stand where the blob does."""
    if memory.held != position:
        telemetry_services.advance(consumer=HELD, passed=memory.held, to=position)
        memory.held = position
    memory.saved_position = position


def _catch_up(memory: Memory, after: int, sound: Sound) -> None:
    """Fold the log from the blob's position up to the cursor once more; what is found was recorded before."""
    lags = {feature: track.lag.copy() for feature, track in memory.tracks.items()}
    for entries in _pages(after, memory.committed):
        judge(sound(entries), memory, 0)
    memory.settle_features()
    for feature, lag in lags.items():
        # How late they came these readings no longer tell: taken for timely, those to come would be missed too soon.
        memory.tracks[feature].lag = lag
    memory.position = memory.committed
    memory.changed.clear()


def _pages(after: int, last: int) -> Iterator[Sequence[LogEntry]]:
    more = True
    while more and after < last:
        entries, more = page(after)
        yield [entry for entry in entries if entry.position <= last]
        after = entries[-1].position if entries else last


def _read_phases(memory: Memory) -> None:
    """Take from rows in which phase each rule is: clocks, which leave no trace in the log, count as well."""
    rows = {(row.rule_id, row.asset_id): row for row in RuleState.objects.all()}
    memory.written = set(rows)
    for key in {*rows, *memory.states}:
        state = memory.states.get(key, State())
        row = rows.get(key)
        if row is not None:
            memory.lags[key] = row.lag
        if state.phase is not Phase.NORMAL or (row is not None and row.phase != Phase.NORMAL):
            state = _in_phase(memory, key, state, row)
        memory.states[key] = state
        if row is not None and row.phase != Phase.NORMAL:
            memory.edit(key, elsewhere=_edited(memory, key, row.made_of))
        if memory.states.get(key, State()).asleep:
            memory.states.pop(key, None)
            memory.lags.pop(key, None)


def _edited(memory: Memory, key: Key, made_of: int) -> bool:
    """Tell whether a rule looks at something else than when its state was written down."""
    entry = memory.book.watching(*key)
    return entry is not None and made_of not in {0, entry.watch.made_of}


def _in_phase(memory: Memory, key: Key, state: State, row: RuleState | None) -> State:
    """Return a state as it is by its row; none is normal."""
    if row is None:
        return state._replace(phase=Phase.NORMAL, since=0, clause=None, value=None)
    # The row has the value of when the phase began; the log, the newest.
    value = row.value if state.value is None else state.value
    truth, seen = _truth(memory, key, state, row), max(state.seen, row.seen)
    return State(Phase(row.phase), row.since, seen, row.clause, value, truth, state.history)


def _truth(memory: Memory, key: Key, state: State, row: RuleState) -> int:
    """Return what holds; where nobody remembers, what the phase needs so that a deadband goes on to count."""
    entry = memory.book.watching(*key)
    if state.truth or state.history or entry is None or row.clause is None:
        return state.truth
    if row.phase in {Phase.RETURNING, Phase.NORMAL} or row.clause >= len(entry.watch.clauses):
        return 0
    return entry.watch.clauses[row.clause].holds[0]
