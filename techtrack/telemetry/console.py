"""The export of readings as seen at a terminal: a file that grows, and one sentence at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from techtrack.assets.models import Asset, AssetQuerySet
from techtrack.core.clock import to_micros
from techtrack.core.errors import Invalid, NotFound, TechTrackError
from techtrack.telemetry import queries
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.files.forms import find_form
from techtrack.telemetry.files.tables import Block

OK, MISTAKE, INTERRUPTED = 0, 2, 130


def run_export(
    output: Path, *, assets: str | None, parameters: str | None, since: str | None, until: str | None, form: str | None
) -> int:
    """Write the readings of ``assets`` (ids or keys, comma-separated; all if None) to ``output``; return the exit code.

    Times are ISO 8601, in UTC where they have no offset. The form is that of the file's ending, unless it is given.
    A file that was not finished is not left behind.
    """
    console = Console(highlight=False)
    unfinished = output.with_name(f".{output.name}.part")
    try:
        count = _export(output, unfinished, assets, parameters, (since, until), form or output.suffix[1:])
    except TechTrackError as error:
        console.print(f"[red]{escape(error.detail)}[/]")
        return MISTAKE
    except OSError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return MISTAKE
    except KeyboardInterrupt:
        console.print("Stopped; no file was written.")
        return INTERRUPTED
    finally:
        unfinished.unlink(missing_ok=True)
    console.print(f"[green]{count:,} readings written to {escape(str(output))}.[/]")
    return OK


def _export(
    output: Path,
    unfinished: Path,
    assets: str | None,
    parameters: str | None,
    ends: tuple[str | None, str | None],
    form: str,
) -> int:
    span = (_moment(ends[0], FOREVER[0]), _moment(ends[1], FOREVER[1]))
    chosen, written = find_form(form, pointer="--format"), _Counted()
    codes = [code.strip() for code in (parameters or "").split(",") if code.strip()]
    columns, blocks = queries.export_table(queries.subjects(_assets(assets)), name="asset", codes=codes, span=span)
    with unfinished.open("wb") as file:
        for piece in chosen.write(columns, written.passing(blocks)):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(output)
    return written.rows


class _Counted:
    """Counts the rows that pass."""

    def __init__(self) -> None:
        self.rows = 0

    def passing(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            self.rows += len(block[0])
            yield block


def _assets(named: str | None) -> AssetQuerySet:
    """Find the assets; who has the platform's shell has its data."""
    if named is None:
        return Asset.objects.all()
    names = [name.strip() for name in named.split(",") if name.strip()]
    ids = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19]  # noqa: PLR2004 - bigint
    rows = Asset.objects.filter(pk__in=ids) | Asset.objects.filter(key__in=names)
    known = {str(name) for pair in rows.values_list("pk", "key") for name in pair}
    for name in names:
        if name not in known:
            raise NotFound(f"there is no asset {name!r}")
    return rows


def _moment(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        found = datetime.fromisoformat(text)
        return to_micros(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is no time such as 2026-11-21 or 2026-11-21T10:00:00Z") from None
