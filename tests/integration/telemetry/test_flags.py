"""What tests say of readings: whom it hurries, and what a span has to read."""

from __future__ import annotations

from techtrack.core.clock import to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Kind, Origin
from techtrack.telemetry.services import Doubt, flag
from techtrack.telemetry.store import chunks, compaction, segments
from techtrack.telemetry.store.database import store
from tests import factories
from tests.factories import NOW

MICROS = to_micros(NOW)


def doubt(asset, start, end, quality=Quality.BAD, name="range"):
    return Doubt(Mark(asset.pk, "pm2_5", start, end, quality, name))


class TestFlags:
    def test_hurry_nobody(self, station):
        factories.make_reading(station, at=NOW, pm2_5=12.0)
        while compaction.compact(NOW, force=True) is not None:
            pass
        floor = segments.watermark()
        flag(doubts=[doubt(station, MICROS, MICROS + 1)], now=NOW)
        assert not compaction.is_due(floor, NOW)
        # What a person says, somebody waits for.
        store.mark(Mark(station.pk, "pm2_5", MICROS, MICROS + 1, Quality.GOOD), now=NOW)
        assert compaction.is_due(floor, NOW)

    def test_are_told_in_the_log_as_what_the_platform_says(self, station):
        (position,) = flag(doubts=[doubt(station, 10, 20)], now=NOW)
        (entry,) = store.log(after=position - 1, limit=1)
        assert (entry.kind, entry.origin, entry.batch.times.tolist()) == (Kind.QUALITY, Origin.TESTS, [10, 19])

    def test_that_lie_elsewhere_are_not_read(self, station):
        flag(doubts=[doubt(station, 10, 20), doubt(station, 30, 40)], now=NOW)
        assert [mark.start for mark in chunks.marks_of([station.pk], (15, 30))[station.pk]] == [10]
        assert chunks.marks_of([station.pk], (20, 30)) == {}

    def test_are_shown_with_the_test_that_doubted(self, station, vera, api):
        flag(doubts=[doubt(station, MICROS, MICROS + 1, Quality.SUSPECT, "rate")], now=NOW)
        (one,) = api(vera).get(f"/api/measurements/quality/?sensor={station.pk}").json()["results"]
        assert (one["flag"], one["quality"], one["by"], one["reason"]) == ("rate", "suspect", None, "")


class TestStanding:
    def test_tells_since_when_a_value_is_the_same(self, station):
        for back, value in ((5, 3.0), (4, 7.0), (3, 7.0), (1, 7.0)):
            factories.make_reading(station, at=NOW.replace(hour=NOW.hour - back), pm2_5=value)
        found = queries.standing([station.pk], codes=["pm2_5"], before=MICROS, hours=10)[station.pk, "pm2_5"]
        hour = 3_600_000_000
        assert (found.time, found.value, found.since) == (MICROS - hour, 7.0, MICROS - 4 * hour)

    def test_does_not_look_at_what_comes_after(self, station):
        factories.make_reading(station, at=NOW, pm2_5=7.0)
        assert queries.standing([station.pk], codes=["pm2_5"], before=MICROS, hours=10) == {}
