"""Several correctors count in one reading; each correction must see the one before, or the count is too small."""

from __future__ import annotations

from itertools import pairwise

from techtrack.accounts.domain.access import internal
from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros
from techtrack.core.errors import Stale
from techtrack.telemetry import queries
from techtrack.telemetry.domain.reading import Kind, Row
from techtrack.telemetry.models import Correction
from techtrack.telemetry.services import corrections
from tests import factories
from tests.campaigns.plan import START

# Of other assets than those that the plan writes.
KEY = "counted"


def begin() -> None:
    """Make the asset and its reading, which says 0."""
    asset = factories.make_equipment(pk=1000, key=KEY)
    factories.make_reading(asset, at=from_micros(START), count=0.0)


def count() -> bool:
    """Read, and correct to one more; says whether nobody else was faster."""
    asset = Asset.objects.get(key=KEY)
    seen = queries.reading(asset_id=asset.pk, time=START)
    assert seen is not None
    row = Row(asset.pk, START, {"count": seen.values["count"] + 1})
    tag = corrections.tag(seen)
    try:
        corrections.correct(asset=asset, row=row, kind=Kind.PATCH, by=internal(), expected=tag, now=factories.NOW)
    except Stale:
        return False
    return True


def miscounts(acknowledged: int) -> list[str]:
    """Name what is wrong after so many corrections."""
    found = []
    seen = queries.reading(asset_id=Asset.objects.get(key=KEY).pk, time=START)
    if seen is None or seen.values != {"count": acknowledged}:
        found.append(f"{acknowledged} corrections counted to {seen}")
    rows = Correction.objects.order_by("position").values_list("before", "after")
    for (_, after), (before, _) in pairwise(rows):
        if before != after:
            found.append(f"a correction of {before} came after one to {after}")
    return found
