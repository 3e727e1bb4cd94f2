"""What the demo tells of its air: the state that gases are meant at, a report to sign, and where all of it is seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import Site
from techtrack.airquality.limit_sets import limit_set
from techtrack.airquality.standard import standards
from techtrack.assets.models import Asset, Sensor
from techtrack.demo import plant
from techtrack.environment import queries as environment
from techtrack.environment import services
from techtrack.environment.models import AirSettings
from techtrack.reports import services as reports
from techtrack.reports.domain.periods import read_period
from techtrack.reports.models import AirReport
from techtrack.reports.queries import Asked
from techtrack.telemetry import queries as telemetry

LIMITS, INDEX = "eu_2030", "us_epa"
# The one of the corrections that brings the low-cost unit nearest to its reference.
CORRECTION = "hackair"
WEEK = timedelta(days=7)


def declare(*, by: Access, now: datetime) -> None:
    """Declare, once, that the stations' masses of gas are meant at 0 °C and 1 atm, as China did until 2018."""
    there = set(AirSettings.objects.values_list("sensor_id", flat=True))
    for sensor in Sensor.objects.filter(key__in=(plant.CITY.key, plant.STATION.key)):
        if sensor.pk not in there:
            data = {"sensor": sensor, "reference_temperature": 0.0, "reference_pressure": 1013.25}
            services.create_settings(by=by, data=data, now=now)


def report(*, by: Access, now: datetime) -> AirReport:
    """Return the report on the city's air of this year, signed or not; draw it up where there is none."""
    site = Site.objects.get(name=plant.CITY.site)
    period = f"{now.astimezone(ZoneInfo(site.timezone)):%Y}"
    found = AirReport.objects.filter(site=site, period=period, limits=LIMITS, standard=INDEX).first()
    asked = Asked(site, read_period(period), limit_set(LIMITS), standards.get(INDEX))
    return found or reports.draw_up(asked=asked, by=by, now=now)


def told(*, drawn: AirReport, start: datetime, at: datetime, url: str) -> list[str]:
    """Return lines for the console: the city's index ``at`` a moment, and addresses for whoever is logged in."""
    things = (plant.CITY.key, plant.LOW_COST.key)
    city, unit = (Asset.objects.values_list("pk", flat=True).get(key=key) for key in things)
    week = f"from={start - WEEK:%Y-%m-%dT%H:00Z}"
    both = f"asset={plant.LOW_COST.key},{plant.BESIDE_IT.key}&parameter=pm2_5&interval=PT1H&statistic=avg"
    seen = (
        ("its index now", f"/api/sensors/{city}/air-quality/"),
        ("its year so far, and the days left", f"/api/sensors/{city}/exceedances/?standard={LIMITS}"),
        ("the report, preliminary until it is signed", f"/api/reports/air-quality/{drawn.pk}/?format=html"),
        ("a low-cost unit's dust, raw and corrected", f"/api/sensors/{unit}/corrected/?correction={CORRECTION}&{week}"),
        ("that unit beside its reference", f"/api/history/?{both}&{week}"),
    )
    return [f"{_now(city, at)} Log in, and open:", *(f"  {what:44} {url}{path}" for what, path in seen)]


def _now(city: int, at: datetime) -> str:
    """Say what the index of the city's air is."""
    subjects = telemetry.subjects(Asset.objects.filter(pk=city))
    (judged,) = environment.index_now(subjects, standard=standards.get(INDEX), method=None, at=at)
    found = judged.verdict
    if found is None or found.index is None or found.category is None:
        return "The city's air has no index yet."
    return f"The city's air: {found.index}, {found.category.name}, by its {found.dominant}."
