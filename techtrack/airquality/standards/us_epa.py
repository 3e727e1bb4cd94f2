"""The Air Quality Index of the US EPA, with the tables of 2024 and those that held before."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from techtrack.airquality.indexing import Edition, Indexed, Scale
from techtrack.airquality.periods import DustNowCast, Mean, OzoneNowCast, Period
from techtrack.airquality.standard import Category, standards
from techtrack.airquality.tables import How, Lines, Rounding, lines
from techtrack.airquality.units import Amount

MASS, PPM, PPB = Amount("ug/m3"), Amount("[ppm]"), Amount("[ppb]")
HOUR, EIGHT_HOURS, DAY = Mean(1, 1), Mean(8, 6), Mean(24, 18)
# "Truncate the concentrations" comes first: table of 40 CFR 58 appendix G, section 12.i.
THOUSANDTH, TENTH, ONE = (Rounding(How.TRUNCATE, Decimal(step)) for step in ("0.001", "0.1", "1"))

CATEGORIES = (
    Category(50, "Good", "#00E400", "Enjoy the air outdoors."),
    Category(100, "Moderate", "#FFFF00", "Who reacts unusually strongly may take it easier outdoors."),
    Category(
        150,
        "Unhealthy for Sensitive Groups",
        "#FF7E00",
        "People with heart or lung disease, older people and children: shorter and lighter exertion outdoors.",
    ),
    Category(200, "Unhealthy", "#FF0000", "Everybody: less exertion outdoors. Sensitive groups: none that lasts."),
    Category(300, "Very Unhealthy", "#8F3F97", "Everybody: no long exertion outdoors. Sensitive groups: stay inside."),
    Category(None, "Hazardous", "#7E0023", "Stay inside with windows shut, and keep still."),
)

# -- 2024: 40 CFR 58 appendix G as of 89 FR 16202, in force since 6 May 2024; EPA-454/B-24-002 ----------------------
PM2_5 = lines(
    "0.0-9.0 0-50", "9.1-35.4 51-100", "35.5-55.4 101-150", "55.5-125.4 151-200", "125.5-225.4 201-300",
    "225.5-325.4 301-500",
)  # fmt: skip
PM10 = lines("0-54 0-50", "55-154 51-100", "155-254 101-150", "255-354 151-200", "355-424 201-300", "425-604 301-500")
# Eight hours say nothing above 300: from there on the hour decides.
O3_8H = lines(
    "0.000-0.054 0-50", "0.055-0.070 51-100", "0.071-0.085 101-150", "0.086-0.105 151-200", "0.106-0.200 201-300",
    most=300,
)  # fmt: skip
O3_1H = lines("0.125-0.164 101-150", "0.165-0.204 151-200", "0.205-0.404 201-300", "0.405-0.604 301-500")
CO = lines(
    "0.0-4.4 0-50", "4.5-9.4 51-100", "9.5-12.4 101-150", "12.5-15.4 151-200", "15.5-30.4 201-300",
    "30.5-50.4 301-500",
)  # fmt: skip
# An hour from 305 ppb on is 200 unless the day is as high: the index above 200 is one of days.
SO2_1H = lines("0-35 0-50", "36-75 51-100", "76-185 101-150", "186-304 151-200", most=200)
SO2_24H = lines("305-604 201-300", "605-1004 301-500")
NO2 = lines("0-53 0-50", "54-100 51-100", "101-360 101-150", "361-649 151-200", "650-1249 201-300", "1250-2049 301-500")

# -- Before: the last band in two halves, as of 78 FR 3086 (PM2.5, 2013) and 80 FR 65292 (O3, 2015) -----------------
PM2_5_2012 = lines(
    "0.0-12.0 0-50", "12.1-35.4 51-100", "35.5-55.4 101-150", "55.5-150.4 151-200", "150.5-250.4 201-300",
    "250.5-350.4 301-400", "350.5-500.4 401-500",
)  # fmt: skip
PM10_2012 = Lines(segments=(*PM10.segments[:-1], *lines("425-504 301-400", "505-604 401-500").segments))
O3_8H_2008 = lines(
    "0.000-0.059 0-50", "0.060-0.075 51-100", "0.076-0.095 101-150", "0.096-0.115 151-200", "0.116-0.374 201-300",
    most=300,
)  # fmt: skip
O3_1H_2012 = Lines(segments=(*O3_1H.segments[:-1], *lines("0.405-0.504 301-400", "0.505-0.604 401-500").segments))
CO_2012 = Lines(segments=(*CO.segments[:-1], *lines("30.5-40.4 301-400", "40.5-50.4 401-500").segments))
SO2_24H_2012 = lines("305-604 201-300", "605-804 301-400", "805-1004 401-500")
NO2_2012 = Lines(segments=(*NO2.segments[:-1], *lines("1250-1649 301-400", "1650-2049 401-500").segments))


def scales(dust: Period, ozone: Period, tables: tuple[Lines, ...]) -> tuple[Scale, ...]:
    """Put tables of PM2.5, PM10, O3 (8 h, 1 h), CO, SO2 (24 h) and NO2 together with what they are averaged over."""
    pm2_5, pm10, o3_8h, o3_1h, co, so2_24h, no2 = tables
    return (
        Scale("pm2_5", MASS, dust, pm2_5, TENTH),
        Scale("pm10", MASS, dust, pm10, ONE),
        Scale("o3", PPM, ozone, o3_8h, THOUSANDTH),
        Scale("o3", PPM, HOUR, o3_1h, THOUSANDTH),
        Scale("co", PPM, EIGHT_HOURS, co, TENTH),
        Scale("so2", PPB, HOUR, SO2_1H, ONE),
        Scale("so2", PPB, DAY, so2_24h, ONE),
        Scale("no2", PPB, HOUR, no2, ONE),
    )


def edition(name: str, since: date, *tables: Lines) -> Edition:
    """Build an edition with both methods."""
    by_method = {
        "nowcast": scales(DustNowCast(), OzoneNowCast(), tables),
        "average": scales(DAY, EIGHT_HOURS, tables),
    }
    return Edition(name, since, by_method)


US_EPA = standards.register("us_epa")(
    Indexed(
        name="us_epa",
        title="Air Quality Index (US EPA)",
        source="40 CFR 58 appendix G (89 FR 16202, 2024); EPA-454/B-24-002, Technical Assistance Document, May 2024",
        methods=("nowcast", "average"),
        categories=CATEGORIES,
        editions=(
            edition(
                "2012 edition", date(2013, 3, 18),
                PM2_5_2012, PM10_2012, O3_8H_2008, O3_1H_2012, CO_2012, SO2_24H_2012, NO2_2012,
            ),
            edition(
                "2015 edition", date(2015, 12, 28),
                PM2_5_2012, PM10_2012, O3_8H, O3_1H_2012, CO_2012, SO2_24H_2012, NO2_2012,
            ),
            edition("2024 edition", date(2024, 5, 6), PM2_5, PM10, O3_8H, O3_1H, CO, SO2_24H, NO2),
        ),
    )
)  # fmt: skip
