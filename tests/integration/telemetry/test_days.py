"""Days made in the background: the same figures as from raw readings, in any zone, and never a stale one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from django.db import transaction

from techtrack.accounts import queries
from techtrack.accounts.events import SiteZoneChanged
from techtrack.accounts.services import sites as accounts
from techtrack.core import events
from techtrack.core.clock import from_micros, to_micros
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import Chunk, Damage, DayRollup, Upkeep
from techtrack.telemetry.store import days, retention, rollups, upkeep
from techtrack.telemetry.store.compaction import compact
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests import factories
from tests.campaigns.agreement import differences

HOUR = 3_600_000_000
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York"]
# Both of them hold a change of clocks in Berlin, New York or Lord Howe.
SPRING, AUTUMN = datetime(2026, 3, 24, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


class Place:
    """An asset at a site, a store on the database, and the twin that is told the same."""

    def __init__(self, zone, retention=None) -> None:
        self.site = factories.make_site(f"Site in {zone}", timezone=zone)
        kind = factories.make_type("kept", retention=retention)
        self.asset = factories.make_equipment(site=self.site, type=kind).pk
        self.store, self.twin = DatabaseStore(), MemoryStore()
        self.zone = zone

    def send(self, rows, now, kind=Kind.READINGS):
        batch = Batch.of(Row(self.asset, time, values) for time, values in rows)
        for store in (self.twin, self.store):
            with transaction.atomic():
                store.append(batch, kind=kind, origin=Origin.LIVE, now=now)

    def mark(self, start, end, now):
        for store in (self.twin, self.store):
            with transaction.atomic():
                store.mark([Mark(self.asset, None, start, end, Quality.BAD)], now=now)

    def bounds(self, start, end, zone=None):
        return midnights(zone or self.zone, to_micros(start), to_micros(end))

    def differences(self, *cuts):
        return differences(self.twin, self.store, [self.asset], cuts)

    def rows(self):
        rows = DayRollup.objects.filter(asset_id=self.asset).order_by("start_at")
        return {(start, end) for start, end in rows.values_list("start_at", "end_at")}


def midnights(zone, start, end):
    return days.midnights(zone, start, end).tolist()


def build_all(now):
    while days.build(now):
        pass


def fold_all(now):
    while compact(now, force=True) is not None:
        pass


def random_rows(chance, start, count, width=timedelta(days=9)):
    times = [to_micros(start) + chance.randrange(int(width / timedelta(microseconds=1))) for _ in range(count)]
    return [(time, {code: chance.gauss(10, 4) for code in chance.sample(["a", "b"], 1)}) for time in times]


@pytest.fixture(params=[SPRING, AUTUMN], ids=["spring", "autumn"])
def start(request):
    return request.param


@pytest.mark.django_db
class TestDays:
    @pytest.mark.parametrize("zone", ZONES)
    def test_equal_what_the_readings_themselves_say(self, zone, start):
        place, chance = Place(zone), random.Random(zone)
        end = start + timedelta(days=9)
        place.send(random_rows(chance, start, 600), end)
        place.mark(to_micros(start + timedelta(days=4, minutes=50)), to_micros(start + timedelta(days=4, hours=3)), end)
        fold_all(end)
        build_all(end + timedelta(hours=1))
        local = place.bounds(start, end)
        assert place.rows() == {pair for pair in pairwise(local) if pair[1] <= to_micros(end)}
        whole = [local[0], local[-1]]
        others = [place.bounds(start, end, zone) for zone in ZONES]
        odd = [local[0] + 7, local[1] - 1, local[2] + HOUR, local[4], local[6] + 12345, local[-1] + 99]
        assert place.differences(local, whole, odd, *others) == []

    def test_are_used_by_readers(self, django_assert_num_queries):
        place = Place("Asia/Kathmandu")
        place.send(random_rows(random.Random(1), SPRING, 300), SPRING)
        end = SPRING + timedelta(days=20)
        fold_all(end)
        build_all(end)
        Chunk.objects.all().delete()
        local = place.bounds(SPRING, SPRING + timedelta(days=9))
        # Days alone: none of them is read from its hours, which could not tell it exactly.
        found = place.store.statistics([place.asset], codes=(), edges=np.array(local))
        assert sum(int(one["count"].sum()) for one in found.values()) == 300

    def test_have_23_and_25_hours_where_the_clock_says_so(self):
        place = Place("Europe/Berlin")
        hourly = [(to_micros(SPRING) + index * HOUR, {"a": 1.0}) for index in range(24 * 220)]
        place.send(hourly, SPRING)
        now = SPRING + timedelta(days=219)
        fold_all(now)
        build_all(now)
        lengths = {(end - start) // HOUR for start, end in place.rows()}
        assert lengths == {23, 24, 25}

    def test_of_a_day_that_is_open_are_not_made(self):
        place = Place("UTC")
        place.send([(to_micros(SPRING), {"a": 1.0})], SPRING)
        fold_all(SPRING)
        build_all(SPRING + timedelta(hours=24, minutes=5))
        assert place.rows() == set()
        build_all(SPRING + timedelta(hours=24, minutes=11))
        assert len(place.rows()) == 1

    def test_wait_for_the_hours_to_be_folded(self):
        place = Place("UTC")
        place.send([(to_micros(SPRING), {"a": 1.0})], SPRING)
        fold_all(SPRING)
        place.send([(to_micros(SPRING) + 5 * HOUR, {"a": 1.0})], SPRING + timedelta(hours=5))
        build_all(SPRING + timedelta(days=2))
        assert place.rows() == set()
        fold_all(SPRING)
        build_all(SPRING + timedelta(days=2))
        assert len(place.rows()) == 1

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
    def test_go_with_an_hour_that_changes_and_come_again(self, zone):
        place, chance = Place(zone), random.Random(3)
        place.send(random_rows(chance, SPRING, 400), SPRING)
        now = SPRING + timedelta(days=30)
        fold_all(now)
        build_all(now)
        before = place.rows()
        late = to_micros(SPRING + timedelta(days=3, hours=2))
        local = place.bounds(SPRING, SPRING + timedelta(days=9))
        place.send([(late, {"a": 1e6})], now)
        assert place.differences(local) == []
        fold_all(now)
        assert 1 <= len(before - place.rows()) <= 2
        assert place.differences(local) == []
        build_all(now)
        assert place.rows() == before
        assert place.differences(local) == []

    def test_of_another_zone_take_their_place_when_the_site_moves(self):
        place = Place("Europe/Berlin")
        place.send(random_rows(random.Random(5), AUTUMN, 400), AUTUMN)
        now = AUTUMN + timedelta(days=30)
        fold_all(now)
        build_all(now)
        place.site.timezone = "Asia/Kathmandu"
        place.site.save()
        assert days.waiting(now) == 1
        assert place.differences(place.bounds(AUTUMN, AUTUMN + timedelta(days=9), "Asia/Kathmandu")) == []
        build_all(now)
        assert set(DayRollup.objects.values_list("zone", flat=True)) == {"Asia/Kathmandu"}
        assert days.waiting(now) == 0
        for zone in ZONES:
            assert place.differences(place.bounds(AUTUMN, AUTUMN + timedelta(days=9), zone)) == []

    def test_are_not_made_for_an_asset_that_is_gone(self):
        place = Place("UTC")
        place.send(random_rows(random.Random(6), SPRING, 50), SPRING)
        now = SPRING + timedelta(days=30)
        fold_all(now)
        build_all(now)
        with transaction.atomic():
            place.store.forget(place.asset, now=now)
        fold_all(now)
        build_all(now)
        assert place.rows() == set()
        assert not Upkeep.objects.exists()


def stale(change):
    """Whether a change that is folded while a builder has read, and not written, leaves a day that does not know it."""
    place = Place("Asia/Kathmandu")
    place.send(random_rows(random.Random(7), SPRING, 200), SPRING)
    now = SPRING + timedelta(days=30)
    fold_all(now)
    original = rollups.statistics

    def read_and_be_late(*args, **kwargs):
        found = original(*args, **kwargs)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rollups, "statistics", original)
            change(place, now)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollups, "statistics", read_and_be_late)
        days.build(now)
    local = place.bounds(SPRING, SPRING + timedelta(days=9))
    was_stale = place.differences(local) != []
    build_all(now)
    return was_stale or (place.differences(local) != [] and "still")


def late_reading(place, now):
    place.send([(to_micros(SPRING + timedelta(days=3, hours=2)), {"a": 1e6})], now)
    fold_all(now)


def half_a_fold(place, now):
    """The fold's hours are written, and it breaks off before the watermark moves."""
    from techtrack.telemetry.store import compaction  # noqa: PLC0415

    def broken_off(*_):
        raise KeyboardInterrupt

    place.send([(to_micros(SPRING + timedelta(days=3, hours=2)), {"a": 1e6})], now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "_advance", broken_off)
        with pytest.raises(KeyboardInterrupt):
            compact(now, force=True)


