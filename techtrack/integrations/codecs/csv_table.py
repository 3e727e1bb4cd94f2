"""Tables of readings as text: finds delimiter, header and columns, and gives rows or what is wrong with them."""

from __future__ import annotations

import csv
import difflib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from typing import NamedTuple

from techtrack.core.errors import Invalid
from techtrack.integrations.domain.codes import code_of
from techtrack.integrations.domain.moments import CALENDAR, Clockface, NoMoment, zone

MISSING = {"", "na", "n/a", "nan", "null", "none"}
SPOKEN = {"true": 1.0, "false": 0.0}
TIMES = ("timestamp", "time", "datetime", "date_time", "date time", "date", "ts", "recorded_at", "measured_at")
ROW_NUMBERS = {"no", "no.", "nr", "nr.", "#", "row", "index", "id"}
# Instruments write a few lines about themselves above the header.
HEADER_WITHIN = 50
# Enough rows to see whether a column holds numbers.
SAMPLE = 300
ABSENT = math.nan


class NoTable(Invalid):
    """The text is no table of readings that can be understood."""

    code = "no_table"


class UnknownColumn(Invalid):
    """A column was named that the table does not have."""

    code = "unknown_column"


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a table beforehand; what is left out is found by looking.

    ``time`` names one column, the columns of a date and a time, or year, month, day, hour …; ``columns`` says which
    column becomes which parameter; ``asset`` names the column that says whose reading a row is.
    """

    time: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    asset: str = ""
    timezone: str = "UTC"
    time_format: str = "auto"
    delimiter: str = ""
    decimal_comma: bool = False


class Row(NamedTuple):
    """A row that was understood: µs (UTC), and a value for each of the table's codes, NaN where there is none."""

    line: int
    asset: str
    time: int
    values: tuple[float, ...]


class RowError(NamedTuple):
    """A row that was not: in which line and column, and why."""

    line: int
    column: str
    message: str


class _Bad(Exception):
    def __init__(self, column: str, message: str) -> None:
        self.column, self.message = column, message


class Table:
    """A table whose header has been found; read its rows once.

    ``codes`` are the parameters in the order of each row's values, ``ignored`` the columns that hold none.
    """

    def __init__(self, lines: Iterable[str], layout: Layout) -> None:
        lines = iter(lines)
        head = list(islice(lines, SAMPLE))
        if head:
            head[0] = head[0].removeprefix("\ufeff")
        self.delimiter = layout.delimiter or _sniffed(head[:HEADER_WITHIN], layout)
        parsed = list(_parsed(csv.reader(head, delimiter=self.delimiter)))
        self._skip, self.header = _header(parsed[:HEADER_WITHIN], layout)
        sample = [cells for cells in parsed[self._skip + 1 :] if any(cells)]
        self._lines = chain(head, lines)
        self._number = _european if layout.decimal_comma else _number
        self.time = layout.time or _guessed_time(self.header)
        self._asset = self._place(layout.asset) if layout.asset else None
        self._read_time = Clockface(layout.time_format, zone(layout.timezone)).reader(self.time)
        self._time_places = [self._place(name) for name in self.time]
        self.columns = self._chosen(layout.columns) or self._guessed(sample)
        self.codes = tuple(self.columns.values())
        self._value_places = [(self._place(name), name) for name in self.columns]
        self.ignored = [name for name in self.header if name and name not in self._used(layout.asset)]
        if len(set(self.codes)) < len(self.codes):
            twice = Counter(self.codes).most_common(1)[0][0]
            raise NoTable(f"two columns would become the parameter {twice}: say which column is which parameter")

    def rows(self) -> Iterator[Row | RowError]:
        """Give every row below the header in order; empty lines are passed over."""
        reader = csv.reader(self._lines, delimiter=self.delimiter)
        for index, cells in enumerate(_parsed(reader)):
            if index > self._skip and any(cells):
                yield self._row(reader.line_num, cells)

    def _row(self, line: int, cells: list[str]) -> Row | RowError:
        try:
            self._check_width(cells)
            values = tuple([self._value(cells[place], name) for place, name in self._value_places])
            return Row(line, "" if self._asset is None else self._named(cells), self._moment(cells), values)
        except _Bad as bad:
            return RowError(line, bad.column, bad.message)

    def _check_width(self, cells: list[str]) -> None:
        width = len(self.header)
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            raise _Bad("", f"{len(cells)} cells where the header has {width}")

    def _moment(self, cells: list[str]) -> int:
        try:
            return self._read_time([cells[place] for place in self._time_places])
        except NoMoment as problem:
            raise _Bad(", ".join(self.time), str(problem)) from None

    def _value(self, cell: str, name: str) -> float:
        try:
            return self._number(cell)
        except ValueError:
            comma = " (a decimal comma needs the option for it)" if "," in cell else ""
            raise _Bad(name, f"{cell[:40]!r} is not a number{comma}") from None

    def _named(self, cells: list[str]) -> str:
        name = cells[self._asset or 0].strip()
        if not name:
            raise _Bad(self.header[self._asset or 0], "no asset is named")
        return name

    def _place(self, name: str) -> int:
        if self.header.count(name) > 1:
            raise NoTable(f"two columns are called {name!r}")
        if name in self.header:
            return self.header.index(name)
        near = difflib.get_close_matches(name, self.header, n=1, cutoff=0.4)
        hint = f": did you mean {near[0]!r}?" if near else f"; the columns are {', '.join(self.header)[:300]}"
        raise UnknownColumn(f"there is no column {name!r}{hint}")

    def _chosen(self, columns: Mapping[str, str]) -> dict[str, str]:
        for name in columns:
            self._place(name)
        return {name: code or code_of(name) for name, code in columns.items()}

    def _guessed(self, sample: Sequence[list[str]]) -> dict[str, str]:
        rest = [name for name in self.header if name and name not in {*self.time, self._asset_heading()}]
        found = {name: code_of(name) for name in rest if self._holds_numbers(sample, self.header.index(name))}
        found = {name: code for name, code in found.items() if code}
        if not found:
            raise NoTable("no column holds numbers: say which column is which parameter")
        return found

    def _holds_numbers(self, sample: Sequence[list[str]], place: int) -> bool:
        try:
            values = [self._number(cells[place]) for cells in sample if len(cells) > place]
        except ValueError:
            return False
        there = [value for value in values if value == value]  # noqa: PLR0124 - NaN alone differs from itself
        return bool(there) and not self._counts_rows(place, there)

    def _counts_rows(self, place: int, values: Sequence[float]) -> bool:
        """Tell whether a column numbers the rows; nitrogen monoxide is called "no" too, and does not count."""
        return self.header[place].lower() in ROW_NUMBERS and all(b - a == 1 for a, b in pairwise(values))

    def _asset_heading(self) -> str:
        return "" if self._asset is None else self.header[self._asset]

    def _used(self, asset: str) -> set[str]:
        return {*self.time, *self.columns, asset}


