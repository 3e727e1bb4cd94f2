"""What units push: who they are, what of it is stored, and a record of what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from prometheus_client import Counter

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Access, Role, Scope
from techtrack.accounts.domain.addresses import inside
from techtrack.airquality.units import SPELLINGS
from techtrack.assets import services as assets
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND, from_micros, to_micros
from techtrack.core.errors import Fault, Forbidden, Invalid, Unauthenticated
from techtrack.integrations import queries
from techtrack.integrations.domain.pushing import Pushed, converted
from techtrack.integrations.models import Door, PushUnit, RejectedPush
from techtrack.telemetry import queries as telemetry_queries
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Row
from techtrack.telemetry.services import Checked

# A proxy that got no answer sends the same again within seconds; a unit measures anew, at least every 30 s.
REPEATED_WITHIN = timedelta(seconds=15)
LONGEST_PAYLOAD = 4_000
# Rows of faults of units that nobody knows, and of those of one sensor.
MOST_REJECTED = 1_000
MOST_OF_A_SENSOR = 100
REJECTED = Counter("techtrack_pushes_rejected_total", "Bodies of firmwares that were refused", ["door", "code"])
_SPELLINGS = SPELLINGS | {"°C": "Cel", "C": "Cel", "degC": "Cel", "°F": "[degF]", "%RH": "%", "% RH": "%", "hpa": "hPa"}
# Parameters whose units this process has registered, or found registered.
_registered: set[str] = set()


class UnknownUnit(Forbidden):
    """Nobody has bound this unit to a sensor, or what it shows does not open it."""

    code = "unknown_unit"


class UnknownPart(Invalid):
    """The unit has several parts, and this pin is none of theirs."""

    code = "unknown_pin"


class WrongUnit(Invalid):
    """The sensor's parameter is declared in a unit of something else than what was measured."""

    code = "unit_mismatch"


@dataclass(frozen=True, slots=True)
class Caller:
    """How a unit says who it is: its id, its part, what it shows, and from where.

    ``authorization`` and ``api_key`` are headers, ``password`` that of Basic authentication; empty where there is none.
    """

    door: Door
    unit_id: str
    pin: str = ""
    authorization: str = ""
    api_key: str | None = None
    password: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """The sensor whose readings a unit brings, and the authority by which they are entered."""

    sensor_id: int
    access: Access
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What of a push may be committed, None where nothing is to be: it has no values, or they are there already."""

    sensor_id: int
    time: int
    values: Mapping[str, float]
    checked: Checked | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a body was refused, what there is of it, how long it was, and whose readings it would have been."""

    code: str
    detail: str
    body: bytes
    size: int
    sensor_id: int | None


def bind(*, caller: Caller, now: datetime) -> Bound:
    """Return whose readings a unit brings.

    Who has bound a device key of one sensor to it needs no more; other keys open what their maker may enter readings
    of. Without any, an administrator must have let the unit in.

    Raises:
        UnknownUnit: none of this holds.
        UnknownPart: several sensors are bound to the unit, and none by this pin.
    """
    access = _shown(caller, now)
    # What another site says of an id cuts off no unit that shows whose readings it brings.
    key = access.only_asset if access else None
    rows = queries.bindings(door=caller.door, unit_id=caller.unit_id, beside=key) if caller.unit_id else []
    if not rows:
        if access is None or access.only_asset is None:
            raise UnknownUnit("no sensor is bound to this unit")
        return Bound(access.only_asset, access)
    row = _part(rows, caller.pin)
    if access is None:
        if not row.anonymous or not inside(caller.address, row.allowed_addresses):
            raise UnknownUnit("this unit needs a key, or comes from another address than it may")
        access = _authority(row)
    return Bound(row.sensor_id, access, row.settings)


def addressee(*, caller: Caller) -> int | None:
    """Return whose readings a unit that was refused would have brought, whatever it showed; None of unknown units."""
    rows = queries.bindings(door=caller.door, unit_id=caller.unit_id) if caller.unit_id else []
    if not rows:
        return None
    # Of a pin that no row names any part will do: whoever can mend one can mend the others.
    return next((row.sensor_id for pin in (caller.pin, "") for row in rows if row.pin == pin), rows[0].sensor_id)


def prepare(*, bound: Bound, pushed: Pushed, now: datetime) -> Prepared:
    """Check what a unit pushes, as every door does; a repeat of what was stored a moment ago is told apart.

    Raises:
        UnknownUnit: the key may not enter readings of this sensor.
        Invalid: a value or the time cannot be stored, or a unit does not suit the sensor's.
    """
    known = telemetry.know(refs=[bound.sensor_id], by=bound.access)
    if bound.sensor_id not in known.refs:
        raise UnknownUnit("this key enters no readings of the sensor")
    time = to_micros(now) if pushed.time is None else pushed.time
    values = _fitted(pushed, bound, known, now)
    if not values:
        return Prepared(bound.sensor_id, time, values, None)
    if _is_repeat(bound.sensor_id, pushed.time, values, now):
        return Prepared(bound.sensor_id, time, values, None, repeated=True)
    row = Row(bound.sensor_id, time, values)
    if not telemetry.are_good([row], known, now):
        # The careful look says what is wrong, and where.
        item = {"asset": bound.sensor_id, "timestamp": from_micros(time).isoformat(), "values": values}
        by = bound.access
        checked = telemetry.check_document(data={"items": [item]}, name="asset", kind=None, by=by, now=now)
        return Prepared(bound.sensor_id, time, values, checked)
    return Prepared(bound.sensor_id, time, values, Checked((), known, rows=[row]))


