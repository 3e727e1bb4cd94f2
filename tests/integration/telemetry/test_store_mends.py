"""Defects of the store that a cold reading found, each by what went wrong."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.assets import services as assets
from techtrack.core.clock import to_micros
from techtrack.core.models import Head
from techtrack.telemetry import services
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import Chunk, Damage, Latest, LogConsumer, Rollup, Segment
from techtrack.telemetry.services import corrections
from techtrack.telemetry.services.ingest import write
from techtrack.telemetry.store import chunks, compaction, database, latest, segments
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.folding import Fold
from techtrack.telemetry.store.snapshot import snapshot
from techtrack.telemetry.store.tail import Tail
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = 3_600_000_000
START = 494_000 * HOUR


@pytest.fixture(autouse=True)
def fresh_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed here must not stay with the store of the process: the next test counts and dates the same."""
    monkeypatch.setattr(database.store, "_tail", Tail())


def put(store: DatabaseStore, *rows: tuple[int, int, dict[str, float]], kind: Kind = Kind.READINGS) -> int:
    with transaction.atomic():
        batch = Batch.of(Row(*row) for row in rows)
        return store.append(batch, kind=kind, origin=Origin.LIVE, now=NOW)


class TestTail:
    """The log behind the watermark, as a process remembers it."""

    def test_decodes_each_segment_once(self, monkeypatch):
        """On PostgreSQL, whose snapshots are transactions, nothing was kept: each read decoded the whole log."""
        store, decoded = DatabaseStore(), []
        for number in range(5):
            put(store, (1, START + number, {"t": float(number)}))
        entry = segments.entry
        monkeypatch.setattr(segments, "entry", lambda row: decoded.append(row.position) or entry(row))
        for _ in range(3):
            assert len(store.readings([1])[1].times) == 5
        assert decoded == [1, 2, 3, 4, 5]

    def test_is_read_anew_when_a_backup_has_folded_less(self):
        """What the process had let go as folded is in the log again, and nothing newer has come."""
        store = DatabaseStore()
        for number in range(3):
            put(store, (1, START + number, {"t": float(number)}))
        kept = list(Segment.objects.all())
        compaction.compact(NOW, force=True)
        put(store, (1, START + 3, {"t": 3.0}))
        later = list(Segment.objects.filter(position=4))
        store.readings([1])
        for model in (Segment, Chunk, Rollup, Latest, LogConsumer):
            model.objects.all().delete()
        Segment.objects.bulk_create([*kept, *later])
        assert len(store.readings([1])[1].times) == 4

    def test_is_read_anew_when_another_history_has_the_same_positions(self):
        """Restored, the log had grown as far again: of the same dates, sizes and bounds, and with other values."""
        store = DatabaseStore()
        put(store, (1, START, {"t": 1.0}))
        assert store.latest([1])[1]["t"].value == 1.0
        Segment.objects.all().delete()
        Head.objects.all().delete()
        put(store, (1, START, {"t": 2.0}))
        assert store.latest([1])[1]["t"].value == 2.0

    def test_hears_of_assets_that_other_processes_delete(self):
        """Its own memory of the log had been let go, since all was folded."""
        store, other = DatabaseStore(), DatabaseStore()
        put(store, (1, START, {"t": 1.0}), (2, START, {"t": 2.0}))
        assert sorted(store.latest([1, 2])) == [1, 2]
        with transaction.atomic():
            other.forget(1, now=NOW)
        compaction.compact(NOW, force=True)
        put(other, (1, START + 1, {"t": 3.0}))
        assert sorted(store.latest([1, 2])) == [2]


