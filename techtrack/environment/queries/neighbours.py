"""The hour of every sensor that stands somewhere, to be compared with those around."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from techtrack.airquality.hours import Floats
from techtrack.airquality.units import MASS, SPELLINGS
from techtrack.assets.models import Asset, Kind, Status
from techtrack.environment.domain.neighbours import LEAST, Place, unlike
from techtrack.environment.domain.pollutants import DUST
from techtrack.environment.queries.air import Stretch, complete_means
from techtrack.environment.queries.plans import parts, plans_of
from techtrack.telemetry import queries as telemetry

# Neighbours are compared that measured within two hours.
HOURS = 2


@dataclass(frozen=True, slots=True)
class Unlike:
    """A sensor whose hour is unlike that of those around."""

    asset: int
    code: str


def unlike_around(ends: datetime) -> list[Unlike]:
    """Return whose dust, in the hour that ended at a moment, is unlike that of the sensors around.

    A sensor without a place of its own stands where its site does. Those of other sites do not count: what stands
    where, and what it sends, is the word of others, and what they measure is not for everybody to guess.
    """
    places = _places()
    plans = plans_of(places, sending=())
    stretch = Stretch.until(ends, length=HOURS)
    found = []
    for code in DUST:
        ids = [asset for asset in places if code in plans.get(asset, {}) and plans[asset][code].neighbours]
        if len(ids) <= LEAST:
            continue
        means = _masses(ids, code, stretch)
        hours = np.array([means.get(asset, np.full(HOURS, np.nan)) for asset in ids])
        flags = _doubtful(hours, [places[asset] for asset in ids])
        found += [Unlike(asset, code) for asset, flag in zip(ids, flags, strict=True) if flag]
    return found


def _masses(ids: list[int], code: str, stretch: Stretch) -> dict[int, Floats]:
    """Return the hourly means of dust (µg/m³) by sensor; of those whose unit is a mass per volume."""
    found: dict[int, Floats] = {}
    for some in parts(ids):
        subjects = telemetry.subjects(Asset.objects.filter(pk__in=some))
        units = telemetry.units((subject, code) for subject in subjects)
        spelt = {asset: SPELLINGS.get(unit, unit) for (asset, _), unit in units.items()}
        means = complete_means([one for one in subjects if spelt[one.id] in MASS], code=code, stretch=stretch)
        found |= {asset: values * MASS[spelt[asset]] for asset, values in means.items()}
    return found


def _doubtful(hours: Floats, places: list[Place]) -> list[bool]:
    """Compare the last hour of each with the latest hour that the others have."""
    latest = np.where(np.isnan(hours[:, -1]), hours[:, 0], hours[:, -1])
    flags = unlike(latest, places) & ~np.isnan(hours[:, -1])
    told: list[bool] = flags.tolist()
    return told


def _places() -> dict[int, Place]:
    rows = Asset.objects.filter(kind=Kind.SENSOR, status=Status.ACTIVE).order_by("pk")
    columns = rows.values_list("pk", "site", "latitude", "longitude", "site__latitude", "site__longitude")
    found = {}
    for pk, site, latitude, longitude, of_latitude, of_longitude in columns:
        if latitude is None or longitude is None:
            latitude, longitude = of_latitude, of_longitude  # noqa: PLW2901 - where nothing is its own
        if latitude is not None and longitude is not None:
            found[pk] = Place(latitude, longitude, site)
    return found
