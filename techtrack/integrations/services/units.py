"""Writes of units that push by their own firmware: to which sensor each is bound, and whether it needs a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.domain.addresses import normal_networks
from techtrack.accounts.services import require_recent
from techtrack.assets import services as assets
from techtrack.assets.events import AssetMoving
from techtrack.assets.models import Asset
from techtrack.core.errors import Conflict, Forbidden, Invalid
from techtrack.core.models import Head
from techtrack.integrations.domain.settings import check_settings
from techtrack.integrations.models import Door, PushUnit

# As firmwares make them of the numbers of chips.
UNIT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
PIN = re.compile(r"[A-Za-z0-9-]{0,10}")
# What lets readings in, and whose.
BINDING = ("door", "unit_id", "pin", "sensor")
DECISIVE = (*BINDING, "anonymous", "allowed_addresses")
# How often they send as they come from the shop.
SENT_EVERY = {Door.SENSOR_COMMUNITY: timedelta(seconds=145), Door.AIRGRADIENT: timedelta(seconds=60)}
_HEAD = "push-units"


class NotByKey(Forbidden):
    """A door without a key is opened by people only: a leaked key must not breed."""

    code = "not_by_key"


class UnitTaken(Conflict):
    """The unit is bound at another site, where the caller is no engineer: whose it is, is said there."""

    code = "unit_taken"


class UnitWithoutKey(Conflict):
    """The sensor's unit needs no key, and nobody has let it in where the sensor is to stand."""

    code = "unit_without_key"


@transaction.atomic
def create_push_unit(*, by: Access, data: Mapping[str, Any], now: datetime) -> PushUnit:
    """Bind a unit to a sensor; an engineer at the sensor's site may, an administrator there also without a key.

    A sensor of which nobody has said how often it sends is said to send as often as the unit does.

    Raises:
        Forbidden: ``by`` is neither.
        Invalid: the id, the pin, a network or a setting is none.
        NotFound: the sensor is gone.
        UnitTaken: another part of the unit is bound where ``by`` is no engineer.
    """
    fields = _checked(dict(data))
    _hold(fields["sensor"])
    _authorise(by, fields["sensor"].site_id, anonymous=fields.get("anonymous", False), now=now)
    _refuse_taken(by, fields["door"], fields["unit_id"])
    _declare(fields["sensor"], fields["door"], by=by, now=now)
    return PushUnit.objects.create(**fields, created_at=now, updated_at=now)


