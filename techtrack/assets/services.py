"""Every write to assets, their types and parameters, and to how assets are right now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction
from django.db.models import ProtectedError

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Site
from techtrack.assets import queries
from techtrack.assets.domain.units import OBVIOUS
from techtrack.assets.events import (
    AssetChanged,
    AssetDeleting,
    AssetMoving,
    AssetTypeChanged,
    AssetTypeMade,
    ParametersRegistered,
    WhatHolds,
)
from techtrack.assets.models import Asset, AssetState, AssetType, Health, Kind, Parameter
from techtrack.core import clock, events
from techtrack.core.errors import Conflict, Forbidden, Invalid
from techtrack.core.models import Head

TREE = "asset-tree"
SECOND = 1_000_000  # µs
_HEALTH = {None: Health.GOOD, "critical": Health.CRITICAL}


class AssetHasData(Conflict):
    """Deleting the asset would delete what is kept of it; its name confirms that this is meant."""

    code = "asset_has_data"


class InUse(Conflict):
    """Something else refers to it; change that first."""

    code = "in_use"


class BadParent(Invalid):
    """An asset cannot be a part of itself, however far down."""

    code = "circular_parent"


class Unchangeable(Invalid):
    """Readings are stored under it, so it stays what it is."""

    code = "unchangeable"


# -- Assets ---------------------------------------------------------------------------------------------------


@transaction.atomic
def create_asset(*, kind: Kind, by: Access, now: datetime, data: dict[str, Any]) -> Asset:
    """Create an asset from the columns in ``data``; ``type`` is a slug, unknown ones become types.

    Without ``site`` it stands at the caller's own site, if the caller is an engineer at exactly one.
    """
    values = data if "site" in data else data | {"site": queries.home_site(by)}
    if by.only_asset is not None:
        raise Forbidden("this key is bound to one asset")
    by.require(Role.ENGINEER, _pk(values["site"]))
    if "type" in values:
        values = values | {"type": _type_of(values["type"], now)}
    asset = Asset.objects.create(kind=kind, created_at=now, updated_at=now, **values)
    AssetState.objects.create(asset=asset)
    events.publish(AssetChanged(asset.pk))
    return asset


@transaction.atomic
def update_asset(*, asset: Asset, by: Access, changes: dict[str, Any], expected: int | None, now: datetime) -> Asset:
    """Write ``changes`` (as in ``create_asset``) if the asset still has version ``expected``.

    Raises:
        Forbidden: the caller is not an engineer where the asset stands, or where it is to stand.
        BadParent: the new parent is the asset itself or one of its parts.
        Conflict: something of it may not go where the asset is to stand.
        Stale: somebody else was faster.

    """
    by.require(Role.ENGINEER, asset.site_id)
    by.require(Role.ENGINEER, _pk(changes["site"]) if "site" in changes else asset.site_id)
    if changes.get("parent") is not None:
        _refuse_circle(asset, changes["parent"])
    if "type" in changes:
        changes = changes | {"type": _type_of(changes["type"], now)}
    if "site" in changes:
        _ask_to_move(asset, _pk(changes["site"]), by, now)
    before, site = (_place(asset), asset.expected_interval, asset.attributes), asset.site_id
    asset.change(expected=expected, now=now, **changes)
    # Said only then: whoever resolves scopes looks at every rule again, and names change far more often.
    moved, interval = _place(asset) != before[0], asset.expected_interval != before[1]
    attributes = _differing(before[2], asset.attributes)
    if moved or interval or attributes:
        left = None if asset.site_id == site else site or 0
        events.publish(AssetChanged(asset.pk, moved=moved, interval=interval, attributes=attributes, left=left))
    return asset


@transaction.atomic
def delete_asset(*, asset: Asset, by: Access, confirm: str | None, expected: int | None) -> None:
    """Delete the asset with all that is kept of it; ``confirm`` is its name where anything is.

    Raises:
        AssetHasData: something is kept of it, and ``confirm`` is not its name.
        InUse: other assets are parts of it.
        Stale: somebody else was faster.

    """
    by.require(Role.ENGINEER, asset.site_id)
    held = events.ask(WhatHolds(asset.pk))
    if held and confirm != asset.name:
        raise AssetHasData(
            f"{', '.join(held)} would be deleted with {asset.name!r}: repeat with ?confirm=<its name> if that is "
            "meant, or set its status to retired"
        )
    pk = asset.pk
    # Live events are numbered at the end: those who write of the asset, and are waited for here, number theirs too.
    with events.at_once():
        events.publish(AssetDeleting(pk))
        accounts.revoke_keys_of_asset(asset_id=pk)
        # What others have written of it by now goes with it; who comes later learns that it is gone.
        asset.hold()
        try:
            asset.remove(expected=expected)
        except ProtectedError as error:
            raise InUse(f"other assets are parts of {asset.name!r}: move or delete them first") from error
        events.publish(AssetChanged(pk))


def _type_of(slug: str | None, now: datetime) -> AssetType | None:
    if slug is None:
        return None
    name = slug.replace("-", " ").replace("_", " ").title().strip() or slug
    found, _ = AssetType.objects.get_or_create(slug=slug, defaults={"name": name, "created_at": now, "updated_at": now})
    return found


def _refuse_circle(asset: Asset, parent: Asset) -> None:
    # Two moves at once could close a circle that neither sees: they take turns, until commit.
    Head.take(TREE)
    above: int | None = parent.pk
    while above is not None:
        if above == asset.pk:
            raise BadParent("an asset cannot be a part of itself", pointer="/parent")
        above = Asset.objects.filter(pk=above).values_list("parent_id", flat=True).first()


def _ask_to_move(asset: Asset, site_id: int | None, by: Access, now: datetime) -> None:
    # Where it stands now, which may be elsewhere than when it was read.
    rows = Asset.objects.select_for_update(no_key=True).filter(pk=asset.pk)
    if any(stands != site_id for stands in rows.values_list("site_id", flat=True)):
        events.publish(AssetMoving(asset.pk, site_id, by, now))


def _place(asset: Asset) -> tuple[Any, ...]:
    return asset.kind, asset.site_id, asset.type_id, asset.tags


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Name the attributes that are not as they were; 1 and true are not the same."""
    names = before.keys() | after.keys()
    return frozenset(name for name in names if _form(before, name) != _form(after, name))


