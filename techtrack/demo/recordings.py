"""The recordings that the demo replays: each file of data/ as columns of numbers over recorded time."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import numpy as np

from techtrack.core.clock import to_micros
from techtrack.integrations.codecs.csv_table import Layout, Row, read_table
from techtrack.telemetry.domain.reading import Floats, Ints

DATA = Path(str(files("techtrack.demo"))) / "data"
SECOND = 1_000_000
EVERY = re.compile("")
BEARINGS = ("rms", "kurtosis", "peak", "meanabs")
INSPECTED = {
    "feature_1": "nab_art_daily_jumpsup",
    "feature_2": "nab_art_daily_flatmiddle",
    "feature_3": "nab_art_increase_spike_density",
}


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings of one asset: recorded times (µs), ascending and once each, and columns with NaN for absent."""

    times: Ints
    columns: Mapping[str, Floats]

    def at(self, index: int) -> dict[str, float]:
        """Return the values of one reading."""
        values = {code: float(column[index]) for code, column in self.columns.items()}
        return {code: value for code, value in values.items() if not np.isnan(value)}


def bearing(number: int) -> Recording:
    """Return the vibration of one of the four bearings."""
    columns = {f"b{number}_{feature}": f"vibration_{feature}" for feature in BEARINGS}
    return _whole("ims_bearing_set2", Layout(columns=columns))


def large_machine() -> Recording:
    """Return the temperature inside the large machine."""
    return _whole("nab_machine_temperature", Layout(columns={"value": "temperature"}))


def office() -> Recording:
    """Return climate, light and occupancy of the office."""
    return _whole("room_co2", Layout())


def low_cost_unit() -> Recording:
    """Return the low-cost unit's gases, particles and climate; its header says UTC-05:00."""
    return _whole("toco_toucan", Layout(timezone="Etc/GMT+5", time_format="%m/%d/%Y %H:%M"))


def station_year() -> Recording:
    """Return the air station's pollutants of 2016, its last whole year."""
    columns = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3")
    layout = Layout(columns=dict.fromkeys(columns, ""), timezone="Asia/Shanghai")
    # The other three quarters of the file are not looked at: the demo's start waits for this.
    return _whole("prsa_aotizhongxin", layout, of=re.compile(r'"No"|\d+,2016,'))


def reference_unit() -> Recording:
    """Return the PM2.5 of the reference that the low-cost unit stood beside; what it doubted itself is left out."""
    found = {
        datetime.strptime(f"{row['Date (UTC)']} {row['Time (UTC)']} +0000", "%m/%d/%Y %H:%M %z"): float(row["Value"])
        for row in _dicts("airnowtech_reference")
        if row["Param"].startswith("PM2.5") and row["QC Code"] == "0"
    }
    times = np.array([to_micros(at) for at in sorted(found)], np.int64)
    return Recording(times, {"pm2_5": np.array([found[at] for at in sorted(found)], np.float64)})


def inspection() -> Recording:
    """Return the three artificial series side by side."""
    parts = [_whole(file, Layout(columns={"value": code})) for code, file in INSPECTED.items()]
    return _merged(parts)


def fleet() -> dict[int, Recording]:
    """Return machines 1 to 10, with the numbers of errors, failed and replaced components where there were any."""
    layout = Layout(asset="machineID")
    telemetry = _by_asset("azure_telemetry", layout)
    events = {number: _events(number) for number in telemetry}
    return {number: _merged([telemetry[number], _within(events[number], telemetry[number])]) for number in telemetry}


def machines() -> dict[int, dict[str, str]]:
    """Return model and age in years of the machines."""
    return {int(row["machineID"]): row for row in _dicts("azure_machines")}


def _whole(file: str, layout: Layout, of: re.Pattern[str] = EVERY) -> Recording:
    return _by_asset(file, layout, of)[0]


def _by_asset(file: str, layout: Layout, of: re.Pattern[str] = EVERY) -> dict[int, Recording]:
    """Read a file by asset, those of its lines that begin as ``of`` says."""
    with gzip.open(DATA / f"{file}.csv.gz", "rt", encoding="utf-8-sig", newline="") as lines:
        table = read_table(filter(of.match, lines), layout)
        rows = [row for row in table.rows() if isinstance(row, Row)]
    assets = np.array([int(row.asset or 0) for row in rows])
    times = np.array([row.time for row in rows], np.int64)
    values = np.array([row.values for row in rows], np.float64)
    return {
        int(asset): _ordered(times[assets == asset], values[assets == asset], table.codes)
        for asset in np.unique(assets)
    }


def _ordered(times: Ints, values: Floats, codes: tuple[str, ...]) -> Recording:
    # Reversed, so that of two readings at one time the later one is the first, which unique() keeps.
    times, values = times[::-1], values[::-1]
    unique, index = np.unique(times, return_index=True)
    kept = values[index]
    there = ~np.isnan(kept).all(axis=1)
    return Recording(unique[there], {code: kept[there, place] for place, code in enumerate(codes)})


def _merged(parts: list[Recording]) -> Recording:
    times = np.unique(np.concatenate([part.times for part in parts]))
    columns: dict[str, Floats] = {}
    for part in parts:
        for code, values in part.columns.items():
            columns[code] = np.full(len(times), np.nan)
            columns[code][np.searchsorted(times, part.times)] = values
    return Recording(times, columns)


def _events(machine: int) -> Recording:
    sources = {
        "error": ("azure_errors", "errorID"),
        "failure": ("azure_failures", "failure"),
        "maintenance": ("azure_maint", "comp"),
    }
    return _merged([_numbered(machine, code, *source) for code, source in sources.items()])


def _numbered(machine: int, code: str, file: str, column: str) -> Recording:
    """Give the events of one kind with their number (error3 and comp3 are 3)."""
    found: dict[int, float] = {}
    for row in _dicts(file):
        if int(row["machineID"]) == machine:
            at = int(np.datetime64(row["datetime"], "us").astype(np.int64))
            # A machine has one value at a time: of two events in one hour the second is written a second later.
            while at in found:
                at += SECOND
            found[at] = float(row[column][-1])
    times = np.array(sorted(found), np.int64)
    return Recording(times, {code: np.array([found[at] for at in times.tolist()], np.float64)})


def _within(part: Recording, whole: Recording) -> Recording:
    inside = (part.times >= whole.times[0]) & (part.times <= whole.times[-1])
    return Recording(part.times[inside], {code: column[inside] for code, column in part.columns.items()})


def _dicts(file: str) -> Iterator[dict[str, str]]:
    text = gzip.decompress((DATA / f"{file}.csv.gz").read_bytes()).decode()
    yield from csv.DictReader(io.StringIO(text))
