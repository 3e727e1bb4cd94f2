"""The demo plant as data: sites, types, assets with their recordings, rules, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from techtrack.demo import recordings, story
from techtrack.demo.feed import Feed
from techtrack.demo.recordings import Recording

SECOND = 1_000_000
MINUTES = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Thing:
    """An asset of the plant: ``data`` are columns of Asset; ``feed`` reads its recording, None where it has none."""

    key: str
    kind: str
    site: str
    data: dict[str, Any]
    feed: Callable[[], Feed] | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """A rule of the plant: ``things`` are keys, none meaning every asset of the type."""

    name: str
    type: str
    parameter: str
    conditions: list[dict[str, Any]]
    things: tuple[str, ...] = ()
    deadband: float = 0.0
    on_delay: timedelta = timedelta(0)
    off_delay: timedelta = timedelta(0)
    open_task: dict[str, Any] | None = None
    guidance: dict[str, str] = field(default_factory=dict)


SITES = {
    "Bearing test lab": "America/New_York",
    "Machine hall": "UTC",
    "Quality control": "UTC",
    "Aotizhongxin air station": "Asia/Shanghai",
    "City air": "Asia/Shanghai",
    "Office": "Europe/Brussels",
    "Low-cost sensor test": "America/New_York",
    "Your own": "UTC",
}


def _parameter(code: str, unit: str = "", label: str = "") -> dict[str, Any]:
    return {"code": code, "unit": unit, "minimum": None, "maximum": None, "label": label}


CLIMATE = [_parameter("temperature", "Cel", "Temperature"), _parameter("humidity", "%", "Relative humidity")]
DEMO_FAULT = _parameter("demo_fault", "", "Made by the demo's button (1), not measured")
# Units are UCUM; where the publisher names none, none is given.
TYPES: dict[str, tuple[timedelta | None, list[dict[str, Any]]]] = {
    "bearing": (
        10 * MINUTES,
        [
            _parameter("vibration_rms", "[g]", "Vibration, RMS"),
            _parameter("vibration_peak", "[g]", "Vibration, peak"),
            _parameter("vibration_kurtosis", "1", "Vibration, kurtosis"),
            _parameter("vibration_meanabs", "[g]", "Vibration, mean absolute"),
        ],
    ),
    "machine": (
        60 * MINUTES,
        [
            _parameter("vibration", "", "Vibration"),
            _parameter("pressure", "", "Pressure"),
            _parameter("rotate", "", "Rotation"),
            _parameter("volt", "", "Voltage"),
            _parameter("error", "", "Error number"),
            _parameter("failure", "", "Failed component"),
            _parameter("maintenance", "", "Replaced component"),
        ],
    ),
    "large-machine": (5 * MINUTES, [_parameter("temperature", "[degF]", "Temperature inside"), DEMO_FAULT]),
    "inspection-station": (
        timedelta(seconds=5),
        [_parameter(f"feature_{number}", "", f"Inspected feature {number}") for number in (1, 2, 3)],
    ),
    "air-quality-station": (
        60 * MINUTES,
        [
            *(_parameter(code, "ug/m3") for code in ("pm2_5", "pm10", "so2", "no2", "co", "o3")),
            CLIMATE[0],
            _parameter("pressure", "hPa", "Air pressure"),
            _parameter("dew_point", "Cel", "Dew point"),
            _parameter("rain", "mm", "Rain"),
            _parameter("wind_speed", "m/s", "Wind speed"),
        ],
    ),
    "room": (
        MINUTES,
        [
            _parameter("co2", "[ppm]", "CO2"),
            *CLIMATE,
            _parameter("light", "lx", "Light"),
            _parameter("humidity_ratio", "kg/kg", "Humidity ratio"),
            _parameter("occupancy", "", "Somebody is there"),
        ],
    ),
    "low-cost-air-sensor": (
        MINUTES,
        [
            _parameter("pm2_5", "ug/m3"),
            _parameter("no2", "[ppb]"),
            _parameter("o3", "[ppb]"),
            *CLIMATE,
            _parameter("dew_point", "Cel", "Dew point"),
        ],
    ),
    "your-device": (None, [_parameter("temperature", "Cel", "Temperature")]),
}

AZURE = "SIMULATED (Azure predictive-maintenance sample, 2015)"
NAB = "SIMULATED (Numenta Anomaly Benchmark, artificial series), replayed 60 times as fast"


def _bearing(number: int) -> Thing:
    return Thing(
        f"bearing-{number}",
        "equipment",
        "Bearing test lab",
        {
            "name": f"Bearing {number}",
            "type": "bearing",
            "attributes": {
                "replayed": "replayed, measured 2004",
                "source": "IMS, University of Cincinnati, bearing data set 2 (NASA Prognostics Data Repository)",
            },
            "description": "On one shaft at 2,000 rpm, loaded until one of the four failed: number 1, its outer race.",
            "tags": ["story"],
        },
        lambda: Feed(recordings.bearing(number), story.BEARINGS_AT),
    )


def _machine(number: int, about: dict[str, str], recording: Callable[[], Recording]) -> Thing:
    return Thing(
        f"machine-{number:02}",
        "equipment",
        "Machine hall",
        {
            "name": f"Machine {number}",
            "type": "machine",
            "model": about["model"],
            "attributes": {"simulated": AZURE, "age_years": int(about["age"])},
            "tags": ["fleet"],
        },
        # Each hour of the fleet is spread over an hour, so that it does not report in one breath.
        lambda: Feed(recording(), story.FLEET_AT, shift=(number - 1) * 6 * MINUTES),
    )


def things() -> list[Thing]:
    """Return every asset of the plant, in the order in which a visitor meets them."""
    fleet: dict[int, Recording] = {}

    def machine(number: int) -> Recording:
        if not fleet:
            fleet.update(recordings.fleet())
        return fleet[number]

    about = recordings.machines()
    hall = [_machine(number, about[number], lambda number=number: machine(number)) for number in range(1, 11)]  # type: ignore[misc]
    rest = (INSPECTION, OFFICE, LOW_COST, BESIDE_IT, CITY, STATION, TRY_ME)
    return [*(_bearing(number) for number in range(1, 5)), LARGE_MACHINE, *hall, *rest]


LARGE_MACHINE = Thing(
    "large-machine",
    "equipment",
    "Machine hall",
    {
        "name": "Large machine",
        "type": "large-machine",
        "attributes": {
            "replayed": "replayed, measured 2013 to 2014",
            "source": "Numenta Anomaly Benchmark, machine_temperature_system_failure",
        },
        "tags": ["story"],
    },
    lambda: Feed(recordings.large_machine(), story.LARGE_MACHINE_AT),
)
INSPECTION = Thing(
    "inspection-1",
    "equipment",
    "Quality control",
    {"name": "Inspection station", "type": "inspection-station", "attributes": {"simulated": NAB}, "tags": ["story"]},
    lambda: Feed(recordings.inspection(), story.INSPECTION_AT, pace=60, history=story.HISTORY_OF_INSPECTION),
)
OFFICE = Thing(
    "office-co2",
    "sensor",
    "Office",
    {
        "name": "Office CO2",
        "type": "room",
        "attributes": {"replayed": "replayed, measured 2015", "source": "UCI 357, Occupancy Detection"},
        "tags": ["air"],
    },
    lambda: Feed(recordings.office(), story.OFFICE_AT),
)
LOW_COST = Thing(
    "toco-toucan",
    "sensor",
    "Low-cost sensor test",
    {
        "name": "Toco Toucan",
        "type": "low-cost-air-sensor",
        "model": "Toco Toucan (fictitious name)",
        "attributes": {"replayed": "replayed, measured 2019", "source": "US EPA, sensortoolkit"},
        "tags": ["air"],
    },
    # Half a minute beside the office, so that one of the two moves every thirty seconds.
    lambda: Feed(recordings.low_cost_unit(), story.LOW_COST_AT, shift=timedelta(seconds=30)),
)
BESIDE_IT = Thing(
    "burdens-creek",
    "sensor",
    "Low-cost sensor test",
    {
        "name": "Burdens Creek, reference",
        "type": "air-quality-station",
        "attributes": {"replayed": "replayed, measured 2019", "source": "US EPA, sensortoolkit"},
        "description": "The reference monitor that Toco Toucan stood beside: fine dust by the hour.",
        "tags": ["air"],
    },
    lambda: Feed(recordings.reference_unit(), story.LOW_COST_AT, shift=timedelta(seconds=30)),
)
CITY = Thing(
    "city-air",
    "sensor",
    "City air",
    {
        "name": "City air",
        "type": "air-quality-station",
        "attributes": {"replayed": "replayed, measured 2016", "source": "UCI 501, Beijing Multi-Site Air-Quality"},
        "description": "The air of Aotizhongxin, Beijing, on this day, at this hour, in 2016.",
        "tags": ["air"],
    },
    lambda: Feed(recordings.station_year(), story.CITY_AT, in_season=True),
)
STATION = Thing(
    "aotizhongxin",
    "sensor",
    "Aotizhongxin air station",
    {
        "name": "Aotizhongxin",
        "type": "air-quality-station",
        "status": "inactive",
        "attributes": {"source": "UCI 501, Beijing Multi-Site Air-Quality, 2013 to 2017, at its true dates"},
        "description": "Hourly, March 2013 to February 2017, in its own time; nothing comes after that.",
        "tags": ["air"],
    },
)
TRY_ME = Thing(
    "try-me",
    "sensor",
    "Your own",
    {
        "name": "Your device",
        "type": "your-device",
        "description": "Nothing is replayed here: it is yours to write to. Above 60 °C it raises an alert at once.",
    },
)

RULES = (
    Watch(
        "Bearing vibrates too much",
        "bearing",
        "vibration_rms",
        # Our judgement, after the factor of 2.5 that ISO 10816 puts between its zones: the healthy level of bearing 1
        # is 0.077 g, so 2.5 times that is a warning and 5 times is danger.
        [
            {"kind": "above", "limit": 0.38, "severity": "critical"},
            {"kind": "above", "limit": 0.19, "severity": "high"},
        ],
        # Wide enough that the level, which falls back twice before the end, stays one alarm.
        deadband=0.04,
        # Longer than the time between two readings: a single peak is no alarm.
        on_delay=15 * MINUTES,
        open_task={"title": "Inspect the bearing and plan its replacement", "priority": 3},
        guidance={
            "cause": "A damaged race or rolling element.",
            "consequence": "The bearing seizes; the shaft and its neighbours are damaged.",
            "action": "Compare peak and kurtosis, reduce the load, and stop the rig if it keeps climbing.",
        },
    ),
    Watch(
        "Machine vibrates too much",
        "machine",
        "vibration",
        # Mean plus five standard deviations of the ten machines.
        [{"kind": "above", "limit": 66.0, "severity": "high"}],
        deadband=10.0,
        open_task={"title": "Check the machine's foundation and drive", "priority": 3},
    ),
    Watch(
        "Machine's pressure is too high",
        "machine",
        "pressure",
        # Nearly four standard deviations above the mean of the ten machines.
        [{"kind": "above", "limit": 140.0, "severity": "medium"}],
        deadband=10.0,
    ),
    Watch(
        "Large machine overheats",
        "large-machine",
        "temperature",
        # The highest temperature of its 79 days is 108.5 °F.
        [{"kind": "above", "limit": 110.0, "severity": "critical"}],
        deadband=5.0,
        open_task={"title": "Cool the large machine down and find out why it overheats", "priority": 4},
        guidance={"action": "Take its load away and look at its cooling."},
    ),
    Watch(
        "Large machine has stopped",
        "large-machine",
        "temperature",
        [{"kind": "below", "limit": 70.0, "severity": "high"}],
        deadband=5.0,
        on_delay=20 * MINUTES,
        guidance={"action": "A machine that loses its temperature does not run: look whether that was planned."},
    ),
    Watch(
        "Inspected feature out of tolerance",
        "inspection-station",
        "feature_1",
        # On its good days the series stays below 91.
        [{"kind": "above", "limit": 120.0, "severity": "medium"}],
        deadband=10.0,
        on_delay=timedelta(seconds=30),
        open_task={"title": "Quarantine the parts since the last good one and check the gauge", "priority": 2},
    ),
    Watch(
        "Inspection station is stuck",
        "inspection-station",
        "feature_1",
        # Twelve values in a row that are the same to the last digit: no gauge measures that.
        [{"kind": "flatline", "duration": "PT1M", "severity": "medium"}],
        guidance={"action": "Wipe the gauge and measure a part by hand."},
    ),
    Watch(
        "The air is used up: open a window",
        "room",
        "co2",
        [
            {"kind": "above", "limit": 1400.0, "severity": "medium"},
            {"kind": "above", "limit": 1000.0, "severity": "low"},
        ],
        deadband=100.0,
        on_delay=5 * MINUTES,
        off_delay=5 * MINUTES,
    ),
    Watch(
        "Fine dust",
        "low-cost-air-sensor",
        "pm2_5",
        [{"kind": "above", "limit": 35.0, "severity": "medium"}],
        deadband=10.0,
        on_delay=2 * MINUTES,
        off_delay=2 * MINUTES,
    ),
    Watch(
        "Fine dust at the station",
        "air-quality-station",
        "pm2_5",
        [{"kind": "above", "limit": 75.0, "severity": "medium"}],
        # The city's air is judged by its index; its winter would be the first alarm before the bearing's.
        things=("aotizhongxin",),
        deadband=10.0,
        on_delay=60 * MINUTES,
    ),
    Watch(
        "Your device is too hot",
        "your-device",
        "temperature",
        [{"kind": "above", "limit": 60.0, "severity": "high"}],
        guidance={"action": "Send a lower temperature, and the alert returns."},
    ),
)