def _form(attributes: Mapping[str, Any], name: str) -> str | None:
    return json.dumps(attributes[name], sort_keys=True) if name in attributes else None


def _pk(site: Site | None) -> int | None:
    return None if site is None else site.pk


# -- Types and parameters -------------------------------------------------------------------------------------


@transaction.atomic
def create_asset_type(*, by: Access, now: datetime, data: dict[str, Any], pack: str | None = None) -> AssetType:
    """Create a type; the parameters it lists are registered as well.

    What ``data`` does not say is taken from the ``pack``, whose rules are made in the same transaction.

    Raises:
        UnknownKind: there is no such pack.

    """
    _require_for_all(by)
    columns = ({} if pack is None else queries.pack(pack).columns()) | data
    # First, as readings do that bring codes: who follows what is declared is waited for last.
    _register(columns.get("parameters", ()), now)
    created = AssetType.objects.create(created_at=now, updated_at=now, **columns)
    events.publish(ParametersRegistered())
    events.publish(AssetTypeMade(type_id=created.pk, pack=pack, by=by, at=now))
    return created


@transaction.atomic
def update_asset_type(
    *, asset_type: AssetType, by: Access, changes: dict[str, Any], expected: int | None, now: datetime
) -> AssetType:
    """Write ``changes`` if the type still has version ``expected``."""
    _require_for_all(by)
    before = asset_type.expected_interval
    # First, as above.
    _register(changes.get("parameters", asset_type.parameters), now)
    asset_type.change(expected=expected, now=now, **changes)
    if "parameters" in changes:
        events.publish(ParametersRegistered())
    if asset_type.expected_interval != before:
        events.publish(AssetTypeChanged(asset_type.pk))
    return asset_type


@transaction.atomic
def delete_asset_type(*, asset_type: AssetType, by: Access, expected: int | None) -> None:
    """Delete a type that nothing names.

    Raises:
        InUse: an asset, or something on a higher rung, names it.

    """
    _require_for_all(by)
    try:
        asset_type.remove(expected=expected)
    except ProtectedError as error:
        namers = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
        detail = f"{' and '.join(namers)} name the type {asset_type.slug!r}: give them another one first"
        raise InUse(detail) from error


@transaction.atomic
def create_parameter(*, by: Access, now: datetime, data: dict[str, Any]) -> Parameter:
    """Register a parameter by hand; readings with an unknown code do so by themselves."""
    _require_for_all(by)
    return Parameter.objects.create(created_at=now, updated_at=now, **data)


@transaction.atomic
def update_parameter(
    *, parameter: Parameter, by: Access, changes: dict[str, Any], expected: int | None, now: datetime
) -> Parameter:
    """Write ``changes`` if the parameter still has version ``expected``.

    Raises:
        Unchangeable: its code would change.

    """
    _require_for_all(by)
    if changes.get("code", parameter.code) != parameter.code:
        raise Unchangeable("readings are stored under the code, so it cannot change", pointer="/code")
    return parameter.change(expected=expected, now=now, **changes)


@transaction.atomic
def delete_parameter(*, parameter: Parameter, by: Access, expected: int | None) -> None:
    """Delete a parameter that no type lists.

    Raises:
        InUse: a type lists it.

    """
    _require_for_all(by)
    for slug, listed in AssetType.objects.values_list("slug", "parameters"):
        if parameter.code in _codes(listed):
            raise InUse(f"the type {slug!r} lists {parameter.code!r}: take it out there first")
    parameter.remove(expected=expected)


def _require_for_all(by: Access) -> None:
    if by.only_asset is not None:
        raise Forbidden("this key is bound to one asset")
    by.require(Role.ENGINEER, None)


