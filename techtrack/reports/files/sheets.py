"""A report on the air as sheets of rows: what CSV and XLSX have of it, each table once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xlsxwriter import Workbook

from techtrack.core.spreadsheets import harmless

Cell = str | int | float | None
OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
PARAMETERS = ("parameter", "unit", "hours", "known", "capture", "mean", "maximum", "maximum_at")
EXCEEDANCES = (
    "limit", "parameter", "kind", "limit_value", "unit", "periods", "value", "in_period", "used", "allowed", "left",
    "exceeded", "capture", "forecast_low", "forecast", "forecast_high", "reason",
)  # fmt: skip
TESTS = ("parameter", "flag", "stretches", "hours")
SAID = ("parameter", "from", "to", "quality", "reason", "by")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with its headings."""

    name: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]


def sheets_of(content: Mapping[str, Any], about: Mapping[str, Cell]) -> list[Sheet]:
    """Return the tables of a report, ``about`` being what is told of the report itself."""
    sensors = content["sensors"]
    head = [[name, value] for name, value in about.items()]
    return [
        Sheet("report", ("what", "value"), head),
        _sheet("data capture", PARAMETERS, sensors, lambda sensor: sensor["parameters"]),
        _sheet("exceedances", EXCEEDANCES, sensors, lambda sensor: map(_forecast, sensor["exceedances"])),
        _sheet("index", ("class", "hours"), sensors, lambda sensor: (sensor["index"] or {"classes": []})["classes"]),
        _sheet("tests", TESTS, sensors, lambda sensor: sensor["quality"]["tests"]),
        _sheet("said", SAID, sensors, lambda sensor: sensor["quality"]["said"]),
        _sheet("missing", ("missing",), sensors, lambda sensor: [{"missing": text} for text in sensor["missing"]]),
    ]


def _sheet(name: str, columns: tuple[str, ...], sensors: Iterable[Mapping[str, Any]], rows: Any) -> Sheet:
    found = [
        [sensor["id"], sensor["name"], *(_cell(row[column]) for column in columns)]
        for sensor in sensors
        for row in rows(sensor)
    ]
    return Sheet(name, ("sensor", "sensor_name", *columns), found)


def _forecast(found: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the three numbers of a forecast side by side."""
    low, expected, high = found["forecast"] or (None, None, None)
    return {**found, "forecast_low": low, "forecast": expected, "forecast_high": high}


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, (int, float)) or value is None else str(value)


def as_csv(sheet: Sheet) -> bytes:
    """Write one table as RFC 4180 describes it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(sheet.columns)
    writer.writerows([_plain(cell) for cell in row] for row in sheet.rows)
    return text.getvalue().encode()


def as_workbook(sheets: Sequence[Sheet]) -> bytes:
    """Write tables as the sheets of an XLSX file."""
    file = io.BytesIO()
    with Workbook(file, OPTIONS) as book:
        bold = book.add_format({"bold": True})
        for sheet in sheets:
            page = book.add_worksheet(sheet.name)
            page.write_row(0, 0, sheet.columns, bold)
            page.freeze_panes(1, 0)
            for number, row in enumerate(sheet.rows, 1):
                page.write_row(number, 0, [_plain(cell) for cell in row])
            page.autofit()
    return file.getvalue()


def _plain(cell: Cell) -> Cell:
    return harmless(cell) if isinstance(cell, str) else cell
