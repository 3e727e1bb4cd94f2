"""The fast way to read a body of readings: typed decoding straight into columns, without a word on what is wrong.

Whatever is not plainly good is not read here: ``decode`` returns None, and the strict parser with ``items.py`` says
what is wrong with it, if anything is. So this file may refuse too much, and must never take what those refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.items import CODE, MOST_READINGS, MOST_VALUES, parse_time
from techtrack.telemetry.domain.packing import is_dense
from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.domain.stamps import parse_stamps

Value = float | bool
# Below this numpy's fixed cost per call is more than a plain loop costs.
FEW = 24
# Up to this length of a body ``count`` is faster than numpy, whose speed does not depend on what is found.
SHORT = 2_000


class _Item(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    asset: int | str
    values: dict[str, Value]
    timestamp: str | UnsetType = UNSET


class _Body(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    items: list[_Item] | UnsetType = UNSET
    asset: list[int | str] | UnsetType = UNSET
    timestamp: list[str] | UnsetType = UNSET
    values: dict[str, list[Value | None]] | UnsetType = UNSET


@dataclass(slots=True)
class Columns:
    """Readings whose assets are as they were sent, ids or keys; else as in a Batch."""

    refs: Sequence[int | str]
    times: Ints
    values: dict[str, Floats]


@dataclass(slots=True)
class Few:
    """Fewer readings than ``FEW``, one by one: columns of their own would cost more than all else that they need."""

    refs: list[int | str]
    times: list[int]
    values: list[Mapping[str, float]]


class _Unusual(Exception):
    """It may be good or bad: somebody else must look."""


_decoder = msgspec.json.Decoder(list[_Item] | _Body)


def decode(raw: bytes, *, now: datetime) -> Columns | Few | None:
    """Read a body of readings, None where it is not plainly good; readings without a time are ``now``.

    Not checked here: whether assets and parameters are known, and the bounds of times.
    """
    # Without escapes every colon of the body is there to be counted.
    if b"\\" in raw:
        return None
    try:
        body = _decoder.decode(raw)
        if not isinstance(body, _Body):
            return _read_items(raw, body, now, wrapped=0)
        if body.items is UNSET:
            return _read_columns(raw, body, now)
        if body.asset is UNSET and body.timestamp is UNSET and body.values is UNSET:
            return _read_items(raw, body.items, now, wrapped=1)
    except (_Unusual, msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        # ValueError: also bytes that are not UTF-8, texts that are no time, integers of a novel's length.
        return None
    return None


def _read_items(raw: bytes, items: list[_Item], now: datetime, *, wrapped: int) -> Columns | Few:
    if not 1 <= len(items) <= MOST_READINGS:
        raise _Unusual
    if len(items) < FEW:
        return _read_few(raw, items, now, wrapped=wrapped)
    refs = [item.asset for item in items]
    rows = [item.values for item in items]
    stamps = [item.timestamp for item in items]
    missing = stamps.count(UNSET)
    sizes = list(map(len, rows))
    total = sum(sizes)
    if min(sizes) < 1 or max(sizes) > MOST_VALUES or missing not in {0, len(items)}:
        raise _Unusual
    times, colons = _times(None if missing else stamps, len(items), now)
    _refuse_repeated_keys(raw, keys=wrapped + 3 * len(items) - missing + total, colons=colons, refs=refs)
    values = _values(rows, total)
    _refuse_bad_codes(values)
    return Columns(refs, times, values)


def _read_few(raw: bytes, items: list[_Item], now: datetime, *, wrapped: int) -> Few:
    few = Few([], [], [])
    keys, colons = wrapped, 0
    for item in items:
        values, stamp = item.values, item.timestamp
        if not 1 <= len(values) <= MOST_VALUES or not _are_codes(tuple(values)):
            raise _Unusual
        if stamp is not UNSET:
            few.times.append(parse_time(stamp))
            colons += stamp.count(":")
        keys += 2 + len(values)
        few.refs.append(item.asset)
        few.values.append(values)
    if few.times and len(few.times) != len(items):
        raise _Unusual
    _refuse_repeated_keys(raw, keys=keys + len(few.times), colons=colons, refs=few.refs)
    few.times = few.times or [to_micros(now)] * len(items)
    return few


def _read_columns(raw: bytes, body: _Body, now: datetime) -> Columns:
    refs: Any = body.asset
    lists: Any = body.values
    if refs is UNSET or lists is UNSET or not 1 <= len(refs) <= MOST_READINGS or not 1 <= len(lists) <= MOST_VALUES:
        raise _Unusual
    stamps: Any = None if body.timestamp is UNSET else body.timestamp
    if any(len(column) != len(refs) for column in lists.values()) or (stamps is not None and len(stamps) != len(refs)):
        raise _Unusual
    times, colons = _times(stamps, len(refs), now)
    keys = 2 + (stamps is not None) + len(lists)
    _refuse_repeated_keys(raw, keys=keys, colons=colons, refs=refs)
    values = {code: np.array(column, np.float64) for code, column in lists.items()}
    _refuse_bad_codes(values)
    return Columns(refs, times, _present(values))


def _refuse_repeated_keys(raw: bytes, *, keys: int, colons: int, refs: Sequence[int | str]) -> None:
    """Compare the colons of the body with those of the keys and texts that were read.

    The decoder lets the last of two equal keys win, which the strict parser refuses. JSON has one colon for each
    key, and a key that repeats leaves one too many.
    """
    colons += sum([ref.count(":") for ref in refs if isinstance(ref, str)])
    short = len(raw) <= SHORT
    found = raw.count(b":") if short else int(np.count_nonzero(np.frombuffer(raw, np.uint8) == ord(":")))
    if found != keys + colons:
        raise _Unusual


def _refuse_bad_codes(values: dict[str, Floats]) -> None:
    if not _are_codes(tuple(values)):
        raise _Unusual


@lru_cache(256)
def _are_codes(texts: tuple[str, ...]) -> bool:
    # A machine sends the same ones every time.
    return all(map(CODE.fullmatch, texts))


def _times(stamps: Any, count: int, now: datetime) -> tuple[Ints, int]:
    """Return the times in µs, and how many colons their texts have."""
    if stamps is None:
        return np.full(count, to_micros(now), np.int64), 0
    if count >= FEW and (times := parse_stamps(stamps)) is not None:
        return times, stamps[0].count(":") * count
    # Of different lengths, or in one of the rarer forms: each different text once.
    known = {text: parse_time(text) for text in set(stamps)}
    return np.fromiter(map(known.__getitem__, stamps), np.int64, count), sum(text.count(":") for text in stamps)


def _values(rows: list[dict[str, Value]], total: int) -> dict[str, Floats]:
    codes = tuple(rows[0])
    if len(codes) * len(rows) == total:
        try:
            return dict(zip(codes, _block(rows, codes).T.copy(), strict=True))
        except KeyError:
            pass  # as many values in each reading, and not the same ones
    return _scattered(rows, total)


def _block(rows: list[dict[str, Value]], codes: tuple[str, ...]) -> Floats:
    """Return the values of readings that all have these codes, a line for each."""
    picked: Any = map(itemgetter(*codes), rows)
    flat = picked if len(codes) == 1 else chain.from_iterable(picked)
    return np.fromiter(flat, np.float64, len(rows) * len(codes)).reshape(len(rows), len(codes))


def _scattered(rows: list[dict[str, Value]], total: int) -> dict[str, Floats]:
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(tuple(row), []).append(index)
    codes = dict.fromkeys(chain.from_iterable(groups))
    if not is_dense(len(rows), len(codes), total):
        raise _Unusual
    if len(groups) > len(rows) // 8:
        nan = float("nan")
        return {code: np.fromiter((row.get(code, nan) for row in rows), np.float64, len(rows)) for code in codes}
    values = {code: np.full(len(rows), np.nan) for code in codes}
    for group, places in groups.items():
        block = _block([rows[place] for place in places], group)
        for column, code in enumerate(group):
            values[code][places] = block[:, column]
    return values


def _present(values: dict[str, Floats]) -> dict[str, Floats]:
    """Leave out columns without a value; a reading without one is unusual."""
    absent = {code: np.isnan(column) for code, column in values.items()}
    if not any(mask.any() for mask in absent.values()):
        return values
    if np.logical_and.reduce(list(absent.values())).any():
        raise _Unusual
    return {code: column for code, column in values.items() if not absent[code].all()}
