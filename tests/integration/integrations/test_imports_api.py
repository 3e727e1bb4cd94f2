"""Imports as administrators see them by the API: how far each has come, and how fast."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.queries import access_of
from techtrack.integrations import services
from techtrack.integrations.models import ImportRun
from techtrack.integrations.services import ImportPlan, Progress
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
URL = "/api/imports/"


class TestImports:
    def test_tell_how_far_they_are_and_how_fast(self, api, adam):
        run = factories.make_import()
        told = {
            "id": run.pk,
            "name": "readings.csv",
            "rows_total": 100,
            "rows_done": 50,
            "readings": 50,
            "rate": 100.0,
            "started_at": "2026-11-21T10:00:00Z",
            "finished_at": None,
        }
        assert api(adam).get(URL).json()["results"] == [told]
        assert api(adam).get(f"{URL}{run.pk}/").json() == told

    def test_tell_no_rate_before_the_first_rows(self, api, adam):
        run = factories.make_import(rows_done=0, readings=0, seconds=0)
        assert api(adam).get(f"{URL}{run.pk}/").json()["rate"] is None

    def test_come_newest_first_and_by_whether_they_have_ended(self, api, adam):
        first, second = (
            factories.make_import(finished_at=NOW),
            factories.make_import(started_at=NOW + timedelta(hours=1)),
        )
        client = api(adam)
        for query, found in {"": [second, first], "?finished=true": [first], "?finished=false": [second]}.items():
            assert [row["id"] for row in client.get(f"{URL}{query}").json()["results"]] == [run.pk for run in found]

    def test_are_for_administrators_and_written_by_nobody(self, api, adam, erik):
        run = factories.make_import()
        assert api(erik).get(URL).json()["count"] == 0
        assert api(erik).get(f"{URL}{run.pk}/").status_code == 404
        assert api(adam).post(URL, {}, format="json").status_code == 405
        assert api(adam).delete(f"{URL}{run.pk}/").status_code == 405

    def test_are_told_of_while_they_go_on(self, api, adam, robot, tmp_path):
        file = tmp_path / "readings.csv"
        count = 2 * services.BATCH
        rows = "".join(f"{1_767_225_600 + number},{number}\n" for number in range(count))
        file.write_text(f"time,speed\n{rows}", encoding="utf-8")
        seen = []

        def look(progress: Progress) -> None:
            if progress.phase == "loading":
                [row] = api(adam).get(URL).json()["results"]
                seen.append((row["rows_done"], row["rows_total"], row["rate"] > 0))

        plan = ImportPlan(asset=str(robot.pk))
        services.import_file(path=file, plan=plan, by=access_of(adam), now=NOW, progress=look)
        assert seen == [(services.BATCH, count, True), (count, count, True)]
        assert ImportRun.objects.get().finished_at == NOW
