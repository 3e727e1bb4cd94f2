"""The judge against an independent replay: the same transitions, whatever crashes, is cut off, or judges beside it."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta

import pytest
from django.db import transaction

from techtrack.accounts.domain.access import internal
from techtrack.alerts import folding, recall, recording, screening
from techtrack.alerts import judge as judging
from techtrack.alerts.domain.features.running import Running
from techtrack.alerts.domain.lifecycle import State
from techtrack.alerts.judge import Judge
from techtrack.alerts.memory import Memory, Track
from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.core.clock import from_micros, to_micros
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests.campaigns.judging import Recorder, arrange, arrange_air, differences, hurried
from tests.factories import NOW
from tests.unit.alerts.breathing import AirWalk
from tests.unit.alerts.watching import SECOND, Walk

ENTRIES = 60


class Crash(Exception):
    """The process dies here."""


class Plant:
    """Machines, rules of all kinds, and two judges over them."""

    arrange, walks = staticmethod(arrange), Walk

    def __init__(self, patch, seed, *, crashes=0.15) -> None:
        self.dice = random.Random(seed)
        self._patch, self._crashes = patch, crashes
        assets = self.arrange(seed)
        self.walk = self.walks(self.dice, [asset.pk for asset in assets], to_micros(NOW))
        self.moment = {"wall": NOW, "plant": NOW}
        patch.setattr(clock, "now", lambda: self.moment["wall"])
        patch.setattr(clock.plant_now, "_source", lambda: self.moment["plant"])
        Recorder(patch.setattr)
        self.judges = [Judge(), Judge()]
        self.judges[0].work()
        self._make_commits_fail()

    def _make_commits_fail(self):
        """Before they are through, and right after."""
        write, settle, dice = recording.AlertEvent.objects.bulk_create, Memory.settle, self.dice

        def fails_now_and_then(rows, **how):
            if dice.random() < self._crashes:
                raise Crash
            return write(rows, **how)

        def dies_now_and_then(memory, now):
            if dice.random() < self._crashes:
                raise Crash
            settle(memory, now)

        self._patch.setattr(recording.AlertEvent.objects, "bulk_create", fails_now_and_then)
        self._patch.setattr(Memory, "settle", dies_now_and_then)

    def run(self):
        """Send readings, let judges look now and then and start anew; in the end let both finish."""
        dice = self.dice
        for _ in range(ENTRIES):
            self._send()
            self._patch.setattr(screening, "FEW", dice.choice([-1, 8, 10**9]))
            self._patch.setattr(recall, "MOST_READINGS", dice.choice([1, 5, 20, 10**6]))
            self.moment["wall"] += timedelta(seconds=dice.choice([0, 1, 1, 4]))
            latest = from_micros(self.walk.clock + dice.choice([0, 0, 2, 9]) * SECOND)
            self.moment["plant"] = max(self.moment["plant"], latest)
            while dice.random() < 0.6:
                who = dice.randrange(2)
                if dice.random() < 0.15:
                    self.judges[who] = Judge()
                with contextlib.suppress(Crash):
                    self.judges[who].work()
        for judge in self.judges:
            self._finish(judge)

    def _send(self):
        rows = [Row(*row) for row in hurried(self.walk.rows(), self.dice)]
        origin = self.dice.choice([Origin.LIVE] * 9 + [Origin.REPLAY, Origin.IMPORT])
        now = from_micros(self.walk.clock)
        telemetry_services.ingest(batch=Batch.of(rows), by=internal(), now=now, origin=origin)

    @staticmethod
    def _finish(judge) -> None:
        more = True
        while more:
            try:
                more = judge.work()
            except Crash:
                continue


class Station(Plant):
    """Sensors of air, and rules about its index."""

    arrange, walks = staticmethod(arrange_air), AirWalk


@pytest.mark.django_db(transaction=True)
class TestJudgeAndOracle:
    @pytest.mark.parametrize("seed", range(8))
    def test_agree_on_the_index_of_the_air(self, seed, monkeypatch):
        plant = Station(monkeypatch, seed)
        plant.run()
        found = differences()
        assert not found, "\n".join(found)
        assert Alert.objects.exists()

    @pytest.mark.parametrize("seed", [*range(8), 113, 130])
    def test_agree_whatever_crashes_and_whoever_judges(self, seed, monkeypatch):
        plant = Plant(monkeypatch, seed)
        plant.run()
        found = differences()
        assert not found, "\n".join(found)
        assert Alert.objects.exists()


def forgets_windows_on_restart(patch):
    patch.setattr(Track, "take", lambda *_: None)


def forgets_the_hours_before(patch):
    blank, real = Running.blank, Running.feed

    def feed(feature, memory, samples):
        told = real(feature, memory, samples)
        memory |= {name: column for name, column in blank(feature, len(memory["pane"])).items() if name != "pane"}
        return told

    patch.setattr(Running, "feed", feed)


def forgets_what_holds_on_restart(patch):
    patch.setattr(recall, "state_of", lambda _: State())


def moves_its_cursor_in_another_transaction(patch):
    advance, dice = judging.telemetry_services.advance, random.Random(0)

    def later(**how):
        def move():
            if dice.random() < 0.7:
                raise Crash
            with transaction.atomic():
                advance(**how)

        transaction.on_commit(move)

    patch.setattr(judging.telemetry_services, "advance", later)


def judges_late_data_by_the_end_of_the_page(patch):
    step_late = folding._step_late

    def late(entry, asset, one, memory):
        return step_late(entry, asset, one._replace(seen=int(memory.tracks[one.feature].seen[one.row])), memory)

    patch.setattr(folding, "_step_late", late)


def believes_every_clock(patch):
    patch.setattr(folding, "set_right", lambda entry: (entry, {}))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("plant", "seed"),
    [
        (believes_every_clock, 0),
        (forgets_windows_on_restart, 0),
        (forgets_what_holds_on_restart, 0),
        (moves_its_cursor_in_another_transaction, 0),
        (judges_late_data_by_the_end_of_the_page, 0),
    ],
)
def test_the_oracle_catches_a_judge_that(plant, seed, monkeypatch):
    """The planted bugs: with each of them something else must be recorded than the oracle tells."""
    plant(monkeypatch)
    Plant(monkeypatch, seed).run()
    assert differences()


@pytest.mark.django_db(transaction=True)
def test_the_oracle_catches_an_index_that_forgets_the_hours_before(monkeypatch):
    forgets_the_hours_before(monkeypatch)
    Station(monkeypatch, 0).run()
    assert differences()
