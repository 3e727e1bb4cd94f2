"""Readings as files: the same readings, in constant memory, a few files at a time, ended when the reader goes away."""

from __future__ import annotations

import csv
import io
import itertools
import tracemalloc
import zipfile
from datetime import timedelta
from functools import partial
from operator import itemgetter
from xml.etree import ElementTree as ET

import arro3.io
import numpy as np
import pytest

from techtrack.accounts.domain.access import internal
from techtrack.core.clock import isoformat, to_micros
from techtrack.telemetry.api import downloads
from techtrack.telemetry.console import run_export
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.files import forms
from techtrack.telemetry.files.tables import Column, Type
from techtrack.telemetry.queries import exports
from techtrack.telemetry.services import ingest
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def body_of(answer):
    """All bytes of an answer; the test's client closes it at its end, as a server does."""
    assert answer.status_code == 200, getattr(answer, "content", b"")
    return b"".join(answer.streaming_content)


def read_csv(raw):
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


def read_xlsx(raw):
    """Cells of the first sheet, row by row, as texts."""
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own file
    return [["".join(cell.itertext()) for cell in row] for row in sheet.iter(f"{SHEET}row")]


def read_parquet(raw):
    table = arro3.io.read_parquet(io.BytesIO(raw)).read_all()
    return {name: table.column(name).to_pylist() for name in table.column_names}


@pytest.fixture
def plant_data(plant, robot):
    """Two robots, the second with a name that a spreadsheet would run."""
    wicked = factories.make_equipment("=cmd|'/c calc'!A1", key="@evil", site=plant)
    for minute in range(3):
        factories.make_reading(
            robot, at=NOW + timedelta(minutes=minute), temperature=-1.5 + minute, speed=float(minute)
        )
    factories.make_reading(wicked, temperature=-40.25)
    return robot, wicked


class TestCsv:
    def test_has_a_header_and_a_row_for_each_reading(self, api, vera, plant_data):
        robot, wicked = plant_data
        answer = api(vera).get("/api/data/?format=csv")
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="data.csv"'
        rows = read_csv(body_of(answer))
        assert list(rows[0]) == ["equipment", "key", "name", "timestamp", "speed", "temperature", "quality"]
        assert [(row["equipment"], row["timestamp"], row["speed"], row["temperature"]) for row in rows] == [
            (str(robot.pk), "2026-11-21T10:00:00Z", "0.0", "-1.5"),
            (str(robot.pk), "2026-11-21T10:01:00Z", "1.0", "-0.5"),
            (str(robot.pk), "2026-11-21T10:02:00Z", "2.0", "0.5"),
            (str(wicked.pk), "2026-11-21T10:00:00Z", "", "-40.25"),
        ]

    def test_lets_no_text_become_a_formula_and_every_number_stay_one(self, api, vera, plant_data):
        rows = read_csv(body_of(api(vera).get("/api/data/?format=csv")))
        assert {row["name"] for row in rows} == {"Robot 1", "'=cmd|'/c calc'!A1"}
        assert {row["key"] for row in rows} == {"robot-1", "'@evil"}
        assert float(rows[-1]["temperature"]) == -40.25

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("equipment=robot-1", 3),
            ("parameter=speed", 3),
            ("from=2026-11-21T10:01:00Z", 2),
            ("to=2026-11-21T10:00:30Z", 2),
            ("equipment=robot-1&from=2027-01-01T00:00:00Z", 0),
        ],
    )
    def test_filters_as_the_list_does(self, api, vera, plant_data, query, count):
        assert len(read_csv(body_of(api(vera).get(f"/api/data/?format=csv&{query}")))) == count

    def test_of_sensors_speaks_of_sensors(self, api, vera, station):
        factories.make_reading(station, pm2_5=12.0)
        [row] = read_csv(body_of(api(vera).get("/api/measurements/?format=csv")))
        assert (row["sensor"], row["pm2_5"]) == (str(station.pk), "12.0")

    def test_says_what_is_not_good(self, api, vera, erik, plant_data):
        robot, _ = plant_data
        mark = {"equipment": robot.pk, "parameter": "speed", "from": isoformat(NOW), "to": "2026-11-21T10:01:00Z"}
        api(erik).post("/api/data/quality/", mark | {"quality": "suspect", "reason": "x"}, format="json")
        rows = read_csv(body_of(api(vera).get("/api/data/?format=csv&equipment=robot-1")))
        assert [row["quality"] for row in rows] == ["speed=suspect", "", ""]

    def test_tells_a_parameter_from_a_column_of_its_own(self, api, vera, robot):
        factories.make_reading(robot, name=1.0, quality=2.0)
        [row] = read_csv(body_of(api(vera).get("/api/data/?format=csv")))
        assert (row["name"], row["values/name"], row["values/quality"]) == ("Robot 1", "1.0", "2.0")


