"""Reads who is told later, while nobody acknowledges: rows of an escalation, each later than the one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from techtrack.core.clock import read_duration
from techtrack.core.errors import Invalid

MOST_ROWS = 10
KINDS = ("channels", "people", "rotas")
LONGEST = timedelta(days=30)


class NotLater(Invalid):
    """A row of an escalation comes no later than the one before it."""

    code = "not_later"


class NobodyTold(Invalid):
    """A row of an escalation names nobody."""

    code = "nobody_told"


def check_escalation(rows: Sequence[Mapping[str, Any]], *, pointer: str = "/escalation") -> None:
    """Pass rows ``{"after": "PT10M", "people": [7]}`` that tell somebody each, later and later.

    Raises:
        Invalid: with a pointer to the first that does not.
    """
    if len(rows) > MOST_ROWS:
        raise Invalid(f"at most {MOST_ROWS} rows are expected", pointer=pointer)
    for number, row in enumerate(rows):
        after = read_duration(row["after"])
        if after is None or not timedelta(0) < after <= LONGEST:
            raise Invalid("a duration such as PT10M, up to P30D, is expected", pointer=f"{pointer}/{number}/after")
        if not any(row.get(kind) for kind in KINDS):
            raise NobodyTold("this row names no channel, person or rota", pointer=f"{pointer}/{number}")
    for number, (one, then) in enumerate(pairwise(after_of(rows)), 1):
        if then <= one:
            raise NotLater("this comes no later than the row before it", pointer=f"{pointer}/{number}/after")


def after_of(rows: Sequence[Mapping[str, Any]]) -> list[timedelta]:
    """Return how long after the first message each row is told."""
    return [read_duration(row["after"]) or timedelta(0) for row in rows]
