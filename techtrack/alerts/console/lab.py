"""The rule lab as seen at a terminal: what a rule would have done, as a calm table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from techtrack.accounts.domain.access import internal
from techtrack.alerts import queries
from techtrack.alerts.console.places import OK, refuse, texts_of
from techtrack.alerts.domain import files
from techtrack.alerts.domain.trial import Incident
from techtrack.alerts.models import Rule
from techtrack.alerts.queries.files import Directory
from techtrack.alerts.queries.lab import AXES
from techtrack.assets.models import Asset
from techtrack.core import clock, plain_yaml
from techtrack.core.clock import read_duration, to_micros
from techtrack.core.errors import Invalid, NotFound, TechTrackError

# A terminal that nobody has widened.
WIDTH = 80
GAPS = (2, 1)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Longest text of an id: what fits into a bigint.
_DIGITS = 18


def preview_rule(  # noqa: PLR0913 - the options of the command
    *,
    rule: str,
    asset: Sequence[str],
    since: str,
    until: str | None,
    sweep: Sequence[str],
    incidents: Path | None,
    as_json: bool,
) -> int:
    """Try ``rule`` and print what came of it; return the exit code.

    ``rule`` is the id of one, or a file of rules that holds one; of several, ``FILE#NAME`` names it.
    ``asset``: ids or keys, the rule's scope if empty. ``sweep``: such as ``deadband=0,1,2``.
    """
    console = Console(highlight=False, width=WIDTH, soft_wrap=True)
    texts: dict[str, str] = {}
    try:
        asked = _asked(_rule(rule, texts), asset, (since, until), sweep, incidents)
        queries.weigh(asked, most=queries.MOST_VALUES)
        told = queries.report(queries.preview(asked))
    except (TechTrackError, OSError) as error:
        return refuse(Console(stderr=True, highlight=False), error, texts)
    if as_json:
        console.print_json(json.dumps(told))
    else:
        _show(console, asked, told)
    return OK


# -- What is asked --------------------------------------------------------------------------------------------


def _asked(
    rule: Rule, assets: Sequence[str], ends: tuple[str, str | None], sweep: Sequence[str], incidents: Path | None
) -> queries.Asked:
    now = clock.now()
    start, end = _moment(ends[0]), min(_moment(ends[1]), now) if ends[1] else now
    if start >= end:
        raise Invalid("--from lies before --to, and before now")
    chosen = _assets(assets) if assets else queries.in_scope(rule, internal())
    axes = dict(_axis(one) for one in sweep)
    return queries.Asked(rule, chosen, (to_micros(start), to_micros(end)), _incidents(incidents), axes)


def _rule(named: str, texts: dict[str, str]) -> Rule:
    """Return a stored rule, or one of a file, whose text is added to ``texts``."""
    if named.isascii() and named.isdigit() and len(named) <= _DIGITS:
        held = Rule.objects.filter(pk=int(named)).first()
        if held is None:
            raise NotFound(f"there is no rule {named}")
        return held
    path, _, wanted = named.partition("#")
    texts |= texts_of(Path(path))
    written = [rule for source, text in texts.items() for rule in files.read(text, source=source).rules]
    chosen = [rule for rule in written if not wanted or rule.name.name == wanted]
    if len(chosen) != 1:
        told = ", ".join(rule.name.name for rule in written)
        raise Invalid(f"{path} holds {told or 'no rule'}: name one as {path}#NAME")
    rule = Rule(**chosen[0].columns)
    scope = Directory(internal()).find(chosen[0].name.scope)
    rule.site_id, rule.asset_type_id, rule.assets, rule.tags = (
        scope.site,
        scope.asset_type,
        [*scope.assets],
        [*scope.tags],
    )
    return rule


def _assets(named: Sequence[str]) -> list[int]:
    ids = [int(name) for name in named if name.isascii() and name.isdigit() and len(name) <= _DIGITS]
    rows = Asset.objects.filter(pk__in=ids) | Asset.objects.filter(key__in=named)
    found = {str(name): pk for pk, key in rows.values_list("pk", "key") for name in (pk, key)}
    for name in named:
        if name not in found:
            raise NotFound(f"there is no asset {name!r}")
    return list(dict.fromkeys(found[name] for name in named))


def _axis(text: str) -> tuple[str, list[Any]]:
    axis, _, values = text.partition("=")
    if axis not in AXES or not values:
        raise Invalid(f"{text!r} is no sweep such as deadband=0,1,2; there are {', '.join(AXES)}")
    return axis, [_value(axis, value.strip()) for value in values.split(",")]


def _value(axis: str, text: str) -> float | timedelta:
    found = read_duration(text) if axis.endswith("delay") else _number(text)
    if found is None:
        raise Invalid(f"{text!r} is no {'duration such as PT5M' if axis.endswith('delay') else 'number'}")
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _incidents(path: Path | None) -> list[Incident]:
    """Read a list of ``{from, to, name, asset}``."""
    told = plain_yaml.load(path.read_text(encoding="utf-8")) if path else []
    if not isinstance(told, list) or not all(isinstance(one, dict) and {"from", "to"} <= one.keys() for one in told):
        raise Invalid(f"{path} is no list of incidents, each with from, to, and if you like name and asset")
    return [_incident(one) for one in told]


def _incident(told: Mapping[str, Any]) -> Incident:
    start, end = (to_micros(_moment(told[name])) for name in ("from", "to"))
    if start >= end:
        raise Invalid(f"the incident {told.get('name', '')!r} ends before it begins")
    asset = _assets([str(told["asset"])])[0] if told.get("asset") is not None else None
    return Incident(start, end, asset, str(told.get("name", "")))


def _moment(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is no time such as 2026-11-21 or 2026-11-21T10:00:00Z") from None


# -- What is shown --------------------------------------------------------------------------------------------


def _show(console: Console, asked: queries.Asked, told: Mapping[str, Any]) -> None:
    console.print(f"{escape(asked.rule.name)}, {told['from'][:16]} to {told['to'][:16]} (UTC)\n")
    incidents = bool(told["incidents"])
    if told["assets"]:
        _print(console, lambda gap: _of_assets(told, gap, incidents=incidents))
    else:
        console.print(told["note"])
    for line in _remarks(told["assets"]):
        console.print(line)
    for one in told["incidents"]:
        found = f"known {_span(one['lead_time'])} before its end" if one["found"] else "missed"
        console.print(f"Incident {escape(one['name'])}: {found}")
    if told["sweep"]:
        console.print()
        _print(console, lambda gap: _of_cells(told["sweep"], gap, incidents=incidents))
        for line in _refused(told["sweep"]):
            console.print(line)
    if told["advice"]:
        console.print(f"\nAdvice: {told['advice']['detail']}")
        console.print(f"        {escape(json.dumps(told['advice']['changes']))}", soft_wrap=True)
    if told["warning"]:
        console.print(f"\nWarning: {told['warning']}")


def _remarks(assets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in assets:
        if one["note"]:
            yield f"{escape(one['name'])}: {escape(one['note'])}"
        for base in one["baselines"]:
            yield _baseline(one["name"], base)


def _print(console: Console, made: Callable[[int], Table]) -> None:
    """Print a table with the widest gaps at which it fits; else names are folded."""
    tables = [made(gap) for gap in GAPS]
    unbounded = console.options.update_width(10 * WIDTH)
    fitting = (table for table in tables if console.measure(table, options=unbounded).maximum <= WIDTH)
    console.print(next(fitting, tables[-1]), soft_wrap=False)


def _of_assets(told: Mapping[str, Any], gap: int, *, incidents: bool) -> Table:
    heads = ["asset", "readings", "alerts", *_HEADS, "share", *(_KNOWN if incidents else [])]
    table = _table(heads, gap)
    rows = [(escape(one["name"]), one) for one in told["assets"]]
    for name, one in [*rows, *([("all", told["total"])] if len(rows) > 1 else [])]:
        counts = f"{one['readings']:,}", str(one["alerts"]), *_raised(one), f"{one['share']:.1%}"
        table.add_row(name, *counts, *(_known(one) if incidents else []))
    return table


def _of_cells(cells: Sequence[Mapping[str, Any]], gap: int, *, incidents: bool) -> Table:
    axes = _axes(cells)
    heads = [_AXES.get(axis, axis) for axis in axes]
    table = _table([*heads, *_HEADS, *(_KNOWN if incidents else []), "added\ndelay"], gap, left=0)
    for cell in cells:
        settings = [_setting(cell[axis]) for axis in axes]
        # What cannot be judged is told below.
        rest = [*_raised(cell), *(_known(cell) if incidents else []), _span(cell["added_delay"])]
        table.add_row(*settings, *([] if cell["note"] else rest))
    return table


def _axes(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    return [axis for axis in AXES if any(cell[axis] is not None for cell in cells)]


def _refused(cells: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say why some settings were not tried."""
    for cell in cells:
        if cell["note"]:
            told = ", ".join(f"{axis} {_setting(cell[axis])}" for axis in _axes(cells))
            yield f"{told}: {escape(cell['note'])}"


