"""The Daily Air Quality Index of the UK: ten numbers in four bands."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from techtrack.airquality.indexing import Edition, Indexed, Scale
from techtrack.airquality.periods import Mean, QuarterHour
from techtrack.airquality.standard import Category, standards
from techtrack.airquality.tables import How, Rounding, bands
from techtrack.airquality.units import Amount, Reference

# As in the EU: 20 °C and 1013 hPa.
MASS = Amount("ug/m3", Reference(20.0, 1013.25))
# Only what is looked up is rounded; the hours that a mean is made of are not.
ONE = Rounding(How.HALF_UP, Decimal(1))
HOUR, EIGHT_HOURS, DAY = Mean(1, 1), Mean(8, 6), Mean(24, 18)

# Upper limits of 1 to 9.
SCALES = (
    Scale("pm2_5", MASS, DAY, bands("11 23 35 41 47 53 58 64 70"), ONE),
    Scale("pm10", MASS, DAY, bands("16 33 50 58 66 75 83 91 100"), ONE),
    Scale("o3", MASS, EIGHT_HOURS, bands("33 66 100 120 140 160 187 213 240"), ONE),
    Scale("no2", MASS, HOUR, bands("67 134 200 267 334 400 467 534 600"), ONE),
    Scale("so2", MASS, QuarterHour(), bands("88 177 266 354 443 532 710 887 1064"), ONE),
)

_LOW = "Enjoy the air outdoors."
_MODERATE = "Who has heart or lung trouble and notices it: less exertion outdoors. Everybody else: as usual."
_HIGH = (
    "Who has heart or lung trouble, and older people: less exertion. Anybody with sore eyes or a cough: do less too."
)
_VERY_HIGH = "Who has heart or lung trouble, and older people: no exertion. Everybody else: less, above all outdoors."

UK_DAQI = standards.register("uk_daqi")(
    Indexed(
        name="uk_daqi",
        title="Daily Air Quality Index (UK)",
        source="COMEAP, Review of the UK Air Quality Index (2011); Defra, Update on Implementation of the DAQI (2013)",
        methods=("average",),
        categories=(
            Category(1, "Low", "#9CFF9C", _LOW),
            Category(2, "Low", "#31FF00", _LOW),
            Category(3, "Low", "#31CF00", _LOW),
            Category(4, "Moderate", "#FFFF00", _MODERATE),
            Category(5, "Moderate", "#FFCF00", _MODERATE),
            Category(6, "Moderate", "#FF9A00", _MODERATE),
            Category(7, "High", "#FF6464", _HIGH),
            Category(8, "High", "#FF0000", _HIGH),
            Category(9, "High", "#990000", _HIGH),
            Category(None, "Very High", "#CE30FF", _VERY_HIGH),
        ),
        editions=(Edition("2013 edition", date(2013, 4, 1), {"average": SCALES}),),
    )
)
