"""What the judge knows between two looks at the log, and how it survives a restart.

A phase that changed is a row, written with the cursor. ``seen`` changes with every sample, so it is saved
as one blob now and then, and brought up to the cursor from the log when the judge starts again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import numpy as np

from techtrack.alerts.domain.lifecycle import Phase, State
from techtrack.alerts.models import JudgeMemory, RuleState
from techtrack.alerts.rulebook import RuleBook
from techtrack.core.models import Head
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.store.base import LogEntry

Key = tuple[int, int]  # rule id, asset id
# Whoever changes what the judge knows takes the next number of it.
COMMITS = "judge:commits"
SAVED_EVERY = timedelta(seconds=10)
PAGE = 500


@dataclass(slots=True)
class Memory:
    """States by (rule, asset); ``position`` runs ahead of ``committed`` until the commit.

    ``lags`` says how late (µs) the samples of a series arrive: its delays run by a clock that is so much behind.
    """

    position: int
    committed: int
    number: int
    commits: str
    states: dict[Key, State] = field(default_factory=dict)
    waiting: set[Key] = field(default_factory=set)
    lags: dict[Key, int] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    dropped: dict[Key, State] = field(default_factory=dict)
    saved_at: datetime | None = None

    @classmethod
    def load(cls, consumer: str, commits: str, book: RuleBook) -> Memory:
        """Read everything as of the committed cursor."""
        # The number first: if a commit slips in between, the number tells, and all is read again.
        number = Head.current(commits)
        position = telemetry_services.begin(consumer=consumer)
        memory = cls(position, position, number, commits)
        for row in RuleState.objects.all():
            state = State(Phase(row.phase), row.since, row.seen, row.clause, row.value)
            memory.put((row.rule_id, row.asset_id), state)
            memory.lags[row.rule_id, row.asset_id] = row.lag
        memory.changed.clear()
        memory.catch_up(book)
        return memory

    def put(self, key: Key, state: State) -> None:
        """Remember a state; only a change of phase or clause needs to be written at once."""
        before = self.states.get(key, State())
        self.states[key] = state
        if (before.phase, before.clause, before.since) != (state.phase, state.clause, state.since):
            self.changed.add(key)
            self.dropped.pop(key, None)
        if state.phase in {Phase.PENDING, Phase.RETURNING}:
            self.waiting.add(key)
        else:
            self.waiting.discard(key)

    def drop(self, key: Key) -> None:
        """Forget a rule that no longer watches an asset; ``dropped`` keeps it for the commit."""
        self.waiting.discard(key)
        self.changed.discard(key)
        self.dropped[key] = self.states.pop(key)

    def save(self, *, now: datetime) -> None:
        """Write what changed, in the caller's transaction."""
        for rule_id, asset_id in self.dropped:
            RuleState.objects.filter(rule=rule_id, asset=asset_id).delete()
        RuleState.objects.bulk_create(
            self._rows(),
            update_conflicts=True,
            unique_fields=["rule", "asset"],
            update_fields=["phase", "since", "seen", "clause", "value", "lag"],
        )
        if self.saved_at is None or now - self.saved_at >= SAVED_EVERY:
            blob = msgspec.msgpack.encode([(*key, state.seen) for key, state in self.states.items()])
            JudgeMemory.objects.update_or_create(name=self.commits, defaults={"position": self.position, "seen": blob})
            self.saved_at = now

    def settle(self) -> None:
        """Note that the commit went through."""
        self.committed, self.number = self.position, self.number + 1
        self.changed.clear()
        self.dropped.clear()

    def catch_up(self, book: RuleBook) -> None:
        """Learn what was seen up to the cursor: from the blob, then from the log behind it."""
        row = JudgeMemory.objects.filter(name=self.commits).first()
        if row is None:
            return
        for rule_id, asset_id, seen in msgspec.msgpack.decode(bytes(row.seen)):
            self._see((rule_id, asset_id), seen)
        after = row.position
        while after < self.committed and (entries := telemetry.log(after=after, limit=PAGE)):
            after = entries[-1].position
            for entry in entries:
                if entry.position <= self.committed and judged(entry):
                    self._see_all(entry.batch, book)

    def _see_all(self, batch: Batch, book: RuleBook) -> None:
        for asset_id, part in batch.by_asset():
            for code, column in part.values.items():
                times = part.times[~np.isnan(column)]
                for entry in book.by_series.get((asset_id, code), ()) if len(times) else ():
                    self._see((entry.rule_id, asset_id), int(times.max()))

    def _see(self, key: Key, seen: int) -> None:
        state = self.states.get(key, State())
        self.states[key] = replace(state, seen=max(state.seen, seen))

    def _rows(self) -> list[RuleState]:
        return [
            RuleState(
                rule_id=key[0],
                asset_id=key[1],
                phase=self.states[key].phase,
                since=self.states[key].since,
                seen=self.states[key].seen,
                clause=self.states[key].clause,
                value=self.states[key].value,
                lag=self.lags.get(key, 0),
            )
            for key in self.changed
        ]


def judged(entry: LogEntry) -> bool:
    """Tell whether the judge looks at an entry: corrections and imported history are not news."""
    return entry.kind is Kind.READINGS and entry.origin is not Origin.IMPORT
