"""The store at a terminal: check it, tell how much it holds, compute anew what is derived; a bar and plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from techtrack.accounts.domain.access import Role, internal
from techtrack.assets import queries as assets
from techtrack.core import clock
from techtrack.telemetry import queries, services
from techtrack.telemetry.models import RunKind
from techtrack.telemetry.queries import Figures

WELL, WRONG, MISTAKE, INTERRUPTED = 0, 1, 2, 130
DOING = {RunKind.CHECK: "Checking hours", RunKind.REBUILD: "Rebuilding hours"}


def check(*, asset: Sequence[str] = ()) -> int:
    """Check all that is stored, or what there is of some assets; the exit code is 1 where something is wrong."""
    return _go_through(RunKind.CHECK, asset, "Nothing is wrong.", "Something is wrong")


def rebuild(*, asset: Sequence[str] = ()) -> int:
    """Compute anew rollups, latest values and days from chunks; the exit code is 1 where a chunk cannot be read."""
    return _go_through(RunKind.REBUILD, asset, "All was computed anew.", "What these held could not be computed anew")


def stats() -> int:
    """Tell how much there is and how far folding has come."""
    console = Console(highlight=False)
    try:
        figures = queries.figures(clock.now())
    except DatabaseError as error:
        console.print(
            f"[red]The database cannot be used: {escape(str(error))}.[/] Is it up to date? techtrack doctor says."
        )
        return MISTAKE
    for line in _told(figures):
        console.print(line)
    return WELL


def _go_through(kind: RunKind, refs: Sequence[str], well: str, wrong: str) -> int:
    console = Console(highlight=False)
    ids = _ids(refs)
    if refs and not ids:
        console.print("[red]One of these assets does not exist; give ids or keys.[/]")
        return MISTAKE
    found = 0
    try:
        with _bar(console, kind, queries.total(ids)) as (bars, bar):
            for step in services.steps(kind=kind, now=clock.now(), assets=ids):
                bars.advance(bar, step.hours)
                for problem in services.described(step.problems):
                    # Not broken into lines: whoever reads it may be a program.
                    bars.console.print(_line(problem), soft_wrap=True)
                found += len(step.problems)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left half done.")
        return INTERRUPTED
    console.print(f"[red]{wrong}: see the {found:,} above.[/]" if found else well)
    return WRONG if found else WELL


def _ids(refs: Sequence[str]) -> list[int] | None:
    if not refs:
        return None
    found = assets.resolve(refs=refs, access=internal("store"), role=Role.VIEWER)
    return sorted({ref.id for ref in found.values()}) if found.keys() >= set(refs) else []


def _line(problem: Mapping[str, Any]) -> str:
    asset = "" if problem["asset"] is None else f"asset {problem['asset']} ({problem['name'] or 'no longer there'})"
    place = ", ".join(part for part in (asset, problem["hour"]) if part)
    return escape(f"{place}: {problem['detail']}" if place else problem["detail"])


@contextmanager
def _bar(console: Console, kind: RunKind, total: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console) as bars:
        yield bars, bars.add_task(DOING[kind], total=total)


def _told(figures: Figures) -> Iterator[str]:
    for table in figures.tables:
        size = "" if table.bytes is None else f", {table.bytes:,} bytes"
        yield f"{table.name}: {table.rows:,} rows{size}"
    yield f"{figures.readings:,} readings and {figures.values:,} values in chunks, of {figures.assets:,} assets"
    if figures.bytes_per_value is not None:
        yield f"{figures.bytes_per_value:.2f} bytes a value, with rollups, days and latest values"
    since = f", the oldest since {clock.isoformat(figures.lag.since)}" if figures.lag.since else ""
    yield f"{figures.lag.readings:,} readings in {figures.lag.segments:,} batches wait to be folded{since}"
    if figures.lag.is_too_much:
        yield "[red]that is too much: readings are refused until a server or techtrack worker has folded some[/]"
    yield f"{figures.assets_waiting_for_days:,} assets have days to be made"
    for consumer in figures.consumers:
        gone = "; [red]it seems to be gone for good, and the log is kept for it[/]" if consumer.dead else ""
        yield f"{consumer.name} stands at {consumer.position:,} of {figures.head:,}, {consumer.behind:,} behind{gone}"
    if figures.damaged_chunks or figures.damaged_segments:
        yield f"[red]set aside as damaged: {figures.damaged_chunks} chunks, {figures.damaged_segments} segments[/]"
