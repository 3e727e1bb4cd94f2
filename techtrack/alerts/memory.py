"""What the judge knows between two looks at the log, and how it survives a restart.

A rule that is quiet with an asset has no state of its own: what its features remember is in columns, one row for each
asset. Only what is otherwise has a state. A phase that changed is a row of the database, written with the cursor. What
changes with every sample is saved as one blob now and then; the next start folds the log behind the blob once more.
"""

from __future__ import annotations

import heapq
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from techtrack.alerts.domain.blocks import Block
from techtrack.alerts.domain.features.base import FOREVER, Bounds, Feature
from techtrack.alerts.domain.lifecycle import Phase, State, due
from techtrack.alerts.domain.remembering import Known, Standing, encode
from techtrack.alerts.domain.rule import Watch
from techtrack.alerts.domain.sightings import Sightings
from techtrack.alerts.domain.tracks import Track, Waiting, common_bounds
from techtrack.alerts.models import JudgeMemory, RuleFault, RuleState
from techtrack.alerts.rulebook import Entry, RuleBook
from techtrack.telemetry import services as telemetry_services

Key = tuple[int, int]  # rule id, asset id
# Whoever changes what the judge knows takes the next number of it.
COMMITS = "judge:commits"
# The consumer of the log that holds back what a restarted judge will read again.
HELD = "judge:memory"
SAVED_EVERY = timedelta(seconds=10)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Late:
    """Where a rule stands with what comes late; ``raised``: since when it would have been an alert (µs)."""

    state: State = field(default_factory=State)
    raised: int | None = None