def _codes(listed: Iterable[dict[str, Any]]) -> set[str]:
    return {entry["code"] for entry in listed}


def _register(listed: Iterable[dict[str, Any]], now: datetime) -> None:
    # In the order of codes, so that two who register the same ones wait for, and do not deadlock, each other.
    rows = [
        Parameter(
            code=entry["code"],
            name=entry.get("label") or "",
            unit=entry.get("unit") or "",
            created_at=now,
            updated_at=now,
        )
        for entry in sorted(listed, key=lambda entry: entry["code"])
    ]
    Parameter.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def register_units(*, units: Mapping[str, str], now: datetime) -> None:
    """Register parameters by code, each with its unit; one that is registered keeps what it has."""
    _register([{"code": code, "unit": unit} for code, unit in units.items()], now)
    events.publish(ParametersRegistered())


# -- What readings and alerts tell of an asset ----------------------------------------------------------------


def learn_parameters(*, codes_by_type: dict[int | None, set[str]], now: datetime) -> None:
    """Register the codes that readings brought, and list them in the types of their assets, strict ones excepted.

    None stands for assets without type. One query where nothing is new; a second one if any asset has no type.
    """
    lists = {
        pk: _codes(listed)
        for pk, listed, strict in AssetType.objects.filter(
            pk__in=[pk for pk in codes_by_type if pk is not None]
        ).values_list("pk", "parameters", "strict")
        if not strict
    }
    new = {pk: codes - lists[pk] for pk, codes in codes_by_type.items() if pk in lists and codes - lists[pk]}
    loose = codes_by_type.get(None, set())
    if loose:
        loose = loose.difference(Parameter.objects.filter(code__in=loose).values_list("code", flat=True))
    if new or loose:
        _learn(new, loose, now)


@transaction.atomic
def _learn(new: dict[int, set[str]], loose: set[str], now: datetime) -> None:
    _register([{"code": code, "unit": OBVIOUS.get(code, "")} for code in loose.union(*new.values())], now)
    # Locked in order: who learns at the same time waits here, and then sees what the other one added.
    for asset_type in AssetType.objects.select_for_update().filter(pk__in=new).order_by("pk"):
        missing = sorted(new[asset_type.pk] - _codes(asset_type.parameters))
        if missing:
            added = [{"code": code, "unit": "", "minimum": None, "maximum": None, "label": ""} for code in missing]
            asset_type.change(expected=None, now=now, parameters=[*asset_type.parameters, *added])
    # Behind all types: who changes one waits for its followers while it holds the type.
    events.publish(ParametersRegistered())


def mark_seen(*, newest: Mapping[int, int], ahead: Mapping[int, int] = MappingProxyType({})) -> None:
    """Move ``last_seen`` of assets forward to these event times (µs); unknown ids are passed over.

    ``ahead`` says by how much (µs) the clocks of some are ahead; all others' are right. Health that was unknown is
    good from then on; what alerts have said of it stays.
    One statement per 10,000 assets.
    """
    items = [
        (asset_id, micros, ahead.get(asset_id, 0) // SECOND or None) for asset_id, micros in sorted(newest.items())
    ]
    for start in range(0, len(items), queries.AT_ONCE):
        _mark_seen(items[start : start + queries.AT_ONCE])


def _mark_seen(items: list[tuple[int, int, int | None]]) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    moments = [(asset_id, adapt(clock.from_micros(micros)), ahead) for asset_id, micros, ahead in items]
    rows = ", ".join(["(%s, %s, CAST(%s AS integer))"] * len(moments))
    # In the order of ids, so that two statements at once do not deadlock; rows that stay as they are are not written.
    # WHERE TRUE tells SQLite that ON CONFLICT is no join condition.
    statement = f"""
        WITH seen (asset_id, at, ahead) AS (VALUES {rows})
        INSERT INTO assets_assetstate (asset_id, health, last_seen, clock_ahead)
        SELECT asset.id, '{Health.GOOD}', seen.at, seen.ahead
        FROM seen JOIN assets_asset asset ON asset.id = seen.asset_id
        WHERE TRUE ORDER BY asset.id
        ON CONFLICT (asset_id) DO UPDATE SET last_seen = excluded.last_seen,
            clock_ahead = excluded.clock_ahead,
            health = COALESCE(NULLIF(assets_assetstate.health, '{Health.UNKNOWN}'), excluded.health)
        WHERE assets_assetstate.last_seen IS NULL OR assets_assetstate.last_seen < excluded.last_seen
    """  # noqa: S608 - made of placeholders and names that are ours
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for moment in moments for value in moment])


def set_health(*, asset_id: int, worst: str | None) -> None:
    """Write what the worst open alert (a severity, or None) says of the asset; an unknown id is passed over."""
    health = _HEALTH.get(worst, Health.WARNING)
    AssetState.objects.filter(pk=asset_id).exclude(health=health).update(health=health)
