"""Every write of what hides alerts: silences and maintenance windows of people, and suppression by work."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Site
from techtrack.alerts.domain.recurrence import BadWindow
from techtrack.alerts.domain.suppression import refuse_circle
from techtrack.alerts.events import HidingChanged
from techtrack.alerts.hiding.looking import HEAD, timetable
from techtrack.alerts.models import Rule, Silence, Suppression
from techtrack.core import events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Forbidden, Invalid
from techtrack.core.models import Head

# A window that hides alerts because of planned work is an engineer's; quiet for a while is an operator's.
ROLES = {"silence": Role.OPERATOR, "maintenance": Role.ENGINEER}
TIMES = {"starts_at", "ends_at", "rrule", "duration", "timezone"}


@transaction.atomic
def create_silence(*, by: Access, data: dict[str, Any], now: datetime) -> Silence:
    """Create a silence or maintenance window from its columns; alerts that match are hidden a moment later.

    Raises:
        Invalid: its times are no window, or its rule none; the pointer names the field.
    """
    # 06:00 at a site means 06:00 on the clock of the site.
    place = {"timezone": data["site"].timezone} if data.get("site") else {}
    silence = Silence(**place | data, by_id=by.user_id or None, created_at=now, updated_at=now)
    _require(by, silence.kind, silence.site)
    _prove(silence)
    _refuse_past(silence, now)
    silence.save(force_insert=True)
    _tell()
    return silence


@transaction.atomic
def update_silence(
    *, silence: Silence, by: Access, changes: dict[str, Any], expected: int | None, now: datetime
) -> Silence:
    """Write ``changes``; the caller may both have made what it was and what it is to be.

    Raises:
        Invalid: as ``create_silence``.
        Stale: somebody else was faster.
    """
    _require(by, silence.kind, silence.site)
    # Held until commit: what is proved together is what is written together.
    held = Silence.objects.select_for_update().select_related(None).filter(pk=silence.pk).first() or silence
    was_over = _is_over(held, now)
    for name, value in changes.items():
        setattr(held, name, value)
    _require(by, held.kind, held.site)
    _prove(held)
    if was_over and TIMES & {name for name in changes if changes[name] != getattr(silence, name)}:
        # Whoever ends one that holds ends it now; one that is over is given other times so that it hides something.
        _refuse_past(held, now)
    silence.change(expected=expected, now=now, **changes)
    _tell()
    return silence


@transaction.atomic
def delete_silence(*, silence: Silence, by: Access, expected: int | None) -> None:
    """Delete it; what it hid and is still wrong is told a moment later."""
    _require(by, silence.kind, silence.site)
    silence.remove(expected=expected)
    _tell()


@transaction.atomic
def suppress(*, asset_id: int, by: str, starts_at: datetime, until: datetime | None = None) -> None:
    """Say that ``by`` (such as ``task:12``) explains the alerts of this asset, and of no other; None: until further."""
    Suppression.objects.filter(~Q(asset=asset_id), by=by).delete()
    Suppression.objects.update_or_create(
        asset_id=asset_id, by=by, defaults={"until": until}, create_defaults={"until": until, "starts_at": starts_at}
    )
    _tell()


@transaction.atomic
def unsuppress(*, by: str) -> None:
    """Say that ``by`` explains nothing any more."""
    if Suppression.objects.filter(by=by).delete()[0]:
        _tell()


def check_inhibition(*, rule: int | None, inhibited_by: Collection[int]) -> None:
    """Pass where ``rule`` (None: a new one) may be inhibited by these; call it in the transaction that writes it.

    Raises:
        InhibitedByItself: it would hide its own alerts, through others perhaps.
    """
    if rule is None or not inhibited_by:
        # Nobody can name a rule that is not there yet.
        return
    # Two who edit at once must not close a circle between them.
    Head.take("inhibitions")
    known = dict(Rule.objects.exclude(inhibited_by=[]).exclude(pk=rule).values_list("pk", "inhibited_by"))
    refuse_circle(rule, inhibited_by, known)


def _require(by: Access, kind: str, site: Site | None) -> None:
    if by.only_asset is not None:
        raise Forbidden("this key is bound to one asset")
    by.require(ROLES[kind], site.pk if site else None)


def _prove(silence: Silence) -> None:
    if silence.ends_at is not None and silence.ends_at <= silence.starts_at:
        raise BadWindow("it ends before it begins", pointer="/ends_at")
    if silence.rrule and silence.duration is None:
        raise BadWindow("with an rrule it needs the duration of each window", pointer="/duration")
    if not silence.rrule and silence.duration is not None:
        raise BadWindow("without an rrule there is one window, from starts_at to ends_at", pointer="/duration")
    if not silence.rrule and silence.ends_at is None:
        # A silence that nobody ends is an alarm that nobody ever hears again.
        raise BadWindow("without an rrule it needs an end", pointer="/ends_at")
    timetable(silence)


def _refuse_past(silence: Silence, now: datetime) -> None:
    if _is_over(silence, now):
        pointer = "/ends_at" if silence.ends_at is not None and silence.ends_at <= now else "/rrule"
        raise BadWindow("it lies wholly in the past and would hide nothing", pointer=pointer)


def _is_over(silence: Silence, now: datetime) -> bool:
    if silence.starts_at > now:
        return False
    try:
        windows, at = timetable(silence), to_micros(now)
    except Invalid:
        # Such as a zone that the system has no longer.
        return True
    return not windows.covers(at) and windows.next_change(at) is None


def _tell() -> None:
    """Count the change, so that the loop looks again, and say so to those who wait."""
    Head.take(HEAD)
    events.publish(HidingChanged())
