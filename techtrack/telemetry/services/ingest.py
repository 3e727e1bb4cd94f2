"""The one way in for readings, whatever door they come through: check, then commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from prometheus_client import Counter

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets import queries as assets
from techtrack.core import events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Fault, Invalid, NotFound
from techtrack.core.reconnecting import leave_if_ended, reconnecting
from techtrack.telemetry.domain import packing
from techtrack.telemetry.domain.items import Document, Item, read_document
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.events import SegmentAppended
from techtrack.telemetry.services import learning
from techtrack.telemetry.services.checks import Known, against_rules, check_columns, repeats
from techtrack.telemetry.store.backlog import backlog
from techtrack.telemetry.store.base import Packed
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.segments import LANE

STORED = Counter("techtrack_readings_stored_total", "Readings that were committed")
REFUSED = Counter("techtrack_readings_refused_total", "Readings that were refused, by what was wrong", ["code"])


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: the position it took (0: nothing was stored) and what was not new or not good."""

    position: int
    accepted: int
    duplicates: int = 0
    faults: Sequence[Fault] = field(default_factory=tuple)


@dataclass(slots=True)
class Checked:
    """Readings that may be committed as they are, what is known of their assets, and the faults of those left out.

    ``rows`` come after the batches: a few, of which columns are made only together with those of others.
    """

    batches: Sequence[Batch]
    known: Known
    faults: Sequence[Fault] = ()
    rows: Sequence[Row] = ()

    def __len__(self) -> int:
        return sum(map(len, self.batches)) + len(self.rows)


class ForeignAsset(NotFound):
    """There is no such asset, or the caller may not write its readings."""


def ingest_document(
    *, data: Any, name: str, kind: str | None, by: Access, now: datetime, skip: bool = False
) -> Receipt:
    """Store the readings of a decoded body, which call their asset ``name``; raises as ``check_document`` does."""
    checked = check_document(data=data, name=name, kind=kind, by=by, now=now, skip=skip)
    return _committed(checked, Origin.LIVE, now)


def ingest_items(
    *, items: Mapping[str, Item], by: Access, now: datetime, skip: bool = False, kind: str | None = None
) -> Receipt:
    """Store readings keyed by their JSON pointers, all or, with ``skip``, the good ones; as ``check_document``."""
    return _committed(_check(Document(items, []), kind, by, now, skip=skip), Origin.LIVE, now)


def ingest(*, batch: Batch, by: Access, now: datetime, origin: Origin) -> Receipt:
    """Store a batch whose assets are known by id: imports, replays, doors that keep columns.

    Raises:
        Invalid: a value is not finite, a time or a code out of bounds; nothing was stored.
        ForeignAsset: the caller may not write readings of one of the assets.
    """
    known = know(refs=set(batch.assets.tolist()), by=by)
    for asset_id in sorted(set(batch.assets.tolist()) - known.refs.keys()):
        raise ForeignAsset(f"there is no asset {asset_id} whose readings you may enter")
    try:
        check_columns(batch, known, now)
    except Invalid as error:
        _count_refused(error.faults)
        raise
    return _committed(Checked([batch], known), origin, now)


def know(*, refs: Iterable[int | str], by: Access, beside: int = 0) -> Known:
    """Return what is to be known of the assets among ``refs`` whose readings the caller may enter.

    With ``beside`` of that many others of the caller's too, which it may name next.
    """
    found = assets.resolve(refs=refs, access=by, role=Role.OPERATOR)
    if beside:
        found |= assets.resolved(access=by, role=Role.OPERATOR, most=beside)
    rules = assets.type_rules(type_ids={ref.type_id for ref in found.values() if ref.type_id is not None})
    return Known.of(found, rules)


def check_document(*, data: Any, name: str, kind: str | None, by: Access, now: datetime, skip: bool = False) -> Checked:
    """Check the readings of a decoded body: all must be good, unless ``skip``: then the others come back as faults.

    Raises:
        Forbidden: the caller sees one of the assets and may not enter its readings.
        Invalid: the body has no readings, or a fault for each that cannot be stored.
    """
    document = read_document(data, names=(name,), now=now)
    if document.faults and not skip:
        _refuse(document, document.faults)
    return _check(document, kind, by, now, skip=skip)


