"""What the judge knows between two looks at the log, and how it survives a restart.

A rule that is quiet with a series has seen what the series has: one time per series, in columns. Only what is
otherwise has a state of its own. A phase that changed is a row, written with the cursor. What was seen changes with
every sample, so it is saved as one blob now and then, and brought up to the cursor from the log at the next start.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.blocks import Block
from techtrack.alerts.domain.lifecycle import Phase, State
from techtrack.alerts.domain.remembering import Seen, Series, encode
from techtrack.alerts.domain.series import Column, Ints
from techtrack.alerts.domain.sightings import Sightings
from techtrack.alerts.models import JudgeMemory, RuleState
from techtrack.alerts.rulebook import Entry, RuleBook
from techtrack.telemetry import services as telemetry_services

Key = tuple[int, int]  # rule id, asset id
# Whoever changes what the judge knows takes the next number of it.
COMMITS = "judge:commits"
# The consumer of the log that holds back what a restarted judge will read again.
HELD = "judge:memory"
SAVED_EVERY = timedelta(seconds=10)


@dataclass(slots=True)
class Track:
    """Of each row of a column: the newest time that was seen (µs), and whether a rule has a state of its own."""

    seen: Ints
    awake: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, column: Column) -> Track:
        """Know nothing yet."""
        return cls(np.zeros(len(column.panel) + 1, np.int64), np.zeros(len(column.panel) + 1, bool))

    def see(self, row: int, at: int) -> None:
        """Note one sample."""
        if at > self.seen.item(row):
            self.seen[row] = at


@dataclass(slots=True)
class Memory:
    """States by (rule, asset); ``position`` runs ahead of ``committed`` until the commit.

    ``states`` holds what is not normal, and what has not seen the same as its series, such as a rule that is new
    with it. ``lags`` says how late (µs) the samples of a waiting series arrive: its delays run by a clock that is so
    much behind. ``written`` has a row in the database, ``changed`` is to be written, ``dropped`` to be deleted.
    """

    position: int
    committed: int
    number: int
    commits: str
    book: RuleBook
    held: int = 0
    tracks: dict[str, Track] = field(default_factory=dict)
    states: dict[Key, State] = field(default_factory=dict)
    waiting: set[Key] = field(default_factory=set)
    lags: dict[Key, int] = field(default_factory=dict)
    written: set[Key] = field(default_factory=set)
    changed: dict[Key, State] = field(default_factory=dict)
    dropped: dict[Key, State] = field(default_factory=dict)
    saved_at: datetime | None = None
    saved_position: int = 0
    sightings: Sightings = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the columns of the book."""
        self.tracks = {code: Track.of(column) for code, column in self.book.columns.items()}
        self.sightings = Sightings(self.book.assets)

    # -- While it runs ------------------------------------------------------------------------------------------

    def state(self, entry: Entry, asset: int, row: int) -> State:
        """Return where a rule stands with an asset."""
        return self.states.get((entry.rule_id, asset)) or State(seen=self.tracks[entry.parameter].seen.item(row))

    def put(self, key: Key, before: State, state: State) -> None:
        """Remember a state; only a change of phase or clause needs to be written at once."""
        self.states[key] = state
        if (before.phase, before.clause, before.since) != (state.phase, state.clause, state.since):
            self.changed[key] = state
            self.dropped.pop(key, None)
        if state.phase in {Phase.PENDING, Phase.RETURNING}:
            self.waiting.add(key)
        else:
            self.waiting.discard(key)

    def rest(self, code: str, row: int, seen: int) -> None:
        """Let the rules of a series, that has seen ``seen``, have no state of their own if they need none."""
        asset, awake = int(self.book.columns[code].panel.assets[row]), False
        for entry in self.book.at(code, row):
            key = (entry.rule_id, asset)
            state = self.states.get(key)
            if state is not None and state.phase is Phase.NORMAL and state.seen == seen:
                # It has seen all that the series has, and it will: from here on they are one.
                del self.states[key]
                self.lags.pop(key, None)
            awake = awake or key in self.states
        self.tracks[code].awake[row] = awake

    def note(self, block: Block) -> None:
        """Note when assets were seen."""
        order, rows = block.in_time(None), block.rows(self.book.assets)
        self.sightings.note(block.assets[order], rows[order], block.times[order])

    def adopt(self, book: RuleBook) -> None:
        """Go on with another book: rules that it does not have are dropped, new ones have seen nothing yet."""
        last, tracks = self.book, self.tracks
        gone = {key: self._last_of(key) for key in {*self.states, *self.written} if book.watching(*key) is None}
        self.book, self.tracks = book, {code: Track.of(column) for code, column in book.columns.items()}
        for key, state in gone.items():
            self._drop(key, state)
        for code, column in book.columns.items():
            if code in last.columns:
                rows = last.columns[code].panel.find(column.panel.assets)
                seen = np.where(rows < len(last.columns[code].panel), tracks[code].seen[rows], 0)
                self.tracks[code].seen[:-1] = seen
                self.states.update(dict.fromkeys(_fresh(last, book, code, seen), State()))
        self.flag()
        self.sightings.move(book.assets)
        # Which rules are new with their series, only the blob can tell after a restart.
        self.saved_at = None

    # -- The database -------------------------------------------------------------------------------------------

    def unsaved(self, now: datetime) -> bool:
        """Tell whether something waits to be written although nothing new has come."""
        late = self.saved_at is None or (self.saved_position < self.committed and self._is_due(now))
        return bool(self.changed or self.dropped or late or self.sightings.due(now))

    def save(self, *, now: datetime) -> dict[int, int]:
        """Write what changed, in the caller's transaction; return the assets to tell of, with their newest times."""
        by_rule = defaultdict(list)
        for rule_id, asset_id in self.dropped:
            by_rule[rule_id].append(asset_id)
        for rule_id, assets in by_rule.items():
            RuleState.objects.filter(rule=rule_id, asset__in=assets).delete()
        RuleState.objects.bulk_create(
            self._rows(),
            update_conflicts=True,
            unique_fields=["rule", "asset"],
            update_fields=["phase", "since", "seen", "clause", "value", "lag"],
        )
        if not self._is_due(now):
            return self.sightings.due(now)
        defaults = {"position": self.position, "seen": encode(self._seen())}
        JudgeMemory.objects.update_or_create(name=self.commits, defaults=defaults)
        telemetry_services.advance(consumer=HELD, passed=self.held, to=self.position)
        self.saved_at, self.saved_position, self.held = now, self.position, self.position
        # With the blob nothing stays untold: a restarted judge reads only what is behind it.
        return self.sightings.due(now, every=timedelta(0))

    def settle(self, now: datetime) -> None:
        """Note that the commit went through."""
        self.committed, self.number = self.position, self.number + 1
        self.written |= self.changed.keys()
        self.written -= self.dropped.keys()
        self.changed.clear()
        self.dropped.clear()
        self.sightings.settle(now)

    def _is_due(self, now: datetime) -> bool:
        # Saved in the future is: before the clock was set back.
        return self.saved_at is None or not self.saved_at <= now < self.saved_at + SAVED_EVERY

    def _drop(self, key: Key, state: State) -> None:
        self.states.pop(key, None)
        self.lags.pop(key, None)
        self.changed.pop(key, None)
        self.waiting.discard(key)
        self.dropped[key] = state

    def _last_of(self, key: Key) -> State:
        watched = self.book.watching(*key)
        return self.state(watched[0], key[1], watched[1]) if watched else self.states.get(key, State())

    def flag(self) -> None:
        """Mark the series of rules that have a state of their own."""
        for key in self.states:
            if watched := self.book.watching(*key):
                self.tracks[watched[0].parameter].awake[watched[1]] = True

    def _seen(self) -> Seen:
        series = {
            code: Series(column.panel.assets, self.tracks[code].seen[:-1], self.book.ids_by_code[code])
            for code, column in self.book.columns.items()
        }
        apart = {}
        for key, state in self.states.items():
            watched = self.book.watching(*key)
            if watched and state.seen != self.tracks[watched[0].parameter].seen[watched[1]]:
                apart[key] = state.seen
        return Seen(series, apart)

    def _rows(self) -> list[RuleState]:
        return [
            RuleState(
                rule_id=rule_id,
                asset_id=asset_id,
                phase=state.phase,
                since=state.since,
                seen=state.seen,
                clause=state.clause,
                value=state.value,
                lag=self.lags.get((rule_id, asset_id), 0),
            )
            for (rule_id, asset_id), state in self.changed.items()
        ]


def _fresh(last: RuleBook, book: RuleBook, code: str, seen: Ints) -> list[Key]:
    """Return the (rule, asset) of a parameter that the last book did not have, if their series was seen before."""
    new, old = book.columns[code], last.columns[code]
    rows, rules = _pairs(new, book)
    old_rows, old_rules = _pairs(old, last)
    old_rows = new.panel.find(old.panel.assets)[old_rows]
    ranks = np.unique(np.concatenate([rules, old_rules]))
    pairs, known = (r * len(ranks) + np.searchsorted(ranks, i) for r, i in ((rows, rules), (old_rows, old_rules)))
    fresh = ~np.isin(pairs, known) & (seen[rows] > 0)
    return list(zip(rules[fresh].tolist(), new.panel.assets[rows[fresh]].tolist(), strict=True))


def _pairs(column: Column, book: RuleBook) -> tuple[Ints, Ints]:
    """Return the row and the rule id of each pair of a column."""
    return np.repeat(np.arange(len(column.panel)), np.diff(column.starts)), book.ids[column.rules]
