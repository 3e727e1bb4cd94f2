"""Writes of what is declared of a sensor's air."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Asset
from techtrack.core.errors import Conflict, NotFound
from techtrack.core.models import Head
from techtrack.environment.domain.checks import check_own
from techtrack.environment.domain.settings import check_corrections
from techtrack.environment.models import TESTS, AirSettings


class SettingsExist(Conflict):
    """The sensor has settings already: change those."""

    code = "settings_exist"


@transaction.atomic
def create_settings(*, by: Access, data: Mapping[str, Any], now: datetime) -> AirSettings:
    """Declare something of a sensor; an engineer at its site may.

    Raises:
        Invalid: a correction or a test cannot be; the pointer names it.
        NotFound: the sensor is gone.
        SettingsExist: the sensor has settings.
    """
    by.require(Role.ENGINEER, data["sensor"].site_id)
    _check(data)
    _hold(data["sensor"])
    try:
        with transaction.atomic():
            made = AirSettings.objects.create(**data, created_at=now, updated_at=now)
    except IntegrityError as error:
        raise SettingsExist(f"{data['sensor'].name} has settings already: change those") from error
    follow_change()
    return made


@transaction.atomic
def update_settings(
    *, settings: AirSettings, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> AirSettings:
    """Change what is declared of a sensor; an engineer at its site may. Raises as ``create_settings`` does."""
    sensors = (settings.sensor, changes.get("sensor", settings.sensor))
    for sensor in sensors:
        by.require(Role.ENGINEER, sensor.site_id)
    _check(changes)
    _hold(*sensors)
    try:
        with transaction.atomic():
            changed = settings.change(expected=expected, now=now, **changes)
    except IntegrityError as error:
        raise SettingsExist(f"{changes['sensor'].name} has settings already: change those") from error
    follow_change()
    return changed


@transaction.atomic
def delete_settings(*, settings: AirSettings, by: Access, expected: int | None) -> None:
    """Let a sensor have the defaults again; an engineer at its site may."""
    by.require(Role.ENGINEER, settings.sensor.site_id)
    _hold(settings.sensor)
    settings.remove(expected=expected)
    follow_change()


def hold_sensors(*, by: Access, settings: Iterable[int], sensors: Iterable[int]) -> None:
    """Lock, of what the caller sees, sensors and those of some settings: of all that one transaction writes, first."""
    own = AirSettings.objects.visible_to(by).filter(pk__in=list(settings)).order_by().values_list("sensor", flat=True)
    seen = Asset.objects.visible_to(by).filter(pk__in={*own, *sensors}).order_by().values_list("pk", flat=True)
    _lock(set(seen))


def follow_change() -> None:
    """Let whoever tests readings look at the settings anew; last in the transaction that changed some."""
    Head.take(TESTS)


def _hold(*sensors: Asset) -> None:
    """Lock sensors before what is declared of them, as whoever deletes one does: who follows changes comes last.

    Raises:
        NotFound: one is gone.
    """
    ids = {sensor.pk for sensor in sensors}
    if _lock(ids) < len(ids):
        raise NotFound("the sensor is gone")


def _lock(ids: set[int]) -> int:
    rows = Asset.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    return len(rows.values_list("pk", flat=True))


def _check(data: Mapping[str, Any]) -> None:
    check_corrections(data.get("corrections", {}))
    check_own(data.get("checks", {}))