@dataclass(slots=True)
class Memory:
    """States by (rule, asset) of what is not asleep; ``position`` runs ahead of ``committed`` until the commit.

    ``lags`` says how late (µs) the samples of a waiting series arrive: its delays run by a clock that is so much
    behind. ``faults`` says of rules that failed why, ``told_faults`` what the database says. ``waiting`` is what
    features derived of a parameter are not fed yet, since it lies within its ``bounds``. ``written`` has a row in the
    database, ``changed`` is to be written, ``dropped`` to be deleted.
    """

    position: int
    committed: int
    number: int
    commits: str
    book: RuleBook
    held: int = 0
    tracks: dict[Feature, Track] = field(default_factory=dict)
    states: dict[Key, State] = field(default_factory=dict)
    late: dict[Key, Late] = field(default_factory=dict)
    lags: dict[Key, int] = field(default_factory=dict)
    timers: list[tuple[int, Key]] = field(default_factory=list)
    wound: dict[Key, int] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    told_faults: dict[int, str] = field(default_factory=dict)
    written: set[Key] = field(default_factory=set)
    changed: dict[Key, State] = field(default_factory=dict)
    dropped: dict[Key, State] = field(default_factory=dict)
    saved_at: datetime | None = None
    saved_position: int = 0
    sightings: Sightings = field(init=False)
    waiting: Waiting = field(default_factory=Waiting)
    bounds: dict[str, Bounds] = field(default_factory=dict)
    restless: dict[str, list[Feature]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out the columns of the book."""
        self._lay_out()
        self.sightings = Sightings(self.book.assets)

    def _lay_out(self) -> None:
        self.tracks = {
            feature: Track.of(feature, column, partial(self._end_feature, feature))
            for feature, column in self.book.columns.items()
        }

    # -- What fails --------------------------------------------------------------------------------------------

    @property
    def not_judged(self) -> dict[int, str]:
        """The rules that are not judged, and why."""
        return {**self.book.faults, **self.faults}

    def end_rule(self, entry: Entry, asset: int, error: Exception) -> None:
        """Judge a rule no more until rules change: the log is read in order, and it would stop the judge for all."""
        self._note_fault([entry.rule_id], f"fails at asset {asset}", error)

    def _end_feature(self, feature: Feature, error: Exception) -> None:
        places = set(self.book.columns[feature].rules.tolist())
        self._note_fault((self.book.entries[place].rule_id for place in places), f"{feature!r} fails", error)

    def _note_fault(self, rules: Iterable[int], what: str, error: Exception) -> None:
        for rule in sorted({*rules} - self.faults.keys()):
            _log.error("rule %s %s and is not judged until rules change", rule, what, exc_info=error)
            self.faults[rule] = f"{what}: {type(error).__name__}: {error}"

    # -- While it runs ------------------------------------------------------------------------------------------

    def put(self, entry: Entry, asset: int, state: State) -> None:
        """Remember a state; only a change of phase or clause needs to be written at once."""
        key = (entry.rule_id, asset)
        before = self.states.get(key, State())
        if (before.phase, before.clause) != (state.phase, state.clause) or (
            state.phase is not Phase.NORMAL and before.since != state.since
        ):
            self.changed[key] = state
            self.dropped.pop(key, None)
        self._count(entry, asset, state.asleep - before.asleep)
        if state.asleep:
            self.states.pop(key, None)
            self.lags.pop(key, None)
            return
        self.states[key] = state
        self.wind(key, state, entry.watch)

    def put_late(self, entry: Entry, asset: int, late: Late | None) -> None:
        """Remember what came late, or that it is over."""
        key = (entry.rule_id, asset)
        self._count(entry, asset, (late is None) - (key not in self.late))
        if late is None:
            self.late.pop(key, None)
        else:
            self.late[key] = late

    def wind(self, key: Key, state: State, watch: Watch) -> None:
        """Set the clock for what ends by itself; one that is set for earlier will be set anew when it rings."""
        end = due(state, watch)
        if end is None:
            return
        rings = end + self.lags.get(key, 0)
        if rings < self.wound.get(key, FOREVER):
            self.wound[key] = rings
            heapq.heappush(self.timers, (rings, key))

    def ring(self) -> Key:
        """Take the clock that rings first."""
        rings, key = heapq.heappop(self.timers)
        if self.wound.get(key) == rings:
            del self.wound[key]
        return key

    def _count(self, entry: Entry, asset: int, less: int) -> None:
        if less:
            for feature in entry.watch.features:
                row = self.book.columns[feature].panel.row(asset)
                self.tracks[feature].awake[row] -= less
                if feature.code in self.bounds:
                    self.bounds[feature.code].void(self.book.columns[feature].panel.places[row : row + 1])

    def note(self, block: Block) -> None:
        """Note when assets were seen."""
        order, rows = block.in_time(None), block.rows(self.book.assets)
        self.sightings.note(block.assets[order], rows[order], block.times[order])

    def bind(self, code: str) -> None:
        """Note where readings of a parameter may lie and wait."""
        columns = self.book.columns
        tracks = {feature: self.tracks[feature] for feature in self.book.derived[code]}
        self.restless[code] = [feature for feature, track in tracks.items() if track.bounds is None]
        self.bounds[code] = common_bounds(self.book.assets, [(columns[one], track) for one, track in tracks.items()])

    def settle_features(self) -> None:
        """Feed what waits. Nothing can come of it: it was let wait for that."""
        for feature, track in self.tracks.items():
            if feature.of is not None and track.fed < self.waiting.last:
                track.catch_up(feature.code, self.book.columns[feature], self.waiting)
        self.waiting.clear()
        for code in self.bounds:
            self.bind(code)

    def adopt(self, book: RuleBook) -> None:
        """Go on with another book: what it does not watch is dropped; what it watches as before goes on as it was."""
        self.settle_features()
        last, tracks = self.book, self.tracks
        self.book = book
        if book is not last:
            self.faults.clear()
        self._lay_out()
        for feature, track in self.tracks.items():
            if feature in last.columns:
                rows = last.columns[feature].panel.find(book.columns[feature].panel.assets)
                there = rows < len(last.columns[feature].panel)
                track.take(tracks[feature].columns(), np.flatnonzero(there), rows[there])
                # Silence is told again: rules that know are told nothing new by it, a new one is.
        for key in {*self.states, *self.written, *self.late}:
            self._hand_over(key, last)
        self.settle_states()
        self.sightings.move(book.assets)
        # What a rule has seen from the beginning, only the blob can tell after a restart.
        self.saved_at = None

    def settle_states(self) -> None:
        """Count anew which rows are awake, and set all clocks."""
        self.timers, self.wound, self.bounds = [], {}, {}
        for track in self.tracks.values():
            track.awake[:] = 0
            track.set_clock()
        for key in (*self.states, *self.late):
            if entry := self.book.watching(*key):
                self._count(entry, key[1], -1)
        for key, state in self.states.items():
            if entry := self.book.watching(*key):
                self.wind(key, state, entry.watch)

    def _hand_over(self, key: Key, last: RuleBook) -> None:
        entry = self.book.watching(*key)
        if entry is None:
            self._drop(key, self.states.get(key) or self.changed.get(key, State()))
            return
        before = last.watching(*key)
        if before is not None:
            elsewhere = before.watch.made_of != entry.watch.made_of
            self.edit(key, elsewhere=elsewhere, graded=before.watch.clauses != entry.watch.clauses)

    def edit(self, key: Key, *, elsewhere: bool, graded: bool = False) -> None:
        """Let a state go on under an edited rule, which looks ``elsewhere`` or is ``graded`` otherwise.

        What it saw elsewhere is nothing to it, but an alert stays until a value says otherwise.
        """
        if elsewhere:
            self.late.pop(key, None)
        state = self.states.get(key)
        if state is None or not (elsewhere or graded):
            return
        if elsewhere:
            state = state._replace(truth=0, history=0)
        if state.phase is Phase.PENDING:
            # Nobody was told of anything yet: what the rule says now may not hold.
            self.changed[key] = state = state._replace(phase=Phase.NORMAL, since=0, clause=None, value=None)
        elif graded and state.phase is not Phase.NORMAL:
            # The next value that holds says how grave it is now.
            self.changed[key] = state = state._replace(clause=None)
        self.states[key] = state
        if state.asleep:
            del self.states[key]

    # -- The database -------------------------------------------------------------------------------------------

    def unsaved(self, now: datetime) -> bool:
        """Tell whether something waits to be written although nothing new has come."""
        late = self.saved_at is None or (self.saved_position < self.committed and self._is_due(now))
        changed = self.changed or self.dropped or self.not_judged != self.told_faults
        return bool(changed or late or self.sightings.due(now))

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
            update_fields=["phase", "since", "seen", "clause", "value", "lag", "made_of"],
        )
        self._save_faults(now)
        if not self._is_due(now):
            return self.sightings.due(now)
        defaults = {"position": self.position, "seen": encode(self._known())}
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
        self.told_faults = self.not_judged
        self.sightings.settle(now)

    def _save_faults(self, now: datetime) -> None:
        faults = self.not_judged
        if faults == self.told_faults:
            return
        RuleFault.objects.exclude(pk__in=faults).delete()
        new = {pk: detail for pk, detail in faults.items() if self.told_faults.get(pk) != detail}
        rows = [RuleFault(rule_id=pk, detail=detail, since=now) for pk, detail in new.items()]
        fields = ["detail", "since"]
        RuleFault.objects.bulk_create(rows, update_conflicts=True, unique_fields=["rule"], update_fields=fields)

    def _is_due(self, now: datetime) -> bool:
        # Saved in the future is: before the clock was set back.
        return self.saved_at is None or not self.saved_at <= now < self.saved_at + SAVED_EVERY

    def _drop(self, key: Key, state: State) -> None:
        self.states.pop(key, None)
        self.late.pop(key, None)
        self.lags.pop(key, None)
        self.changed.pop(key, None)
        self.dropped[key] = state

    def _known(self) -> Known:
        self.settle_features()
        columns = {}
        for feature, column in self.book.columns.items():
            columns[repr(feature)] = {"assets": column.panel.assets, **self.tracks[feature].columns()}
        late = [self._standing(key, one.state, one.raised) for key, one in self.late.items()]
        return Known(columns, [self._standing(key, state) for key, state in self.states.items()], late)

    def _made_of(self, key: Key) -> int:
        entry = self.book.watching(*key)
        return entry.watch.made_of if entry else 0

    def _standing(self, key: Key, state: State, raised: int | None = None) -> Standing:
        rule, asset = key
        facts = (state.since, state.seen, state.clause, state.value, state.truth)
        history = f"{state.history:x}"
        return Standing(rule, asset, state.phase.value, *facts, history, raised, self._made_of(key))

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
                made_of=self._made_of((rule_id, asset_id)),
            )
            for (rule_id, asset_id), state in self.changed.items()
        ]


def state_of(standing: Standing) -> State:
    """Return the state that was written down."""
    history = int(standing.history, 16)
    facts = (standing.since, standing.seen, standing.clause, standing.value, standing.truth)
    return State(Phase(standing.phase), *facts, history)
