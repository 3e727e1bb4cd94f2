"""What tests say of readings: whom it hurries, and what a span has to read."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from techtrack.core.clock import to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import QualityMark, Rollup, Segment
from techtrack.telemetry.services import Doubt, flag
from techtrack.telemetry.store import chunks, compaction, segments
from techtrack.telemetry.store.checking import check
from techtrack.telemetry.store.database import store
from tests import factories
from tests.factories import NOW

MICROS, HOUR = to_micros(NOW), 3_600_000_000


def compact_all():
    while compaction.compact(NOW, force=True) is not None:
        pass


def problems():
    return [problem.detail for step in check() for problem in step.problems]


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
        store.mark([Mark(station.pk, "pm2_5", MICROS, MICROS + 1, Quality.GOOD)], now=NOW)
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


class TestEntries:
    """Of the log that tell of marks: one of many, and those of one each that older versions wrote."""

    def as_before(self, asset, start, end):
        """Lay a mark as it was laid when each was an entry by itself."""
        batch = Batch(np.array([asset.pk] * 2), np.array([start, end - 1]), {})
        position = segments.append(batch, kind=Kind.QUALITY, origin=Origin.TESTS, now=NOW)
        about = {"code": "pm2_5", "start_at": start, "end_at": end, "quality": Quality.BAD, "flag": "range"}
        QualityMark.objects.create(asset_id=asset.pk, position=position, created_at=NOW, **about)

    def used(self, asset):
        span = (MICROS - 10 * HOUR, MICROS + HOUR)
        return queries.counts([asset.pk], codes=["pm2_5"], span=span).get((asset.pk, "pm2_5"), 0)

    @pytest.mark.parametrize("folded", [False, True], ids=["in the log", "over what is folded"])
    def test_of_both_kinds_leave_out_what_they_tell_of(self, station, folded):
        for back in range(6):
            factories.make_reading(station, at=NOW - timedelta(hours=back), pm2_5=12.0)
        if folded:
            compact_all()
        self.as_before(station, MICROS - 5 * HOUR, MICROS - 5 * HOUR + 1)
        flag(doubts=[doubt(station, MICROS - back * HOUR, MICROS - back * HOUR + 1) for back in (0, 3)], now=NOW)
        self.as_before(station, MICROS - 2 * HOUR, MICROS - 2 * HOUR + 1)
        assert self.used(station) == 2
        compact_all()
        assert self.used(station) == 2
        assert problems() == []

    def test_of_many_marks_are_whole_to_the_check_and_a_hole_is_not(self, station):
        factories.make_reading(station, at=NOW, pm2_5=12.0)
        self.as_before(station, 10, 20)
        flag(doubts=[doubt(station, start, start + 5) for start in (30, 40, 50)], now=NOW)
        factories.make_reading(station, at=NOW + timedelta(seconds=1), pm2_5=12.0)
        assert problems() == []
        Segment.objects.filter(kind=Kind.QUALITY, readings=6).delete()
        assert "the log lacks what is between positions" in problems()[0]

    def test_hold_up_the_check_of_those_alone_of_whom_they_tell(self, station, plant):
        assets = sorted([station.pk, *(factories.make_sensor(site=plant).pk for _ in range(2))])
        rows = [Row(asset, MICROS, {"pm2_5": 12.0}) for asset in assets]
        store.append(Batch.of(rows), kind=Kind.READINGS, origin=Origin.LIVE, now=NOW)
        compact_all()
        marks = [Mark(asset, "pm2_5", MICROS, MICROS + 1, Quality.BAD, "range") for asset in (assets[0], assets[2])]
        store.mark(marks, now=NOW)
        Rollup.objects.filter(asset_id__in=assets).delete()
        assert [problem.asset for step in check() for problem in step.problems if "rollup" in problem.detail] == [
            assets[1]
        ]


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
