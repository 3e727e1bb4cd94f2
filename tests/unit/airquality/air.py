"""Air that keeps still, or does as it is told: hours for the tests of indices and limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import settings

from techtrack.airquality.hours import Hours
from techtrack.airquality.standard import standards
from techtrack.airquality.units import Reference

HOUR = timedelta(hours=1)
# The end of the last hour, when the newest edition of every standard holds.
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
FORTNIGHT = 336
EU_AIR, WARM_AIR = Reference(20.0, 1013.25), Reference(25.0, 1013.25)
# The machine may be busy with other things: no example is late.
examples = settings(max_examples=60, deadline=None)
US_UNITS = {"pm2_5": "ug/m3", "pm10": "ug/m3", "o3": "[ppm]", "co": "[ppm]", "so2": "[ppb]", "no2": "[ppb]"}


def series(values, unit="ug/m3", *, last=AT, reference=None, quarters=None):
    """Hourly means, the last of which ends at ``last``; None where there is none."""
    known = np.array([np.nan if one is None else one for one in values], float)
    return Hours(last - (len(known) - 1) * HOUR, known, unit, reference=reference, quarters=quarters)


def still(value, unit="ug/m3", *, reference=None, last=AT):
    """A fortnight in which nothing changes, not even from one quarter of an hour to the next."""
    return series([value] * FORTNIGHT, unit, last=last, reference=reference, quarters=np.full((FORTNIGHT, 4), value))


def unit_of(standard, parameter):
    """The unit in which a standard's table is written."""
    if standard == "us_epa":
        return US_UNITS[parameter]
    if standard == "ca_aqhi" and parameter != "pm2_5":
        return "[ppb]"
    return "mg/m3" if parameter == "co" else "ug/m3"


def reference_of(standard):
    """The state of the air in which a standard's table is written; tables in ppb need none."""
    return WARM_AIR if standard in {"in_naqi", "cn_hj633"} else EU_AIR


def verdict(standard, *, at=AT, method=None, **values):
    """What a standard says of still air with these concentrations, in the units of its tables."""
    reference = reference_of(standard)
    hours = {
        one: still(float(value), unit_of(standard, one), reference=reference, last=at) for one, value in values.items()
    }
    return standards.get(standard).judge(hours, at=at, method=method)


def sub_index(standard, parameter, value, *, at=AT, method=None):
    """The index that one pollutant has in still air."""
    (found,) = verdict(standard, at=at, method=method, **{parameter: value}).pollutants
    return found.index
