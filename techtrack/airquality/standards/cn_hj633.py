"""The Air Quality Index of China by HJ 633-2012."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from techtrack.airquality.indexing import Edition, Indexed, Scale
from techtrack.airquality.periods import Mean
from techtrack.airquality.standard import Category, standards
from techtrack.airquality.tables import Lines, Whole, joined
from techtrack.airquality.units import Amount, Reference

# GB 3095-2012, amendment of 2018: gases at 298.15 K and 1013.25 hPa; 273 K before 1 September 2018.
AMBIENT, FORMERLY = Reference(25.0, 1013.25), Reference(0.0, 1013.25)
MASS, MILLIGRAM = Amount("ug/m3", AMBIENT), Amount("mg/m3", AMBIENT)
# GB 3095-2012, table 4: a day needs 20 hours, eight hours need six.
HOUR, EIGHT_HOURS, DAY = Mean(1, 1), Mean(8, 6), Mean(24, 20)

INDICES = "0 50 100 150 200 300 400 500"


def table(concentrations: str, *, most: int = 500) -> Lines:
    """Build the table of a pollutant; an index is rounded up (section 6.3), and ends at 500."""
    points = len(concentrations.split())
    return joined(concentrations, " ".join(INDICES.split()[:points]), whole=Whole.UP, most=most)


PM2_5 = Scale("pm2_5", MASS, DAY, table("0 35 75 115 150 250 350 500"))
PM10 = Scale("pm10", MASS, DAY, table("0 50 150 250 350 420 500 600"))
# Eight hours say nothing above 800, where an index of 300 is reached; the hour does.
O3_8H = Scale("o3", MASS, EIGHT_HOURS, table("0 100 160 215 265 800", most=300))
O3_1H = Scale("o3", MASS, HOUR, table("0 160 200 300 400 800 1000 1200"))
SO2_24H = Scale("so2", MASS, DAY, table("0 50 150 475 800 1600 2100 2620"))
# An hour of SO2 says nothing above 800 µg/m³ either; the day does.
SO2_1H = Scale("so2", MASS, HOUR, table("0 150 500 650 800", most=200))
NO2_24H = Scale("no2", MASS, DAY, table("0 40 80 180 280 565 750 940"))
NO2_1H = Scale("no2", MASS, HOUR, table("0 100 200 700 1200 2340 3090 3840"))
CO_24H = Scale("co", MILLIGRAM, DAY, table("0 2 4 14 24 36 48 60"))
CO_1H = Scale("co", MILLIGRAM, HOUR, table("0 5 10 35 60 90 120 150"))

SCALES = {
    "average": (PM2_5, PM10, O3_8H, O3_1H, SO2_24H, NO2_24H, CO_24H),
    "hourly": (PM2_5, PM10, O3_1H, SO2_1H, SO2_24H, NO2_1H, CO_1H),
}
COLD_SCALES = {
    method: tuple(replace(one, amount=replace(one.amount, reference=FORMERLY)) for one in scales)
    for method, scales in SCALES.items()
}

CN_HJ633 = standards.register("cn_hj633")(
    Indexed(
        name="cn_hj633",
        title="Air Quality Index (China)",
        source="HJ 633-2012, Technical Regulation on Ambient Air Quality Index (on trial), table 1; GB 3095-2012",
        # The daily report looks at days of most gases, the hourly report at hours of them.
        methods=("average", "hourly"),
        categories=(
            Category(50, "Excellent", "#00E400", "Enjoy the air outdoors."),
            Category(100, "Good", "#FFFF00", "The few who are unusually sensitive: a little less outdoors."),
            Category(
                150, "Lightly polluted", "#FF7E00", "Children, older people and patients: less long exertion outdoors."
            ),
            Category(200, "Moderately polluted", "#FF0000", "The same: no long exertion. Everybody: somewhat less."),
            Category(
                300, "Heavily polluted", "#99004C", "Children, older people and patients: inside. Everybody: less."
            ),
            Category(
                None,
                "Severely polluted",
                "#7E0023",
                "Children, older people and patients: inside and still. All: avoid.",
            ),
        ),
        editions=(
            Edition("2012 edition", date(2012, 2, 29), COLD_SCALES),
            Edition("2012 edition, amended 2018", date(2018, 9, 1), SCALES),
            Edition("2012 edition, which HJ 633-2026 has replaced", date(2026, 3, 1), SCALES),
        ),
        # A day that is excellent has no primary pollutant.
        dominates_above=50,
    )
)
