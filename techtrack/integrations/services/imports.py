"""Imports: a file of readings is checked wholly, then loaded in batches that can be resumed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets import queries as assets
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict, Fault, Invalid, NotFound
from techtrack.integrations.codecs.csv_table import Layout, Row, RowError, Table, read_table
from techtrack.integrations.files import BadFile, Text, digest
from techtrack.integrations.models import ImportRun
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.items import AHEAD, CODE, EARLIEST
from techtrack.telemetry.domain.reading import Batch, Origin

BATCH = 5_000
SHOWN = 20
REPORT_EVERY = 2_000


class UnknownAsset(NotFound):
    """There is no such asset, or the caller may not enter its readings."""


class BadRows(Invalid):
    """Rows of the file are wrong, so nothing was loaded; ``report`` lists them."""

    code = "bad_rows"

    def __init__(self, report: ImportReport) -> None:
        faults = [Fault(f"/{error.line}", "bad_row", error.message) for error in report.errors]
        super().__init__(f"{report.bad_rows} of {report.rows} rows cannot be loaded; nothing was", faults=faults)
        self.report = report


class AnotherImporter(Conflict):
    """Another process is loading the same file."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How a file is to be loaded.

    ``asset`` (id or key) is whose readings they are, unless ``layout.asset`` names a column that says it.
    ``dry_run`` checks and loads nothing, ``skip_bad_rows`` loads the others, ``resume`` goes on where a run stopped.
    """

    layout: Layout = field(default_factory=Layout)
    asset: str = ""
    dry_run: bool = False
    skip_bad_rows: bool = False
    resume: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come: ``phase`` is "checking" (in bytes of the file) or "loading" (in rows)."""

    phase: str
    done: int
    total: int


@dataclass(slots=True)
class ImportReport:
    """What a file holds and what became of it; times are µs, ``resumed_at`` counts rows."""

    columns: dict[str, str]
    ignored: list[str]
    time: tuple[str, ...]
    rows: int = 0
    blank: int = 0
    bad_rows: int = 0
    errors: list[RowError] = field(default_factory=list)
    assets: dict[str, assets.AssetRef] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    loaded: int = 0
    resumed_at: int = 0

    def note(self, error: RowError) -> None:
        """Count a bad row; the first ones are kept to be shown."""
        self.bad_rows += 1
        if len(self.errors) < SHOWN:
            self.errors.append(error)


class _Part(NamedTuple):
    """So many rows of a file, their readings if they have any, and the time since the part before."""

    rows: int
    batch: Batch | None
    seconds: float


def import_file(
    *, path: Path, plan: ImportPlan, by: Access, now: datetime, progress: Callable[[Progress], None]
) -> ImportReport:
    """Load a file of readings: check every row first, then append batch by batch.

    A batch and the count of rows done are committed together, so that a run that was cut off anywhere goes on
    exactly where it stopped. The same file with the same plan is loaded once.

    Raises:
        BadFile: it cannot be read as text. NoTable, UnknownColumn, UnknownZone: it cannot be understood.
        UnknownAsset: the plan names an asset that is not there, or none where one is needed.
        BadRows: rows are wrong, and ``skip_bad_rows`` was not asked for.
    """
    check = _Check(plan, by, now)
    report = check.run(path, progress)
    if plan.dry_run:
        return report
    if report.bad_rows and not plan.skip_bad_rows:
        raise BadRows(report)
    run = _begin(path, plan, report, now)
    report.resumed_at = run.rows_done
    with Text(path) as text:
        rows = islice(check.rows(read_table(text, plan.layout), report), run.rows_done, None)
        _load(run, rows, report, by=by, now=now, progress=progress)
    return report


