"""Figures and what is made of them: medians of interleaved runs, bars, tables for the console and for Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Run = dict[str, float]
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must reach, and what it is: ``met`` is None where it could not be measured."""

    what: str
    wanted: str
    figure: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """The word for it."""
        return {True: "met", False: "NOT MET", None: NOT_MEASURED}[self.met]


@dataclass(slots=True)
class Result:
    """One line of the table: its own table, its bars, and what a reader must know."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data; ``of`` is the way back."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Result:
        """Read what ``as_json`` wrote."""
        return cls(**{**data, "bars": [Bar(**bar) for bar in data["bars"]]})


def median(runs: Iterable[Run]) -> Run:
    """Return the median of each figure over the runs that have it."""
    runs = list(runs)
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: statistics.median(run[name] for run in runs if name in run) for name in names}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is no smaller than ``share`` of them (nearest rank); NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def interleaved(
    measures: Mapping[str, Callable[[], Run]], *, rounds: int, say: Callable[[str], None], once: Container[str] = ()
) -> dict[str, Run]:
    """Run A B C, A B C, …; return the medians by name. What the machine does besides hits all of them alike.

    Those in ``once`` run in the first round alone: the slow ones, whose bars are far away.
    """
    runs: dict[str, list[Run]] = {name: [] for name in measures}
    for turn in range(1, rounds + 1):
        for name, measure in measures.items():
            if turn > 1 and name in once:
                continue
            say(f"{name}, run {turn} of {rounds}")
            runs[name].append(measure())
    return {name: median(found) for name, found in runs.items()}


def at_least(what: str, ours: float | None, theirs: float | None, *, times: float) -> Bar:
    """Return the bar ``ours >= times x theirs``."""
    return _compared(what, ours, theirs, f"≥ {times:g} x", lambda ratio: ratio >= times)


def at_most(what: str, ours: float | None, theirs: float | None, *, times: float) -> Bar:
    """Return the bar ``ours <= times x theirs``."""
    return _compared(what, ours, theirs, f"≤ {times:g} x", lambda ratio: ratio <= times)


def limit(what: str, ours: float | None, highest: float, unit: str) -> Bar:
    """Return the bar ``ours <= highest``."""
    if ours is None or math.isnan(ours):
        return Bar(what, f"≤ {highest:g} {unit}", NOT_MEASURED, None)
    return Bar(what, f"≤ {highest:g} {unit}", f"{number(ours)} {unit}", ours <= highest)


def _compared(what: str, ours: float | None, theirs: float | None, wanted: str, holds: Callable[[float], bool]) -> Bar:
    if not ours or not theirs or math.isnan(ours) or math.isnan(theirs):
        return Bar(what, wanted, NOT_MEASURED, None)
    ratio = ours / theirs
    return Bar(what, wanted, f"{number(ratio)} x", holds(ratio))


def number(value: float | None) -> str:
    """Write a figure with three digits that count."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def as_text(result: Result) -> str:
    """Write a result for the console."""
    lines = [result.title, *_aligned([result.columns, *result.rows]), ""]
    bars = [[bar.what, bar.wanted, bar.figure, bar.verdict] for bar in result.bars]
    lines += [*_aligned([["bar", "wanted", "figure", ""], *bars]), ""] if bars else []
    return "\n".join([*lines, *(f"  {note}" for note in result.notes)]).rstrip() + "\n"


def as_markdown(result: Result) -> str:
    """Write a result as a section of a page."""
    lines = [f"## {result.title}", ""]
    lines += _table(result.columns, result.rows)
    if result.bars:
        verdicts = [[bar.what, bar.wanted, bar.figure, f"**{bar.verdict}**"] for bar in result.bars]
        lines += ["", *_table(["Bar", "Wanted", "Figure", ""], verdicts)]
    lines += ["", *(f"- {note}" for note in result.notes)] if result.notes else []
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    dashes = ["---", *("--:" for _ in columns[1:])]
    return ["| " + " | ".join(cells) + " |" for cells in [columns, dashes, *rows]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
