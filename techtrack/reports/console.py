"""A report on the air of a site at a terminal, and as a workbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from techtrack.accounts.models import Site
from techtrack.airquality.limit_sets import limit_set
from techtrack.airquality.standard import Standard, standards
from techtrack.core import clock
from techtrack.core.errors import Invalid
from techtrack.reports.domain.periods import read_period
from techtrack.reports.files.sheets import as_workbook, sheets_of
from techtrack.reports.queries import Asked, drawn, with_names

OK, MISTAKE = 0, 2
_OUTCOMES = {True: "exceeded", False: "kept"}


def air_report(*, site: str, period: str, limits: str, standard: str, xlsx: Path | None) -> int:
    """Print the tables of a report on the readings as they are now; it is preliminary, and kept nowhere."""
    console = Console(highlight=False, width=100)
    try:
        index: Standard = standards.get(standard)
        asked = Asked(_site(site), read_period(period), limit_set(limits), index)
    except Invalid as error:
        console.print(f"[red]{escape(error.detail)}[/]")
        return MISTAKE
    content = drawn(asked, now=clock.now())
    for line in _told(content):
        console.print(line)
    if xlsx is not None:
        xlsx.write_bytes(
            as_workbook(sheets_of(with_names(content), {"title": content["title"], "state": "preliminary"}))
        )
        console.print(f"Written: {escape(str(xlsx))}")
    return OK


def _site(name: str) -> Site:
    rows = Site.objects.filter(name=name)
    found = rows.first() or (Site.objects.filter(pk=int(name)).first() if name.isascii() and name.isdigit() else None)
    if found is None:
        raise Invalid(f"there is no site {name[:80]!r}")
    return found


def _told(content: Mapping[str, Any]) -> Iterable[str | Table]:
    yield f"{escape(content['title'])}: {content['limits']['title']}"
    for sensor in content["sensors"]:
        yield f"\n{escape(sensor['name'])}"
        yield _table(
            ("", "known h", "of", "capture", "mean", "highest h"),
            (
                (
                    one["parameter"],
                    one["known"],
                    one["hours"],
                    f"{one['capture']:.1%}",
                    _short(one["mean"]),
                    _short(one["maximum"]),
                )
                for one in sensor["parameters"]
            ),
        )
        yield _table(
            ("limit", "value", "decides", "used", "allowed", "left", ""),
            (
                (
                    one["limit"],
                    f"{one['limit_value']} {one['unit'].strip('[]')}",
                    _short(one["value"]),
                    *(_short(one[name]) for name in ("used", "allowed", "left")),
                    _OUTCOMES.get(one["exceeded"], one["reason"]),
                )
                for one in sensor["exceedances"]
            ),
        )
        yield from _several(sensor["exceedances"])
        yield from (f"Not compared: {escape(text)}" for text in sensor["missing"])
        yield from _index(sensor["index"])


def _several(findings: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Say what several years make where the law averages over them."""
    for one in findings:
        if over := one["over_years"]:
            years = ", ".join(map(str, over["years"]))
            yield f"{one['limit']}, mean of {years}: {over['mean']:.1f}, {_OUTCOMES[over['exceeded']]}"


def _index(index: Mapping[str, Any] | None) -> Iterable[str | Table]:
    if index is None:
        yield "No hour has an index."
        return
    worst = f"{index['worst']} ({index['worst_class']}, {index['dominant'] or 'nothing dominates'})"
    yield f"Index: {index['hours']} h; the worst was {worst}, in the hour that ended at {index['worst_at']}"
    yield _table(("class", "h"), ((one["class"], one["hours"]) for one in index["classes"]))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number and head else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.1f}"
