"""What rules take from assets beside readings: attributes, intervals, and the units of the pollutants of an index."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models.functions import Coalesce

from techtrack.airquality.units import Amount, Reference
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.events import ReferencesAsked
from techtrack.assets.models import Asset
from techtrack.core import events
from techtrack.core.clock import MICROSECOND
from techtrack.telemetry import queries as telemetry


def circumstances_of(
    assets: Collection[int] | None = None, *, pollutants: Collection[str] = ()
) -> dict[int, Circumstances]:
    """Return the circumstances of assets by id, of all unless said; units are those of ``pollutants``."""
    interval = Coalesce("expected_interval", "type__expected_interval")
    rows = Asset.objects.all() if assets is None else Asset.objects.filter(pk__in=assets)
    told = list(rows.order_by().values_list("pk", "type_id", "attributes", interval))
    airs = _Airs({type_id for _, type_id, _, _ in told}, assets, pollutants)
    return {
        pk: Circumstances(attributes, every // MICROSECOND if every else None, airs.of(pk, type_id))
        for pk, type_id, attributes, every in told
    }


class _Airs:
    """Units of pollutants by type, and the state of the air that masses of a sensor are meant at; one for all alike."""

    def __init__(self, types: set[int | None], assets: Collection[int] | None, pollutants: Collection[str]) -> None:
        self._pollutants = pollutants
        self._units = telemetry.units_of_types(types, pollutants) if pollutants else {}
        self._references: dict[int, Reference] = dict(events.ask(ReferencesAsked(assets)) if pollutants else ())
        self._made: dict[tuple[int | None, Reference | None], Mapping[str, Amount]] = {}

    def of(self, asset: int, type_id: int | None) -> Mapping[str, Amount]:
        key = type_id, self._references.get(asset)
        if key not in self._made:
            self._made[key] = {code: Amount(self._units[type_id, code], key[1]) for code in self._pollutants}
        return self._made[key]
