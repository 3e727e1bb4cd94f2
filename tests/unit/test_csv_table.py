"""Reading tables of readings: header, delimiter, columns, times, values, and what is wrong with a row."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.clock import to_micros
from techtrack.integrations.codecs.csv_table import Layout, NoTable, Row, RowError, UnknownColumn, read_table
from techtrack.integrations.domain.codes import code_of
from techtrack.integrations.domain.moments import UnknownZone
from techtrack.telemetry.domain.items import CODE


def rows(text: str, **layout: object) -> list[Row | RowError]:
    return list(read_table(text.splitlines(keepends=True), Layout(**layout)).rows())


def moment(*parts: int, zone: str = "UTC") -> int:
    return to_micros(datetime(*parts, tzinfo=ZoneInfo(zone)))


class TestHeader:
    @pytest.mark.parametrize(
        ("text", "delimiter"),
        [
            pytest.param("time,a\n2026-01-01,1\n", ",", id="comma"),
            pytest.param("time;a\n2026-01-01;1\n", ";", id="semicolon"),
            pytest.param("time\ta\n2026-01-01\t1\n", "\t", id="tab"),
            pytest.param("time|a\n2026-01-01|1\n", "|", id="bar"),
            pytest.param("time;a;b\n2026-01-01;1,5;2,5\n", ";", id="semicolon although commas stand in the numbers"),
        ],
    )
    def test_shows_the_delimiter(self, text, delimiter):
        assert read_table(text.splitlines(), Layout(decimal_comma=True) if "1,5" in text else Layout()).delimiter == (
            delimiter
        )

    def test_is_found_below_what_an_instrument_writes_about_itself(self):
        text = "\ufeffSerial ID: 1\nExport\n\n(UTC-05:00) here\nTime,PM2.5 (µg/m³)\n2026-01-01 00:00,5.4\n"
        assert rows(text) == [Row(6, "", moment(2026, 1, 1), (5.4,))]

    def test_may_begin_with_a_byte_order_mark(self):
        assert read_table(["\ufefftime,a\n", "2026-01-01,1\n"], Layout()).time == ("time",)

    def test_must_name_a_time(self):
        with pytest.raises(NoTable, match=r"no column looks like a time|header that names a time"):
            read_table(["a,b\n", "1,2\n"], Layout())

    def test_of_an_empty_file_is_missed(self):
        with pytest.raises(NoTable):
            read_table([], Layout())

    def test_without_a_named_column_suggests_the_nearest(self):
        with pytest.raises(UnknownColumn, match=r"no column 'PM25': did you mean 'PM2\.5'\?"):
            read_table(["time,PM2.5\n", "2026-01-01,1\n"], Layout(columns={"PM25": "pm2_5"}))

    def test_with_two_columns_of_one_name_is_refused(self):
        with pytest.raises(NoTable, match="two columns are called 'a'"):
            read_table(["time,a,a\n", "2026-01-01,1,2\n"], Layout())

    def test_with_two_columns_for_one_parameter_is_refused(self):
        with pytest.raises(NoTable, match="two columns would become the parameter pm2_5"):
            read_table(["time,PM2.5,pm25\n", "2026-01-01,1,2\n"], Layout())


class TestColumns:
    def test_are_those_that_hold_numbers(self):
        table = read_table(["time,t,wind\n", "2026-01-01,1,NNW\n", "2026-01-02,NA,N\n"], Layout())
        assert table.columns == {"t": "t"}
        assert table.ignored == ["wind"]

    def test_leave_out_what_counts_the_rows(self):
        table = read_table(["No,time,t\n", "1,2026-01-01,5\n", "2,2026-01-02,7\n"], Layout())
        assert table.codes == ("t",)

    def test_keep_nitrogen_monoxide(self):
        table = read_table(["time,NO\n", "2026-01-01,5.1\n", "2026-01-02,4.8\n"], Layout())
        assert table.codes == ("no",)

    def test_can_be_mapped(self):
        table = read_table(["time,t,u\n", "2026-01-01,1,2\n"], Layout(columns={"u": "speed"}))
        assert (table.codes, table.ignored) == (("speed",), ["t"])

    @pytest.mark.parametrize(
        ("heading", "code"),
        [
            ("PM2.5", "pm2_5"),
            ("PM2.5 (µg/m³)", "pm2_5"),
            ("pm25", "pm2_5"),
            ("TEMP (°C)", "temperature"),
            ("HumidityRatio", "humidity_ratio"),
            ("machineID", "machine_id"),
            ("Größe [mm]", "groe"),
            ("2nd speed", "v2nd_speed"),
            ("(%)", ""),
        ],
    )
    def test_become_parameter_codes(self, heading, code):
        assert code_of(heading) == code

    @given(st.text())
    def test_become_codes_that_telemetry_takes_or_none(self, heading):
        code = code_of(heading)
        assert code == "" or CODE.fullmatch(code)


class TestTime:
    @pytest.mark.parametrize(
        ("written", "form"),
        [
            pytest.param("2026-03-01T10:00:00Z", "auto", id="ISO with Z"),
            pytest.param("2026-03-01T11:00:00+01:00", "auto", id="ISO with an offset"),
            pytest.param("2026-03-01 10:00:00", "auto", id="as databases write it"),
            pytest.param("2026-03-01 10:00", "auto", id="without seconds"),
            pytest.param("1772359200", "auto", id="seconds since 1970"),
            pytest.param("1772359200000", "auto", id="milliseconds since 1970"),
            pytest.param("1772359200.0", "epoch_s", id="seconds, as told"),
            pytest.param("1772359200000", "epoch_ms", id="milliseconds, as told"),
            pytest.param("3/1/2026 10:00", "%m/%d/%Y %H:%M", id="by a pattern"),
        ],
    )
    def test_is_read_in_many_forms(self, written, form):
        assert rows(f"time,a\n{written},1\n", time_format=form)[0].time == moment(2026, 3, 1, 10)

    def test_may_be_split_over_columns(self):
        assert rows("year,month,day,hour,a\n2026,3,1,10,1\n")[0].time == moment(2026, 3, 1, 10)
        assert rows("Date,Time,a\n2026-03-01,10:00,1\n")[0].time == moment(2026, 3, 1, 10)

    def test_without_offset_is_the_time_of_the_zone(self):
        assert rows("time,a\n2026-07-01 12:00,1\n", timezone="Asia/Shanghai")[0].time == moment(2026, 7, 1, 4)

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            pytest.param("2026-10-25 02:30:00", "twice", id="the hour that came again"),
            pytest.param("2026-03-29 02:30:00", "never", id="the hour that was left out"),
        ],
    )
    def test_that_is_not_one_moment_is_an_error_of_its_row(self, written, word):
        (error,) = rows(f"time,a\n{written},1\n", timezone="Europe/Berlin")
        assert isinstance(error, RowError)
        assert error.line == 2
        assert f"came {word} in Europe/Berlin" in error.message

    @pytest.mark.parametrize("written", ["tomorrow", "", "2026-13-01", "0001-01-01 00:00:00", "9" * 400])
    def test_that_is_none_is_an_error_of_its_row(self, written):
        (error,) = rows(f"time,a\n{written},1\n", timezone="Asia/Shanghai")
        assert isinstance(error, RowError)

    def test_in_an_unknown_zone_is_refused(self):
        with pytest.raises(UnknownZone, match="Europe/Berlni"):
            rows("time,a\n2026-01-01,1\n", timezone="Europe/Berlni")

    @given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
    def test_comes_back_from_what_was_written(self, at):
        (row,) = rows(f"time,a\n{at.isoformat()}Z,1\n")
        assert row.time == to_micros(at.replace(tzinfo=UTC))


class TestValues:
    @pytest.mark.parametrize("cell", ["", "NA", "NaN", "null", " na ", "None", "N/A"])
    def test_may_be_missing(self, cell):
        assert math.isnan(rows(f"time,a,b\n2026-01-01,{cell},1\n", columns={"a": "a", "b": "b"})[0].values[0])

    @pytest.mark.parametrize("cell", ["x", "inf", "1_000", "1e999", "0x10", '"1,5"'])
    def test_must_be_finite_numbers(self, cell):
        (error,) = rows(f"time,a\n2026-01-01,{cell}\n", columns={"a": "a"})
        assert (error.line, error.column) == (2, "a")

    def test_may_have_a_decimal_comma(self):
        assert rows("time;a\n2026-01-01;1,5\n", decimal_comma=True)[0].values == (1.5,)

    def test_with_points_and_commas_are_refused(self):
        (error,) = rows("time;a\n2026-01-01;1.000,5\n", decimal_comma=True, columns={"a": "a"})
        assert "not a number" in error.message

    def test_of_states_may_be_true_or_false(self):
        assert rows("time,a\n2026-01-01,true\n2026-01-02,FALSE\n")[1].values == (0.0,)


class TestRows:
    def test_carry_the_line_they_stand_in(self):
        text = 'time,a\n\n2026-01-01,1\n"2026-01-02",x\n2026-01-03,3\n'
        found = rows(text, columns={"a": "a"})
        assert [row.line for row in found] == [3, 4, 5]
        assert isinstance(found[1], RowError)

    @pytest.mark.parametrize(("line", "cells"), [("2026-01-01", 1), ("2026-01-01,1,2,3", 4)])
    def test_need_as_many_cells_as_the_header(self, line, cells):
        (error,) = rows(f"time,a,b\n{line}\n", columns={"a": "a"})
        assert error.message == f"{cells} cells where the header has 3"

    def test_may_name_their_assets(self):
        found = rows("time,machine,a\n2026-01-01,m1,1\n2026-01-01,,2\n", asset="machine")
        assert found[0].asset == "m1"
        assert found[1] == RowError(3, "machine", "no asset is named")

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
    def test_of_any_text_are_rows_errors_or_a_plain_refusal(self, text):
        try:
            found = rows(f"time,a\n2026-01-01,1\n{text}", columns={"a": "a"})
        except NoTable:
            return
        assert all(isinstance(row, (Row, RowError)) for row in found)
