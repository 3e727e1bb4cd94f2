"""Numbers of series, given out when a door first names one."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from techtrack.integrations.models import NumberedSeries
from techtrack.integrations.queries import Series, numbers, unnumbered


def number_series(series: Iterable[Series]) -> dict[Series, int]:
    """Return the number of each series; who has none gets the next, whoever asks first."""
    wanted = set(series)
    assets = {asset_id for asset_id, _ in wanted}
    known = numbers(assets) if assets else {}
    if missing := unnumbered(wanted, known):
        with transaction.atomic():
            rows = [NumberedSeries(asset_id=asset_id, code=code) for asset_id, code in missing]
            # Two may ask at once: the second one finds what the first has given.
            NumberedSeries.objects.bulk_create(rows, ignore_conflicts=True)
        known = numbers(assets)
    return {one: known[one] for one in wanted if one in known}
