"""Of which place a question asks: of an asset, of a site, or of all that the caller may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework.request import Request

from techtrack.accounts.domain.zones import check_zone
from techtrack.accounts.models import Site
from techtrack.assets.models import Asset, Kind
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.core.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Place:
    """What is asked of, and on whose clock days begin there."""

    asset_id: int | None
    site_id: int | None
    zone: ZoneInfo


def asked_place(request: Request) -> Place:
    """Read ``equipment``, ``sensor``, ``site`` and ``timezone`` of a query.

    Raises:
        Invalid: an id is none, two are asked of at once, or there is no such time zone.
        NotFound: there is no such thing, or the caller may not see it.
    """
    asset, site = _asset(request), _site(request)
    where = site or (asset.site if asset else None)
    name = request.query_params.get("timezone") or (where.timezone if where else "UTC")
    check_zone(name, pointer="?timezone")
    return Place(asset.pk if asset else None, site.pk if site else None, ZoneInfo(name))


def _asset(request: Request) -> Asset | None:
    if {kind.value for kind in Kind} <= request.query_params.keys():
        raise Invalid("ask of equipment or of a sensor, not of both", pointer=f"?{Kind.SENSOR.value}")
    for kind in Kind:
        number = _number(request, kind.value)
        if number is not None:
            access: Any = request.auth
            rows = Asset.objects.visible_to(access).select_related("site")
            found = rows.filter(pk=number, kind=kind).first()
            if found is None:
                raise NotFound(f"there is no such {kind.label.lower()}")
            return found
    return None


def _site(request: Request) -> Site | None:
    number = _number(request, "site")
    if number is None:
        return None
    access: Any = request.auth
    found: Site | None = Site.objects.visible_to(access).filter(pk=number).first()
    if found is None:
        raise NotFound("there is no such site")
    return found


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(BIGGEST_ID))):
        raise Invalid(f"{name} is an id: a whole number", pointer=f"?{name}")
    return min(int(text), BIGGEST_ID)
