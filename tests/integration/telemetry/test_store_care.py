"""Checking, rebuilding and counting the store: each planted damage is found by asset and hour, and healed."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connections, transaction
from prometheus_client import REGISTRY

from techtrack.accounts.domain.access import Role
from techtrack.assets.models import Asset
from techtrack.core.clock import to_micros
from techtrack.telemetry import jobs, services, storekeeper
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import (
    Chunk,
    Damage,
    DayRollup,
    Latest,
    LogConsumer,
    Rollup,
    Segment,
    StoreRun,
    Upkeep,
)
from techtrack.telemetry.store import checking, compaction, days, figures, rebuilding
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests import factories
from tests.campaigns.agreement import differences

HOUR = 3_600_000_000
START = datetime(2026, 10, 20, tzinfo=UTC)
NOW = START + timedelta(days=8)
FIRST = to_micros(START) // HOUR
HOURS = 24 * 5


class Stock:
    """Three assets with five days of readings, folded and rolled up, and the twin that was told the same."""

    def __init__(self, zone="Asia/Kathmandu") -> None:
        site = factories.make_site("Care", timezone=zone)
        self.assets = [factories.make_equipment(f"Press {number}", site=site).pk for number in range(3)]
        self.store, self.twin = DatabaseStore(), MemoryStore()
        chance = random.Random(1)
        for asset in self.assets:
            times = sorted(to_micros(START) + chance.randrange(HOURS * HOUR) for _ in range(600))
            self.send([(asset, time, {"a": chance.gauss(0, 9), "b": chance.random()}) for time in times])
        self.send([(self.assets[0], to_micros(START) + 7, {"a": 1.0})], Kind.PATCH)
        end = to_micros(START) + 50 * HOUR + 99
        self.both(lambda store: store.mark([Mark(self.assets[1], "a", end - HOUR, end, Quality.BAD)], now=NOW))
        self.settle()

    def send(self, rows, kind=Kind.READINGS):
        batch = Batch.of(Row(*row) for row in rows)
        self.both(lambda store: store.append(batch, kind=kind, origin=Origin.LIVE, now=START))

    def both(self, write):
        for store in (self.twin, self.store):
            with transaction.atomic():
                write(store)

    def settle(self):
        while compaction.compact(NOW, force=True) is not None:
            pass
        while days.build(NOW):
            pass

    def problems(self, assets=None):
        return [problem for step in checking.check(assets) for problem in step.problems]

    def rebuild(self, assets=None):
        return [problem for step in rebuilding.rebuild(NOW, assets) for problem in step.problems]

    def differences(self):
        edges = days.midnights("Asia/Kathmandu", to_micros(START), to_micros(START) + HOURS * HOUR).tolist()
        hourly = [to_micros(START) + index * HOUR for index in range(HOURS + 1)]
        return differences(self.twin, self.store, self.assets, [edges, hourly])


@pytest.fixture
def stock(db):
    return Stock()


def flipped(rows, place=40):
    """Flip a bit in the payload of the first of the rows; returns what identifies it."""
    row = rows.first()
    payload = bytearray(row.payload)
    payload[min(place, len(payload) - 1)] ^= 4
    rows.filter(pk=row.pk).update(payload=bytes(payload))
    return row


def damage_chunk(stock):
    return flipped(Chunk.objects.filter(asset_id=stock.assets[1], hour__gte=FIRST + 30).order_by("hour")).hour


def damage_rollup(stock):
    return flipped(Rollup.objects.filter(asset_id=stock.assets[1], hour__gte=FIRST + 30).order_by("hour")).hour


def falsify_rollup(stock):
    rows = Rollup.objects.filter(asset_id=stock.assets[1], hour__gte=FIRST + 30, codes="a b").order_by("hour")
    row, other = rows[0], rows[1]
    rows.filter(pk=row.pk).update(payload=other.payload)
    return row.hour


def lose_rollup(stock):
    row = Rollup.objects.filter(asset_id=stock.assets[1], hour__gte=FIRST + 30).order_by("hour").first()
    Rollup.objects.filter(pk=row.pk).delete()
    return row.hour


def lose_chunk(stock):
    row = Chunk.objects.filter(asset_id=stock.assets[1], hour__gte=FIRST + 30).order_by("hour").first()
    Chunk.objects.filter(pk=row.pk).delete()
    return row.hour


def falsify_latest(stock):
    rows = Latest.objects.filter(pk=stock.assets[1])
    rows.update(payload=Latest.objects.get(pk=stock.assets[0]).payload)


def damage_latest(stock):
    flipped(Latest.objects.filter(pk=stock.assets[1]), 9)


def lose_latest(stock):
    Latest.objects.filter(pk=stock.assets[1]).delete()


def falsify_day(stock):
    rows = DayRollup.objects.filter(asset_id=stock.assets[1]).order_by("start_at")
    row, other = rows[2], rows[3]
    rows.filter(pk=row.pk).update(payload=other.payload)
    return row.start_at // HOUR


def damage_day(stock):
    return flipped(DayRollup.objects.filter(asset_id=stock.assets[1]).order_by("start_at")).start_at // HOUR


def lose_day(stock):
    row = DayRollup.objects.filter(asset_id=stock.assets[1]).order_by("start_at")[1]
    DayRollup.objects.filter(pk=row.pk).delete()
    return row.start_at // HOUR


def misstate_chunk(stock):
    row = Chunk.objects.filter(asset_id=stock.assets[1], hour__gte=FIRST + 30).order_by("hour").first()
    Chunk.objects.filter(pk=row.pk).update(last_at=row.last_at + 1)
    return row.hour


HEALED = [
    damage_rollup,
    falsify_rollup,
    lose_rollup,
    falsify_latest,
    damage_latest,
    lose_latest,
    falsify_day,
    damage_day,
    lose_day,
]


class TestCheck:
    def test_finds_nothing_in_a_healthy_store(self, stock):
        assert stock.problems() == []

    @pytest.mark.parametrize("spoil", [damage_chunk, lose_chunk, misstate_chunk, *HEALED])
    def test_finds_what_is_spoilt_with_asset_and_hour(self, stock, spoil):
        hour = spoil(stock)
        found = stock.problems()
        assert found
        assert {problem.asset for problem in found} == {stock.assets[1]}
        if hour is not None:
            assert hour in {problem.hour for problem in found}
        assert stock.problems(stock.assets[:1]) == []

    def test_finds_a_gap_and_a_damaged_entry_in_the_log(self, stock):
        for number in range(4):
            stock.send([(stock.assets[0], to_micros(NOW) + number, {"a": 1.0})])
        second, third = Segment.objects.order_by("position").values_list("position", flat=True)[1:3]
        Segment.objects.filter(position=second).delete()
        flipped(Segment.objects.filter(position=third), 8)
        said = " ".join(problem.detail for problem in stock.problems())
        assert f"between positions {second - 1} and {third}" in said
        assert f"position {third} cannot be read" in said

    def test_leaves_out_what_the_next_fold_sees_to(self, stock):
        start = to_micros(START) + 30 * HOUR
        stock.both(lambda s: s.mark([Mark(stock.assets[1], None, start, start + 5 * HOUR, Quality.BAD)], now=NOW))
        stock.both(lambda s: s.forget(stock.assets[2], now=NOW))
        stock.send([(stock.assets[0], to_micros(START) + 5, {"a": 5.0})])
        assert stock.problems() == []
        stock.settle()
        assert stock.problems() == []

    def test_understands_hours_that_were_dropped(self, stock):
        Upkeep.objects.update(raw_from=to_micros(START) + 40 * HOUR)
        Chunk.objects.filter(hour__lt=FIRST + 40).delete()
        assert [problem.detail for problem in stock.problems() if "day" not in problem.detail] == []

    def test_at_a_terminal_names_the_asset_and_the_hour_and_fails(self, stock, capsys):
        assert storekeeper.check() == 0
        hour = damage_chunk(stock)
        assert storekeeper.check(asset=[str(stock.assets[1])]) == 1
        said = capsys.readouterr().out
        moment = (START + timedelta(hours=hour - FIRST)).strftime("%Y-%m-%dT%H:00Z")
        assert f"asset {stock.assets[1]} (Press 1), {moment}: the chunk cannot be read" in " ".join(said.split())
        assert storekeeper.check(asset=["nobody"]) == 2


class TestReading:
    def test_a_damaged_chunk_leaves_the_rest_readable(self, stock):
        hour = damage_chunk(stock)
        found = stock.store.readings(stock.assets)
        assert found[stock.assets[1]].damaged == (hour,)
        assert found[stock.assets[0]].damaged == ()
        kept = stock.twin.readings([stock.assets[1]])[stock.assets[1]].times
        kept = kept[kept // HOUR != hour]
        assert found[stock.assets[1]].times.tolist() == kept.tolist()

    @pytest.mark.parametrize("spoil", [damage_rollup, damage_latest, damage_day])
    def test_what_is_derived_is_read_from_the_readings_where_it_is_damaged(self, stock, spoil):
        spoil(stock)
        assert stock.differences() == []

    def test_a_damaged_rollup_under_a_damaged_day_does_not_stop_the_rest(self, stock):
        damage_rollup(stock)
        DayRollup.objects.all().delete()
        assert stock.differences() == []


class TestDamage:
    def test_a_fold_sets_a_damaged_chunk_aside(self, stock):
        hour = damage_chunk(stock)
        stock.send([(stock.assets[1], hour * HOUR + 1, {"a": 2.0})])
        stock.settle()
        assert list(Damage.objects.values_list("asset_id", "hour")) == [(stock.assets[1], hour)]

    def test_a_fold_keeps_a_damaged_segment_before_it_is_swept(self, stock):
        stock.send([(stock.assets[0], to_micros(NOW), {"a": 1.0})])
        segment = flipped(Segment.objects.order_by("-position"), 8)
        stock.settle()
        assert list(Damage.objects.values_list("position", "detail")) == [(segment.position, "segment")]
        assert not Segment.objects.exists()
        assert figures.figures(NOW).damaged_segments == 1


class TestRebuild:
    @pytest.mark.parametrize("spoil", HEALED)
    def test_heals(self, stock, spoil):
        before = set(DayRollup.objects.values_list("pk"))
        spoil(stock)
        assert stock.rebuild() == []
        assert stock.problems() == []
        assert stock.differences() == []
        assert set(DayRollup.objects.values_list("pk")) == before

    def test_of_one_asset_leaves_the_others(self, stock):
        damage_rollup(stock)
        assert stock.rebuild(stock.assets[:1]) == []
        assert stock.problems()
        assert stock.rebuild(stock.assets[1:2]) == []
        assert stock.problems() == []

    def test_names_what_cannot_be_read(self, stock):
        hour = damage_chunk(stock)
        assert [(problem.asset, problem.hour) for problem in stock.rebuild()] == [(stock.assets[1], hour)]

    def test_everything_derived_can_be_lost(self, stock):
        for model in (Rollup, Latest, DayRollup):
            model.objects.all().delete()
        assert stock.problems()
        assert stock.rebuild() == []
        assert stock.problems() == []
        assert stock.differences() == []


@pytest.mark.django_db(transaction=True)
class TestWhileWritersRun:
    def test_neither_check_nor_rebuild_says_or_does_anything_wrong(self):
        stock = Stock()
        stop, failures, checks = threading.Event(), [], []
        writer = threading.Thread(target=_write, args=(stock, stop, failures))
        folder = threading.Thread(target=_fold, args=(stop, failures))
        for thread in (writer, folder):
            thread.start()
        try:
            for _ in range(3):
                checks += stock.problems()
                checks += stock.rebuild()
        finally:
            stop.set()
            writer.join()
            folder.join()
        assert failures == []
        assert checks == []
        stock.settle()
        assert stock.problems() == []
        assert stock.differences() == []


def _write(stock, stop, failures):
    chance = random.Random(4)
    try:
        for _ in range(150):
            if stop.is_set():
                break
            asset = chance.choice(stock.assets)
            time = to_micros(START) + chance.randrange(HOURS * HOUR)
            stock.send([(asset, time, {"a": chance.random()})], chance.choice([Kind.READINGS, Kind.REPLACE]))
            stop.wait(0.01)
    except Exception as error:  # noqa: BLE001 - told to the test
        failures.append(error)
    finally:
        connections.close_all()


def _fold(stop, failures):
    try:
        while not stop.is_set():
            compaction.compact(NOW, force=True)
            days.build(NOW)
            stop.wait(0.02)
    except Exception as error:  # noqa: BLE001 - told to the test
        failures.append(error)
    finally:
        connections.close_all()


class TestStats:
    def test_count_what_there_is(self, stock):
        stock.send([(stock.assets[0], to_micros(NOW), {"a": 1.0})])
        LogConsumer.objects.create(name="gone", position=0)
        found = figures.figures(NOW)
        rows = {table.name: table.rows for table in found.tables}
        assert rows == {
            "log": 1,
            "chunks": Chunk.objects.count(),
            "rollups": Rollup.objects.count(),
            "days": DayRollup.objects.count(),
            "latest": 3,
        }
        assert all(table.bytes > 0 for table in found.tables)
        assert found.readings == 3 * 600 + 1
        # One reading was given one value by a person; of an hour that was marked bad a parameter is not told.
        assert 2 * found.readings - 20 < found.values <= 2 * found.readings
        assert found.bytes_per_value > 0
        assert found.lag.readings == 1
        assert [(one.name, one.dead) for one in found.consumers] == [("gone", True), ("store", False)]

    def test_are_told_at_a_terminal(self, stock, capsys):
        LogConsumer.objects.create(name="gone", position=0)
        stock.send([(stock.assets[0], to_micros(NOW), {"a": 1.0})])
        assert storekeeper.stats() == 0
        said = capsys.readouterr().out
        for words in ("bytes a value", "wait to be folded", "gone for good"):
            assert words in said

    def test_of_an_empty_store_can_be_told(self, db, capsys):
        assert storekeeper.stats() == 0
        assert "0 readings" in capsys.readouterr().out


class TestTheCompactor:
    def test_folds_makes_days_and_drops_piece_by_piece(self, stock, monkeypatch):
        later = NOW + timedelta(hours=3)
        monkeypatch.setattr(jobs.clock, "now", lambda: later)
        kind = factories.make_type("short", retention=timedelta(days=3))
        Asset.objects.update(type=kind)
        stock.send([(stock.assets[0], to_micros(START) + 5, {"a": 5.0})])
        compactor, steps = jobs.Compactor(), 0
        while compactor.work():
            steps += 1
        assert steps >= 3
        assert not Segment.objects.exists()
        assert Upkeep.objects.filter(raw_from__isnull=False).count() == 3
        assert not compactor.work()

    def test_backs_off_where_another_one_is_faster(self, monkeypatch):
        def overtaken(now):
            raise compaction.Overtaken("another was faster")

        monkeypatch.setattr(compaction, "compact", overtaken)
        assert not jobs.Compactor().work()


class TestRunsApi:
    def test_are_done_in_the_background_and_tell_their_progress(self, stock, adam, api):
        hour = damage_chunk(stock)
        client = api(adam)
        asked = client.post("/api/store/check/")
        assert asked.status_code == 202
        assert asked.json()["state"] == "waiting"
        assert client.post("/api/store/check/").status_code == 409
        assert client.post("/api/store/rebuild/").status_code == 202
        while jobs.run_next():
            pass
        done = client.get(asked["Location"]).json()
        assert done["state"] == "done"
        assert done["done"] == done["total"] > 0
        assert done["found"] == len(done["problems"]) > 0
        moment = (START + timedelta(hours=hour - FIRST)).strftime("%Y-%m-%dT%H:00Z")
        assert {
            "asset": stock.assets[1],
            "name": "Press 1",
            "hour": moment,
            "detail": "the chunk cannot be read",
        } in done["problems"]
        listed = client.get("/api/store/runs/", {"kind": "check"}).json()
        assert [run["id"] for run in listed["results"]] == [done["id"]]
        assert client.post("/api/store/check/").status_code == 202

    def test_of_one_asset_are_not_taken_for_runs_of_all(self, adam, api):
        refused = api(adam).post("/api/store/rebuild/", {"asset": 4}, format="json")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/asset")

    def test_that_lost_their_process_are_marked(self, adam, api):
        lost = StoreRun.objects.create(kind="check", state="running", created_at=START, beat_at=START)
        assert api(adam).post("/api/store/check/").status_code == 202
        lost.refresh_from_db()
        assert lost.state == "interrupted"

    def test_that_fail_say_so(self, adam, api, monkeypatch):
        run = api(adam).post("/api/store/check/").json()["id"]

        def broken(**_):
            raise OSError("the disk is gone")

        monkeypatch.setattr(services, "steps", broken)
        with pytest.raises(OSError, match="disk"):
            jobs.run_next()
        said = api(adam).get(f"/api/store/runs/{run}/").json()
        assert (said["state"], said["error"]) == ("failed", "OSError: the disk is gone")

    def test_give_the_figures(self, stock, adam, api):
        said = api(adam).get("/api/store/").json()
        assert said["readings"] == 3 * 600 + 1
        assert {table["name"] for table in said["tables"]} == {"log", "chunks", "rollups", "days", "latest"}

    def test_are_the_business_of_administrators(self, adam, api):
        client = api(factories.make_user("ada", role=Role.ENGINEER))
        run = StoreRun.objects.create(kind="check", state="done", created_at=START)
        assert client.get("/api/store/").status_code == 403
        assert client.post("/api/store/check/").status_code == 403
        assert client.post("/api/store/rebuild/").status_code == 403
        assert client.get("/api/store/runs/").json()["results"] == []
        assert client.get(f"/api/store/runs/{run.pk}/").status_code == 404
        assert api(None).get("/api/store/").status_code == 401

    def test_refuse_unknown_parameters(self, adam, api):
        for path in ("/api/store/", "/api/store/runs/"):
            assert api(adam).get(path, {"nonsense": 1}).status_code == 400
        assert api(adam).get("/api/store/runs/x/").status_code == 404


class TestLag:
    def test_is_in_the_metrics(self, stock, client):
        stock.send([(stock.assets[0], to_micros(NOW), {"a": 1.0}), (stock.assets[0], to_micros(NOW) + 1, {"a": 1.0})])
        assert client.get("/metrics").status_code == 200
        assert REGISTRY.get_sample_value("techtrack_fold_waiting_readings") == 2
        assert REGISTRY.get_sample_value("techtrack_fold_oldest_seconds") is not None

    def test_makes_the_platform_unready_when_nobody_folds(self, stock, client):
        stock.send([(stock.assets[0], to_micros(NOW), {"a": 1.0})])
        Segment.objects.update(received_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert "wait to be folded" in client.get("/readyz").json()["reasons"]["store"]


def test_statistics_of_hours_are_the_same_whatever_they_are_computed_with(stock):
    """What a check compares to the bit must not depend on which hours a fold took together."""
    before = list(Rollup.objects.order_by("asset_id", "hour").values_list("asset_id", "hour", "codes", "payload"))
    Rollup.objects.all().delete()
    stock.rebuild()
    after = list(Rollup.objects.order_by("asset_id", "hour").values_list("asset_id", "hour", "codes", "payload"))
    assert [(*row[:3], bytes(row[3])) for row in before] == [(*row[:3], bytes(row[3])) for row in after]
    assert np.all(np.diff([row[1] for row in after if row[0] == stock.assets[0]]) > 0)
