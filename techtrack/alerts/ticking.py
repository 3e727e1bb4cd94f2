"""What ends although nothing comes: delays, schedules, windows, and the patience with a series that is silent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from techtrack.alerts.domain.features.base import Feature
from techtrack.alerts.domain.features.changes import Gap
from techtrack.alerts.domain.features.windows import Windows
from techtrack.alerts.domain.lifecycle import Look, State, due
from techtrack.alerts.domain.tracks import Track
from techtrack.alerts.folding import Found, fold, settle_state
from techtrack.alerts.memory import Memory
from techtrack.alerts.recording import Finding
from techtrack.alerts.screening import Touched, woken


def run_out(memory: Memory, plant_now: int) -> list[Finding]:
    """Let end what ends by ``plant_now`` (µs), by a clock that is behind for series that arrive late."""
    found: list[Found] = []
    for feature, track in memory.tracks.items():
        if track.rings <= plant_now:
            found += _rung(feature, track, memory, plant_now)
    while memory.timers and memory.timers[0][0] <= plant_now:
        found += _ring(memory, plant_now)
    return [finding for _, finding in found]


def _rung(feature: Feature, track: Track, memory: Memory, plant_now: int) -> list[Found]:
    """Look what has ended, once what waits is known."""
    link, column, found = track.links[0][0], memory.book.columns[feature], list[Found]()
    track.catch_up(feature.code, column, memory.waiting)
    if track.rings <= plant_now:
        with track.guarded():
            if isinstance(link, Gap):
                found += _lapse(feature, track, memory, plant_now)
            elif isinstance(link, Windows):
                found += fold(_closed(feature, track, memory, plant_now), memory, plant_now)
        track.set_clock()
        track.renew(column)
    memory.bind(feature.code)
    return found


def _ring(memory: Memory, plant_now: int) -> list[Found]:
    """Let the delay end that is first; what was set for something else by now is set anew, or nothing."""
    key = memory.ring()
    state, entry = memory.states.get(key), memory.book.watching(*key)
    end = due(state, entry.watch) if state and entry else None
    if state is None or entry is None or end is None:
        return []
    if end + memory.lags.get(key, 0) > plant_now:
        memory.wind(key, state, entry.watch)
        return []
    found = settle_state(entry, key[1], [(memory.position, Look(end))], memory)
    if entry.watch.schedule is not None and memory.states.get(key, State()).seen != state.seen:
        # A shift began or ended. The log does not tell it, and what was said of it must not be said again by a restart.
        memory.saved_at = None
    return found


def _lapse(feature: Feature, track: Track, memory: Memory, plant_now: int) -> Iterator[Found]:
    """Tell rules of series that have been silent for too long; once for each silence."""
    gap, columns = track.links[0]
    assert isinstance(gap, Gap)  # noqa: S101 - the caller has looked
    lapses = gap.lapses(columns)
    rows = np.flatnonzero((track.told != columns["at"])[:-1] & ((lapses + track.lag)[:-1] < plant_now))
    for row, at in zip(rows.tolist(), lapses[rows].tolist(), strict=True):
        asset = int(memory.book.columns[feature].panel.assets[row])
        known = track.forgot[row] == columns["at"][row]
        for entry in memory.book.at(feature, row):
            if known and entry.watch.forgets:
                # What it holds now came after the silence had begun, of another parameter.
                continue
            place = entry.watch.features.index(feature)
            silent = {i for i, leaf in enumerate(entry.watch.leaves) if leaf.lapse and leaf.feature == place}
            look = Look(at, silent=frozenset(silent))
            before = memory.states.get((entry.rule_id, asset), State())
            yield from settle_state(entry, asset, [(memory.position, look)], memory)
            now = memory.states.get((entry.rule_id, asset), State())
            changed = (before.truth, before.history) != (now.truth, now.history)
            if len(entry.watch.features) > 1 and (changed or entry.watch.forgets):
                # The log does not tell it, and after a restart the rule may see something else first.
                memory.saved_at = None
    track.told[rows] = track.forgot[rows] = columns["at"][rows]


def _closed(feature: Feature, track: Track, memory: Memory, plant_now: int) -> Iterator[Touched]:
    """Close windows by the clock; that is no longer to be learnt from the log, so it is saved with this commit."""
    link, columns = track.links[0]
    assert isinstance(link, Windows)  # noqa: S101 - the caller has looked
    samples = link.close(columns, plant_now - track.lag)
    samples = samples._replace(turns=np.full(len(samples.rows), memory.position))
    memory.saved_at = None
    yield from woken(feature, memory.book.columns[feature], track, track.feed(samples, first=1))
