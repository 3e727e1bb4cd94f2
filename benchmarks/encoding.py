"""What packing hours of readings costs and saves: `python -m benchmarks.encoding`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.store.encoding import decode_chunk, encode_chunks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CHUNKS = 64
RUNS = 15
HOUR = 3_600_000_000
FIRST = 472_222 * HOUR
CODES = ("temperature", "vibration", "pressure", "speed", "current")


class Case(NamedTuple):
    """Readings of CHUNKS hours of one asset."""

    name: str
    times: Ints
    columns: dict[str, Floats]


def walk(random: np.random.Generator, count: int, step: float) -> Floats:
    """Give a slow walk that is drawn back to zero."""
    found = np.empty(count)
    at = 0.0
    for index, push in enumerate(random.normal(0, step, count)):
        at = at * 0.995 + push
        found[index] = at
    return found


def clock(step: int) -> Ints:
    """Give regular times, ``step`` seconds apart."""
    return FIRST + np.arange(0, CHUNKS * HOUR, step * 1_000_000)


def machines(random: np.random.Generator, times: Ints) -> dict[str, Floats]:
    """Give what the sensors of a machine show: slow walks, rounded to what they resolve."""
    shapes = zip(CODES, (60, 2, 5, 1500, 12), (0.1, 0.01, 0.01, 0.5, 0.05), (1, 2, 2, 1, 2), strict=True)
    return {code: np.round(mean + walk(random, len(times), step), digits) for code, mean, step, digits in shapes}


def air(random: np.random.Generator, times: Ints) -> dict[str, Floats]:
    """Give what an air-quality station shows: whole numbers and tenths, one gas absent a fifth of the time."""
    count = len(times)
    dust = np.abs(12 + walk(random, count, 0.8))
    ozone = np.where(random.random(count) < 0.2, np.nan, np.round(np.abs(60 + walk(random, count, 2))))
    return {
        "pm2_5": np.round(dust, 1),
        "pm10": np.round(dust * 1.6 + random.normal(0, 0.5, count), 1),
        "o3": ozone,
        "temperature": np.round(18 + walk(random, count, 0.05), 1),
        "humidity": np.round(55 + walk(random, count, 0.3)),
    }


def cases() -> Iterator[Case]:
    """Give the kinds of data."""
    random = np.random.default_rng(1)
    times = clock(10)
    yield Case("machine, 10 s", times, machines(random, times))
    jitter = times + random.integers(0, 2_000, len(times)) * 1_000
    yield Case("machine, irregular", jitter, machines(random, times))
    yield Case("noise, float64", times, {code: random.normal(20, 5, len(times)) for code in CODES})
    single = {code: column.astype(np.float32) / np.float32(3) for code, column in machines(random, times).items()}
    yield Case("machine, float32", times, {code: column.astype(np.float64) for code, column in single.items()})
    yield Case("air quality, 1 min", clock(60), air(random, clock(60)))
    yield Case("machine, 15 min", clock(900), machines(random, clock(900)))


def seconds(work: Callable[[], object]) -> float:
    """Give the CPU time of the shortest of some runs."""
    found = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def row(case: Case) -> str:
    """Measure one kind of data."""
    starts = np.searchsorted(case.times, FIRST + np.arange(CHUNKS) * HOUR)
    locks: list[dict[int, None]] = [{} for _ in starts]
    blobs = encode_chunks(case.times, case.columns, starts, locks)
    values = sum(int(np.count_nonzero(~np.isnan(column))) for column in case.columns.values())
    encode = seconds(lambda: encode_chunks(case.times, case.columns, starts, locks)) * 1e6
    whole = seconds(lambda: [decode_chunk(blob) for blob in blobs]) * 1e6
    one = seconds(lambda: [decode_chunk(blob, ("temperature",)) for blob in blobs]) * 1e6
    size = sum(len(blob) for blob in blobs)
    figures = (encode / values, whole / values, size / values, encode / CHUNKS, whole / CHUNKS, one / CHUNKS)
    return f"{case.name:20}{values // CHUNKS:>8}" + "".join(f"{figure:>14.3f}" for figure in figures)


def main() -> None:
    """Print the table."""
    heads = ("enc µs/value", "dec µs/value", "bytes/value", "enc µs/hour", "dec µs/hour", "one column")
    print(f"{'data':20}{'values':>8}" + "".join(f"{head:>14}" for head in heads))
    for case in cases():
        print(row(case))


if __name__ == "__main__":
    main()
