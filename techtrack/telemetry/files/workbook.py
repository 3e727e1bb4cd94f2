"""XLSX with real dates and numbers; what is more than a sheet holds goes on to the next one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import numpy as np
from xlsxwriter import Workbook

from techtrack.core.spreadsheets import harmless
from techtrack.telemetry.files.tables import Block, Cells, Column, Type

MOST_ROWS = 1_048_576
PIECE = 64 * 1024
# Days since 1899-12-30, as every spreadsheet counts them; a float64 of days is exact to about a microsecond.
EPOCH_DAYS = 25_569
DAY = 86_400_000_000
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}


def write(columns: Sequence[Column], blocks: Iterable[Block]) -> Iterator[bytes]:
    """Give the file; it is a ZIP, whose parts lie in temporary files until they are complete.

    An empty piece comes for each block: so whoever reads may stop while the file is still being made.
    """
    with tempfile.TemporaryFile() as file:
        book = _Book(file, columns)
        try:
            for block in blocks:
                book.add(block)
                yield b""
        except BaseException:
            book.discard()
            raise
        book.close()
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


class _Book:
    """A workbook whose rows leave memory as soon as they are written."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._book = Workbook(file, OPTIONS)
        self._columns = columns
        self._formats: dict[Type, Any] = {Type.TIME: self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})}
        self._bold = self._book.add_format({"bold": True})
        self._begin_sheet()

    def add(self, block: Block) -> None:
        cells = [_cells(column.type, part) for column, part in zip(self._columns, block, strict=True)]
        for row in zip(*cells, strict=True):
            if self._row == MOST_ROWS:
                self._begin_sheet()
            self._write(row)

    def close(self) -> None:
        self._book.close()

    def discard(self) -> None:
        """Let go of the temporary files without making a workbook of them."""
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()
        # The library's destructor warns of a workbook that was not closed.
        self._book.fileclosed = 1

    def _begin_sheet(self) -> None:
        self._sheet: Any = self._book.add_worksheet()
        for place, column in enumerate(self._columns):
            name = f"{column.name}_utc" if column.type is Type.TIME else column.name
            self._sheet.write_string(0, place, harmless(name), self._bold)
        self._sheet.freeze_panes(1, 0)
        self._row = 1

    def _write(self, row: tuple[Any, ...]) -> None:
        for place, (column, cell) in enumerate(zip(self._columns, row, strict=True)):
            if column.type is Type.TEXT:
                self._sheet.write_string(self._row, place, cell)
            elif cell == cell:  # noqa: PLR0124 - a float that differs from itself is NaN: absent
                self._sheet.write_number(self._row, place, cell, self._formats.get(column.type))
        self._row += 1


def _cells(kind: Type, cells: Cells) -> Sequence[Any]:
    if kind is Type.TEXT:
        return [harmless(str(text)) for text in cells]
    numbers = np.asarray(cells)
    return list((numbers / DAY + EPOCH_DAYS if kind is Type.TIME else numbers).tolist())
