"""Rules about the air of all kinds, and readings of it over hours and days: what ``watching`` has of machines."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from tests.unit.alerts.watching import Walk, proved

# What is measured, and in which unit: one of them in another than its standard's.
AIR = {"pm2_5": "ug/m3", "pm10": "ug/m3", "o3": "[ppm]", "so2": "[ppb]"}
# One of each way of averaging: hours, eight of them, a day, quarters of an hour, both NowCasts, the higher of two.
INDICES = [
    {"standard": "us_epa", "parameter": "pm2_5"},
    {"standard": "us_epa", "parameter": "pm2_5", "method": "average"},
    {"standard": "us_epa", "parameter": "o3"},
    {"standard": "us_epa", "parameter": "o3", "method": "average"},
    {"standard": "eu_eaqi", "parameter": "pm2_5"},
    {"standard": "uk_daqi", "parameter": "so2"},
    {"standard": "in_naqi", "parameter": "pm10"},
    {"standard": "cn_hj633", "parameter": "pm2_5", "method": "hourly"},
]
BANDS = {"eu_eaqi": [1, 3, 4], "uk_daqi": [1, 3, 6]}
LEVELS = [50, 99.5, 150]
_SHIFT = {"timezone": "UTC", "rrule": "FREQ=HOURLY", "duration": "PT30M"}


def any_index(dice: random.Random) -> dict[str, Any]:
    """A condition on an index, of a standard and method that looks up some average."""
    of = dice.choice(INDICES)
    return {"kind": "air_quality", **of, "limit": dice.choice(BANDS.get(of["standard"], LEVELS))}


def any_air_condition(dice: random.Random, *, nested: bool = False) -> dict[str, Any]:
    """A condition on the air: most are on an index."""
    kind = dice.choice(["index"] * 6 + ["average", "above", "no_data"] + ([] if nested else ["all_of", "any_of"]))
    if kind == "index":
        return any_index(dice)
    if kind in {"all_of", "any_of"}:
        parts = [any_air_condition(dice, nested=True) for _ in range(dice.randint(1, 3))]
        return {"kind": kind, "conditions": parts}
    fields: dict[str, Any] = {
        "average": {"kind": "air_quality", "limit": 60.0, "average": dice.choice(["PT1H", "PT8H"])},
        "above": {"kind": "above", "limit": dice.choice([40.0, 90.0])},
        "no_data": {"kind": "no_data", "after": dice.choice(["PT1H", "3x"])},
    }[kind]
    return {**fields, "parameter": dice.choice(["pm2_5", "pm10"])}


def any_air_rule(dice: random.Random) -> dict[str, Any]:
    """What is judged of a rule about the air."""

    def draw() -> dict[str, Any]:
        severities = dice.sample(["low", "medium", "high", "critical"], dice.choice([1, 1, 2, 3]))
        rule: dict[str, Any] = {
            "parameter": dice.choice(list(AIR)),
            "conditions": [{**any_air_condition(dice), "severity": severity} for severity in severities],
            "deadband": dice.choice([0.0, 0.0, 0.002, 2.0]),
            "on_delay": timedelta(minutes=dice.choice([0, 0, 20, 180])),
            "off_delay": timedelta(minutes=dice.choice([0, 0, 20, 180])),
        }
        if dice.random() < 0.2:
            rule["count"] = dice.choice([{"n": 2, "of": 3}, {"n": 1, "of": 2}])
        if dice.random() < 0.3:
            after, policy = dice.choice(["PT2H", "4x"]), dice.choice(["alert", "keep", "return"])
            rule["no_data"] = {"after": after, "policy": policy, "severity": dice.choice(["info", "critical"])}
        if dice.random() < 0.2:
            rule["schedule"] = _SHIFT
        return rule

    return proved(draw)


class AirWalk(Walk):
    """Readings of sensors, minutes to hours apart, whose air is sometimes good and sometimes bad."""

    codes = tuple(AIR)

    def _pause(self) -> int:
        return self._dice.choice([60, 120, 240, 240, 420, 900, 1800, 9000 if self._dice.random() < 0.1 else 60])

    def _next(self, asset: int, code: str) -> float:
        dice, value = self._dice, self._values[asset, code]
        if dice.random() < 0.8:
            value = min(260.0, max(0.0, value + dice.choice([-60.0, -25.0, -5.0, -0.5, 0.5, 5.0, 25.0, 60.0])))
        self._values[asset, code] = value
        return value / 1000 if code == "o3" else value