def commit(*, groups: Sequence[Checked], now: datetime, origin: Origin = Origin.LIVE) -> int:
    """Commit checked readings in one transaction, in their order; return the position of the last segment.

    Raises:
        LogIsFull: nobody folds the log, and it has grown too long; nothing was stored.
    """
    backlog.refuse()
    # All that can be done without the lock is done before it is taken.
    batches = packing.joined(list(_batches(groups)))
    packed = [store.packed(batch) for batch in batches]
    pairs = learning.unseen((checked.batches, checked.rows, checked.known) for checked in groups)
    if len(packed) == 1 and not pairs and store.appends_at_once and not connection.in_atomic_block:
        # A statement is a transaction: no ways there and back for BEGIN and COMMIT, while others wait for the head.
        leave_if_ended()
        positions = [write(packed[0], Kind.READINGS, origin, now)]
    else:
        positions = _written(packed, pairs, origin, now)
    STORED.inc(sum(map(len, batches)))
    return positions[-1] if positions else 0


def _written(packed: Sequence[Packed], pairs: set[learning.Pair], origin: Origin, now: datetime) -> list[int]:
    positions: list[int] = []

    def write_all() -> None:
        positions.clear()
        with transaction.atomic():
            learning.learn(pairs, now)
            positions.extend(write(one, Kind.READINGS, origin, now) for one in packed)

    # Once the last is written COMMIT may have come through: nobody knows, and it must not be done twice.
    reconnecting(write_all, is_undone=lambda: len(positions) < len(packed))
    return positions


def _batches(groups: Iterable[Checked]) -> Iterator[Batch]:
    rows: list[Row] = []
    for checked in groups:
        if checked.batches and rows:
            yield from packing.packed(rows)
            rows = []
        yield from checked.batches
        rows += checked.rows
    yield from packing.packed(rows)


def write(batch: Batch | Packed, kind: Kind, origin: Origin, now: datetime) -> int:
    """Append to the log and tell it; inside a transaction as late as possible, or else alone."""
    position = store.append(batch, kind=kind, origin=origin, now=now)
    events.publish(SegmentAppended(lane=LANE, position=position))
    return position


def _committed(checked: Checked, origin: Origin, now: datetime) -> Receipt:
    position = commit(groups=[checked], now=now, origin=origin) if len(checked) else 0
    return Receipt(position, len(checked), repeats(checked.batches), checked.faults)


def _check(document: Document, kind: str | None, by: Access, now: datetime, *, skip: bool) -> Checked:
    known = know(refs={item.ref for item in document.items.values()}, by=by)
    rows, faults = _resolved(document.items, known, kind)
    if faults and not (skip and rows):
        _refuse_onlooker({item.ref for item in document.items.values()} - known.ids.keys(), by)
    bad = _against_rules(rows, known, now)
    faults += bad.values()
    if faults and not skip:
        _refuse(document, faults)
    good = [row for pointer, row in rows.items() if pointer not in bad]
    told = [document.located(fault) for fault in [*document.faults, *faults]]
    _count_refused(told)
    return Checked(packing.packed(good), known, told)


def _refuse(document: Document, faults: Sequence[Fault]) -> None:
    _count_refused(faults)
    detail = f"{len(faults)} of {len(document)} readings cannot be stored; nothing was"
    raise Invalid(detail, faults=[document.located(fault) for fault in faults[:100]])


def _count_refused(faults: Sequence[Fault]) -> None:
    for fault in faults:
        REFUSED.labels(fault.code).inc()


def _refuse_onlooker(refs: Iterable[int | str], by: Access) -> None:
    for seen in assets.resolve(refs=refs, access=by, role=Role.VIEWER).values():
        by.require(Role.OPERATOR, seen.site_id)


def _resolved(items: Mapping[str, Item], known: Known, kind: str | None) -> tuple[dict[str, Row], list[Fault]]:
    rows, faults = {}, []
    for pointer, item in items.items():
        ref = known.ref(item.ref)
        if ref is None or (kind and ref.kind != kind):
            detail = f"there is no {kind or 'asset'} {str(item.ref)[:80]!r} whose readings you may enter"
            faults.append(Fault(f"{pointer}/{kind or 'asset'}", "unknown_asset", detail))
        else:
            rows[pointer] = Row(ref.id, item.time, item.values)
    return rows, faults


def _against_rules(rows: Mapping[str, Row], known: Known, now: datetime) -> dict[str, Fault]:
    """Name, by the pointer of its item, each reading that its asset's type does not take."""
    faults, micros = {}, to_micros(now)
    for pointer, row in rows.items() if known.rules else ():
        if fault := against_rules(row, known, micros):
            faults[pointer] = replace(fault, pointer=f"{pointer}{fault.pointer}")
    return faults
