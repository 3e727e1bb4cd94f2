"""What is asked of readings once their assets are known, of rows and of columns alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

import numpy as np

from techtrack.assets.queries import AssetRef, TypeRules
from techtrack.core.clock import MICROSECOND, to_micros
from techtrack.core.errors import Fault, Invalid
from techtrack.telemetry.domain.items import AHEAD, CODE, EARLIEST
from techtrack.telemetry.domain.reading import Batch, Row

LEAST = to_micros(EARLIEST)
MOST_AHEAD = AHEAD // MICROSECOND
TOO_OLD = "the time is before what the asset's type keeps"


@dataclass(slots=True)
class Known:
    """Assets whose readings a caller may enter: ids by what was sent, the assets and types by id, rules by type."""

    ids: dict[int | str, int] = field(default_factory=dict)
    refs: dict[int, AssetRef] = field(default_factory=dict)
    types: dict[int, int | None] = field(default_factory=dict)
    rules: dict[int, TypeRules] = field(default_factory=dict)
    # Replaced, never changed: it is read in other threads.
    type_ids: frozenset[int | None] = frozenset()

    @classmethod
    def of(cls, found: Mapping[int | str, AssetRef], rules: Mapping[int, TypeRules]) -> Known:
        """Make it from assets by what was sent."""
        types = {ref.id: ref.type_id for ref in found.values()}
        return cls(
            {sent: ref.id for sent, ref in found.items()},
            {ref.id: ref for ref in found.values()},
            types,
            dict(rules),
            frozenset(types.values()),
        )

    def ref(self, sent: int | str) -> AssetRef | None:
        """Return the asset that was meant."""
        found = self.ids.get(sent)
        return None if found is None else self.refs[found]

    def add(self, other: Known) -> None:
        """Take in what ``other`` knows."""
        self.refs |= other.refs
        self.types |= other.types
        self.rules |= other.rules
        self.type_ids |= other.type_ids
        # Last, since whoever finds an id looks for the rest at once.
        self.ids |= other.ids


def check_columns(batch: Batch, known: Known, now: datetime) -> None:
    """Pass a batch of known assets that could be stored as it is.

    Raises:
        Invalid: it has no readings, one without values, a bad code, or a value or time out of bounds.
    """
    if not len(batch):
        raise Invalid("a batch has at least one reading")
    if int(batch.times.min()) < LEAST or int(batch.times.max()) > to_micros(now + AHEAD):
        raise _out_of_bounds("a time is before 2000 or more than 24 hours ahead")
    if not all(map(CODE.fullmatch, batch.values)):
        raise Invalid("a parameter has a bad code")
    _check_values(batch)
    if known.rules:
        _check_rules(batch, known, now)


def _check_values(batch: Batch) -> None:
    columns = list(batch.values.values())
    # Neither absent nor infinite ones, nearly always: one look at all of them.
    if columns and np.isfinite(np.concatenate(columns)).all():
        return
    absent = np.ones(len(batch), bool)
    for code, column in batch.values.items():
        if np.isinf(column).any():
            raise Invalid(f"a value of the parameter {code!r} is not finite")
        absent &= np.isnan(column)
    if absent.any():
        raise Invalid(f"reading {int(np.argmax(absent))} of the batch has no value")


def against_rules(row: Row, known: Known, now: int) -> Fault | None:
    """Return what the rules of its asset's type have against a reading; ``now`` in µs."""
    rules = known.rules.get(known.types[row.asset] or 0)
    if rules is None:
        return None
    if rules.retention is not None and row.time < now - rules.retention // MICROSECOND:
        return Fault("/timestamp", "out_of_bounds", TOO_OLD)
    if rules.codes is not None and (extra := row.values.keys() - rules.codes):
        code = min(extra)
        return Fault(f"/values/{code}", "unknown_parameter", f"the asset's type has no parameter {code!r}")
    return None


def are_good(rows: Sequence[Row], known: Known, now: datetime) -> bool:
    """Tell whether readings of known assets, with values and good codes, could be stored as they are."""
    micros = to_micros(now)
    for row in rows:
        # A sum is finite only if all that is in it is; one that overflows is for somebody else to look at.
        if not (LEAST <= row.time <= micros + MOST_AHEAD and isfinite(sum(row.values.values()))):
            return False
        if known.rules and against_rules(row, known, micros):
            return False
    return True


def _check_rules(batch: Batch, known: Known, now: datetime) -> None:
    """Hold columns to the same rules."""
    for type_id, rules in list(known.rules.items()):
        extra = batch.values.keys() - rules.codes if rules.codes is not None else set()
        earliest = to_micros(now) - rules.retention // MICROSECOND if rules.retention is not None else LEAST
        if not extra and int(batch.times.min()) >= earliest:
            continue
        concerned = np.isin(batch.assets, [pk for pk, found in list(known.types.items()) if found == type_id])
        if (batch.times[concerned] < earliest).any():
            raise _out_of_bounds(TOO_OLD)
        for code in sorted(extra):
            if not np.isnan(batch.values[code][concerned]).all():
                raise Invalid(f"the type of an asset has no parameter {code!r}")


def _out_of_bounds(detail: str) -> Invalid:
    return Invalid(detail, faults=[Fault("", "out_of_bounds", detail)])


def repeats(batches: Sequence[Batch]) -> int:
    """Count the readings whose asset and time came before among the batches."""
    assets = np.concatenate([batch.assets for batch in batches]) if batches else np.empty(0, np.int64)
    times = np.concatenate([batch.times for batch in batches]) if batches else assets
    order = np.lexsort((times, assets))
    assets, times = assets[order], times[order]
    return int(((assets[1:] == assets[:-1]) & (times[1:] == times[:-1])).sum())