class TestCompaction:
    """A fold, and what comes between its transactions."""

    def test_takes_no_more_into_memory_than_one_fold_may(self, settings):
        """A log that has grown while nobody folded was decoded a thousand segments at a time, however large."""
        settings.FOLD_READINGS, store = 10, DatabaseStore()
        for number in range(8):
            put(store, *((1, START + 10 * number + place, {"t": 1.0}) for place in range(10)))
        assert compaction.compact(NOW, force=True) == 2
        assert [compaction.compact(NOW, force=True) for _ in range(4)] == [4, 6, 8, None]
        assert len(store.readings([1])[1].times) == 80

    def test_leaves_the_hour_that_goes_on_to_the_next_one(self, settings):
        """What was folded of it was decoded and written again with the rest."""
        settings.FOLD_READINGS, store = 10, DatabaseStore()
        for minute in (10, 30, 50, 65):
            put(store, *((asset, START + minute * 60_000_000, {"t": 1.0}) for asset in (1, 2, 3)))
        assert compaction.compact(NOW) == 3
        assert set(Chunk.objects.values_list("hour", "readings")) == {(START // HOUR, 3)}
        put(store, (1, START, {"t": 2.0}))
        assert compaction.compact(NOW, force=True) == 5
        assert len(store.readings([1])[1].times) == 5

    def test_folds_the_hour_that_goes_on_where_it_is_most_of_the_log(self, settings):
        settings.FOLD_READINGS, store = 10, DatabaseStore()
        for minute in (50, 65, 66, 67):
            put(store, *((asset, START + minute * 60_000_000, {"t": 1.0}) for asset in (1, 2, 3)))
        assert compaction.compact(NOW) == 4

    @pytest.mark.parametrize(
        ("forced", "segments_a_fold", "rests"),
        [
            pytest.param(False, 10, True, id="who asks meanwhile gets three quarters of the interpreter"),
            pytest.param(True, 10, False, id="somebody waits for what it folds"),
            pytest.param(False, 1, False, id="the log is longer than one fold, and would grow"),
        ],
    )
    def test_rests_between_its_transactions_unless_it_is_behind(
        self, monkeypatch, settings, forced, segments_a_fold, rests
    ):
        settings.FOLD_READINGS, settings.FOLD_SEGMENTS = 2, segments_a_fold
        clock, slept = [0.0], list[float]()
        monkeypatch.setattr(compaction, "GROUPS", {connection.vendor: 1})
        monkeypatch.setattr(compaction, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        monkeypatch.setattr(compaction, "rest", slept.append)
        written = compaction._write

        def write_slowly(*args: object) -> None:
            clock[0] += 0.2
            written(*args)

        monkeypatch.setattr(compaction, "_write", write_slowly)
        for asset in (1, 2, 3):
            put(DatabaseStore(), (asset, START, {"t": 1.0}))
        assert compaction.compact(NOW, force=forced) == 3
        assert slept == [pytest.approx(0.6)] * (3 if rests else 0)

    def test_deletes_the_years_of_an_asset_in_small_transactions(self, monkeypatch):
        """Nobody writes while they last: years of hours at once were a second and more on SQLite."""
        monkeypatch.setattr(compaction, "FORGOTTEN", 10)
        store, held = DatabaseStore(), []
        put(store, *((1, START + hour * HOUR, {"t": 1.0}) for hour in range(35)), (2, START, {"t": 1.0}))
        compaction.compact(NOW, force=True)
        with transaction.atomic():
            store.forget(1, now=NOW)
        hold = compaction._hold
        monkeypatch.setattr(compaction, "_hold", lambda floor: (held.append(Chunk.objects.count()), hold(floor)))
        compaction.compact(NOW, force=True)
        assert held[:5] == [36, 26, 16, 6, 1]
        assert list(Chunk.objects.values_list("asset_id", flat=True)) == [2]
        assert list(Rollup.objects.values_list("asset_id", flat=True)) == [2]

    def test_leaves_nothing_that_a_slower_one_wrote_of_an_asset_that_was_deleted_meanwhile(self, monkeypatch):
        """Its transaction came after the deletion was folded, and before the watermark had moved."""
        store = DatabaseStore()
        put(store, (1, START, {"t": 1.0}))
        compaction.compact(NOW, force=True)
        put(store, (1, START + 1, {"t": 2.0}))
        slower = compaction._stretch(1, segments.head())
        [group] = Fold(slower).groups(64)
        with transaction.atomic():
            store.forget(1, now=NOW)
        keep = compaction._keep_damaged
        steps = iter([lambda: compaction._write(group, slower, NOW)])
        monkeypatch.setattr(compaction, "_keep_damaged", lambda *said: (next(steps)(), keep(*said)))
        compaction.compact(NOW, force=True)
        assert not Chunk.objects.exists()
        assert not Rollup.objects.exists()

    def test_ends_where_another_has_swept_what_it_was_about_to_read(self):
        """The next page ends beyond where the fold was to end; the transaction of the slower one will fail."""
        store = DatabaseStore()
        for at in range(3):
            put(store, (1, START + at, {"t": 1.0}))
        slower = segments.watermark()
        compaction.compact(NOW, force=True)
        for at in range(3, 6):
            put(store, (1, START + at, {"t": 1.0}))
        assert not Segment.objects.filter(position__lte=3).exists()
        view = compaction._stretch(slower, 2)
        assert view.position == 5
        with pytest.raises(compaction.Overtaken):
            compaction._advance(view)


class TestDeletionOfAnAsset:
    """It meets those who correct its readings."""

    def test_and_a_correction_do_not_deadlock(self, erik, robot):
        """Both need the asset and the head of the log; they must take them in the same order."""
        factories.make_reading(robot, temperature=70.0)
        locked, asked, failed = threading.Event(), threading.Event(), []

        def correct() -> None:
            try:
                with transaction.atomic():
                    corrections._lock(robot)
                    locked.set()
                    asked.wait(2)
                    time.sleep(0.3)
                    row = Row(robot.pk, to_micros(NOW), {"temperature": 71.0})
                    write(Batch.of([row]), Kind.REPLACE, Origin.LIVE, NOW)
            except OperationalError as error:
                failed.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=correct)
        thread.start()
        locked.wait(5)
        asked.set()
        try:
            assets.delete_asset(asset=robot, by=access_of(erik), confirm=robot.name, expected=None)
        except OperationalError as error:
            failed.append(error)
        thread.join()
        assert failed == []

    @pytest.mark.parametrize("folded", [False, True], ids=["in one fold", "in the next fold"])
    def test_takes_along_what_was_let_in_just_before(self, erik, robot, folded):
        """A gateway knows its assets for two seconds: what it commits after the deletion stayed for ever."""
        factories.make_reading(robot, temperature=70.0)
        known = services.know(refs={robot.pk}, by=internal())
        assets.delete_asset(asset=robot, by=access_of(erik), confirm=robot.name, expected=None)
        if folded:
            compaction.compact(NOW, force=True)
        late = Batch.of([Row(robot.pk, to_micros(NOW), {"temperature": 71.0}), Row(robot.pk, START, {"speed": 1.0})])
        services.commit(groups=[services.Checked([late], known)], now=NOW)
        assert database.store.latest([robot.pk]) == {}
        assert database.store.readings([robot.pk]) == {}
        compaction.compact(NOW, force=True)
        for model in (Segment, Chunk, Rollup, Latest):
            assert not model.objects.exists()
        assert DatabaseStore().extent([robot.pk]) is None

    def test_ends_its_number(self, erik, robot):
        """A later asset of the same number would inherit that nothing of it is kept."""
        number = robot.pk
        assets.delete_asset(asset=robot, by=access_of(erik), confirm=robot.name, expected=None)
        assert factories.make_equipment("Successor").pk > number

    def test_takes_along_what_was_set_aside_of_it(self):
        """The bytes of a damaged hour are readings too."""
        store = DatabaseStore()
        put(store, (1, START, {"t": 1.0}), (2, START, {"t": 2.0}))
        for asset in (1, 2):
            Damage.objects.create(asset_id=asset, hour=START // HOUR, detail="chunk", payload=b"1", found_at=NOW)
        with transaction.atomic():
            store.forget(1, now=NOW)
        compaction.compact(NOW, force=True)
        assert list(Damage.objects.values_list("asset_id", flat=True)) == [2]


class TestLatest:
    """The newest values of assets, one of which a person has corrected."""

    def test_of_a_corrected_asset_looks_no_further_back_than_its_own_parameters(self, monkeypatch):
        """It looked for those of all other assets, through every hour that there is."""
        store = DatabaseStore()
        put(store, *((1, START + hour * HOUR, {"t": 1.0}) for hour in range(60)), (2, START, {"p": 1.0}))
        compaction.compact(NOW, force=True)
        put(store, (1, START + 59 * HOUR, {"t": 2.0}), kind=Kind.PATCH)
        opened, read = chunks.opened, []
        monkeypatch.setattr(chunks, "opened", lambda *row: read.append(row[1]) or opened(*row))
        assert store.latest([1, 2])[1]["t"].value == 2.0
        assert len(read) < 5

    def test_of_a_rare_parameter_is_looked_for_a_bounded_number_of_hours_at_a_time(self, monkeypatch):
        """Each stretch was twice as long as the one before: in the end half of ten years at once."""
        store = DatabaseStore()
        put(store, (1, START, {"rare": 1.0}), *((1, START + hour * HOUR, {"t": 1.0}) for hour in range(1, 500)))
        put(store, (1, START + 9000 * HOUR, {"t": 2.0}))
        compaction.compact(NOW, force=True)
        put(store, (1, START + 9000 * HOUR, {"t": 3.0}), kind=Kind.PATCH)
        Latest.objects.update(payload=b"damaged")
        read, readings = [], chunks.readings

        def counted(*asked):
            found = readings(*asked)
            read.append(sum(len(one.times) for one in found.values()))
            return found

        monkeypatch.setattr(chunks, "readings", counted)
        found = store.latest([1])[1]
        assert (found["rare"], found["t"]) == ((START, 1.0), (START + 9000 * HOUR, 3.0))
        assert max(read) <= latest.MOST_HOURS
        assert len(read) < 12


class TestSnapshot:
    def test_is_not_ended_by_another_inside(self):
        with snapshot():
            with pytest.raises(TransactionManagementError), snapshot():
                pass
            assert not segments.head()
        with snapshot():
            assert not segments.head()
