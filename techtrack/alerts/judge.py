"""The judge: folds the log of readings through the rules, and commits what it found with its place in the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from techtrack.alerts.domain.condition import Value
from techtrack.alerts.domain.lifecycle import State, Tick, due, step
from techtrack.alerts.events import AlertChanged, ReadingsJudged
from techtrack.alerts.memory import COMMITS, Key, Memory, judged
from techtrack.alerts.recording import Finding, hold_rules, record, withdraw
from techtrack.alerts.rulebook import HEAD as RULEBOOK
from techtrack.alerts.rulebook import Entry, RuleBook
from techtrack.core import clock, events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict
from techtrack.core.models import Head
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Kind
from techtrack.telemetry.store.base import LogEntry

NAME = "judge"
PAGE = 200


class Overtaken(Conflict):
    """Somebody has committed since this judge last looked; what it knew is no longer so."""


class Judge:
    """One fold over the log. Exactly once: findings, states and the cursor are one transaction.

    Each commit takes the next number of ``COMMITS``; a judge that finds a number missing was overtaken,
    rolls back and reads its state anew. So any number of judges is safe, and one is fast.
    """

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._book = RuleBook()

    def work(self) -> bool:
        """Judge what has come since last time; True when there was something."""
        now, plant_now = clock.now(), clock.plant_now()
        try:
            return self._work(now, plant_now)
        except Conflict:
            self._memory = None
            return True
        except Exception:
            # Whatever failed, memory may be ahead of the database: it is read anew.
            self._memory = None
            raise

    def _work(self, now: datetime, plant_now: datetime) -> bool:
        if self._memory is None:
            self._turn_to_current_page()
            self._memory = Memory.load(NAME, COMMITS, self._book)
        memory = self._memory
        entries = telemetry.log(after=memory.position, limit=PAGE)
        # After the entries: a rule that was there before a reading came judges it.
        self._turn_to_current_page()
        for key in [key for key in memory.states if key not in self._book.by_key]:
            memory.drop(key)
        findings = [finding for entry in entries for finding in self._judge(entry, memory, plant_now)]
        findings += self._run_out(memory, plant_now)
        if entries or memory.changed or memory.dropped:
            self._commit(memory, entries, findings, now)
        return bool(entries)

    def _turn_to_current_page(self) -> None:
        if Head.current(RULEBOOK) != self._book.generation:
            self._book = RuleBook.load()

    def _judge(self, entry: LogEntry, memory: Memory, plant_now: datetime) -> list[Finding]:
        memory.position = entry.position
        if not judged(entry):
            return []
        findings: list[Finding] = []
        for asset_id, part in entry.batch.by_asset():
            for code in part.values:
                for rule in self._book.by_series.get((asset_id, code), ()):
                    key = (rule.rule_id, asset_id)
                    findings += _fold(key, rule, part, memory)
                    memory.lags[key] = max(0, to_micros(plant_now) - memory.states[key].seen)
        return findings

    def _run_out(self, memory: Memory, plant_now: datetime) -> list[Finding]:
        """Let the delays end whose time has come although nothing arrived.

        A series that arrives late is given as much more time: its next sample may be on the way.
        """
        findings: list[Finding] = []
        for key in list(memory.waiting):
            entry = self._book.by_key.get(key)
            tick = Tick(to_micros(plant_now) - memory.lags.get(key, 0))
            end = due(memory.states[key], entry.watch) if entry else None
            if entry and end is not None and end <= tick.at:
                state, transitions = step(memory.states[key], tick, entry.watch)
                memory.put(key, state)
                findings += [Finding(entry, key[1], transition) for transition in transitions]
        return findings

    def _commit(self, memory: Memory, entries: list[LogEntry], findings: list[Finding], now: datetime) -> None:
        with transaction.atomic():
            if not hold_rules(findings, others=memory.dropped):
                raise Overtaken("a rule was deleted meanwhile")
            facts = [fact for together in _by_key(findings) for fact in record(together, now=now)]
            for (rule_id, asset_id), state in memory.dropped.items():
                at = max(clock.plant_now(), clock.from_micros(state.seen))
                facts += withdraw(rule_id=rule_id, asset_id=asset_id, at=at, now=now)
            memory.save(now=now)
            facts.append(ReadingsJudged(position=memory.position, newest=_newest(entries)))
            for fact in sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)):
                events.publish(fact)
            telemetry_services.advance(consumer=NAME, passed=memory.committed, to=memory.position)
            if Head.take(COMMITS) != memory.number + 1:
                raise Overtaken("another judge was faster")
        memory.settle()


def _by_key(findings: Iterable[Finding]) -> list[list[Finding]]:
    grouped: dict[Key, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.entry.rule_id, finding.asset_id), []).append(finding)
    return list(grouped.values())


def _fold(key: Key, entry: Entry, part: Batch, memory: Memory) -> list[Finding]:
    state, findings = memory.states.get(key, State()), []
    samples = zip(part.times.tolist(), part.values[entry.parameter].tolist(), strict=True)
    for at, value in sorted(sample for sample in samples if sample[1] == sample[1]):  # NaN: not in this reading
        state, transitions = step(state, Value(at, value), entry.watch)
        findings += [Finding(entry, key[1], transition) for transition in transitions]
    memory.put(key, state)
    return findings


def _newest(entries: Iterable[LogEntry]) -> dict[int, int]:
    newest: dict[int, int] = {}
    for entry in entries:
        if entry.kind is not Kind.READINGS:
            continue
        for asset_id, part in entry.batch.by_asset():
            newest[asset_id] = max(newest.get(asset_id, 0), int(part.times.max()))
    return newest
