"""Readings as a table for a file: a row for each, a column for each parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Readings
from techtrack.telemetry.files.tables import Block, Column, Type
from techtrack.telemetry.queries.looking import Unreadable, unreadable
from techtrack.telemetry.queries.subjects import Subject
from techtrack.telemetry.queries.walking import having, walk
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.database import store

QUALITY = "quality"


def export_table(
    subjects: Sequence[Subject], *, name: str, codes: Sequence[str], span: Span
) -> tuple[list[Column], Iterator[Block]]:
    """Return the columns, of which the first is called ``name``, and the readings asset by asset, in order of time.

    With ``codes`` only those parameters, and readings that have one of them. Each stretch is read as it is wanted:
    what comes or changes meanwhile may be in or not, as it would be with pages. Behind the readings of an asset stands
    a row without values for each stretch that cannot be read: its start, and in the last column where it ends.
    """
    told = list(codes) or _codes(subjects)
    fixed = [Column(name, Type.INTEGER), Column("key", Type.TEXT), Column("name", Type.TEXT)]
    fixed.append(Column("timestamp", Type.TIME))
    taken = {column.name for column in fixed} | {QUALITY}
    # A parameter may be called like a column of ours; no code has a slash.
    values = [Column(f"values/{code}" if code in taken else code, Type.NUMBER) for code in told]
    return [*fixed, *values, Column(QUALITY, Type.TEXT)], _blocks(subjects, told, span, only=bool(codes))


def _codes(subjects: Sequence[Subject]) -> list[str]:
    newest = store.latest([subject.id for subject in subjects])
    return sorted({code for values in newest.values() for code in values})


def _blocks(subjects: Sequence[Subject], codes: Sequence[str], span: Span, *, only: bool) -> Iterator[Block]:
    for subject in subjects:
        damaged: set[int] = set()
        for piece in walk(subject.id, span, damaged=damaged):
            readings = having(piece, codes) if only else piece
            if many := len(readings.times):
                absent = np.full(many, np.nan)
                values = [readings.columns.get(code, absent) for code in codes]
                texts = ([subject.key or ""] * many, [subject.name] * many)
                yield [np.full(many, subject.id), *texts, readings.times, *values, _qualities(readings, codes)]
        if lost := unreadable(subject.id, span, damaged):
            yield _lost(subject, lost, len(codes))


def _lost(subject: Subject, lost: Sequence[Unreadable], values: int) -> Block:
    many = len(lost)
    starts = np.array([one.start for one in lost], np.int64)
    texts = ([subject.key or ""] * many, [subject.name] * many)
    absent = [np.full(many, np.nan)] * values
    return [np.full(many, subject.id), *texts, starts, *absent, [one.told() for one in lost]]


def _qualities(readings: Readings, codes: Sequence[str]) -> list[str]:
    """Write what is not good: ``temperature=bad speed=suspect``."""
    told = [""] * len(readings.times)
    for code in codes if readings.marks else ():
        found = readings.quality(code)
        for place in np.flatnonzero((found > 0) & ~np.isnan(readings.columns.get(code, np.full(len(told), np.nan)))):
            word = f"{code}={Quality(int(found[place])).name.lower()}"
            told[place] = f"{told[place]} {word}".lstrip()
    return told
