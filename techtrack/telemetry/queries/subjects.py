"""The assets that a question about readings speaks of: what is expected of them, where they stand, their units."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from techtrack.assets.models import AssetQuerySet, AssetType, Parameter
from techtrack.core.clock import MICROSECOND


@dataclass(frozen=True, slots=True)
class Subject:
    """An asset: ``expected`` is how often (µs) it or else its type is said to report, ``zone`` its site's time zone.

    ``declared`` is what its type says of parameters.
    """

    id: int
    key: str | None
    name: str
    zone: str | None
    expected: int | None
    declared: Sequence[Mapping[str, Any]] = ()


_FIELDS = ("pk", "key", "name", "site__timezone", "expected_interval", "type__expected_interval", "type__parameters")


def subjects(rows: AssetQuerySet) -> list[Subject]:
    """Read what questions need of the assets, in one query, by id."""
    return [
        Subject(pk, key, name, zone, _micros(own or of_type), declared or ())
        for pk, key, name, zone, own, of_type, declared in rows.order_by("pk").values_list(*_FIELDS)
    ]


def units(series: Iterable[tuple[Subject, str]]) -> dict[tuple[int, str], str]:
    """Return the unit of each series by asset and code; what its type says goes before what all types share."""
    own: dict[int, dict[str, str]] = {}
    found: dict[tuple[int, str], str | None] = {}
    for subject, code in series:
        if subject.id not in own:
            own[subject.id] = _declared(subject.declared)
        found[subject.id, code] = own[subject.id].get(code)
    # Where types say it all, there is nothing to ask.
    shared = _shared({code for (_, code), unit in found.items() if not unit})
    return {(asset, code): unit or shared.get(code, "") for (asset, code), unit in found.items()}


def units_of_types(type_ids: AbstractSet[int | None], codes: Collection[str]) -> dict[tuple[int | None, str], str]:
    """Return the unit of each code for each type, by the same rule."""
    known = [type_id for type_id in type_ids if type_id is not None]
    types = AssetType.objects.filter(pk__in=known).order_by().values_list("pk", "parameters") if known else ()
    own = {type_id: _declared(parameters) for type_id, parameters in types}
    shared = _shared(codes)
    nothing: dict[str, str] = {}
    return {(t, code): own.get(t or 0, nothing).get(code) or shared.get(code, "") for t in type_ids for code in codes}


def _declared(parameters: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(entry.get("code")): str(entry.get("unit") or "") for entry in parameters}


def _shared(codes: Collection[str]) -> dict[str, str]:
    rows = Parameter.objects.filter(code__in=codes).order_by().values_list("code", "unit") if codes else ()
    return dict(rows)


def _micros(interval: timedelta | None) -> int | None:
    return interval // MICROSECOND if interval else None
