"""How the judge remembers after a restart: states from rows, what was seen from the blob and the log behind it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from techtrack.alerts.domain.blocks import blocks, judged, see_block
from techtrack.alerts.domain.lifecycle import Phase, State
from techtrack.alerts.domain.remembering import CorruptMemory, Seen, decode
from techtrack.alerts.memory import HELD, Memory, Track
from techtrack.alerts.models import JudgeMemory, RuleState
from techtrack.alerts.rulebook import RuleBook
from techtrack.core.models import Head
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Kind
from techtrack.telemetry.store.base import LogEntry

# So many readings are decoded at once, about: what a page holds in memory, and how long its transaction is.
MOST_READINGS = 250_000
_FIRST, _MOST = 4, 50
_log = logging.getLogger(__name__)


def recall(consumer: str, commits: str, book: RuleBook) -> Memory:
    """Read everything as of the committed cursor of ``consumer``."""
    # The number first: if a commit slips in between, the number tells, and all is read again.
    number = Head.current(commits)
    position = telemetry_services.begin(consumer=consumer)
    memory = Memory(position, position, number, commits, book, telemetry_services.begin(consumer=HELD))
    blob = JudgeMemory.objects.filter(name=commits).first()
    if blob is not None:
        _lay_out(_decoded(blob), memory)
        _hold(memory, blob.position)
    _read_states(memory)
    if blob is not None:
        _catch_up(memory, blob.position)
    _rest(memory)
    return memory


def _decoded(blob: JudgeMemory) -> Seen:
    try:
        return decode(bytes(blob.seen))
    except CorruptMemory:
        # Without it nothing is lost but which readings are late: that must not stop the judge.
        _log.exception("what the judge had seen cannot be read; late readings may be judged as if they were new")
        return Seen({})


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


def _lay_out(seen: Seen, memory: Memory) -> None:
    if seen.series is None:
        _lay_out_pairs(seen, memory)
        return
    for code, column in memory.book.columns.items():
        if code not in seen.series:
            continue
        known, track = seen.series[code], memory.tracks[code]
        rows = column.panel.find(known.assets)
        there = rows < len(column.panel)
        track.seen[rows[there]] = known.times[there]
        _lay_out_new(code, set(known.rules.tolist()), memory)
    for key, at in seen.apart.items():
        memory.states[key] = State(seen=at)


def _lay_out_new(code: str, known: set[int], memory: Memory) -> None:
    """Let rules of which the blob does not know have seen nothing yet."""
    column, seen = memory.book.columns[code], memory.tracks[code].seen
    if known.issuperset(memory.book.ids_by_code[code].tolist()):
        return
    for row in np.flatnonzero(seen[:-1]).tolist():
        asset = int(column.panel.assets[row])
        for entry in memory.book.at(code, row):
            if entry.rule_id not in known:
                memory.states[entry.rule_id, asset] = State()


def _lay_out_pairs(seen: Seen, memory: Memory) -> None:
    """Take the old form of the blob, which knows of each (rule, asset) what it has seen."""
    for (rule_id, asset_id), at in seen.apart.items():
        if watched := memory.book.watching(rule_id, asset_id):
            memory.tracks[watched[0].parameter].see(watched[1], at)
    for code, column in memory.book.columns.items():
        for row, asset in enumerate(column.panel.assets.tolist()):
            for entry in memory.book.at(code, row):
                at = seen.apart.get((entry.rule_id, asset), 0)
                if at != memory.tracks[code].seen[row]:
                    memory.states[entry.rule_id, asset] = State(seen=at)


def _hold(memory: Memory, position: int) -> None:
    """Let the consumer that holds the log back for this start stand where the blob does."""
    if memory.held != position:
        telemetry_services.advance(consumer=HELD, passed=memory.held, to=position)
        memory.held = position
    memory.saved_position = position


def _read_states(memory: Memory) -> None:
    for row in RuleState.objects.all():
        key = (row.rule_id, row.asset_id)
        memory.written.add(key)
        watched = memory.book.watching(*key)
        known = memory.state(watched[0], key[1], watched[1]).seen if watched else 0
        state = State(Phase(row.phase), row.since, max(row.seen, known), row.clause, row.value)
        memory.put(key, state, state)
        memory.lags[key] = row.lag
        if watched:
            memory.tracks[watched[0].parameter].see(watched[1], state.seen)


def _catch_up(memory: Memory, after: int) -> None:
    """Bring what was seen from the blob's position up to the cursor."""
    caught = {code: Track.of(column) for code, column in memory.book.columns.items()}
    for entries in _pages(after, memory.committed):
        for block in blocks(entry for entry in entries if entry.kind is Kind.READINGS):
            memory.note(block)
        for block in blocks(entry for entry in entries if judged(entry)):
            for code in block.values.keys() & caught.keys():
                see_block(block, code, memory.book.columns[code], caught[code].seen)
    for code, track in memory.tracks.items():
        np.maximum(track.seen, caught[code].seen, out=track.seen)
    for key, state in memory.states.items():
        if watched := memory.book.watching(*key):
            newest = caught[watched[0].parameter].seen.item(watched[1])
            memory.states[key] = replace(state, seen=max(state.seen, newest))


def _pages(after: int, last: int) -> Iterator[Sequence[LogEntry]]:
    more = True
    while more and after < last:
        entries, more = page(after)
        yield [entry for entry in entries if entry.position <= last]
        after = entries[-1].position if entries else last


def _rest(memory: Memory) -> None:
    """Keep states of their own only where they are needed, and drop those of rules that no longer watch."""
    memory.adopt(memory.book)
    places: dict[tuple[str, int], None] = {}
    for key in memory.states:
        if watched := memory.book.watching(*key):
            places[watched[0].parameter, watched[1]] = None
    for code, row in places:
        memory.rest(code, row, memory.tracks[code].seen.item(row))