class TestXlsx:
    def test_holds_numbers_and_dates(self, api, vera, plant_data):
        answer = api(vera).get("/api/data/?format=xlsx")
        rows = read_xlsx(body_of(answer))
        assert rows[0] == ["equipment", "key", "name", "timestamp_utc", "speed", "temperature", "quality"]
        assert len(rows) == 5
        # Days since 1899-12-30: 2026-11-21 10:00 is 46347 and ten hours.
        assert float(rows[1][3]) == pytest.approx(46347 + 10 / 24)
        assert float(rows[1][5]) == -1.5
        assert rows[4][2] == "'=cmd|'/c calc'!A1"

    def test_goes_on_in_another_sheet(self, monkeypatch):
        monkeypatch.setattr("techtrack.telemetry.files.workbook.MOST_ROWS", 3)
        blocks = [[np.arange(5)]]
        raw = b"".join(forms.FORMS["xlsx"].write([Column("number", Type.INTEGER)], blocks))
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        assert len(sheets) == 3


class TestParquet:
    def test_holds_typed_columns_with_nulls(self, api, vera, plant_data):
        table = read_parquet(body_of(api(vera).get("/api/data/?format=parquet")))
        assert table["temperature"] == [-1.5, -0.5, 0.5, -40.25]
        assert table["speed"] == [0.0, 1.0, 2.0, None]
        assert [isoformat(at) for at in table["timestamp"]][:2] == ["2026-11-21T10:00:00Z", "2026-11-21T10:01:00Z"]

    def test_says_how_to_install_what_it_lacks(self, api, vera, robot, monkeypatch):
        monkeypatch.setattr(forms, "find_spec", lambda _: None)
        answer = api(vera).get("/api/data/?format=parquet")
        assert (answer.status_code, answer.json()["code"]) == (400, "not_installed")
        assert "pip install" in answer.json()["detail"]

    def test_raises_what_went_wrong_behind_it(self):
        def blocks():
            yield [np.arange(3)]
            raise OSError("the disk is gone")

        with pytest.raises(OSError, match="disk"):
            list(forms.FORMS["parquet"].write([Column("number", Type.INTEGER)], blocks()))


class TestManners:
    @pytest.mark.parametrize("query", ["format=pdf", "format=csv&cursor=x", "format=csv&page_size=5"])
    def test_refuse_what_makes_no_sense(self, api, vera, robot, query):
        assert api(vera).get(f"/api/data/?{query}").status_code == 400

    def test_do_not_mind_what_a_browser_accepts(self, api, vera, plant_data):
        answer = api(vera).get("/api/data/?format=csv", headers={"Accept": "text/csv"})
        assert len(read_csv(body_of(answer))) == 4

    def test_show_an_outsider_nothing(self, api, oscar, mallory, plant_data):
        for user in (oscar, mallory):
            assert read_csv(body_of(api(user).get("/api/data/?format=csv"))) == []

    def test_serve_so_many_at_a_time_and_tell_the_next_to_wait(self, api, vera, plant_data):
        client = api(vera)
        going = [client.get("/api/data/?format=csv") for _ in range(downloads.AT_ONCE)]
        refused = client.get("/api/data/?format=csv")
        assert (refused.status_code, refused["Retry-After"]) == (503, str(downloads.RETRY_AFTER))
        for answer in going:
            body_of(answer)
        assert len(read_csv(body_of(client.get("/api/data/?format=csv")))) == 4

    @pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
    @pytest.mark.parametrize("pieces", [0, 1, 2], ids=["before the first piece", "after one", "after two"])
    def test_stop_when_the_reader_goes_away(self, form, pieces, monkeypatch):
        closed = []

        def blocks():
            try:
                for _ in itertools.count():
                    yield [np.arange(1000)]
            finally:
                closed.append(True)

        for _ in range(downloads.AT_ONCE + 1):
            reading = blocks()
            answer = downloads.download(
                forms.FORMS[form], name="x", columns=[Column("number", Type.INTEGER)], blocks=reading
            )
            for _ in itertools.islice(answer.streaming_content, pieces):
                pass
            # What a server's close() does, without the signal that closes the test's database.
            for close in answer._resource_closers:
                close()
            reading.close()
        assert len(closed) == (downloads.AT_ONCE + 1 if pieces > 1 or (pieces and form != "csv") else 0)


