"""The National Air Quality Index of India (CPCB, 2014)."""

from __future__ import annotations

from datetime import date

from techtrack.airquality.indexing import Edition, Indexed, Quorum, Scale
from techtrack.airquality.periods import Mean
from techtrack.airquality.standard import Category, standards
from techtrack.airquality.tables import Lines, joined, lines
from techtrack.airquality.units import Amount, Reference

# NAAQS 2009 (G.S.R. 826(E)): gases at 25 °C and one atmosphere.
AMBIENT = Reference(25.0, 1013.25)
MASS, MILLIGRAM = Amount("ug/m3", AMBIENT), Amount("mg/m3", AMBIENT)
# 16 hours of a day are enough here.
HOUR, EIGHT_HOURS, DAY = Mean(1, 1), Mean(8, 6), Mean(24, 16)

INDICES = "0 50 100 200 300 400 500"


def table(concentrations: str) -> Lines:
    """Build the table of a pollutant; the index ends at 500.

    The bands join: 78 µg/m³ of PM2.5 are 160. The printed table leaves gaps of one between them, which gives 159.
    Severe has no upper end in print: its line goes on with the slope of the band before, as in CPCB's own calculator.
    """
    return joined(concentrations, INDICES, most=500)


SCALES = (
    Scale("pm2_5", MASS, DAY, table("0 30 60 90 120 250 380")),
    Scale("pm10", MASS, DAY, table("0 50 100 250 350 430 510")),
    Scale("o3", MASS, EIGHT_HOURS, joined("0 50 100 168 208", "0 50 100 200 300", most=300)),
    # Above 208 µg/m³ the hour decides; 748 is for mathematical calculation only, says the table.
    Scale("o3", MASS, HOUR, lines("208-748 300-400", "748-1288 400-500", most=500)),
    Scale("co", MILLIGRAM, EIGHT_HOURS, table("0 1 2 10 17 34 51")),
    Scale("so2", MASS, DAY, table("0 40 80 380 800 1600 2400")),
    Scale("no2", MASS, DAY, table("0 40 80 180 280 400 520")),
    Scale("nh3", MASS, DAY, table("0 200 400 800 1200 1800 2400")),
    Scale("pb", Amount("ug/m3"), DAY, table("0 0.5 1 2 3 3.5 4")),
)

IN_NAQI = standards.register("in_naqi")(
    Indexed(
        name="in_naqi",
        title="National Air Quality Index (India)",
        source="CPCB, National Air Quality Index (CUPS/82/2014-15), October 2014",
        methods=("average",),
        categories=(
            Category(50, "Good", "#00B050", "Enjoy the air outdoors."),
            Category(100, "Satisfactory", "#92D050", "Sensitive people may notice slight discomfort in breathing."),
            Category(
                200, "Moderate", "#FFFF00", "Who has lung or heart disease, children and older people: take it easier."
            ),
            Category(300, "Poor", "#FF9900", "Everybody: no long exertion outdoors. Heart patients: less still."),
            Category(400, "Very Poor", "#FF0000", "Everybody: stay out of the open for long. Patients: stay inside."),
            Category(None, "Severe", "#C00000", "Stay inside and keep still; healthy people are harmed as well."),
        ),
        editions=(Edition("2014 edition", date(2014, 10, 17), {"average": SCALES}),),
        quorum=Quorum(3, ("pm2_5", "pm10")),
    )
)
