"""The judge: folds the log of readings through the rules, and commits what it found with its place in the log."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from techtrack.alerts.events import AlertChanged, ReadingsJudged
from techtrack.alerts.folding import judge
from techtrack.alerts.hiding import cover
from techtrack.alerts.memory import COMMITS, Key, Memory
from techtrack.alerts.recall import Sound, page, recall
from techtrack.alerts.recording import Finding, hold_rules, record, withdraw
from techtrack.alerts.rulebook import HEAD as RULEBOOK
from techtrack.alerts.rulebook import RuleBook
from techtrack.alerts.ticking import run_out
from techtrack.core import clock, events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict
from techtrack.core.jobs import rest
from techtrack.core.models import Head
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services

NAME = "judge"
# The rule book is read for a tenth of the time at most, however often it changes; the longest rest between, in s.
REST, LONGEST_REST = 9.0, 1.0


class Overtaken(Conflict):
    """Somebody has committed since this judge last looked; what it knew is no longer so."""


class Judge:
    """One fold over the log. Exactly once: findings, states and the cursor are one transaction.

    Each commit takes the next number of ``COMMITS``; a judge that finds a number missing was overtaken,
    rolls back and reads its state anew. So any number of judges is safe, and one is fast. What is marked as bad when it
    is read, or is left out by ``sound``, was not measured as far as rules are concerned.
    """

    def __init__(self, sound: Sound = telemetry.sound) -> None:
        self._sound = sound
        self._memory: Memory | None = None
        self._book = RuleBook()
        self._tried = -1
        self._next_page = 0.0

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
            # What has failed is tried once more where rules have changed, or the process has just begun.
            afresh = self._tried != self._book.generation
            self._memory = recall(NAME, COMMITS, self._book, now=now, afresh=afresh, sound=self._sound)
        memory = self._memory
        entries, more = page(memory.position)
        if not entries and Head.current(COMMITS) != memory.number:
            # Or the database was restored, and what comes now lies before what this judge has seen.
            raise Overtaken("another judge was faster")
        # After the entries: a rule that was there before a reading came judges it.
        self._turn_to_current_page()
        if memory.book is not self._book:
            memory.adopt(self._book)
        self._tried = self._book.generation
        # Until all is read its clock stands at what it has read last: the rest may say that nothing was silent.
        as_of = min(to_micros(plant_now), entries[-1].received) if more else to_micros(plant_now)
        findings = judge(self._sound(entries), memory, as_of) + run_out(memory, as_of)
        if entries or memory.unsaved(now):
            self._commit(memory, findings, now)
        return more

    def _turn_to_current_page(self) -> None:
        if Head.current(RULEBOOK) == self._book.generation:
            return
        # An asset that comes or goes turns it too, for all rules: where many do, one look serves them all, and what is
        # to be judged by it waits.
        rest(min(LONGEST_REST, max(0.0, self._next_page - time.monotonic())))
        began = time.monotonic()
        self._book = RuleBook.load(self._book)
        self._next_page = time.monotonic() + REST * (time.monotonic() - began)

    def _commit(self, memory: Memory, findings: list[Finding], now: datetime) -> None:
        with transaction.atomic():
            if not hold_rules(findings, others=memory.dropped):
                raise Overtaken("a rule was deleted meanwhile")
            found = [record(together, now=now, position=memory.position) for together in _by_key(findings)]
            facts = cover([fact for some in found for fact in some], now=now)
            for (rule_id, asset_id), state in memory.dropped.items():
                at = max(clock.plant_now(), clock.from_micros(state.seen))
                facts += withdraw(rule_id=rule_id, asset_id=asset_id, at=at, now=now)
            newest = memory.save(now=now)
            facts.append(ReadingsJudged(memory.position, newest, memory.sightings.ahead(newest)))
            events.publish_all(sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)))
            telemetry_services.advance(consumer=NAME, passed=memory.committed, to=memory.position)
            if Head.take(COMMITS) != memory.number + 1:
                raise Overtaken("another judge was faster")
        memory.settle(now)


def _by_key(findings: Iterable[Finding]) -> list[list[Finding]]:
    grouped: dict[Key, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.entry.rule_id, finding.asset_id), []).append(finding)
    return list(grouped.values())