class TestMemory:
    """Three times the readings, not three times the memory."""

    @staticmethod
    def peaks(form: str, days: int) -> list[tuple[int, int]]:
        """Bytes of the file, and of memory at most, of exports of so many days, the one that took least first.

        What the library's thread and this one hold at the same time differs from one try to the next.
        """
        return sorted((TestMemory.tried(form, days) for _ in range(3)), key=itemgetter(1))

    @staticmethod
    def tried(form: str, days: int) -> tuple[int, int]:
        """Bytes of one file with a reading every ten seconds, and of memory at most."""
        table = exports.export_table(FAKE_SUBJECTS, name="equipment", codes=["temperature"], span=(0, days * DAY))
        tracemalloc.start()
        size = sum(len(piece) for piece in forms.FORMS[form].write(*table))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size, peak

    @pytest.fixture(autouse=True)
    def endless_store(self, monkeypatch):
        """A store that makes up a reading for every ten seconds it is asked for."""
        monkeypatch.setattr("techtrack.telemetry.queries.walking.store", Endless())
        monkeypatch.setattr(exports, "walk", partial(exports.walk, readings=1000))

    @pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
    def test_stays_the_same_however_long_the_export(self, form):
        self.tried(form, 1)
        # Traced memory makes cells slow: of those that are slow already there are fewer.
        short = {"csv": 4, "xlsx": 1, "parquet": 12}[form]
        long = 3 * short
        (small, before), (large, after) = self.peaks(form, short)[-1], self.peaks(form, long)[0]
        assert large > 2 * small
        assert after < 1.3 * before, f"{before} bytes for {short} days, {after} for {long}"

    def test_a_planted_list_of_all_rows_is_caught(self, monkeypatch):
        """Whoever gathers before writing shows in the same measure."""
        write = forms.FORMS["csv"].write
        hoarding = forms.Form("csv", "", lambda columns, blocks: write(columns, list(blocks)))
        monkeypatch.setitem(forms.FORMS, "csv", hoarding)
        assert self.peaks("csv", 6)[0][1] > 1.3 * self.peaks("csv", 2)[-1][1]


DAY = 86_400_000_000
FAKE_SUBJECTS = [exports.Subject(1, "robot", "Robot", None, None)]


class Endless:
    def extent(self, assets):
        return (0, 10**15)

    def readings(self, assets, *, span, codes=()):
        times = np.arange(span[0], span[1], 10_000_000)
        columns = {"temperature": np.sin(times / 1e10)}
        return {asset: exports.Readings(times, columns) for asset in assets}


class TestWalking:
    def test_crosses_years_of_nothing(self, api, vera, robot):
        for days in (0, 1, 400, 3000):
            at = NOW - timedelta(days=days)
            row = Row(robot.pk, to_micros(at), {"temperature": float(days)})
            ingest(batch=Batch.of([row]), by=internal(), now=NOW, origin=Origin.IMPORT)
        rows = read_csv(body_of(api(vera).get("/api/data/?format=csv")))
        assert [float(row["temperature"]) for row in rows] == [3000.0, 400.0, 1.0, 0.0]


class TestCommand:
    """``techtrack export``, in this process."""

    OPTIONS = {"assets": None, "parameters": None, "since": None, "until": None, "form": None}

    @pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
    def test_writes_the_form_that_the_ending_says(self, plant_data, tmp_path, capsys, ending):
        path = tmp_path / f"readings.{ending}"
        assert run_export(path, **self.OPTIONS) == 0
        assert "4 readings written" in capsys.readouterr().out
        raw = path.read_bytes()
        rows = {
            "csv": lambda: len(read_csv(raw)),
            "xlsx": lambda: len(read_xlsx(raw)) - 1,
            "parquet": lambda: len(read_parquet(raw)["asset"]),
        }
        assert rows[ending]() == 4
        assert [file.name for file in tmp_path.iterdir()] == [path.name]

    def test_narrows(self, plant_data, tmp_path):
        path = tmp_path / "x"
        options = {"assets": "robot-1", "parameters": "speed", "since": "2026-11-21T10:01:00", "form": "csv"}
        assert run_export(path, **self.OPTIONS | options) == 0
        rows = read_csv(path.read_bytes())
        assert [(row["key"], row["speed"]) for row in rows] == [("robot-1", "1.0"), ("robot-1", "2.0")]
        assert "temperature" not in rows[0]

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"assets": "nobody", "form": "csv"}, "nobody"),
            ({"since": "yesterday", "form": "csv"}, "yesterday"),
            ({}, "format"),
        ],
    )
    def test_says_what_is_wrong_and_leaves_nothing(self, plant_data, tmp_path, capsys, options, word):
        assert run_export(tmp_path / "x", **self.OPTIONS | options) == 2
        assert word in capsys.readouterr().out
        assert list(tmp_path.iterdir()) == []