class _Check:
    """Reads rows as the plan says and refuses what telemetry would refuse, so that loading cannot fail half-way."""

    def __init__(self, plan: ImportPlan, by: Access, now: datetime) -> None:
        self._plan, self._by = plan, by
        self._span = to_micros(EARLIEST), to_micros(now + AHEAD)
        self._sought: set[str] = set()
        self._strict: dict[int, frozenset[str]] = {}
        self._only = None if plan.layout.asset else self._named(plan.asset)

    def run(self, path: Path, progress: Callable[[Progress], None]) -> ImportReport:
        """Read the whole file and load nothing."""
        with Text(path) as text:
            table = read_table(text, self._plan.layout)
            for code in table.codes:
                if not CODE.fullmatch(code):
                    raise Invalid(f"{code!r} is no parameter code: lower-case letters, digits and _, a letter first")
            report = ImportReport(table.columns, table.ignored, table.time)
            for row in self.rows(table, report):
                self._count(row, report)
                if report.rows % REPORT_EVERY == 0:
                    progress(Progress("checking", text.position(), text.size))
            progress(Progress("checking", text.size, text.size))
        return report

    def rows(self, table: Table, report: ImportReport) -> Iterator[Row | RowError]:
        """Give the rows with their assets looked up, some hundreds at a time."""
        rows = table.rows()
        while part := list(islice(rows, 1_000)):
            self._look_up(part, report)
            for row in part:
                yield row if isinstance(row, RowError) else self._tested(row, table.codes, report)

    def _tested(self, row: Row, codes: tuple[str, ...], report: ImportReport) -> Row | RowError:
        if not self._span[0] <= row.time <= self._span[1]:
            return RowError(row.line, "", "the time is before 2000 or more than 24 hours ahead")
        ref = report.assets.get(row.asset)
        if ref is None:
            detail = f"there is no asset {row.asset[:80]!r} whose readings you may enter"
            return RowError(row.line, self._plan.layout.asset, detail)
        declared = self._strict.get(ref.type_id or 0)
        for code, value in zip(codes, row.values, strict=True) if declared is not None else ():
            if value == value and code not in (declared or ()):  # noqa: PLR0124 - NaN alone differs from itself
                return RowError(row.line, code, f"the type of {ref.name} has no parameter {code!r}")
        return row

    def _look_up(self, part: list[Row | RowError], report: ImportReport) -> None:
        new = {row.asset for row in part if isinstance(row, Row)} - self._sought
        if not new:
            return
        self._sought |= new
        if self._only is not None:
            report.assets[""] = self._only
        else:
            found = assets.resolve(refs=new, access=self._by, role=Role.OPERATOR)
            report.assets |= {str(ref): asset for ref, asset in found.items()}
        types = {ref.type_id for ref in report.assets.values() if ref.type_id is not None}
        self._strict = assets.strict_codes(type_ids=types)

    def _named(self, ref: str) -> assets.AssetRef:
        if not ref:
            raise UnknownAsset("say whose readings they are: name the asset, or the column that names it")
        found = assets.resolve(refs=[ref], access=self._by, role=Role.OPERATOR)
        if ref not in found:
            raise UnknownAsset(f"there is no asset {ref[:80]!r} whose readings you may enter")
        return found[ref]

    @staticmethod
    def _count(row: Row | RowError, report: ImportReport) -> None:
        report.rows += 1
        if isinstance(row, RowError):
            report.note(row)
            return
        report.blank += _is_blank(row)
        report.first = row.time if report.first is None else min(report.first, row.time)
        report.last = row.time if report.last is None else max(report.last, row.time)


def _begin(path: Path, plan: ImportPlan, report: ImportReport, now: datetime) -> ImportRun:
    """Return the record of this file and plan: where it stopped, or from the start without ``resume``."""
    meaning = msgspec.json.encode([asdict(plan.layout), plan.asset, plan.skip_bad_rows], order="deterministic")
    fingerprint = hashlib.sha256(digest(path) + meaning).hexdigest()
    run, _ = ImportRun.objects.get_or_create(
        fingerprint=fingerprint, defaults={"name": path.name[:300], "rows_total": report.rows, "started_at": now}
    )
    if not plan.resume and run.rows_done:
        ImportRun.objects.filter(pk=run.pk).update(rows_done=0, readings=0, seconds=0, started_at=now, finished_at=None)
        run.refresh_from_db()
    return run


def _load(
    run: ImportRun,
    rows: Iterator[Row | RowError],
    report: ImportReport,
    *,
    by: Access,
    now: datetime,
    progress: Callable[[Progress], None],
) -> None:
    done, codes, began = run.rows_done, tuple(report.columns.values()), time.monotonic()
    while rows_read := list(islice(rows, BATCH)):
        good = [row for row in rows_read if isinstance(row, Row) and not _is_blank(row)]
        telemetry.make_room(now=now)
        part = _Part(len(rows_read), _batch(good, codes, report) if good else None, time.monotonic() - began)
        began += part.seconds
        _commit(run, done, part, by=by, now=now)
        done += part.rows
        report.loaded += len(good)
        progress(Progress("loading", done, report.rows))
    ImportRun.objects.filter(pk=run.pk, finished_at=None).update(finished_at=now)


@transaction.atomic
def _commit(run: ImportRun, done: int, part: _Part, *, by: Access, now: datetime) -> None:
    # The count moves only from where this run knows it to be: a second importer of the file loses here.
    readings = len(part.batch) if part.batch is not None else 0
    moved = ImportRun.objects.filter(pk=run.pk, rows_done=done)
    if not moved.update(
        rows_done=done + part.rows, readings=F("readings") + readings, seconds=F("seconds") + part.seconds
    ):
        raise AnotherImporter("another process is loading this file; wait for it, then run the command again")
    if part.batch is not None:
        telemetry.ingest(batch=part.batch, by=by, now=now, origin=Origin.IMPORT)


def _batch(rows: list[Row], codes: tuple[str, ...], report: ImportReport) -> Batch:
    columns = np.array([row.values for row in rows], np.float64)
    values = {code: columns[:, place] for place, code in enumerate(codes)}
    return Batch(
        np.fromiter((report.assets[row.asset].id for row in rows), np.int64, len(rows)),
        np.fromiter((row.time for row in rows), np.int64, len(rows)),
        {code: column for code, column in values.items() if not np.isnan(column).all()},
    )


def _is_blank(row: Row) -> bool:
    return all(value != value for value in row.values)  # noqa: PLR0124 - NaN alone differs from itself


__all__ = ["BadFile", "BadRows", "ImportPlan", "ImportReport", "Layout", "Progress", "UnknownAsset", "import_file"]