def _parsed(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The csv module goes on behind a cell that is too long; the row is refused for its width.
            cells = [f"unreadable: {error}"]
        yield cells


def _sniffed(head: Sequence[str], layout: Layout) -> str:
    """Choose the delimiter by which most lines have the same number of cells, more than one."""
    candidates = "\t;|" if layout.decimal_comma else "\t;|,"

    def fit(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(cells) for cells in _parsed(csv.reader(head, delimiter=delimiter)) if len(cells) > 1)
        return max(((lines, width) for width, lines in widths.items()), default=(0, 0))

    return max(candidates, key=fit) if any(fit(candidate)[0] for candidate in candidates) else ","


def _header(rows: Sequence[list[str]], layout: Layout) -> tuple[int, list[str]]:
    """Find the row of headings: the one with most of the names that are known, else the first that could be one."""
    stripped = [[cell.strip() for cell in cells] for cells in rows]
    wanted = {*layout.time, *layout.columns, *filter(None, [layout.asset])}
    hits = [len(wanted & set(cells)) for cells in stripped]
    if any(hits):
        best = hits.index(max(hits))
        return best, stripped[best]
    for index, cells in enumerate(stripped):
        if _could_be_header(cells):
            return index, cells
    raise NoTable(f"none of the first {HEADER_WITHIN} lines is a header that names a time column")


def _could_be_header(cells: Sequence[str]) -> bool:
    lowered = [cell.lower() for cell in cells]
    return len(cells) > 1 and (any(name in lowered for name in TIMES) or {"year", "month", "day"} <= set(lowered))


def _guessed_time(header: Sequence[str]) -> tuple[str, ...]:
    lowered = {name.lower(): name for name in reversed(header)}
    if {"year", "month", "day"} <= lowered.keys():
        return tuple(lowered[name] for name in CALENDAR if name in lowered)
    if {"date", "time"} <= lowered.keys():
        return lowered["date"], lowered["time"]
    for name in TIMES:
        if name in lowered:
            return (lowered[name],)
    raise NoTable(f"no column looks like a time: say which one it is; the columns are {', '.join(header)[:300]}")


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        text = cell.strip().lower()
        if text in MISSING:
            return ABSENT
        if text in SPOKEN:
            return SPOKEN[text]
        raise
    # Python's float() also takes 1_000 and infinity, which no instrument means.
    if "_" in cell or math.isinf(number):
        raise ValueError(cell)
    return number


def _european(cell: str) -> float:
    if "." in cell and "," in cell:
        raise ValueError(cell)
    return _number(cell.replace(",", "."))


def read_table(lines: Iterable[str], layout: Layout) -> Table:
    """Find the header of a table and prepare to read its rows.

    Raises:
        NoTable: there is no header, no time or no numbers.
        UnknownColumn: ``layout`` names a column that is not there.
        UnknownZone: ``layout`` names a time zone that is not there.
    """
    return Table(lines, layout)
