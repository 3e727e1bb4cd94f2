"""The import of a file as seen at a terminal: what will happen, a bar with rate and time left, errors by line."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.progress import Task as Bar

from techtrack.accounts import queries as accounts
from techtrack.accounts.domain.access import Access, internal
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.acting import speak_for
from techtrack.core.errors import TechTrackError
from techtrack.integrations import services
from techtrack.integrations.services import BadRows, ImportPlan, ImportReport, Layout, Progress, UnknownAsset

OK, BAD_ROWS, MISTAKE, INTERRUPTED = 0, 1, 2, 130
PHASES = {"checking": "Checking every row", "loading": "Loading"}


def run_import(  # noqa: PLR0913 - one argument for each option of the command
    path: Path,
    *,
    asset: str | None = None,
    columns: str | None = None,
    time: str | None = None,
    timezone: str = "UTC",
    dry_run: bool = False,
    skip_bad_rows: bool = False,
    as_user: str | None = None,
    asset_column: str | None = None,
    time_format: str = "auto",
    delimiter: str | None = None,
    decimal_comma: bool = False,
    again: bool = False,
) -> int:
    """Load ``path`` and tell how it goes; return the exit code (1: bad rows, 2: a mistake in what was asked).

    ``columns`` are ``HEADING=code`` or ``HEADING`` with commas between, ``time`` is a heading or several of them.
    Without ``as_user`` the platform itself loads it, for who has its shell has its data.
    """
    console = Console(highlight=False)
    layout = Layout(
        time=tuple(_parts(time)),
        columns=dict(_mapped(column) for column in _parts(columns)),
        asset=asset_column or "",
        timezone=timezone,
        time_format=time_format,
        delimiter=delimiter or "",
        decimal_comma=decimal_comma,
    )
    plan = ImportPlan(layout, asset=asset or "", dry_run=dry_run, skip_bad_rows=skip_bad_rows, resume=not again)
    access = internal("import")
    try:
        if as_user:
            access = accounts.access_named(as_user)
            speak_for(access.principal)
        with _bars(console) as progress:
            report = services.import_file(path=Path(path), plan=plan, by=access, now=clock.now(), progress=progress)
    except BadRows as refusal:
        _tell(console, refusal.report)
        console.print(f"[red]{escape(refusal.detail)}.[/] Mend the file, or load the others with --skip-bad-rows.")
        return BAD_ROWS
    except TechTrackError as error:
        console.print(f"[red]{escape(_sentence(error, plan.asset, access))}[/]")
        return MISTAKE
    except KeyboardInterrupt:
        console.print("Stopped. What was loaded stays; the same command goes on from here.")
        return INTERRUPTED
    _tell(console, report)
    return _conclude(console, report, plan)


def _conclude(console: Console, report: ImportReport, plan: ImportPlan) -> int:
    if plan.dry_run:
        console.print("Nothing was loaded: this was a dry run.")
        return BAD_ROWS if report.bad_rows and not plan.skip_bad_rows else OK
    if report.resumed_at >= report.rows > 0:
        console.print("This file was loaded before; nothing was left to do (--again loads it once more).")
        return OK
    resumed = f" (from row {report.resumed_at + 1:,}, where it stopped before)" if report.resumed_at else ""
    console.print(f"[green]{report.loaded:,} readings loaded{resumed}.[/]")
    return OK


def _tell(console: Console, report: ImportReport) -> None:
    """Print what the file holds and the first of its bad rows."""
    read = ", ".join(f"{name} → {code}" if name != code else code for name, code in report.columns.items())
    console.print(f"Time from {escape(', '.join(report.time))}; parameters: {escape(read)}")
    if report.ignored:
        console.print(f"Not used: {escape(', '.join(report.ignored))}")
    names = sorted({asset.name for asset in report.assets.values()})
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004
    span = ""
    if report.first is not None and report.last is not None:
        first, last = (clock.isoformat(clock.from_micros(at)) for at in (report.first, report.last))
        span = f", {first} to {last}"
    blank = f", {report.blank:,} without any value" if report.blank else ""
    console.print(f"{report.rows:,} rows{blank}{span}; readings of {escape(shown or 'no asset')}")
    for error in report.errors:
        column = f", {error.column}" if error.column else ""
        console.print(f"  [yellow]line {error.line}{escape(column)}[/]: {escape(error.message)}")
    if report.bad_rows > len(report.errors):
        console.print(f"  … and {report.bad_rows - len(report.errors):,} more bad rows")


def _parts(listed: str | None) -> list[str]:
    # A heading with a comma in it is written in quotes, as in the file.
    cells = next(csv.reader([listed or ""]), [])
    return [cell.strip() for cell in cells if cell.strip()]


def _mapped(column: str) -> tuple[str, str]:
    # A heading may hold "=", a code cannot.
    heading, separator, code = column.rpartition("=")
    return (heading.strip(), code.strip()) if separator else (column.strip(), "")


def _sentence(error: TechTrackError, asset: str, access: Access) -> str:
    text = error.detail[:1].upper() + error.detail[1:]
    if not isinstance(error, UnknownAsset) or not asset:
        return text if text.endswith((".", "?")) else f"{text}."
    known: dict[str, str] = {}
    for pk, key, name in Asset.objects.visible_to(access).values_list("pk", "key", "name"):
        known |= {word: key or str(pk) for word in (key, name) if word}
    near = difflib.get_close_matches(asset, known, n=1, cutoff=0.5)
    return f"{text}: did you mean {known[near[0]]!r} ({near[0]})?" if near else f"{text}."


@contextmanager
def _bars(console: Console) -> Iterator[Callable[[Progress], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Bars(*columns, console=console) as bars:
        started: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            if progress.phase not in started:
                started[progress.phase] = bars.add_task(PHASES[progress.phase], total=progress.total, rate="")
            bar = bars.tasks[started[progress.phase]]
            bars.update(bar.id, completed=progress.done, total=progress.total, rate=_rate(bar, progress.phase))

        yield show


def _rate(bar: Bar, phase: str) -> str:
    unit = "bytes" if phase == "checking" else "rows"
    return f"{bar.speed:,.0f} {unit}/s" if bar.speed else ""