@pytest.mark.django_db
class TestARaceWithAFold:
    @pytest.mark.parametrize("change", [late_reading, half_a_fold])
    def test_leaves_no_stale_day(self, change):
        assert not stale(change)

    def test_is_caught_where_the_fold_says_nothing_of_its_hours(self, monkeypatch):
        monkeypatch.setattr(upkeep, "_UNSETTLE", upkeep._UNSETTLE.replace("revision + 1", "revision"))
        assert stale(late_reading)

    def test_is_caught_where_the_builder_claims_nothing(self, monkeypatch):
        claim = days._claim

        def claim_nothing(ids, zone, bounds):
            found = claim(ids, zone, bounds)
            Upkeep.objects.update(claimed_to=-(2**62))
            return found

        monkeypatch.setattr(days, "_claim", claim_nothing)
        assert stale(late_reading)


@pytest.mark.django_db
class TestRetention:
    @pytest.mark.parametrize("zone", ZONES)
    def test_drops_old_hours_and_leaves_every_day_exact(self, zone):
        place = Place(zone, retention=timedelta(days=3))
        place.send(random_rows(random.Random(8), AUTUMN, 2000), AUTUMN)
        now = AUTUMN + timedelta(days=9)
        fold_all(now)
        build_all(now)
        while retention.drop(now):
            pass
        since = upkeep.raw_since([place.asset])[place.asset]
        assert AUTUMN + timedelta(days=4) < from_micros(since) <= now - timedelta(days=3)
        old = [hour for hour in Chunk.objects.values_list("hour", flat=True) if hour < since // HOUR]
        # Of zones off the hour, the hour in which the last dropped day began.
        assert len(old) == (1 if place.bounds(AUTUMN, now)[0] % HOUR and since % HOUR else 0)
        local = place.bounds(AUTUMN, now)
        found = rollup_differences(place, local)
        assert found == []
        # A late reading in the hour that is cut by the border takes both days away; they come again exactly.
        place.send([(since + 1, {"a": 3.0}), (since // HOUR * HOUR, {"a": 4.0})], now)
        fold_all(now)
        build_all(now)
        assert rollup_differences(place, local) == []

    def test_drops_the_bytes_that_were_set_aside_and_keeps_that_they_were(self):
        place = Place("UTC", retention=timedelta(days=3))
        place.send(random_rows(random.Random(8), AUTUMN, 200), AUTUMN)
        now, first = AUTUMN + timedelta(days=9), to_micros(AUTUMN) // HOUR
        fold_all(now)
        build_all(now)
        for asset, hour in ((place.asset, first), (place.asset, first + 8 * 24), (place.asset + 1, first)):
            Damage.objects.create(asset_id=asset, hour=hour, detail="chunk", payload=b"readings", found_at=now)
        while retention.drop(now):
            pass
        kept = [bytes(payload) for payload in Damage.objects.order_by("pk").values_list("payload", flat=True)]
        assert kept == [b"", b"readings", b"readings"]

    def test_waits_for_the_days(self):
        place = Place("Asia/Kathmandu", retention=timedelta(days=3))
        place.send(random_rows(random.Random(9), AUTUMN, 100), AUTUMN)
        now = AUTUMN + timedelta(days=9)
        fold_all(now)
        assert retention.drop(now) == 0
        build_all(now)
        place.site.timezone = "Asia/Kolkata"
        place.site.save()
        assert retention.drop(now) == 0
        build_all(now)
        assert retention.drop(now) > 0

    def test_leaves_types_without_a_limit_alone(self):
        place = Place("UTC")
        place.send(random_rows(random.Random(9), AUTUMN, 100), AUTUMN)
        now = AUTUMN + timedelta(days=900)
        fold_all(now)
        build_all(now)
        assert retention.drop(now) == 0
        assert upkeep.raw_since([place.asset]) == {}

    def test_goes_in_bounded_steps(self, monkeypatch):
        monkeypatch.setattr(retention, "HOURS", 10)
        place = Place("UTC", retention=timedelta(days=3))
        place.send(random_rows(random.Random(9), AUTUMN, 2000), AUTUMN)
        now = AUTUMN + timedelta(days=9)
        fold_all(now)
        build_all(now)
        steps = []
        while dropped := retention.drop(now):
            steps.append(dropped)
        assert max(steps) == 10
        assert len(steps) > 10


def rollup_differences(place, local):
    """Differences in statistics alone: the twin keeps every reading."""
    return [line for line in place.differences(local) if " of (" in line or line.startswith("statistics")]


class TestASiteThatMoves:
    def test_wakes_the_compactor_once_its_zone_is_another(self, plant, adam, django_capture_on_commit_callbacks):
        woken = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(events._after, SiteZoneChanged, [woken.append])
            for zone in ("Asia/Kathmandu", "Asia/Kathmandu"):
                with django_capture_on_commit_callbacks(execute=True):
                    accounts.update_site(
                        site=plant,
                        by=queries.access_of(adam),
                        changes={"timezone": zone},
                        expected=None,
                        now=factories.NOW,
                    )
        assert woken == [SiteZoneChanged(plant.pk)]
