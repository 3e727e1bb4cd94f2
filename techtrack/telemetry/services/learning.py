"""Parameters that readings bring for the first time are registered; what was seen a moment ago costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import numpy as np
from django.db import transaction

from techtrack.assets import services as assets
from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.services.checks import Known

Pair = tuple[int | None, str]
# Not longer: somebody may delete a parameter that its machine goes on sending, in any process.
REMEMBERED = 2.0
FEW = 64


class _Memory:
    """Pairs of type and code that were registered when this process last looked."""

    def __init__(self) -> None:
        self.pairs = frozenset[Pair]()
        self._until = 0.0

    def refresh(self) -> None:
        now = time.monotonic()
        if now >= self._until:
            self.pairs, self._until = frozenset(), now + REMEMBERED

    def add(self, seen: set[Pair]) -> None:
        self.pairs |= seen


_memory = _Memory()


def unseen(groups: Iterable[tuple[Sequence[Batch], Sequence[Row], Known]]) -> set[Pair]:
    """Return what is new in batches and rows, given with what is known of their assets; asks no database."""
    _memory.refresh()
    before, found, shapes = _memory.pairs, set[Pair](), set[tuple[int | None, tuple[str, ...]]]()
    for batches, rows, known in groups:
        for batch in batches:
            found |= _seen(batch, known, before)
        for row in rows:
            # Machines of a type send the same codes, all of them.
            shapes.add((known.types[row.asset], tuple(row.values)))
    return found | {(type_id, code) for type_id, codes in shapes for code in codes} - before


def learn(pairs: set[Pair], now: datetime) -> None:
    """Register types' parameters; inside a transaction."""
    if not pairs:
        return
    by_type: dict[int | None, set[str]] = {}
    for type_id, code in pairs:
        by_type.setdefault(type_id, set()).add(code)
    assets.learn_parameters(codes_by_type=by_type, now=now)
    transaction.on_commit(partial(_memory.add, pairs))


def _seen(batch: Batch, known: Known, before: frozenset[Pair]) -> set[Pair]:
    """Return the pairs that the batch has a value of, without those seen before."""
    types = known.type_ids
    if len(types) > 1 and len(batch) <= FEW:
        types = frozenset(known.types[asset] for asset in batch.assets.tolist())
    codes = [code for code in batch.values if any((type_id, code) not in before for type_id in types)]
    if not codes:
        return set()
    there = {code: ~np.isnan(batch.values[code]) for code in codes}
    if len(types) == 1:
        return {(type_id, code) for type_id in types for code in codes if there[code].any()}
    order = list(types)
    numbers = {type_id: number for number, type_id in enumerate(order)}
    places = np.fromiter((numbers[known.types[asset]] for asset in batch.assets.tolist()), np.int64, len(batch))
    counts = {code: np.bincount(places[there[code]], minlength=len(order)) for code in codes}
    return {(order[number], code) for code in codes for number in np.flatnonzero(counts[code])} - before
