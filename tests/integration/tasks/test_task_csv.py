"""The list of tasks as a file: all that match, in columns, and no formulas."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from techtrack.tasks.api import tables
from tests import factories
from tests.factories import NOW, make_task

TASKS = "/api/tasks/"


@pytest.fixture
def rows(api):
    """``rows(olga, state="open")``: what the file says, one mapping a line."""

    def read(who, **query):
        answer = api(who).get(TASKS, {"format": "csv", **query}, HTTP_ACCEPT="text/csv")
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
        assert answer["Content-Disposition"] == 'attachment; filename="tasks.csv"'
        return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))

    return read


class TestTable:
    def test_says_what_tasks_say(self, olga, erik, robot, rows):
        make_task(
            olga,
            title="Belt, worn",
            description="Two\nlines",
            asset_id=robot.pk,
            owners=[olga, erik],
            due_date=NOW - timedelta(hours=1),
            estimated_seconds=5400,
            spent_seconds=900,
        )
        (row,) = rows(olga)
        assert {name: row[name] for name in row if name not in {"id", "asset_id"}} == {
            "title": "Belt, worn",
            "description": "Two\nlines",
            "state": "open",
            "priority": "2",
            "start_date": "",
            "due_date": "2026-11-21T09:00:00Z",
            "is_overdue": "true",
            "owners": "erik, olga",
            "asset": "Robot 1",
            "alert": "",
            "created_by": "olga",
            "created_at": "2026-11-21T10:00:00Z",
            "updated_at": "2026-11-21T10:00:00Z",
            "completed_at": "",
            "estimated_hours": "1.5",
            "spent_hours": "0.25",
        }

    def test_holds_all_that_match_in_the_order_asked_for(self, olga, rows):
        for number in range(60):
            make_task(olga, title=f"T{number:02}", state="open" if number % 2 else "done")
        found = [row["title"] for row in rows(olga, state="open", ordering="title")]
        assert found == [f"T{number:02}" for number in range(1, 60, 2)]

    def test_holds_nothing_that_the_reader_may_not_see(self, olga, mallory, robot, rows):
        make_task(olga, asset_id=robot.pk)
        make_task(olga, deleted_at=NOW)
        assert rows(mallory) == []
        assert len(rows(olga)) == 1

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    def test_holds_no_formula(self, olga, plant, rows, text):
        asset = factories.make_equipment(text, site=plant)
        make_task(olga, title=text, description=text, asset_id=asset.pk)
        (row,) = rows(olga)
        assert {row[name] for name in ("title", "description", "asset")} == {f"'{text}"}

    def test_comes_in_pieces_and_whole(self, olga, rows, monkeypatch):
        monkeypatch.setattr(tables, "AT_ONCE", 3)
        for number in range(7):
            make_task(olga, title=f"T{number}", description="ü" * 50)
        assert [row["title"] for row in rows(olga, ordering="title")] == [f"T{number}" for number in range(7)]

    def test_has_no_pages(self, api, olga):
        for word in ("page", "page_size"):
            answer = api(olga).get(TASKS, {"format": "csv", word: 1})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"?{word}")

    def test_asks_as_much_of_the_database_for_many_as_for_few(self, olga, robot, rows, django_assert_max_num_queries):
        for _ in range(40):
            make_task(olga, owners=[olga], asset_id=robot.pk)
        with django_assert_max_num_queries(5):
            assert len(rows(olga)) == 40


class TestFormat:
    def test_is_one_of_those_that_there_are(self, api, olga):
        answer = api(olga).get(TASKS, {"format": "xml"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "?format")

    def test_json_is_the_list(self, api, olga):
        assert api(olga).get(TASKS, {"format": "json"}).json() == api(olga).get(TASKS).json()

    def test_is_not_known_to_a_single_task(self, api, olga):
        assert api(olga).get(f"{TASKS}{make_task(olga).pk}/", {"format": "csv"}).status_code == 400
