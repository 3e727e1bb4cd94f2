"""Readings as news: of whom, how much, and what becomes of gaps."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.live.feed import MOST_BEHIND, PAGE, ReadingsFeed
from techtrack.telemetry.services import ingest
from techtrack.telemetry.store.base import LogEntry

EVERYTHING = frozenset({"readings", "sites/{site}/readings"})
START = to_micros(clock.now())


class Log:
    """A log in memory, of which entries may be gone."""

    def __init__(self, monkeypatch) -> None:
        self.entries = {}
        self.read = 0
        monkeypatch.setattr(queries, "head", lambda: max(self.entries, default=0))
        monkeypatch.setattr(queries, "log", self.log)

    def add(self, asset, kind=Kind.READINGS, origin=Origin.LIVE, **values):
        position = max(self.entries, default=0) + 1
        batch = Batch.of([Row(asset, START + position, values)])
        self.entries[position] = LogEntry(position, kind, origin, batch)

    def log(self, *, after, limit):
        found = [self.entries[position] for position in sorted(self.entries) if position > after][:limit]
        self.read += len(found)
        return [entry for entry in found if entry.batch is not None]


@pytest.fixture
def log(monkeypatch):
    return Log(monkeypatch)


def told(news):
    return {frame.body["asset"]: (topics, frame.body["values"]) for topics, frame in news}


class TestReadingsFeed:
    def test_tells_of_what_was_ingested_under_the_topics_that_are_wanted(self, db, robot, station, plant):
        feed = ReadingsFeed()
        before, now = feed.position(), clock.now()
        rows = [Row(one.pk, to_micros(now), {"speed": float(one.pk)}) for one in (robot, station)]
        ingest(batch=Batch.of(rows), by=internal(), now=now, origin=Origin.LIVE)
        position, news = feed.since(before, frozenset({f"assets/{robot.pk}/readings", "alerts"}))
        assert position == before + 1
        assert told(news) == {robot.pk: ((f"assets/{robot.pk}/readings",), {"speed": float(robot.pk)})}
        assert news[0][1].body["timestamp"] == clock.isoformat(now)
        _, news = feed.since(before, EVERYTHING)
        site = f"sites/{plant.pk}/readings"
        assert told(news) == {one.pk: ((site,), {"speed": float(one.pk)}) for one in (robot, station)}

    def test_reads_nothing_while_nobody_looks(self, log):
        log.add(1, a=1)
        assert ReadingsFeed().since(0, frozenset({"alerts"})) == (1, [])
        assert log.read == 0

    def test_asks_for_no_site_where_only_assets_are_wanted(self, log, db, django_assert_num_queries):
        log.add(1, a=1)
        with django_assert_num_queries(0):
            ReadingsFeed().since(0, frozenset({"assets/1/readings"}))

    def test_remembers_for_seconds_where_an_asset_stands(self, log, db, robot, django_assert_num_queries):
        feed = ReadingsFeed()
        for number in range(3):
            log.add(robot.pk, a=number)
            with django_assert_num_queries(0 if number else 1):
                feed.since(number, EVERYTHING)

    def test_merges_what_it_reads_in_one_go(self, log):
        for number in range(10):
            log.add(1, **{"a" if number % 2 else "b": number})
        position, news = ReadingsFeed().since(0, frozenset({"assets/1/readings"}))
        assert (position, len(news)) == (10, 1)
        assert news[0][1].body["values"] == {"a": 9, "b": 8}

    def test_imports_and_corrections_are_no_news(self, log):
        log.add(1, origin=Origin.IMPORT, a=1)
        for kind in set(Kind) - {Kind.READINGS}:
            log.add(1, kind=kind, a=1)
        assert ReadingsFeed().since(0, frozenset({"assets/1/readings"})) == (len(log.entries), [])

    def test_passes_over_entries_that_are_gone(self, log):
        for number in range(20):
            log.add(1, a=number)
        for position in (1, 2, 3, 9, 19):
            del log.entries[position]
        feed, wanted = ReadingsFeed(), frozenset({"assets/1/readings"})
        position, news = feed.since(0, wanted)
        assert (position, news[0][1].body["values"]) == (20, {"a": 19})
        assert feed.since(position, wanted) == (20, [])

    def test_comes_to_the_head_where_all_entries_are_gone(self, log, monkeypatch):
        monkeypatch.setattr(queries, "head", lambda: 70)
        assert ReadingsFeed().since(3, frozenset({"assets/1/readings"})) == (70, [])

    def test_far_behind_goes_on_with_the_newest(self, log):
        for number in range(MOST_BEHIND + 100):
            log.add(1, a=number)
        position, news = ReadingsFeed().since(1, frozenset({"assets/1/readings"}))
        assert (position, log.read) == (MOST_BEHIND + 100, PAGE)
        assert news[0][1].body["values"] == {"a": MOST_BEHIND + 99}

    def test_a_little_behind_reads_all_in_pages(self, log):
        for number in range(2 * PAGE + 1):
            log.add(number % 2, a=number)
        feed, position, heard = ReadingsFeed(), 0, []
        for _ in range(3):
            position, news = feed.since(position, frozenset({"assets/1/readings"}))
            heard += [frame.body["values"]["a"] for _, frame in news]
        assert (position, heard) == (2 * PAGE + 1, [PAGE - 1, 2 * PAGE - 1])

    def test_a_restored_database_counts_lower(self, log):
        log.add(1, a=1)
        assert ReadingsFeed().since(500, frozenset({"assets/1/readings"})) == (1, [])
