"""Writes of who is on call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.zones import check_zone
from techtrack.core.errors import Conflict, Invalid
from techtrack.notifications.models import Rota, Route
from techtrack.notifications.services.permissions import require_engineer
from techtrack.notifications.services.routes import check_people


class RotaInUse(Conflict):
    """Routes tell whoever is on call in it."""

    code = "rota_in_use"


@transaction.atomic
def create_rota(*, by: Access, data: Mapping[str, Any], now: datetime) -> Rota:
    """Create a rota from its columns; an engineer at its site may.

    Raises:
        UnknownPerson: it names somebody whom the caller does not know.
        Invalid: its values contradict one another.
    """
    require_engineer(by, data.get("site"))
    _check(by, data, held=set())
    return Rota.objects.create(**data, created_at=now, updated_at=now)


@transaction.atomic
def update_rota(*, rota: Rota, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Rota:
    """Change a rota; an engineer at its old and new site may. Raises as ``create_rota`` does."""
    require_engineer(by, rota.site, changes.get("site", rota.site))
    _check(by, changes, held={*rota.people, *(row["person"] for row in rota.overrides)})
    return rota.change(expected=expected, now=now, **changes)


@transaction.atomic
def delete_rota(*, rota: Rota, by: Access, expected: int | None) -> None:
    """Delete a rota that no route needs.

    Raises:
        RotaInUse: the detail names a route that does.
    """
    require_engineer(by, rota.site)
    for route in Route.objects.order_by("pk"):
        if rota.pk in route.rotas or any(rota.pk in row.get("rotas", []) for row in route.escalation):
            raise RotaInUse(f"the route {route.name!r} tells whoever is on call here: take the rota out of it first")
    rota.remove(expected=expected)


def _check(by: Access, data: Mapping[str, Any], *, held: set[int]) -> None:
    if "timezone" in data:
        check_zone(data["timezone"], pointer="/timezone")
    check_people(by, data.get("people", []), held=held, pointer="/people")
    for number, row in enumerate(data.get("overrides", [])):
        check_people(by, [row["person"]], held=held, pointer=f"/overrides/{number}/person")
        if datetime.fromisoformat(row["to"]) <= datetime.fromisoformat(row["from"]):
            raise Invalid("this is not after its beginning", pointer=f"/overrides/{number}/to")
