"""The European Air Quality Index of the EEA, as revised in 2024: six bands of hourly means."""

from __future__ import annotations

from datetime import date

from techtrack.airquality.indexing import Edition, Indexed, Scale
from techtrack.airquality.periods import Mean
from techtrack.airquality.standard import Category, standards
from techtrack.airquality.tables import bands
from techtrack.airquality.units import Amount, Reference

# Directive 2008/50/EC, annex VI: gases at 293 K and 101.3 kPa.
MASS = Amount("ug/m3", Reference(20.0, 1013.25))
# Every pollutant by the hour, dust as well: the older index took days of it.
HOUR = Mean(1, 1)

# Upper limits of Good, Fair, Moderate, Poor and Very poor; an amount on the limit is in the better band.
LIMITS = {
    "pm2_5": "5 15 50 90 140",
    "pm10": "15 45 120 195 270",
    "no2": "10 25 60 100 150",
    "o3": "60 100 120 160 180",
    "so2": "20 40 125 190 275",
}

EU_EAQI = standards.register("eu_eaqi")(
    Indexed(
        name="eu_eaqi",
        title="European Air Quality Index",
        source="EEA, European Air Quality Index as revised in 2024 (ETC HE report 2024/17); airindex.eea.europa.eu",
        methods=("average",),
        categories=(
            Category(1, "Good", "#50F0E6", "Enjoy the air outdoors."),
            Category(2, "Fair", "#50CCAA", "Enjoy the air outdoors."),
            Category(3, "Moderate", "#F0E641", "Sensitive people: take it easier outdoors if you notice symptoms."),
            Category(
                4, "Poor", "#FF5050", "Take it easier outdoors if eyes or throat hurt. Sensitive people: do less."
            ),
            Category(
                5, "Very poor", "#960032", "Do less outdoors. Sensitive people: stay inside if you notice symptoms."
            ),
            Category(None, "Extremely poor", "#7D2181", "Do less outdoors. Sensitive people: no exertion outdoors."),
        ),
        editions=(
            Edition(
                "2024 edition",
                date(2024, 11, 1),
                {"average": tuple(Scale(one, MASS, HOUR, bands(limits)) for one, limits in LIMITS.items())},
            ),
        ),
    )
)
