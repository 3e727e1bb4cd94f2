"""Holds what a store answers against what the twin answers: to the bit where bits are kept, closely where sums are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from techtrack.telemetry.domain.reading import FOREVER, Readings
from techtrack.telemetry.store.base import Span, Store
from techtrack.telemetry.store.memory import MemoryStore

CLOSE = 1e-9
HOUR = 3_600_000_000
# What a merge of hours gives exactly as a walk through all values does.
EXACT = ("count", "first_at", "last_at")
BITS = ("first", "last")

Said = dict[str, list[tuple[int, bytes, int]]]


def said(readings: Readings | None) -> Said:
    """Give per parameter every value there is: its time, its eight bytes, its quality."""
    found: Said = {}
    for code, column in (readings.columns if readings else {}).items():
        there = ~np.isnan(column)
        quality = readings.quality(code)[there]
        bits = [value.tobytes() for value in column[there].astype("<f8")]
        if bits:
            found[code] = list(zip(readings.times[there].tolist(), bits, quality.tolist(), strict=True))
    return found


def differences(twin: MemoryStore, store: Store, assets: Sequence[int], edges: Iterable[Sequence[int]]) -> list[str]:
    """Name every answer in which ``store`` is not as ``twin``, of each kind of question; statistics for each edges."""
    found = [*_readings(twin, store, assets, FOREVER), *_latest(twin, store, assets), *_extent(twin, store, assets)]
    for cut in edges:
        found += _readings(twin, store, assets, (cut[0], cut[-1]))
        found += _statistics(twin, store, assets, cut)
    return found


def hours_of(span: Span) -> list[int]:
    """Give the edges of the hours that hold ``span``."""
    return list(range(span[0] // HOUR * HOUR, (span[1] // HOUR + 2) * HOUR, HOUR))


def _readings(twin: MemoryStore, store: Store, assets: Sequence[int], span: Span) -> Iterator[str]:
    expected, answered = twin.readings(assets, span=span), store.readings(assets, span=span)
    for asset in assets:
        want, got = said(expected.get(asset)), said(answered.get(asset))
        if want != got:
            yield f"readings of {asset} in {span}: {got} instead of {want}"
        if asset in answered and asset not in expected:
            yield f"asset {asset} has no reading in {span} and is there"
        if asset in answered and answered[asset].times.tolist() != sorted({t for s in got.values() for t, _, _ in s}):
            yield f"the times of {asset} in {span} are not those of its values: {answered[asset].times}"


def _latest(twin: MemoryStore, store: Store, assets: Sequence[int]) -> Iterator[str]:
    expected, answered = twin.latest(assets), store.latest(assets)
    if repr(_sorted(expected)) != repr(_sorted(answered)):
        yield f"latest: {_sorted(answered)} instead of {_sorted(expected)}"


def _sorted(latest: dict) -> dict:
    return {
        asset: {code: (newest.at, float(newest.value)) for code, newest in sorted(latest[asset].items())}
        for asset in sorted(latest)
    }


def _extent(twin: MemoryStore, store: Store, assets: Sequence[int]) -> Iterator[str]:
    expected, answered = twin.extent(assets), store.extent(assets)
    if expected and not (answered and answered[0] <= expected[0] and answered[1] >= expected[1]):
        yield f"extent: {answered} does not hold {expected}"


def _statistics(twin: MemoryStore, store: Store, assets: Sequence[int], edges: Sequence[int]) -> Iterator[str]:
    cut = np.array(edges, np.int64)
    expected, answered = (one.statistics(assets, codes=(), edges=cut) for one in (twin, store))
    if expected.keys() != answered.keys():
        yield f"statistics over {edges}: of {sorted(answered)} instead of {sorted(expected)}"
        return
    for asset, code in expected:
        want, got, series = expected[asset, code], answered[asset, code], twin.usable(asset, code)
        for index in range(len(edges) - 1):
            values = [value for time, value in series if edges[index] <= time < edges[index + 1]]
            for name in _off(want[index], got[index], values):
                where = f"{(asset, code)} in {edges[index], edges[index + 1]}"
                yield f"{name} of {where}: {got[index][name]!r} instead of {want[index][name]!r}"


def _off(want: np.void, got: np.void, values: Sequence[float]) -> Iterator[str]:
    yield from (name for name in EXACT if want[name] != got[name])
    if not want["count"]:
        return
    yield from (name for name in BITS if want[name].tobytes() != got[name].tobytes())
    # 0.0 and -0.0 are equal: of two smallest values either is the smallest.
    yield from (name for name in ("minimum", "maximum") if want[name] != got[name])
    largest = max(map(abs, values))
    seconds = (int(want["last_at"]) - int(want["first_at"])) / 1e6
    scales = {
        "total": largest * len(values),
        # The mean itself is only known to a rounding, which its square carries on.
        "m2": largest * largest * len(values),
        "integral": largest * seconds,
    }
    for name, scale in scales.items():
        # Past the largest float the order of adding decides between infinity and a number.
        if math.isfinite(scale * 4) and not abs(float(want[name]) - float(got[name])) <= CLOSE * scale:
            yield name