@transaction.atomic
def update_push_unit(
    *, unit: PushUnit, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> PushUnit:
    """Change a binding, as whoever may make the one that was and the one that is to be; raises as above."""
    _hold(unit.sensor, changes.get("sensor", unit.sensor))
    # Somebody else may have let it in, or bound it elsewhere, since it was read.
    unit.hold()
    unit.refresh_from_db()
    whole = {name: changes.get(name, getattr(unit, name)) for name in (*DECISIVE, "settings")}
    fields = _checked(whole)
    decisive = any(fields[name] != getattr(unit, name) for name in DECISIVE)
    # Of a unit that needs no key all but its settings is for administrators, also to close it to somebody's harm.
    for anonymous, site_id in ((unit.anonymous, unit.sensor.site_id), (fields["anonymous"], fields["sensor"].site_id)):
        _authorise(by, site_id, anonymous=anonymous and decisive, now=now)
    if any(fields[name] != getattr(unit, name) for name in BINDING):
        _refuse_taken(by, fields["door"], fields["unit_id"])
        _declare(fields["sensor"], fields["door"], by=by, now=now)
    return unit.change(expected=expected, now=now, **{name: fields[name] for name in changes})


@transaction.atomic
def delete_push_unit(*, unit: PushUnit, by: Access, expected: int | None) -> None:
    """Let a unit go; its readings stay its sensor's."""
    by.require(Role.ENGINEER, unit.sensor.site_id)
    unit.remove(expected=expected)


def follow_move(fact: AssetMoving) -> None:
    """Let the units of a sensor follow it to another site as whoever moves it may bind them there.

    Raises:
        UnitWithoutKey: one needs no key, and an administrator there, not a key, must say so.
        UnitTaken: another part of one is bound where the mover is no engineer.
    """
    Head.hold(_HEAD)
    units = list(PushUnit.objects.filter(sensor=fact.asset_id))
    anonymous = next((unit for unit in units if unit.anonymous), None)
    if anonymous is not None:
        if fact.by.scope is not None or not fact.by.allows(Role.ADMIN, fact.site_id):
            raise UnitWithoutKey(
                f"{anonymous} brings its readings without a key, which an administrator of the new site must allow: "
                "let it need one first, or let such a person move the sensor"
            )
        require_recent(by=fact.by, now=fact.at)
    for door, unit_id in {(unit.door, unit.unit_id) for unit in units}:
        _refuse_taken(fact.by, door, unit_id)


def _hold(*sensors: Asset) -> None:
    """Let nobody move these sensors, nor bind units, before this transaction ends; read anew where they stand."""
    # Sensors in the order of ids and then the head, as whoever moves or deletes one locks them.
    for sensor in sorted(sensors, key=lambda sensor: sensor.pk):
        sensor.hold()
        sensor.refresh_from_db(fields=["site"])
    # Two who bind parts of a new unit at once find no row that they could lock; units are bound by hand, one at a time.
    Head.hold(_HEAD)


def _authorise(by: Access, site_id: int | None, *, anonymous: bool, now: datetime) -> None:
    by.require(Role.ADMIN if anonymous else Role.ENGINEER, site_id)
    if anonymous:
        if by.scope is not None:
            raise NotByKey("a unit without a key is let in by people, not by keys")
        require_recent(by=by, now=now)


def _refuse_taken(by: Access, door: str, unit_id: str) -> None:
    """Let only engineers at the sites of all its parts bind one more, since it takes readings from the others.

    Raises:
        UnitTaken: ``by`` is none.
    """
    sites = PushUnit.objects.filter(door=door, unit_id=unit_id).order_by().values_list("sensor__site", flat=True)
    if not all(by.allows(Role.ENGINEER, site_id) for site_id in sites.distinct()):
        raise UnitTaken("this unit is bound at another site")


def _declare(sensor: Asset, door: str, *, by: Access, now: datetime) -> None:
    """Say how often a sensor sends, where neither it nor its type does: else nobody could tell what is missing."""
    # Somebody else may have said it since it was read.
    sensor.refresh_from_db()
    if sensor.expected_interval is None and (sensor.type is None or sensor.type.expected_interval is None):
        interval = SENT_EVERY[Door(door)]
        assets.update_asset(asset=sensor, by=by, changes={"expected_interval": interval}, expected=None, now=now)


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    door = fields["door"]
    fields["unit_id"] = normal_id(door, fields["unit_id"])
    if not UNIT_ID.fullmatch(fields["unit_id"]):
        raise Invalid("1 to 100 letters, digits, points, colons, dashes, underscores are expected", pointer="/unit_id")
    if not PIN.fullmatch(fields.get("pin", "")):
        raise Invalid("up to 10 letters, digits and dashes are expected", pointer="/pin")
    if fields.get("pin") and door != Door.SENSOR_COMMUNITY:
        raise Invalid("only sensor.community's units have pins", pointer="/pin")
    if networks := fields.get("allowed_addresses"):
        fields["allowed_addresses"] = normal_networks(networks, pointer="/allowed_addresses")
    if settings := fields.get("settings"):
        if door != Door.AIRGRADIENT:
            raise Invalid("only AirGradient's units ask for settings", pointer="/settings")
        check_settings(settings)
    return fields


def normal_id(door: str, unit_id: str) -> str:
    """Return the id of a unit as its firmware sends it."""
    text = unit_id.strip()
    return text.removeprefix("airgradient:").lower() if door == Door.AIRGRADIENT else text
