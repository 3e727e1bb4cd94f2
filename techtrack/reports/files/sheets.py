"""A report on the air as sheets of rows: what CSV and XLSX have of it, each table once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from xlsxwriter import Workbook

from techtrack.core.spreadsheets import harmless

Cell = str | int | float | None
OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
PARAMETERS = ("parameter", "unit", "hours", "known", "capture", "mean", "maximum", "maximum_at")
EXCEEDANCES = (
    "limit", "parameter", "kind", "limit_value", "unit", "periods", "value", "in_period", "used", "allowed", "left",
    "exceeded", "capture", "forecast_low", "forecast", "forecast_high", "mean_of_years", "over_years", "over_exceeded",
    "reason",
)  # fmt: skip
TESTS = ("parameter", "flag", "stretches", "hours")
SAID = ("parameter", "from", "to", "quality", "reason", "by")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with its headings."""

    name: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]


Rows = Iterable[Mapping[str, Any]]


def _forecast(found: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what has several numbers side by side; reports of the first form have no means of years."""
    low, expected, high = found["forecast"] or (None, None, None)
    over = found.get("over_years") or {"years": [], "mean": None, "exceeded": None}
    several = {
        "mean_of_years": over["mean"],
        "over_years": " ".join(map(str, over["years"])) or None,
        "over_exceeded": over["exceeded"],
    }
    return {**found, "forecast_low": low, "forecast": expected, "forecast_high": high, **several}


def _classes(sensor: Mapping[str, Any]) -> Rows:
    found: Rows = (sensor["index"] or {"classes": []})["classes"]
    return found


# Of each table: its columns, and its rows of a sensor.
_TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any]], Rows]]] = MappingProxyType(
    {
        "data capture": (PARAMETERS, lambda sensor: sensor["parameters"]),
        "exceedances": (EXCEEDANCES, lambda sensor: map(_forecast, sensor["exceedances"])),
        "index": (("class", "hours"), _classes),
        "tests": (TESTS, lambda sensor: sensor["quality"]["tests"]),
        "said": (SAID, lambda sensor: sensor["quality"]["said"]),
        "missing": (("missing",), lambda sensor: ({"missing": text} for text in sensor["missing"])),
    }
)


def sheets_of(content: Mapping[str, Any], about: Mapping[str, Cell]) -> list[Sheet]:
    """Return the tables of a report, ``about`` being what is told of the report itself."""
    return [head_of(about), *(sheet_of(name, content) for name in _TABLES)]


def head_of(about: Mapping[str, Cell]) -> Sheet:
    """Return what is told of a report as a table."""
    return Sheet("report", ("what", "value"), [[name, value] for name, value in about.items()])


def sheet_of(name: str, content: Mapping[str, Any]) -> Sheet:
    """Return one table of a report."""
    columns, rows = _TABLES[name]
    found = [
        [sensor["id"], sensor["name"], *(_cell(row[column]) for column in columns)]
        for sensor in content["sensors"]
        for row in rows(sensor)
    ]
    return Sheet(name, ("sensor", "sensor_name", *columns), found)


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
