"""The readings that every system gets: the same machine-like values, written in each one's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from techtrack.demo.generators.machines import Fleet, Floats

HOUR = 3_600_000_000
ASSETS, PARAMETERS, BODY = 1_000, 5, 5_000


@dataclass(frozen=True, slots=True)
class Load:
    """Ticks of a fleet: ``values`` by tick, machine, parameter; times in µs since 1970, UTC."""

    codes: tuple[str, ...]
    decimals: tuple[int, ...]
    times: np.ndarray
    values: Floats

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.values.size)

    def rows(self, first: int, last: int, machines: Sequence[int]) -> Iterator[tuple[int, int, list[str]]]:
        """Give (asset, time, values as written) of the ticks from ``first`` on, tick by tick."""
        for tick in range(first, last):
            columns = [
                [f"{value:.{places}f}" for value in self.values[tick, :, column].tolist()]
                for column, places in enumerate(self.decimals)
            ]
            at = int(self.times[tick])
            for asset, texts in zip(machines, zip(*columns, strict=True), strict=True):
                yield asset, at, list(texts)

    def stretches(self, readings: int) -> list[tuple[int, int]]:
        """Split into ranges of ticks that hold about so many readings each."""
        step = max(1, readings // self.values.shape[1])
        return [(first, min(first + step, len(self.times))) for first in range(0, len(self.times), step)]


def make_load(*, ticks: int, end: datetime, step: timedelta, assets: int = ASSETS, seed: int = 1) -> Load:
    """Make ``ticks`` readings of each machine, ``step`` apart, the last one before ``end``."""
    fleet = Fleet(assets=assets, parameters=PARAMETERS, seed=seed)
    width = step // timedelta(microseconds=1)
    last = int(end.timestamp()) * 1_000_000
    times = last - width * np.arange(ticks, 0, -1, dtype=np.int64)
    decimals = tuple(signal.decimals for signal in fleet.signals)
    return Load(fleet.codes, decimals, times, fleet.ticks(ticks))


def whole_hour(back: int = 0) -> datetime:
    """Return the beginning of this hour, or of one so many hours earlier."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=back)


def stamp(micros: int) -> str:
    """Write a time as devices do."""
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC)
    fraction = f".{micros % 1_000_000:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def as_items(load: Load, first: int, last: int, machines: Sequence[int]) -> bytes:
    """Write a body for POST /api/ingest/."""
    names = [f'"{code}":' for code in load.codes]
    parts, texts = [], {}
    for asset, at, values in load.rows(first, last, machines):
        when = texts.get(at) or texts.setdefault(at, stamp(at))
        said = ",".join(map(str.__add__, names, values))
        parts.append(f'{{"asset":{asset},"timestamp":"{when}","values":{{{said}}}}}')
    return ('{"items":[' + ",".join(parts) + "]}").encode()


def as_columns(load: Load, first: int, last: int, machines: Sequence[int]) -> bytes:
    """Write the same by columns."""
    rows = list(load.rows(first, last, machines))
    assets = ",".join(str(asset) for asset, _, _ in rows)
    times = ",".join(f'"{stamp(at)}"' for _, at, _ in rows)
    values = ",".join(
        f'"{code}":[' + ",".join(row[2][column] for row in rows) + "]" for column, code in enumerate(load.codes)
    )
    return f'{{"asset":[{assets}],"timestamp":[{times}],"values":{{{values}}}}}'.encode()


def as_lines(load: Load, first: int, last: int, machines: Sequence[int]) -> bytes:
    """Write InfluxDB's line protocol, times in ms."""
    names = [f"{code}=" for code in load.codes]
    return "\n".join(
        f"machine,asset={asset} {','.join(map(str.__add__, names, values))} {at // 1000}"
        for asset, at, values in load.rows(first, last, machines)
    ).encode()
