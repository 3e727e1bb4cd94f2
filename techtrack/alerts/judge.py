"""The judge: folds the log of readings through the rules, and commits what it found with its place in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from techtrack.alerts.domain.condition import Value
from techtrack.alerts.domain.lifecycle import State, Tick, due, step
from techtrack.alerts.events import AlertChanged, ReadingsJudged
from techtrack.alerts.memory import COMMITS, Key, Memory
from techtrack.alerts.recall import page, recall
from techtrack.alerts.recording import Finding, hold_rules, record, withdraw
from techtrack.alerts.rulebook import HEAD as RULEBOOK
from techtrack.alerts.rulebook import Entry, RuleBook
from techtrack.alerts.screening import Sample, Touched, screened
from techtrack.core import clock, events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict
from techtrack.core.models import Head
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Kind
from techtrack.telemetry.store.base import LogEntry

NAME = "judge"


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
        """Judge what has come since last time; True when there may be more."""
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
            self._memory = recall(NAME, COMMITS, self._book)
        memory = self._memory
        entries, more = page(memory.position)
        if not entries and Head.current(COMMITS) != memory.number:
            # Or the database was restored, and what comes now lies before what this judge has seen.
            raise Overtaken("another judge was faster")
        # After the entries: a rule that was there before a reading came judges it.
        self._turn_to_current_page()
        if memory.book is not self._book:
            memory.adopt(self._book)
        findings = judge(entries, memory, plant_now) + run_out(memory, plant_now)
        if entries or memory.unsaved(now):
            self._commit(memory, findings, now)
        return more

    def _turn_to_current_page(self) -> None:
        if Head.current(RULEBOOK) != self._book.generation:
            self._book = RuleBook.load(self._book)

    def _commit(self, memory: Memory, findings: list[Finding], now: datetime) -> None:
        with transaction.atomic():
            if not hold_rules(findings, others=memory.dropped):
                raise Overtaken("a rule was deleted meanwhile")
            facts = [fact for together in _by_key(findings) for fact in record(together, now=now)]
            for (rule_id, asset_id), state in memory.dropped.items():
                at = max(clock.plant_now(), clock.from_micros(state.seen))
                facts += withdraw(rule_id=rule_id, asset_id=asset_id, at=at, now=now)
            facts.append(ReadingsJudged(position=memory.position, newest=memory.save(now=now)))
            for fact in sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)):
                events.publish(fact)
            telemetry_services.advance(consumer=NAME, passed=memory.committed, to=memory.position)
            if Head.take(COMMITS) != memory.number + 1:
                raise Overtaken("another judge was faster")
        memory.settle(now)


def judge(entries: Sequence[LogEntry], memory: Memory, plant_now: datetime) -> list[Finding]:
    """Fold entries into ``memory``; return what was found, in the order of the log."""
    if not entries:
        return []
    memory.position = entries[-1].position
    look = screened([entry for entry in entries if entry.kind is Kind.READINGS], memory)
    found = [one for touched in look.touched() for one in _step_all(touched, memory, plant_now)]
    look.see()
    # Stable: within an entry and asset the order of parameters and rules stays.
    return [finding for _, finding in sorted(found, key=lambda one: (one[0], one[1].asset_id))]


def run_out(memory: Memory, plant_now: datetime) -> list[Finding]:
    """Let the delays end whose time has come although nothing arrived.

    A series that arrives late is given as much more time: its next sample may be on the way.
    """
    findings: list[Finding] = []
    for key in list(memory.waiting):
        watched = memory.book.watching(*key)
        tick = Tick(to_micros(plant_now) - memory.lags.get(key, 0))
        before = memory.states[key]
        end = due(before, watched[0].watch) if watched else None
        if watched and end is not None and end <= tick.at:
            entry, row = watched
            state, transitions = step(before, tick, entry.watch)
            memory.put(key, before, state)
            memory.rest(entry.parameter, row, memory.tracks[entry.parameter].seen.item(row))
            findings += [Finding(entry, key[1], transition) for transition in transitions]
    return findings


def _step_all(touched: Touched, memory: Memory, plant_now: datetime) -> list[tuple[int, Finding]]:
    """Step the rules of a series that are awake or may wake; the others see what it sees."""
    code, row, samples = touched
    asset = int(memory.book.columns[code].panel.assets[row])
    least, most = min(sample.value for sample in samples), max(sample.value for sample in samples)
    found = []
    for entry in memory.book.at(code, row):
        key = (entry.rule_id, asset)
        if key in memory.states or least < entry.quiet[0] or most > entry.quiet[1]:
            before = memory.state(entry, asset, row)
            state, more = _fold(before, samples, entry, asset)
            memory.put(key, before, state)
            memory.lags[key] = max(0, to_micros(plant_now) - state.seen)
            found += more
    memory.rest(code, row, max(memory.tracks[code].seen.item(row), *(sample.at for sample in samples)))
    return found


def _fold(state: State, samples: Iterable[Sample], entry: Entry, asset: int) -> tuple[State, list[tuple[int, Finding]]]:
    found = []
    for turn, at, value in samples:
        state, transitions = step(state, Value(at, value), entry.watch)
        found += [(turn, Finding(entry, asset, transition)) for transition in transitions]
    return state, found


def _by_key(findings: Iterable[Finding]) -> list[list[Finding]]:
    grouped: dict[Key, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.entry.rule_id, finding.asset_id), []).append(finding)
    return list(grouped.values())