_HEADS = ["raises", "repeats", "active"]
_KNOWN = ["found", "lead\ntime", "false"]
# Narrow heads, so that a sweep of all fits a terminal.
_AXES = {"deadband": "dead\nband", "on_delay": "on\ndelay", "off_delay": "off\ndelay"}


def _raised(told: Mapping[str, Any]) -> list[str]:
    return [str(told["raises"]), str(told["repeats"]), _span(told["active"])]


def _known(told: Mapping[str, Any]) -> list[str]:
    lead = _span(told["lead_time"]) if told["lead_time"] else "-"
    return [str(told["incidents_found"]), lead, str(told["false_alarms"])]


def _table(heads: Sequence[str], gap: int, *, left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(
            head,
            justify="left" if place < left else "right",
            no_wrap=place >= left,
            overflow="fold",
            vertical="bottom",
        )
    return table


def _baseline(name: str, base: Mapping[str, Any]) -> str:
    told = f"{escape(name)}: normal is {base['mean']:.4g} ± {base['stddev']:.4g} ({base['parameter']})"
    if base["cpk"] is None:
        return told
    return told + (f", Cp {base['cp']:.2f}" if base["cp"] is not None else "") + f", Cpk {base['cpk']:.2f}"


def _setting(value: Any) -> str:
    return _span(value) if isinstance(value, str) else f"{value:g}"


def _span(text: str) -> str:
    """Write an ISO 8601 duration as people say it: ``8.5 d``, ``74.4 h``, ``20 min``, ``30 s``."""
    duration = read_duration(text) or timedelta(0)
    seconds = duration.total_seconds()
    if seconds >= 7 * _DAY:
        return f"{seconds / _DAY:.1f} d"
    if seconds >= 2 * _HOUR:
        return f"{seconds / _HOUR:.1f} h"
    return f"{round(seconds / _MINUTE, 1):g} min" if seconds >= _MINUTE else f"{round(seconds, 1):g} s"
