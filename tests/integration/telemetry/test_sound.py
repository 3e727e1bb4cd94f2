"""Which marks are looked at for entries of the log, and that what is left out does not depend on how they are found."""

from __future__ import annotations

import random
from importlib import import_module

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.core.clock import to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.store.base import LogEntry
from techtrack.telemetry.store.database import store
from tests.factories import NOW

pytestmark = pytest.mark.django_db
# The package has the function under this name.
sound = import_module("techtrack.telemetry.queries.sound")
MICROS, MINUTE, HOUR, DAY = to_micros(NOW), 60_000_000, 3_600_000_000, 86_400_000_000


def entry(*rows):
    return LogEntry(1, Kind.READINGS, Origin.LIVE, Batch.of(Row(*row) for row in rows))


def left(entries):
    """What is left of entries: assets, times, and values by parameter."""
    return [list(one.batch.rows()) for one in queries.sound(entries)]


def doubt(*stretches, quality=Quality.BAD, code="a", flag="range"):
    store.mark([Mark(asset, code, start, end, quality, flag) for asset, start, end in stretches], now=NOW)


@pytest.fixture
def looked_at(monkeypatch):
    """How many marks were looked at for each question."""
    seen, known = [], sound.in_force
    monkeypatch.setattr(sound, "in_force", lambda marks: seen.append(len(marks)) or known(marks))
    return seen


class TestMarks:
    @pytest.fixture
    def a_year(self, monkeypatch):
        """A mark a day for each of three assets."""
        monkeypatch.setattr(sound, "FEW", 10)
        doubt(*((asset, MICROS - day * DAY, MICROS - day * DAY + 1) for asset in (1, 2, 3) for day in range(365)))

    def test_of_all_that_is_new_are_found_by_one_short_look(self, a_year, looked_at):
        doubt((1, MICROS + MINUTE, MICROS + MINUTE + 1))
        with CaptureQueriesContext(connection) as captured:
            found = left([entry((1, MICROS + MINUTE, {"a": 1.0}), (2, MICROS + MINUTE, {"a": 2.0}))])
        assert [row.values for row in found[0]] == [{}, {"a": 2.0}]
        assert (len(captured), sum(looked_at)) == (1, 1)

    def test_of_what_comes_late_are_those_of_its_asset_and_time(self, a_year, looked_at, monkeypatch):
        late, asked, ask = MICROS - 300 * DAY, [], sound.ask
        monkeypatch.setattr(sound, "ask", lambda *what: asked.append(what[0]) or ask(*what))
        mixed = entry((1, late, {"a": 1.0}), (2, MICROS + 1, {"a": 2.0}))
        found = left([mixed, entry((3, MICROS + 1, {"a": 3.0}))])
        assert [row.values for rows in found for row in rows] == [{}, {"a": 2.0}, {"a": 3.0}]
        assert (len(asked), sum(looked_at)) == (1, 1)

    def test_that_last_longer_than_a_gap_count_once_and_for_all_of_it(self, monkeypatch, looked_at):
        monkeypatch.setattr(sound, "FEW", 0)
        doubt((1, MICROS - 9 * HOUR, MICROS + 1))
        found = left([entry(*((1, MICROS - 3 * hour * HOUR, {"a": 1.0, "b": 2.0}) for hour in range(5)))])
        assert [row.values for row in found[0]] == [{"b": 2.0}] * 4 + [{"a": 1.0, "b": 2.0}]
        assert looked_at == [1]

    @pytest.mark.parametrize("seed", range(20))
    def test_leave_out_the_same_however_they_are_found(self, seed, monkeypatch):
        dice = random.Random(seed)
        for _ in range(30):
            start = MICROS + dice.randrange(-30, 30) * HOUR // 2
            stretch = (dice.randint(1, 3), start, start + dice.choice([1, HOUR, 20 * HOUR]))
            doubt(
                stretch,
                quality=dice.choice(list(Quality)),
                code=dice.choice(["a", "b", None]),
                flag=dice.choice(["", "x"]),
            )
        rows = [
            (dice.randint(1, 4), MICROS + dice.randrange(-40, 40) * HOUR // 2, {"a": 1.0, "b": 2.0}) for _ in range(60)
        ]
        entries = [
            entry(*rows[:30]),
            LogEntry(2, Kind.REMOVE, Origin.LIVE, Batch.of([Row(1, 5, {})])),
            entry(*rows[30:]),
        ]
        found = []
        for few in (0, 1_000):
            monkeypatch.setattr(sound, "FEW", few)
            found.append(left(entries))
        assert found[0] == found[1]
        # Not for nothing: some are left out, and not all.
        left_of = [len(row.values) for rows in found[0] for row in rows]
        assert 0 in left_of or 1 in left_of
        assert 2 in left_of


def test_a_log_without_readings_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        nothing = LogEntry(1, Kind.QUALITY, Origin.TESTS, Batch(np.array([1, 1]), np.array([1, 2]), {}))
        assert queries.sound([nothing]) == [nothing]
