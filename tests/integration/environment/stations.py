"""Stations with known air, and the recording of a real one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from techtrack.accounts.domain.access import internal
from techtrack.assets.models import Sensor
from techtrack.core.clock import to_micros
from techtrack.demo.recordings import DATA, low_cost_unit
from techtrack.environment.jobs import QualityControl
from techtrack.environment.models import AirSettings
from techtrack.integrations.services.imports import ImportPlan, Layout, import_file
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin
from tests import factories

HOUR = timedelta(hours=1)
UNITS = {
    "pm2_5": "ug/m3",
    "pm10": "ug/m3",
    "no2": "ug/m3",
    "o3": "ug/m3",
    "so2": "ug/m3",
    "co": "ug/m3",
    "humidity": "%",
    "temperature": "Cel",
}


def make_station(name: str = "Station", **fields: Any) -> Sensor:
    """A sensor whose type declares the units of the air."""
    parameters = [{"code": code, "unit": unit} for code, unit in UNITS.items()]
    kind = factories.make_type("measuring-air", parameters=parameters)
    return factories.make_sensor(name, **({"type": kind} | fields))


def settle(sensor: Sensor, **fields: Any) -> AirSettings:
    """Declare something of a sensor's air."""
    return AirSettings.objects.create(sensor_id=sensor.pk, **factories.STAMPS, **fields)


def send(
    sensor: Sensor, *, last: datetime, every: timedelta = HOUR, origin: Origin = Origin.LIVE, **values: Any
) -> None:
    """Let a sensor send columns of values, the last of which comes at ``last``; None for no value."""
    columns = {code: np.array([np.nan if v is None else v for v in some], float) for code, some in values.items()}
    length = len(next(iter(columns.values())))
    times = to_micros(last) - (every // timedelta(microseconds=1)) * np.arange(length - 1, -1, -1, dtype=np.int64)
    there = ~np.isnan(np.stack(list(columns.values()))).all(axis=0)
    batch = Batch(
        np.full(int(there.sum()), sensor.pk, np.int64),
        times[there],
        {code: one[there] for code, one in columns.items()},
    )
    telemetry.ingest(batch=batch, by=internal(), now=max(last, factories.NOW), origin=origin)


BEIJING = "PM2.5=pm2_5,PM10=pm10,SO2=so2,NO2=no2,CO=co,O3=o3"


def import_beijing(sensor: Sensor, *, rows: Path | None = None) -> None:
    """Load the recording of the station in Beijing, as ``techtrack import`` does."""
    columns = dict(pair.split("=") for pair in BEIJING.split(","))
    layout = Layout(columns=columns, time=("year", "month", "day", "hour"), timezone="Asia/Shanghai")
    path = rows or DATA / "prsa_aotizhongxin.csv.gz"
    import_file(
        path=path,
        plan=ImportPlan(layout, asset=str(sensor.pk)),
        by=internal(),
        now=factories.NOW,
        progress=lambda _: None,
    )


def pass_all(control: QualityControl) -> None:
    """Let quality control test everything that has come."""
    while control.work():
        pass


def import_low_cost(sensor: Sensor) -> None:
    """Load the recording of the low-cost unit: at its own clock, a value a minute."""
    recording = low_cost_unit()
    batch = Batch(np.full(len(recording.times), sensor.pk, np.int64), recording.times, recording.columns)
    telemetry.ingest(batch=batch, by=internal(), now=factories.NOW, origin=Origin.IMPORT)
