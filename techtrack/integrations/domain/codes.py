"""Turns the headings of columns into parameter codes: "PM2.5 (µg/m³)" is pm2_5."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 64
# What instruments write for what the platform calls by one name (API, section 7).
SAME = {
    "pm25": "pm2_5",
    "pm2_5": "pm2_5",
    "temp": "temperature",
    "rh": "humidity",
    "pres": "pressure",
    "press": "pressure",
    "dewp": "dew_point",
    "dp": "dew_point",
    "wspm": "wind_speed",
    "wd": "wind_direction",
}


def code_of(heading: str) -> str:
    """Return the parameter code for a heading, empty where nothing of it can be one."""
    text = re.sub(r"[(\[].*?[)\]]", " ", heading)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    # HumidityRatio and machineID are two words each, PM10 and CO2 are one.
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    code = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not code:
        return ""
    if code[0].isdigit():
        code = f"v{code}"
    return SAME.get(code, code)[:LONGEST]
