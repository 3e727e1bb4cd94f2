"""What a door accepts as readings: decoded JSON in, items or named faults out. The same at every door."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from techtrack.core.clock import to_micros
from techtrack.core.errors import Fault, Invalid, member

CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
MOST_VALUES = 256
MOST_READINGS = 100_000
LONGEST_KEY = 200
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(hours=24)
BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Item:
    """One reading as sent: ``ref`` is an asset id or key, ``time`` µs since 1970 (UTC)."""

    ref: int | str
    time: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Document:
    """The readings of a body by the JSON pointers of their places, and what is wrong with the others.

    In a body of columns a reading has no place of its own: it goes by its number, ``/17``.
    """

    items: Mapping[str, Item]
    faults: list[Fault]
    columns: bool = False

    def __len__(self) -> int:
        return len(self.items) + len(self.faults)

    def located(self, fault: Fault) -> Fault:
        """Point ``fault`` into the body as it was sent."""
        if not self.columns:
            return fault
        _, number, *path = fault.pointer.split("/")
        # Which of its values is missing, nobody can say of a reading without any: its asset stands for it.
        return replace(fault, pointer="/".join(["", *(path if path != ["values"] else ["asset"]), number]))


class NoOffset(ValueError):
    """A time that could be any of 27 hours."""


class _Refused(Exception):
    def __init__(self, pointer: str, code: str, detail: str) -> None:
        self.fault = Fault(pointer, code, detail)


def read_document(data: Any, *, names: tuple[str, ...], now: datetime) -> Document:
    """Read ``{"items": […]}``, a bare list or, where readings name an ``asset``, columns.

    Raises:
        Invalid: it is none of these, or has too many readings or none.
    """
    if isinstance(data, dict) and names == ("asset",) and "asset" in data:
        return _read_each(_rows_of(data), names, now, prefix="", columns=True)
    wrapped = isinstance(data, dict)
    raw = data.get("items") if isinstance(data, dict) else data
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_READINGS:
        raise Invalid(f"a list of 1 to {MOST_READINGS} readings is expected", pointer="/items" if wrapped else "")
    if wrapped and (extra := [name for name in data if name != "items"]):
        raise Invalid("this field is not known here", pointer=member("", extra[0]))
    return _read_each(iter(raw), names, now, prefix="/items" if wrapped else "", columns=False)


def _read_each(raw: Iterator[Any], names: tuple[str, ...], now: datetime, *, prefix: str, columns: bool) -> Document:
    items: dict[str, Item] = {}
    faults: list[Fault] = []
    for index, one in enumerate(raw):
        pointer = f"{prefix}/{index}"
        item = read_item(one, names=names, now=now, pointer=pointer)
        if isinstance(item, Item):
            items[pointer] = item
        else:
            faults.append(item)
    return Document(items, faults, columns)


def _rows_of(data: Mapping[str, Any]) -> Iterator[Any]:
    """Turn ``{"asset": […], "timestamp": […], "values": {code: […]}}`` into readings; null is an absent value."""
    if extra := [name for name in data if name not in {"asset", "timestamp", "values"}]:
        raise Invalid("this field is not known here", pointer=member("", extra[0]))
    refs, values = data["asset"], data.get("values")
    if not isinstance(refs, list) or not 1 <= len(refs) <= MOST_READINGS:
        raise Invalid(f"a list of 1 to {MOST_READINGS} assets is expected", pointer="/asset")
    if not isinstance(values, dict) or not values:
        raise Invalid("an object with a list of values for each parameter is expected", pointer="/values")
    stamps = data.get("timestamp")
    columns = {member("/values", code[:80]): column for code, column in values.items()}
    for pointer, column in [*columns.items(), *([("/timestamp", stamps)] if stamps is not None else [])]:
        if not isinstance(column, list) or len(column) != len(refs):
            raise Invalid(f"a list of {len(refs)} is expected, one for each asset", pointer=pointer)
    for index, ref in enumerate(refs):
        row = {code: column[index] for code, column in values.items() if column[index] is not None}
        yield {"asset": ref, "timestamp": stamps[index] if stamps is not None else None, "values": row}


def read_item(raw: Any, *, names: tuple[str, ...], now: datetime, pointer: str) -> Item | Fault:
    """Read one ``{<name>, timestamp?, values}``, where <name> is one of ``names``; time defaults to ``now``.

    Returns the fault, with its JSON pointer, instead of raising: a batch wants them all.
    """
    try:
        _only_known(raw, names, pointer)
        ref = _read_ref(raw, names, pointer)
        time = read_time(raw.get("timestamp"), now=now, pointer=f"{pointer}/timestamp")
        return Item(ref, time, read_values(raw.get("values"), pointer=f"{pointer}/values"))
    except _Refused as refusal:
        return refusal.fault


def read_time(raw: Any, *, now: datetime, pointer: str) -> int:
    """Read an RFC 3339 time from 2000 to 24 hours ahead; None means now."""
    if raw is None:
        return to_micros(now)
    if not isinstance(raw, str):
        raise _Refused(pointer, "invalid", "a time such as 2026-11-21T10:00:00Z is expected")
    try:
        micros = parse_time(raw)
    except NoOffset:
        raise _Refused(pointer, "invalid", "the time needs an offset, such as Z or +01:00") from None
    except (ValueError, OverflowError):
        raise _Refused(pointer, "invalid", "a time such as 2026-11-21T10:00:00Z is expected") from None
    if not to_micros(EARLIEST) <= micros <= to_micros(now + AHEAD):
        raise _Refused(pointer, "out_of_bounds", "the time is before 2000 or more than 24 hours ahead")
    return micros


def parse_time(text: str) -> int:
    """Return the µs since 1970 of an RFC 3339 time.

    Raises:
        ValueError: it is none; NoOffset where nothing else is wrong with it.
        OverflowError: it is before the year 1 or after 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise NoOffset(text)
    return to_micros(moment)


