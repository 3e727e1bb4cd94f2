"""The tables of limit values: WHO 2021, the EU's until 2029 and from 2030, the US NAAQS, and China's GB 3095-2012."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from techtrack.airquality.limits import (
    Allowed,
    Basis,
    Form,
    Formerly,
    Interpolated,
    Limit,
    LimitSet,
    PeakSeason,
    QuarterMean,
    Ranked,
    YearMean,
)
from techtrack.airquality.tables import How, Rounding
from techtrack.airquality.units import Amount, Reference
from techtrack.core.errors import Invalid

# Gases of the EU at 20 °C (2024/2881, annex VI), of WHO and of China since 2018 at 25 °C.
EU_AIR, WARM_AIR, COLD_AIR = Reference(20.0, 1013.25), Reference(25.0, 1013.25), Reference(0.0, 1013.25)
EU_MASS, EU_MILLIGRAM = Amount("ug/m3", EU_AIR), Amount("mg/m3", EU_AIR)
MASS, MILLIGRAM = Amount("ug/m3", WARM_AIR), Amount("mg/m3", WARM_AIR)
PPM, PPB = Amount("[ppm]"), Amount("[ppb]")
TEN_MINUTES, QUARTER, HOUR, THREE_HOURS = Basis.TEN_MINUTES, Basis.QUARTER, Basis.HOUR, Basis.THREE_HOURS
DAY, HIGHEST_8H = Basis.DAY, Basis.HIGHEST_8H
YEAR = YearMean()
INFORMATION, ALERT = "information threshold", "alert threshold"


def _eu(key: str, value: str, basis: Basis, form: Form, kind: str = "limit value") -> Limit:
    parameter = key.rsplit("_", 1)[0]
    amount = EU_MILLIGRAM if parameter == "co" else EU_MASS
    return Limit(key, parameter, Decimal(value), amount, basis, form, kind)


def _eu_ozone(allowed: int) -> Limit:
    """Build the target value: the days above it, as a mean of three years."""
    days = Allowed(allowed)
    return Limit("o3_8h", "o3", Decimal(120), EU_MASS, HIGHEST_8H, days, "target value", years=3, counted=True)


# -- WHO global air quality guidelines (2021), tables 0.1 and 0.2 -----------------------------------------------------
# The 99th percentile is three to four days a year, says table 0.1: the fourth highest day, so three may be above.
PERCENTILE_99 = Allowed(3)


def _who(key: str, basis: Basis, form: Form, guideline: str, targets: str = "") -> tuple[Limit, ...]:
    """Build a guideline level and its interim targets, from the first."""
    parameter = key.rsplit("_", 1)[0]
    amount = MILLIGRAM if parameter == "co" else MASS
    level = Limit(key, parameter, Decimal(guideline), amount, basis, form, "guideline level")
    interim = [
        Limit(f"{key}_it{step}", parameter, Decimal(value), amount, basis, form, f"interim target {step}")
        for step, value in enumerate(targets.split(), 1)
    ]
    return level, *interim


WHO_2021 = LimitSet(
    "who_2021",
    "WHO guidelines 2021",
    "WHO global air quality guidelines (2021), tables 0.1 and 0.2",
    (
        *_who("pm2_5_year", HOUR, YEAR, "5", "35 25 15 10"),
        *_who("pm2_5_day", DAY, PERCENTILE_99, "15", "75 50 37.5 25"),
        *_who("pm10_year", HOUR, YEAR, "15", "70 50 30 20"),
        *_who("pm10_day", DAY, PERCENTILE_99, "45", "150 100 75 50"),
        *_who("o3_season", HIGHEST_8H, PeakSeason(), "60", "100 70"),
        *_who("o3_8h", HIGHEST_8H, PERCENTILE_99, "100", "160 120"),
        *_who("no2_year", HOUR, YEAR, "10", "40 30 20"),
        *_who("no2_day", DAY, PERCENTILE_99, "25", "120 50"),
        *_who("no2_hour", HOUR, Allowed(0), "200"),
        *_who("so2_day", DAY, PERCENTILE_99, "40", "125 50"),
        *_who("so2_10min", TEN_MINUTES, Allowed(0), "500"),
        *_who("co_day", DAY, PERCENTILE_99, "4", "7"),
        *_who("co_8h", HIGHEST_8H, Allowed(0), "10"),
        *_who("co_hour", HOUR, Allowed(0), "35"),
        *_who("co_15min", QUARTER, Allowed(0), "100"),
    ),
    capture=0.75,
    capture_source="three quarters, as of every mean: the guidelines name no share of a year",
)

# -- Directive (EU) 2024/2881, annex I --------------------------------------------------------------------------------
# Annex V, part B: of fixed measurements, for means of the year and of shorter periods alike. The 90 % of Directive
# 2008/50/EC, annex I, did not count what calibration and maintenance lose.
COVERAGE, COVERAGE_SOURCE = 0.85, "Directive (EU) 2024/2881, annex V, part B: fixed measurements"
# Section 4. The alert of dust asks for a day: it is measured "over three consecutive days or less".
THRESHOLDS = (
    _eu("pm2_5_information", "50", DAY, Allowed(0), INFORMATION),
    _eu("pm2_5_alert", "50", DAY, Allowed(0), ALERT),
    _eu("pm10_information", "90", DAY, Allowed(0), INFORMATION),
    _eu("pm10_alert", "90", DAY, Allowed(0), ALERT),
    _eu("no2_information", "150", HOUR, Allowed(0), INFORMATION),
    _eu("no2_alert", "200", THREE_HOURS, Allowed(0), ALERT),
    _eu("so2_information", "275", HOUR, Allowed(0), INFORMATION),
    _eu("so2_alert", "350", THREE_HOURS, Allowed(0), ALERT),
    _eu("o3_information", "180", HOUR, Allowed(0), INFORMATION),
    _eu("o3_alert", "240", HOUR, Allowed(0), ALERT),
)
EU_2024 = LimitSet(
    "eu_2024",
    "EU limit values until 2029",
    "Directive (EU) 2024/2881, annex I, section 1, table 2 (to be attained until 31 December 2029)",
    (
        _eu("pm2_5_year", "25", HOUR, YEAR),
        _eu("pm10_year", "40", HOUR, YEAR),
        _eu("pm10_day", "50", DAY, Allowed(35)),
        _eu("no2_year", "40", HOUR, YEAR),
        _eu("no2_hour", "200", HOUR, Allowed(18)),
        _eu("so2_hour", "350", HOUR, Allowed(24)),
        _eu("so2_day", "125", DAY, Allowed(3)),
        _eu("co_8h", "10", HIGHEST_8H, Allowed(0)),
        _eu_ozone(25),
        *THRESHOLDS,
    ),
    capture=COVERAGE,
    capture_source=COVERAGE_SOURCE,
)
EU_2030 = LimitSet(
    "eu_2030",
    "EU limit values from 2030",
    "Directive (EU) 2024/2881, annex I, section 1, table 1 (to be attained by 1 January 2030)",
    (
        _eu("pm2_5_year", "10", HOUR, YEAR),
        _eu("pm2_5_day", "25", DAY, Allowed(18)),
        _eu("pm10_year", "20", HOUR, YEAR),
        _eu("pm10_day", "45", DAY, Allowed(18)),
        _eu("no2_year", "20", HOUR, YEAR),
        _eu("no2_day", "50", DAY, Allowed(18)),
        _eu("no2_hour", "200", HOUR, Allowed(3)),
        _eu("so2_year", "20", HOUR, YEAR),
        _eu("so2_day", "50", DAY, Allowed(18)),
        _eu("so2_hour", "350", HOUR, Allowed(3)),
        _eu("co_8h", "10", HIGHEST_8H, Allowed(0)),
        _eu("co_day", "4", DAY, Allowed(18)),
        _eu_ozone(18),
        *THRESHOLDS,
    ),
    capture=COVERAGE,
    capture_source=COVERAGE_SOURCE,
)

# -- National Ambient Air Quality Standards of the US, primary: 40 CFR 50 ---------------------------------------------
P98, P99 = Ranked(Fraction(98, 100)), Ranked(Fraction(99, 100))
US_NAAQS = LimitSet(
    "us_naaqs",
    "US national standards (NAAQS)",
    "40 CFR 50, primary standards, as of 89 FR 16202 (2024)",
    (
        Limit("pm2_5_year", "pm2_5", Decimal("9.0"), MASS, DAY, QuarterMean(), years=3),
        Limit("pm2_5_day", "pm2_5", Decimal(35), MASS, DAY, P98, years=3),
        # Appendix K rounds to the nearest 10: a day exceeds from 155 on.
        Limit(
            "pm10_day",
            "pm10",
            Decimal(150),
            MASS,
            DAY,
            Allowed(1),
            years=3,
            counted=True,
            rounding=Rounding(How.HALF_UP, Decimal(10)),
        ),
        Limit(
            "o3_8h",
            "o3",
            Decimal("0.070"),
            PPM,
            Basis.HIGHEST_8H_US,
            Allowed(3),
            years=3,
            rounding=Rounding(How.TRUNCATE, Decimal("0.001")),
        ),
        Limit("no2_year", "no2", Decimal(53), PPB, HOUR, YEAR),
        Limit("no2_hour", "no2", Decimal(100), PPB, Basis.HIGHEST_HOUR, P98, years=3),
        Limit("so2_hour", "so2", Decimal(75), PPB, Basis.HIGHEST_HOUR, P99, years=3),
        Limit("co_8h", "co", Decimal(9), PPM, HIGHEST_8H, Allowed(1)),
        Limit("co_hour", "co", Decimal(35), PPM, HOUR, Allowed(1)),
    ),
    capture=0.75,
    capture_source="40 CFR 50, appendix U: three quarters; N, S and T ask that of each quarter of the year",
    years_needed=3,
)

# -- GB 3095-2012, class 2, judged by the percentiles of HJ 663-2013 --------------------------------------------------
C98, C95, C90 = (Interpolated(Fraction(share, 100)) for share in (98, 95, 90))
GB_3095_2012 = LimitSet(
    "gb_3095_2012",
    "China, class 2 (GB 3095-2012)",
    "GB 3095-2012, table 1, class 2; HJ 663-2013. From 1 March 2026 GB 3095-2026 holds, with lower values",
    (
        Limit("pm2_5_year", "pm2_5", Decimal(35), MASS, DAY, YEAR),
        Limit("pm2_5_day", "pm2_5", Decimal(75), MASS, DAY, C95),
        Limit("pm10_year", "pm10", Decimal(70), MASS, DAY, YEAR),
        Limit("pm10_day", "pm10", Decimal(150), MASS, DAY, C95),
        Limit("no2_year", "no2", Decimal(40), MASS, DAY, YEAR),
        Limit("no2_day", "no2", Decimal(80), MASS, DAY, C98),
        Limit("no2_hour", "no2", Decimal(200), MASS, HOUR, Allowed(0)),
        Limit("so2_year", "so2", Decimal(60), MASS, DAY, YEAR),
        Limit("so2_day", "so2", Decimal(150), MASS, DAY, C98),
        Limit("so2_hour", "so2", Decimal(500), MASS, HOUR, Allowed(0)),
        Limit("co_day", "co", Decimal(4), MILLIGRAM, DAY, C95),
        Limit("co_hour", "co", Decimal(10), MILLIGRAM, HOUR, Allowed(0)),
        Limit("o3_8h", "o3", Decimal(160), MASS, Basis.HIGHEST_8H_CN, C90),
        Limit("o3_hour", "o3", Decimal(200), MASS, HOUR, Allowed(0)),
    ),
    # 324 days of a year and 20 hours of a day.
    capture=324 / 365,
    capture_source="GB 3095-2012, table 4: 324 days of a year",
    day_needs=20,
    # The amendment of 2018 replaced 273 K.
    formerly=Formerly(date(2018, 9, 1), COLD_AIR),
)

LIMIT_SETS: Mapping[str, LimitSet] = MappingProxyType(
    {one.name: one for one in (WHO_2021, EU_2024, EU_2030, US_NAAQS, GB_3095_2012)}
)


def limit_set(name: str, *, pointer: str = "/standard") -> LimitSet:
    """Return the limits called ``name``.

    Raises:
        Invalid: there are none; the message lists those there are.
    """
    if name not in LIMIT_SETS:
        raise Invalid(f"{name!r} are no known limits: choose one of {', '.join(LIMIT_SETS)}", pointer=pointer)
    return LIMIT_SETS[name]
