"""Every write of readings: one way in for all doors, corrections by people, removal with an asset."""

from __future__ import annotations

import hashlib
import json
import time as monotonic
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets import queries as assets
from techtrack.assets import services as asset_services
from techtrack.assets.events import WhatHolds
from techtrack.assets.models import Asset
from techtrack.assets.queries import AssetRef
from techtrack.core import events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict, Fault, Invalid, NotFound, Stale
from techtrack.telemetry import queries
from techtrack.telemetry.domain.items import AHEAD, CODE, EARLIEST, Item
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.events import SegmentAppended
from techtrack.telemetry.models import LogConsumer
from techtrack.telemetry.store.segments import LANE, store

MOST_READINGS = 100_000
_known_codes: set[tuple[int | None, str]] = set()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: the position it took (0: nothing was stored) and what was not new or not good."""

    position: int
    accepted: int
    duplicates: int = 0
    faults: Sequence[Fault] = field(default_factory=tuple)


class ForeignAsset(NotFound):
    """There is no such asset, or the caller may not write its readings."""


def ingest_items(
    *, items: Mapping[str, Item], by: Access, now: datetime, skip: bool = False, kinds: str | None = None
) -> Receipt:
    """Store readings sent by a door; ``items`` are keyed by their JSON pointers.

    All or nothing, unless ``skip``: then the good ones are stored and the others come back as faults.

    Raises:
        Forbidden: the caller sees one of the assets and may not enter its readings.
        Invalid: with a fault for each item that names an asset the caller knows nothing of.
    """
    found = assets.resolve(refs={item.ref for item in items.values()}, access=by, role=Role.OPERATOR)
    rows, faults = _resolved(items, found, kinds)
    if faults and not (skip and rows):
        _refuse_onlooker({item.ref for item in items.values()} - found.keys(), by)
    by_id = {ref.id: ref for ref in found.values()}
    undeclared = _undeclared(rows, by_id)
    rows = {pointer: row for pointer, row in rows.items() if pointer not in undeclared}
    faults += undeclared.values()
    if faults and not skip:
        raise Invalid(f"{len(faults)} of {len(items)} readings cannot be stored; nothing was", faults=faults[:100])
    if not rows:
        return Receipt(0, 0, 0, faults)
    batch = Batch.of(rows.values())
    receipt = _append(batch, by_id, Origin.LIVE, now)
    return Receipt(receipt.position, receipt.accepted, receipt.duplicates, faults)


def ingest(*, batch: Batch, by: Access, now: datetime, origin: Origin) -> Receipt:
    """Store a batch whose assets are known by id: imports, replays, doors that keep columns.

    Raises:
        Invalid: a value is not finite, a time or a code out of bounds; nothing was stored.
        ForeignAsset: the caller may not write readings of one of the assets.
    """
    ids = np.unique(batch.assets).tolist()
    found = assets.resolve(refs=ids, access=by, role=Role.OPERATOR)
    for asset_id in ids:
        if asset_id not in found:
            raise ForeignAsset(f"there is no asset {asset_id} whose readings you may enter")
    by_id = {ref.id: ref for ref in found.values()}
    _check_columns(batch, now)
    _check_declared(batch, by_id)
    return _append(batch, by_id, origin, now)


@transaction.atomic
def correct(*, asset: Asset, row: Row, kind: Kind, by: Access, expected: str | None, now: datetime) -> Row:
    """Replace (or with Kind.PATCH: merge into) a reading of ``asset``, so that no device undoes it.

    Raises:
        NotFound: there is no such reading.
        Stale: it is no longer as ``expected`` (its tag).
    """
    _locked(asset, row.time, by=by, expected=expected)
    _write(Batch.of([row]), kind, Origin.LIVE, now)
    corrected = queries.reading(asset_id=asset.pk, time=row.time)
    if corrected is None:
        raise NotFound("the reading is gone")
    return corrected


@transaction.atomic
def remove(*, asset: Asset, time: int, by: Access, expected: str | None, now: datetime) -> None:
    """Delete a reading; a device that re-sends it does not bring it back. Raises as ``correct`` does."""
    _locked(asset, time, by=by, expected=expected)
    batch = Batch(np.array([asset.pk], np.int64), np.array([time], np.int64), {})
    _write(batch, Kind.REMOVE, Origin.LIVE, now)


@transaction.atomic
def forget(*, asset_id: int) -> None:
    """Remove every reading of an asset for good."""
    store.forget(asset_id)


def advance(*, consumer: str, passed: int, to: int) -> None:
    """Move a consumer's cursor from ``passed`` to ``to``, inside the transaction of what it did with the log.

    Raises:
        Conflict: another reader of the same name moved it meanwhile; roll back and look again.
    """
    rows = LogConsumer.objects.filter(name=consumer, lane=LANE, position=passed)
    if not rows.update(position=to):
        raise Conflict(f"the consumer {consumer} is no longer at {passed}")


def begin(*, consumer: str) -> int:
    """Return where a consumer stands; a new one starts at the head of the log as it is now."""
    row, _ = LogConsumer.objects.get_or_create(name=consumer, lane=LANE, defaults={"position": store.head()})
    return row.position


def wait_until_consumed(*, consumer: str, position: int, seconds: float) -> bool:
    """Wait until ``consumer`` has passed ``position``, ``seconds`` at most; say whether it has."""
    deadline = monotonic.monotonic() + seconds
    while monotonic.monotonic() < deadline:
        if (queries.consumed(consumer) or 0) >= position:
            return True
        monotonic.sleep(0.005)
    return False


def tag(row: Row) -> str:
    """Return the strong entity tag of a reading: a hash of what it says."""
    said = json.dumps([row.asset, row.time, sorted(row.values.items())])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _locked(asset: Asset, time: int, *, by: Access, expected: str | None) -> Row:
    by.require(Role.ENGINEER, asset.site_id)
    # Two correctors of one reading queue here, so that the tag they compared stays true until they write.
    if Asset.objects.select_for_update().filter(pk=asset.pk).first() is None:
        raise NotFound("the asset is gone")
    row = queries.reading(asset_id=asset.pk, time=time)
    if row is None:
        raise NotFound("there is no such reading")
    if expected is not None and expected != tag(row):
        raise Stale("the reading was corrected by somebody else since you read it")
    return row


def _refuse_onlooker(refs: Iterable[int | str], by: Access) -> None:
    for seen in assets.resolve(refs=refs, access=by, role=Role.VIEWER).values():
        by.require(Role.OPERATOR, seen.site_id)


def _resolved(
    items: Mapping[str, Item], found: Mapping[int | str, AssetRef], kind: str | None
) -> tuple[dict[str, Row], list[Fault]]:
    rows, faults = {}, []
    for pointer, item in items.items():
        ref = found.get(item.ref)
        if ref is None or (kind and ref.kind != kind):
            detail = f"there is no {kind or 'asset'} {str(item.ref)[:80]!r} whose readings you may enter"
            faults.append(Fault(f"{pointer}/{kind or 'asset'}", "unknown_asset", detail))
        else:
            rows[pointer] = Row(ref.id, item.time, item.values)
    return rows, faults


def _strict_codes(refs: Mapping[int, AssetRef]) -> Mapping[int, frozenset[str]]:
    return assets.strict_codes(type_ids=[ref.type_id for ref in refs.values() if ref.type_id is not None])


def _undeclared(rows: Mapping[str, Row], refs: Mapping[int, AssetRef]) -> dict[str, Fault]:
    """Name, by the pointer of its item, each reading with a parameter that its asset's strict type does not have."""
    strict, faults = _strict_codes(refs), {}
    for pointer, row in rows.items() if strict else ():
        declared = strict.get(refs[row.asset].type_id or 0, row.values.keys())
        for code in sorted(row.values.keys() - declared)[:1]:
            detail = f"the asset's type has no parameter {code!r}"
            faults[pointer] = Fault(f"{pointer}/values/{code}", "unknown_parameter", detail)
    return faults