def is_time(raw: Any, micros: int) -> bool:
    """Tell whether ``raw`` is a way to write the time ``micros``."""
    try:
        return to_micros(datetime.fromisoformat(raw)) == micros
    except (TypeError, ValueError, OverflowError):
        return False


def read_values(raw: Any, *, pointer: str) -> dict[str, float]:
    """Read values by parameter code: 1 to 256 finite numbers; true and false are 1 and 0."""
    if not isinstance(raw, Mapping):
        raise _Refused(pointer, "required" if raw is None else "invalid", "an object of values is expected")
    if not 1 <= len(raw) <= MOST_VALUES:
        raise _Refused(pointer, "invalid", f"1 to {MOST_VALUES} values are expected")
    return {code: _read_value(code, value, pointer) for code, value in raw.items()}


def _read_value(code: str, value: Any, pointer: str) -> float:
    place = member(pointer, code[:80])
    if not CODE.fullmatch(code):
        raise _Refused(
            place, "bad_code", "a parameter code has lower-case letters, digits and _, and starts with a letter"
        )
    if not isinstance(value, (int, float)):
        raise _Refused(place, "not_a_number", "a number is expected")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Refused(place, "not_finite", "a finite number is expected")
    return number


def _only_known(raw: Any, names: tuple[str, ...], pointer: str) -> None:
    if not isinstance(raw, Mapping):
        raise _Refused(pointer, "invalid", "an object is expected")
    for name in raw:
        if name not in {*names, "timestamp", "values"}:
            raise _Refused(member(pointer, name[:80]), "unknown_field", "this field is not known here")


def _read_ref(raw: Mapping[str, Any], names: tuple[str, ...], pointer: str) -> int | str:
    given = [name for name in names if name in raw]
    if not given:
        raise _Refused(f"{pointer}/{names[0]}", "required", "this field is required")
    ref, place = raw[given[0]], f"{pointer}/{given[0]}"
    if len(given) > 1:
        raise _Refused(place, "invalid", f"give one of {', '.join(names)}")
    if isinstance(ref, str) and ref.isascii() and ref.isdigit():
        # No key is of digits alone: a gateway that knows only texts writes an id so.
        ref = int(ref[:20])
    is_id = isinstance(ref, int) and not isinstance(ref, bool) and 0 < ref <= BIGGEST_ID
    is_key = isinstance(ref, str) and 0 < len(ref) <= LONGEST_KEY
    if not (is_id or is_key):
        raise _Refused(place, "invalid", "an id or a key is expected")
    return ref  # type: ignore[no-any-return]


def check_values(raw: Any, *, names: tuple[str, ...], removals: bool) -> dict[str, float | None]:
    """Read the body of a correction, ``{"values": {…}}``; with ``removals`` null takes a value away.

    Raises:
        Invalid: with a fault that names the place.
    """
    try:
        _only_known(raw, names, "")
        values = raw.get("values")
        gone = (
            [code for code, value in values.items() if value is None] if removals and isinstance(values, dict) else []
        )
        kept = {code: value for code, value in values.items() if code not in gone} if gone else values
        read: dict[str, float | None] = dict.fromkeys(gone)
        return read | (read_values(kept, pointer="/values") if kept or not gone else {})
    except _Refused as refusal:
        raise Invalid(refusal.fault.detail, faults=[refusal.fault]) from None
