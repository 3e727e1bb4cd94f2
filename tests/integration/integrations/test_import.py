"""Importing files: checked wholly before anything is stored, resumable at any point, errors by line."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path

import pytest

from techtrack.accounts.queries import access_of
from techtrack.core.clock import to_micros
from techtrack.integrations import console, services
from techtrack.integrations.codecs.csv_table import Layout, UnknownColumn
from techtrack.integrations.models import ImportRun
from techtrack.integrations.services import BadFile, BadRows, ImportPlan, ImportReport, Progress, UnknownAsset
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.reading import FOREVER, Origin
from tests import factories

pytestmark = pytest.mark.django_db


class Crash(Exception):
    """The plug is pulled."""


def write(folder: Path, text: str) -> Path:
    path = folder / "readings.csv"
    path.write_text(text, encoding="utf-8")
    return path


def numbered(count: int) -> str:
    """A table of ``count`` readings, one a minute."""
    rows = (f"{1_767_225_600 + 60 * number},{number}\n" for number in range(count))
    return "time,number\n" + "".join(rows)


def load(
    path: Path, by, now: datetime, *, progress=lambda _: None, layout: Layout | None = None, **plan
) -> ImportReport:
    chosen = ImportPlan(layout or Layout(), **{"asset": "robot-1", **plan})
    return services.import_file(path=path, plan=chosen, by=access_of(by), now=now, progress=progress)


def stored(asset) -> list[float]:
    """The values of ``number`` that the asset has, oldest first."""
    rows = telemetry.older(asset_ids=[asset.pk], span=FOREVER, before=None, limit=100_000)
    return [row.values["number"] for row in reversed(rows)]


class TestImport:
    def test_stores_the_readings_of_a_file(self, tmp_path, robot, olga, now):
        report = load(write(tmp_path, numbered(3)), olga, now)
        assert stored(robot) == [0, 1, 2]
        assert (report.loaded, report.rows, report.bad_rows) == (3, 3, 0)

    def test_reads_gzip(self, tmp_path, robot, olga, now):
        path = tmp_path / "readings.csv.gz"
        path.write_bytes(gzip.compress(numbered(3).encode()))
        load(path, olga, now)
        assert stored(robot) == [0, 1, 2]

    def test_puts_rows_to_the_assets_that_a_column_names(self, tmp_path, robot, station, olga, now):
        text = "time,who,number\n2026-01-01,robot-1,1\n2026-01-01,station-1,2\n"
        load(write(tmp_path, text), olga, now, layout=Layout(asset="who"), asset="")
        assert (stored(robot), stored(station)) == ([1], [2])

    def test_is_history_and_not_judged(self, tmp_path, robot, olga, now):
        load(write(tmp_path, numbered(1)), olga, now)
        assert {entry.origin for entry in telemetry.log(after=0, limit=10)} == {Origin.IMPORT}

    def test_leaves_out_what_is_missing(self, tmp_path, robot, olga, now):
        report = load(write(tmp_path, "time,number,b\n2026-01-01,1,NA\n2026-01-02,NA,NA\n2026-01-03,,5\n"), olga, now)
        (newest,) = telemetry.older(asset_ids=[robot.pk], span=FOREVER, before=None, limit=1)
        assert newest.values == {"b": 5}
        assert (report.loaded, report.blank) == (2, 1)

    def test_reads_local_times(self, tmp_path, robot, olga, now):
        report = load(
            write(tmp_path, "time,a\n2026-07-01 12:00,1\n"), olga, now, layout=Layout(timezone="Asia/Shanghai")
        )
        assert report.first == to_micros(datetime.fromisoformat("2026-07-01T04:00:00Z"))

    def test_of_the_same_file_twice_is_one(self, tmp_path, robot, olga, now):
        path = write(tmp_path, numbered(3))
        load(path, olga, now)
        report = load(path, olga, now)
        assert (report.loaded, report.resumed_at) == (0, 3)
        assert stored(robot) == [0, 1, 2]

    def test_can_be_asked_to_begin_again(self, tmp_path, robot, olga, now):
        path = write(tmp_path, numbered(3))
        load(path, olga, now)
        assert load(path, olga, now, resume=False).loaded == 3
        assert stored(robot) == [0, 1, 2]

    def test_tells_how_far_it_is(self, tmp_path, robot, olga, now):
        heard: list[Progress] = []
        load(write(tmp_path, numbered(3)), olga, now, progress=heard.append)
        assert [(one.phase, one.done == one.total) for one in heard] == [("checking", True), ("loading", True)]


class TestDryRun:
    def test_says_what_is_wrong_and_stores_nothing(self, tmp_path, robot, olga, now):
        report = load(write(tmp_path, "time,number\n2026-01-01,1\nx,2\n"), olga, now, dry_run=True)
        assert (report.rows, report.bad_rows, report.errors[0].line) == (2, 1, 3)
        assert stored(robot) == []
        assert not ImportRun.objects.exists()


class TestBadRows:
    TEXT = "time,number\n2026-01-01,0\nyesterday,1\n2026-01-03,two\n1999-01-01,3\n2026-01-05,4\n"
    LAYOUT = Layout(columns={"number": "number"})

    def test_are_told_by_line_and_nothing_is_stored(self, tmp_path, robot, olga, now):
        with pytest.raises(BadRows) as refusal:
            load(write(tmp_path, self.TEXT), olga, now, layout=self.LAYOUT)
        assert [error.line for error in refusal.value.report.errors] == [3, 4, 5]
        assert "3 of 5 rows" in refusal.value.detail
        assert stored(robot) == []

    def test_can_be_skipped(self, tmp_path, robot, olga, now):
        report = load(write(tmp_path, self.TEXT), olga, now, layout=self.LAYOUT, skip_bad_rows=True)
        assert stored(robot) == [0, 4]
        assert (report.loaded, report.bad_rows) == (2, 3)

    def test_are_listed_up_to_twenty_and_counted_beyond(self, tmp_path, robot, olga, now):
        text = "time,number\n2026-01-01,0\n" + "x,1\n" * 30
        report = load(write(tmp_path, text), olga, now, dry_run=True)
        assert (len(report.errors), report.bad_rows) == (20, 30)

    def test_are_those_whose_local_time_came_twice(self, tmp_path, robot, olga, now):
        text = "time,number\n2025-10-26 02:30,1\n2025-10-26 03:30,2\n"
        with pytest.raises(BadRows) as refusal:
            load(write(tmp_path, text), olga, now, layout=Layout(timezone="Europe/Berlin"))
        assert "came twice in Europe/Berlin" in refusal.value.report.errors[0].message

    def test_are_those_of_assets_that_the_user_may_not_write(self, tmp_path, robot, other_site, olga, now):
        factories.make_equipment("Theirs", key="theirs", site=other_site)
        text = "time,who,number\n2026-01-01,robot-1,1\n2026-01-01,theirs,2\n"
        with pytest.raises(BadRows) as refusal:
            load(write(tmp_path, text), olga, now, layout=Layout(asset="who"), asset="")
        assert refusal.value.report.errors[0].message == "there is no asset 'theirs' whose readings you may enter"

    def test_are_those_with_parameters_that_a_strict_type_does_not_have(self, tmp_path, robot, olga, now):
        type(robot.type).objects.filter(pk=robot.type_id).update(strict=True, parameters=[{"code": "speed"}])
        with pytest.raises(BadRows) as refusal:
            load(write(tmp_path, numbered(1)), olga, now)
        assert refusal.value.report.errors[0].message == "the type of Robot 1 has no parameter 'number'"


class TestRefusal:
    def test_of_a_viewer_names_the_asset(self, tmp_path, robot, vera, now):
        with pytest.raises(UnknownAsset):
            load(write(tmp_path, numbered(1)), vera, now)

    def test_of_a_file_that_is_not_there(self, tmp_path, robot, olga, now):
        with pytest.raises(BadFile, match="No such file"):
            load(tmp_path / "none.csv", olga, now)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"time,a\n2026-01-01,\xff\n", id="not UTF-8"),
            pytest.param(gzip.compress(numbered(5000).encode())[:-200], id="cut off"),
        ],
    )
    def test_of_a_file_that_cannot_be_read(self, tmp_path, robot, olga, now, content):
        path = tmp_path / "readings.csv"
        path.write_bytes(content)
        with pytest.raises(BadFile):
            load(path, olga, now)
        assert stored(robot) == []

    def test_of_a_column_that_is_not_there(self, tmp_path, robot, olga, now):
        with pytest.raises(UnknownColumn, match="did you mean 'number'"):
            load(write(tmp_path, numbered(1)), olga, now, layout=Layout(columns={"numbr": "a"}))


class TestResuming:
    @pytest.fixture(autouse=True)
    def _small_batches(self, monkeypatch):
        monkeypatch.setattr(services.imports, "BATCH", 10)

    @pytest.mark.parametrize("survived", [1, 2])
    def test_goes_on_behind_the_last_batch(self, tmp_path, robot, olga, now, survived):
        path = write(tmp_path, numbered(25))

        def crash(progress: Progress) -> None:
            if progress.phase == "loading" and progress.done == survived * 10:
                raise Crash

        with pytest.raises(Crash):
            load(path, olga, now, progress=crash)
        assert stored(robot) == list(range(survived * 10))
        report = load(path, olga, now)
        assert (report.resumed_at, report.loaded) == (survived * 10, 25 - survived * 10)
        assert stored(robot) == list(range(25))
        assert ImportRun.objects.get().readings == 25

    def test_finds_nothing_of_a_batch_that_was_cut_off(self, tmp_path, robot, olga, now, monkeypatch):
        path, real = write(tmp_path, numbered(25)), services.imports.telemetry.ingest
        batches = []

        def crash_in_the_second(**batch):
            batches.append(real(**batch))
            if len(batches) == 2:
                raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(services.imports.telemetry, "ingest", crash_in_the_second)
            with pytest.raises(Crash):
                load(path, olga, now)
        assert stored(robot) == list(range(10))
        assert ImportRun.objects.get().rows_done == 10
        load(path, olga, now)
        assert stored(robot) == list(range(25))

    def test_skips_the_same_bad_rows(self, tmp_path, robot, olga, now):
        lines = numbered(25).splitlines(keepends=True)
        lines[4] = "x,3\n"
        path = write(tmp_path, "".join(lines))

        def crash(progress: Progress) -> None:
            if progress.phase == "loading":
                raise Crash

        with pytest.raises(Crash):
            load(path, olga, now, progress=crash, skip_bad_rows=True)
        load(path, olga, now, skip_bad_rows=True)
        assert stored(robot) == [number for number in range(25) if number != 3]

    def test_is_refused_while_another_importer_is_ahead(self, tmp_path, robot, olga, now):
        path = write(tmp_path, numbered(25))

        def overtake(progress: Progress) -> None:
            if progress.phase == "loading":
                ImportRun.objects.update(rows_done=25)

        with pytest.raises(services.AnotherImporter):
            load(path, olga, now, progress=overtake)


class TestConsole:
    def run(self, path: Path, **options) -> int:
        return console.run_import(path, **{"asset": "robot-1", **options})

    def test_tells_what_it_loaded(self, tmp_path, robot, capsys):
        assert self.run(write(tmp_path, numbered(3))) == 0
        assert "3 readings loaded" in capsys.readouterr().out

    def test_tells_the_lines_of_bad_rows(self, tmp_path, robot, capsys):
        assert self.run(write(tmp_path, "time,number\n2026-01-01,1\nx,2\n")) == 1
        said = capsys.readouterr().out
        assert "line 3" in said
        assert "1 of 2 rows cannot be loaded; nothing was" in said

    def test_of_a_dry_run_says_so(self, tmp_path, robot, capsys):
        assert self.run(write(tmp_path, numbered(3)), dry_run=True) == 0
        assert "this was a dry run" in capsys.readouterr().out
        assert stored(robot) == []

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            pytest.param({"asset": "robot1"}, "did you mean 'robot-1'", id="asset"),
            pytest.param({"columns": "numbr"}, "did you mean 'number'", id="column"),
            pytest.param({"as_user": "olgaa"}, "did you mean 'olga'", id="user"),
            pytest.param({"timezone": "Mars/Base"}, "is not a time zone", id="time zone"),
        ],
    )
    def test_answers_a_slip_with_one_sentence(self, tmp_path, robot, olga, capsys, options, sentence):
        assert self.run(write(tmp_path, numbered(1)), **options) == 2
        said = " ".join(capsys.readouterr().out.split())
        assert sentence in said
        assert "Traceback" not in said

    def test_loads_in_the_name_of_a_user(self, tmp_path, robot, vera, capsys):
        assert self.run(write(tmp_path, numbered(1)), as_user="vera") == 2
        assert "whose readings you may enter" in " ".join(capsys.readouterr().out.split())

    def test_takes_mapped_columns(self, tmp_path, robot):
        path = write(tmp_path, 'when,"a, b",c\n2026-01-01,1,2\n')
        assert self.run(path, time="when", columns='"a, b=first",c') == 0
        (row,) = telemetry.older(asset_ids=[robot.pk], span=FOREVER, before=None, limit=1)
        assert json.loads(json.dumps(row.values)) == {"first": 1, "c": 2}
