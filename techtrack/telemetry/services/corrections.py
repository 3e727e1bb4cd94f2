"""What people do to readings that are there: replace, merge, remove, mark, forget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isnan

import numpy as np
from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets import queries as assets
from techtrack.assets.events import WhatHolds
from techtrack.assets.models import Asset
from techtrack.core import events
from techtrack.core.auditing import Changed
from techtrack.core.clock import from_micros, isoformat
from techtrack.core.errors import Conflict, Invalid, NotFound, Stale
from techtrack.telemetry import queries
from techtrack.telemetry.domain.items import Item
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.events import SegmentAppended
from techtrack.telemetry.models import Correction, QualityMark
from techtrack.telemetry.queries import Found
from techtrack.telemetry.services.ingest import Receipt, ingest_items, write
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.segments import LANE


class AlreadyCorrected(Conflict):
    """An engineer has corrected or removed the reading of this time, and what is entered now would not count."""

    code = "reading_corrected"


@dataclass(frozen=True, slots=True)
class Saying:
    """What an engineer says of a stretch, start <= time < end (µs); of all parameters where ``code`` is None."""

    code: str | None
    span: Span
    quality: Quality
    reason: str


def enter(*, item: Item, by: Access, now: datetime, kind: str) -> Receipt:
    """Store one reading that a person or a device enters.

    Raises:
        AlreadyCorrected: a person would change what an engineer corrected; nothing was stored. A device that sends
            again what it has measured is not refused: its readings are taken, and change nothing there.
    """
    ref = None
    if by.scope is None:
        ref = assets.resolve(refs=[item.ref], access=by, role=Role.OPERATOR).get(item.ref)
    if ref is not None:
        _refuse_corrected(asset_id=ref.id, time=item.time, values=item.values)
    return ingest_items(items={"": item}, by=by, now=now, kind=kind)


@transaction.atomic
def correct(*, asset: Asset, row: Row, kind: Kind, by: Access, expected: str | None, now: datetime) -> Found:
    """Replace (or with Kind.PATCH: merge into) a reading of ``asset``, so that no device undoes it.

    A patch takes the values away that are NaN.

    Raises:
        Invalid: that would be all of them.
        NotFound: there is no such reading.
        Stale: it is no longer as ``expected`` (its tag).
    """
    before = _locked(asset, row.time, by=by, expected=expected)
    if kind is Kind.PATCH and any(map(isnan, row.values.values())):
        row, kind = _without(before, row), Kind.REPLACE
    position = write(Batch.of([row]), kind, Origin.LIVE, now)
    corrected = queries.reading(asset_id=asset.pk, time=row.time)
    if corrected is None:
        raise NotFound("the reading is gone")
    _record(before, corrected.values, position, by=by, now=now)
    return corrected


@transaction.atomic
def remove(*, asset: Asset, time: int, by: Access, expected: str | None, now: datetime) -> None:
    """Delete a reading; a device that re-sends it does not bring it back. Raises as ``correct`` does."""
    before = _locked(asset, time, by=by, expected=expected)
    batch = Batch(np.array([asset.pk], np.int64), np.array([time], np.int64), {})
    _record(before, None, write(batch, Kind.REMOVE, Origin.LIVE, now), by=by, now=now)


@transaction.atomic
def mark_quality(*, asset: Asset, said: Saying, by: Access, now: datetime) -> tuple[QualityMark, bool]:
    """Mark a stretch of an asset's values; return the mark and whether it is new.

    Where the last word on that very stretch is the same already, nothing is written.
    """
    by.require(Role.ENGINEER, asset.site_id)
    _lock(asset)
    start, end = said.span
    last = queries.marks(asset_id=asset.pk, start=start, end=end).filter(flag="").first()
    if last is not None and _says(last, said):
        return last, False
    mark = Mark(asset.pk, said.code, start, end, said.quality)
    [position] = store.mark([mark], now=now)
    rows = QualityMark.objects.filter(asset_id=asset.pk, position=position)
    rows.update(reason=said.reason, by_id=by.user_id or None)
    events.publish(SegmentAppended(lane=LANE, position=position))
    events.publish(_told(asset, said, position))
    return rows.get(), True


@transaction.atomic
def forget(*, asset_id: int, now: datetime) -> None:
    """Remove every reading of an asset for good, and what was said of them."""
    # The asset before the head of the log, as correctors take them. Not its key: the judge, which names it in rows
    # that go as well, would wait for it.
    Asset.objects.select_for_update(no_key=True).filter(pk=asset_id).first()
    Correction.objects.filter(asset_id=asset_id).delete()
    store.forget(asset_id, now=now)


def tag(row: Found) -> str:
    """Return the strong entity tag of a reading: a hash of what it says."""
    said = json.dumps([row.asset, row.time, sorted(row.values.items()), sorted(row.quality.items())])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def what_we_hold(question: WhatHolds) -> list[str]:
    """Answer what telemetry keeps of an asset, in words."""
    held = queries.count(question.asset_id)
    return [f"{held} readings"] if held else []


def _told(asset: Asset, said: Saying, position: int) -> Changed:
    """Tell the audit log what was said of which stretch, and why."""
    about = {
        "asset": asset.pk,
        "parameter": said.code,
        "from": isoformat(from_micros(said.span[0])),
        "to": isoformat(from_micros(said.span[1])),
        "quality": said.quality.name.lower(),
        "reason": said.reason,
    }
    return Changed("created", "quality-mark", f"{asset.pk}-{position}", asset.site_id, None, {}, about)


def _refuse_corrected(*, asset_id: int, time: int, values: Mapping[str, float]) -> None:
    if queries.corrected_at(asset_id=asset_id, time=time) is None:
        return
    row = queries.reading(asset_id=asset_id, time=time)
    if row is None:
        raise AlreadyCorrected("an engineer removed the reading of this time; nothing was stored")
    for code, value in values.items():
        if row.values.get(code) != value:
            raise AlreadyCorrected(
                f"an engineer corrected the reading of this time, and its {code} differs from what you enter; "
                "nothing was stored"
            )


def _locked(asset: Asset, time: int, *, by: Access, expected: str | None) -> Found:
    by.require(Role.ENGINEER, asset.site_id)
    _lock(asset)
    row = queries.reading(asset_id=asset.pk, time=time)
    if row is None:
        raise NotFound("there is no such reading")
    if expected is not None and expected != tag(row):
        raise Stale("the reading was corrected by somebody else since you read it")
    return row


def _without(before: Found, patch: Row) -> Row:
    """Return the whole reading without what a patch takes away: of what is there under the lock, not of what was."""
    values = {code: value for code, value in {**before.values, **patch.values}.items() if not isnan(value)}
    if not values:
        raise Invalid("a reading keeps at least one value; DELETE removes it", pointer="/values")
    return patch._replace(values=values)


def _lock(asset: Asset) -> None:
    # Two correctors of one asset queue here, so that the tag they compared stays true until they write.
    if Asset.objects.select_for_update().filter(pk=asset.pk).first() is None:
        raise NotFound("the asset is gone")


def _record(before: Found, after: Mapping[str, float] | None, position: int, *, by: Access, now: datetime) -> None:
    Correction.objects.create(
        asset_id=before.asset,
        position=position,
        time=before.time,
        before=dict(before.values),
        after=None if after is None else dict(after),
        by_id=by.user_id or None,
        created_at=now,
    )


def _says(mark: QualityMark, said: Saying) -> bool:
    told = (mark.code or None, (mark.start_at, mark.end_at), mark.quality, mark.reason)
    return told == (said.code, said.span, said.quality, said.reason)