def _check_declared(batch: Batch, refs: Mapping[int, AssetRef]) -> None:
    strict = _strict_codes(refs)
    for asset_id, part in batch.by_asset() if strict else ():
        extra = part.values.keys() - strict.get(refs[asset_id].type_id or 0, part.values.keys())
        if extra:
            raise Invalid(f"the type of asset {asset_id} has no parameter {min(extra)!r}")


def _check_columns(batch: Batch, now: datetime) -> None:
    if not len(batch):
        raise Invalid("a batch has at least one reading")
    if batch.times.min() < to_micros(EARLIEST) or batch.times.max() > to_micros(now + AHEAD):
        raise Invalid("a time is before 2000 or more than 24 hours ahead")
    for code, column in batch.values.items():
        if not CODE.fullmatch(code) or np.isinf(column).any():
            raise Invalid(f"the parameter {code!r} has a bad code or a value that is not finite")
    present = np.zeros(len(batch), bool)
    for column in batch.values.values():
        present |= ~np.isnan(column)
    if not present.all():
        raise Invalid(f"reading {int(np.argmin(present))} of the batch has no value")


@transaction.atomic
def _append(batch: Batch, refs: Mapping[int, AssetRef], origin: Origin, now: datetime) -> Receipt:
    _learn(batch, refs, now)
    position = _write(batch, Kind.READINGS, origin, now)
    places = np.stack([batch.assets, batch.times])
    duplicates = len(batch) - np.unique(places, axis=1).shape[1] if len(batch) > 1 else 0
    return Receipt(position, len(batch), duplicates)


def _write(batch: Batch, kind: Kind, origin: Origin, now: datetime) -> int:
    position = store.append(batch, kind=kind, origin=origin, now=now)
    events.publish(SegmentAppended(lane=LANE, position=position))
    return position


def _learn(batch: Batch, refs: Mapping[int, AssetRef], now: datetime) -> None:
    """Register parameters seen for the first time; what this process has seen before costs nothing."""
    types = {ref.type_id for ref in refs.values()}
    new = {(type_id, code) for type_id in types for code in batch.values} - _known_codes
    if not new:
        return
    by_type: dict[int | None, set[str]] = {}
    for asset_id, part in batch.by_asset():
        type_id = refs[asset_id].type_id
        by_type.setdefault(type_id, set()).update(code for code in part.values if (type_id, code) in new)
    asset_services.learn_parameters(codes_by_type=by_type, now=now)
    seen = {(type_id, code) for type_id, codes in by_type.items() for code in codes}
    transaction.on_commit(lambda: _known_codes.update(seen))


def what_we_hold(question: WhatHolds) -> list[str]:
    """Answer what telemetry keeps of an asset, in words."""
    held = queries.count(question.asset_id)
    return [f"{held} readings"] if held else []
