"""Writes of what is declared of a sensor's air."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.errors import Conflict
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
        SettingsExist: the sensor has settings.
    """
    by.require(Role.ENGINEER, data["sensor"].site_id)
    _check(data)
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
    for sensor in (settings.sensor, changes.get("sensor", settings.sensor)):
        by.require(Role.ENGINEER, sensor.site_id)
    _check(changes)
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
    settings.remove(expected=expected)
    follow_change()


def follow_change() -> None:
    """Let whoever tests readings look at the settings anew; last in the transaction that changed some."""
    Head.take(TESTS)


def _check(data: Mapping[str, Any]) -> None:
    check_corrections(data.get("corrections", {}))
    check_own(data.get("checks", {}))
