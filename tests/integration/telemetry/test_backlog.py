"""The log while nobody folds it: beyond a limit every door refuses readings, and takes them when some are folded."""

from __future__ import annotations

import random
import sys
from datetime import timedelta

import pytest
from django.db import transaction

from techtrack.accounts.queries import access_of
from techtrack.core.clock import isoformat
from techtrack.integrations import services as integrations
from techtrack.integrations.codecs.csv_table import Layout
from techtrack.telemetry import services, storekeeper
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import LogConsumer, Segment
from techtrack.telemetry.services import room
from techtrack.telemetry.store import backlog, compaction, segments
from techtrack.telemetry.store.backlog import Backlog, LogIsFull
from techtrack.telemetry.store.database import store
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small(monkeypatch, settings):
    """A log that takes ten readings, or five batches, looked at each time."""
    settings.LOG_READINGS, settings.LOG_SEGMENTS, settings.FOLD_READINGS = 10, 5, 10
    monkeypatch.setattr(backlog, "EVERY", 0.0)
    fresh = Backlog()
    for module in ("store.backlog", "services.ingest", "services.room"):
        monkeypatch.setattr(sys.modules[f"techtrack.telemetry.{module}"], "backlog", fresh)
    return fresh


def append(count, *, asset=1, start=0):
    rows = [Row(asset, start + at, {"t": 1.0}) for at in range(count)]
    with transaction.atomic():
        store.append(Batch.of(rows), kind=Kind.READINGS, origin=Origin.LIVE, now=NOW)


class TestTheDoors:
    def test_refuse_and_say_when_to_come_again_and_take_again_once_some_is_folded(self, small, api, olga, robot):
        item = {"timestamp": isoformat(NOW), "values": {"t": 1.0}}
        client = api(olga)
        append(11)
        for path, name in (("/api/ingest/", "asset"), ("/api/data/", "equipment")):
            answer = client.post(path, {"items": [{name: robot.pk} | item]}, format="json")
            assert (answer.status_code, answer.json()["code"]) == (503, "log_full"), path
            assert int(answer["Retry-After"]) > 0
        assert Segment.objects.count() == 1
        compaction.compact(NOW, force=True)
        assert client.post("/api/ingest/", {"items": [{"asset": robot.pk} | item]}, format="json").status_code == 200

    def test_refuse_where_there_are_too_many_small_batches(self, small):
        for number in range(5):
            append(1, start=number)
        small.refuse()
        append(1, start=5)
        with pytest.raises(LogIsFull):
            small.refuse()

    def test_let_people_correct_and_delete_all_the_same(self, small, api, erik, robot):
        item = {"equipment": robot.pk, "timestamp": isoformat(NOW), "values": {"t": 1.0}}
        made = api(erik).post("/api/data/", item, format="json").json()
        append(11)
        changed = api(erik).patch(f"/api/data/{made['id']}/", {"values": {"t": 2.0}}, format="json")
        assert changed.status_code == 200, changed.content
        services.forget(asset_id=robot.pk, now=NOW)


class TestBacklog:
    def test_counts_what_waits_however_writers_and_folds_take_turns(self, small):
        dice = random.Random(3)
        for number in range(60):
            append(dice.randint(1, 4), start=10 * number)
            if dice.random() < 0.2:
                compaction.compact(NOW, force=True)
            if dice.random() < 0.5:
                waiting = Segment.objects.filter(position__gt=segments.watermark())
                there = sum(waiting.values_list("readings", flat=True))
                assert small.is_full() == backlog.is_too_much(waiting.count(), there)

    def test_begins_anew_where_the_database_was_restored(self, small):
        append(5)
        append(6)
        assert small.is_full()
        for model in (Segment, LogConsumer, segments.Head):
            model.objects.all().delete()
        append(1)
        assert not small.is_full()

    def test_asks_the_database_once_in_a_while_and_never_inside_a_transaction(
        self, monkeypatch, django_assert_num_queries
    ):
        monkeypatch.setattr(backlog, "EVERY", 3600.0)
        known = Backlog()
        with transaction.atomic(), django_assert_num_queries(0):
            known.refuse()
        known.refuse()
        with django_assert_num_queries(0):
            known.refuse()


class TestAnImport:
    def test_folds_what_is_too_much_and_goes_on(self, small, tmp_path, monkeypatch, olga, robot):
        monkeypatch.setattr(integrations.imports, "BATCH", 8)
        path = tmp_path / "readings.csv"
        rows = (f"{isoformat(NOW - timedelta(minutes=at))},{at}\n" for at in range(60))
        path.write_text("time,number\n" + "".join(rows), encoding="utf-8")
        plan = integrations.ImportPlan(Layout(), asset="robot-1")
        report = integrations.import_file(path=path, plan=plan, by=access_of(olga), now=NOW, progress=lambda _: None)
        assert report.loaded == 60
        assert len(store.readings([robot.pk])[robot.pk].times) == 60
        assert segments.watermark() > 0

    def test_waits_for_another_compactor_that_is_at_it(self, small, monkeypatch):
        append(11)
        compact, waited = compaction.compact, []

        def overtaken(now, *, force):
            raise compaction.Overtaken("another was faster")

        def sleep(seconds):
            waited.append(seconds)
            monkeypatch.setattr(compaction, "compact", compact)

        monkeypatch.setattr(compaction, "compact", overtaken)
        monkeypatch.setattr(room.time, "sleep", sleep)
        services.make_room(now=NOW)
        assert waited == [room.PAUSE]
        assert not small.is_full()


class TestWhoIsAsked:
    def test_says_that_no_more_is_taken(self, small, client, capsys):
        append(11)
        assert "no more are taken" in client.get("/readyz").json()["reasons"]["store"]
        assert storekeeper.stats() == 0
        assert "readings are refused" in capsys.readouterr().out