@transaction.atomic
def reject(*, caller: Caller, refused: Refused, now: datetime) -> None:
    """Record what was refused: one row for each kind of fault of a unit and sensor, with the newest such body."""
    payload = refused.body[: 4 * LONGEST_PAYLOAD].decode("utf-8", "replace").replace("\x00", "\ufffd")[:LONGEST_PAYLOAD]
    about = {
        "door": caller.door,
        "unit_id": _shortened(caller.unit_id, 100),
        "code": refused.code[:64],
        "sensor_id": refused.sensor_id,
    }
    told = {
        "detail": _shortened(refused.detail, 1_000),
        "payload": payload,
        "size": refused.size,
        "address": caller.address[:64],
        "last_at": now,
    }
    if _count_one(about, told):
        return
    # Two may meet the same for the first time: one row is made, and both count.
    fresh = RejectedPush(**about, **told, first_at=now, count=0)
    RejectedPush.objects.bulk_create([fresh], ignore_conflicts=True)
    _count_one(about, told)
    _keep_the_newest(refused.sensor_id)


def forget_rejected(*, now: datetime) -> int:
    """Delete what was last met REJECTED_DAYS ago; return how many rows that were."""
    limit = now - timedelta(days=settings.REJECTED_DAYS)
    return RejectedPush.objects.filter(last_at__lt=limit).delete()[0]


def _count_one(about: Mapping[str, object], told: Mapping[str, object]) -> bool:
    return bool(RejectedPush.objects.filter(**about).update(count=F("count") + 1, **told))


def _keep_the_newest(sensor_id: int | None) -> None:
    """Whoever makes up ids fills no disk, and pushes out nothing of a sensor: the oldest of the same go."""
    most = MOST_REJECTED if sensor_id is None else MOST_OF_A_SENSOR
    rows = RejectedPush.objects.filter(sensor=sensor_id).order_by("-last_at", "-pk")
    if gone := list(rows.values_list("pk", flat=True)[most:]):
        RejectedPush.objects.filter(pk__in=gone).delete()


def _shown(caller: Caller, now: datetime) -> Access | None:
    """Return what the credential opens, None where none is shown.

    Raises:
        UnknownUnit: it opens nothing.
    """
    try:
        found = accounts.recognise(
            authorization=caller.authorization,
            api_key=caller.password or caller.api_key,
            address=caller.address,
            now=now,
        )
    except Unauthenticated as error:
        raise UnknownUnit(error.detail) from error
    if found is None:
        return None
    if not found.access.may_use("readings", writing=True):
        raise UnknownUnit("this key brings no readings")
    return found.access


def _part(rows: list[PushUnit], pin: str) -> PushUnit:
    if len(rows) == 1:
        return rows[0]
    by_pin = {row.pin: row for row in rows}
    found = by_pin.get(pin) or by_pin.get("")
    if found is None:
        raise UnknownPart("several sensors are bound to this unit, and none by this pin")
    return found


def _authority(row: PushUnit) -> Access:
    name = f"{row.door}:{row.unit_id}"
    return Access(0, name, everywhere=Role.OPERATOR, scope=Scope.INGEST, only_asset=row.sensor_id)


def _fitted(pushed: Pushed, bound: Bound, known: telemetry.Known, now: datetime) -> dict[str, float]:
    """Return the values in the units that the sensor declares; of a strict type only those that it has.

    Raises:
        WrongUnit: one cannot be converted.
    """
    rules = known.rules.get(known.types[bound.sensor_id] or 0)
    strict = rules.codes if rules is not None else None
    codes = [code for code in pushed.values if strict is None or code in strict]
    rows = Asset.objects.visible_to(bound.access, Role.OPERATOR).filter(pk=bound.sensor_id)
    subjects = telemetry_queries.subjects(rows)
    declared = telemetry_queries.units((subject, code) for subject in subjects for code in codes)
    values, faults, new = {}, [], dict[str, str]()
    for code in codes:
        have, want = pushed.units[code], declared.get((bound.sensor_id, code), "")
        if have and not want:
            new[code] = have
        value = converted(pushed.values[code], have=have, want=_SPELLINGS.get(want, want)) if have and want else None
        if value is None and have and want:
            faults.append(Fault(f"/{code}", WrongUnit.code, f"{code} comes in {have}, and is declared in {want}"))
        values[code] = pushed.values[code] if value is None else value
    if faults:
        raise WrongUnit("; ".join(fault.detail for fault in faults[:3]), faults=faults)
    _register(new, now)
    return values


def _register(units: Mapping[str, str], now: datetime) -> None:
    """Register parameters with the units in which they come; once, since most are known by then."""
    if new := {code: unit for code, unit in units.items() if code not in _registered}:
        assets.register_units(units=new, now=now)
        _registered.update(new)


def _is_repeat(sensor_id: int, time: int | None, values: Mapping[str, float], now: datetime) -> bool:
    """Tell whether these very values are the sensor's newest, of that time or, where none was sent, of a moment ago."""
    newest = telemetry_queries.latest([sensor_id]).get(sensor_id, {})
    there = {(newest[code].time, newest[code].value == value) for code, value in values.items() if code in newest}
    if len(there) != 1 or not values.keys() <= newest.keys():
        return False
    at, same = there.pop()
    recent = 0 <= to_micros(now) - at <= REPEATED_WITHIN // MICROSECOND
    return same and (at == time if time is not None else recent)


def _shortened(text: str, most: int) -> str:
    printable = "".join(char if char.isprintable() else "\ufffd" for char in text[:most])
    return printable.encode("utf-8", "replace").decode()
