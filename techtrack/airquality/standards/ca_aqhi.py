"""The Air Quality Health Index of Canada: one sum over three pollutants, by what each adds to mortality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from techtrack.airquality.hours import MILLION, MISSING, Axis, Floats, Hours, axis_of
from techtrack.airquality.measuring import Measure, multipliers
from techtrack.airquality.periods import Mean
from techtrack.airquality.standard import Category, History, SubIndex, Verdict, category_of, chosen_method, standards
from techtrack.airquality.tables import HALF, NONE
from techtrack.airquality.units import Amount

# Stieb et al. (2008), J. Air Waste Manage. Assoc. 58:435-450: the excess of mortality (%) of each, from means of 3 h.
THREE_HOURS = Mean(3, 2)
PPB, MASS = Amount("[ppb]"), Amount("ug/m3")
COEFFICIENTS = {
    Measure("no2", PPB, THREE_HOURS): Decimal("0.000871"),
    Measure("o3", PPB, THREE_HOURS): Decimal("0.000537"),
    Measure("pm2_5", MASS, THREE_HOURS): Decimal("0.000487"),
}
# 10.4 % is the highest excess of the cities of the study: it makes an index of ten.
SCALE = Decimal(1000) / Decimal("10.4")

_LOW = "Enjoy the air outdoors."
_MODERATE = "People at risk: put off exertion outdoors if you notice symptoms. Everybody else: as usual."
_HIGH = "People at risk: put off exertion outdoors. Everybody else: do so if you cough or your throat hurts."
_VERY_HIGH = "People at risk: no exertion outdoors. Everybody else: less of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthIndex:
    """The index as one sum: no pollutant has an index of its own, and all three are needed."""

    name: str
    title: str
    source: str
    categories: tuple[Category, ...]
    methods: tuple[str, ...] = ("average",)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The pollutants of the sum."""
        return tuple(measure.parameter for measure in COEFFICIENTS)

    def judge(self, hours: Mapping[str, Hours], *, at: datetime, method: str | None = None) -> Verdict:
        """Judge the air at a moment; see ``Standard``."""
        method = chosen_method(method, self.methods)
        factors = multipliers(COEFFICIENTS, hours)
        parts = {one: _part(one, hours[one.parameter], multiplier=by, at=at) for one, by in factors.items()}
        shares = {one.parameter: share for one, (share, _) in parts.items() if share is not None}
        missing = [parameter for parameter in self.parameters if parameter not in shares]
        total = sum(shares.values(), Decimal(0))
        # The scale begins at 1, however clean the air is.
        index = None if missing else max(1, int(total.to_integral_value(ROUND_HALF_UP)))
        return Verdict(
            standard=self.name,
            edition="2008 edition",
            method=method,
            at=at,
            index=index,
            category=None if index is None else category_of(index, self.categories),
            dominant=None if index is None else max(shares, key=lambda one: shares[one]),
            pollutants=tuple(told for _, told in parts.values()),
            reason=f"the sum lacks {', '.join(missing)}" if missing else "",
        )

    def history(self, hours: Mapping[str, Hours], *, method: str | None = None) -> History:
        """Judge every hour; see ``Standard``. Pollutants have no index of their own."""
        chosen_method(method, self.methods)
        given = {parameter: hours[parameter] for parameter in self.parameters if parameter in hours}
        axis = axis_of(given.values())
        shares = _shares(given, axis)
        total = shares.sum(axis=0)
        known = ~np.isnan(total)
        index = np.where(known, np.maximum(np.floor(np.where(known, total, 0) + float(HALF)), 1), NONE).astype(np.int64)
        dominant = np.where(known, np.where(known, shares, 0).argmax(axis=0), NONE)
        return History(first=axis.first, parameters=self.parameters, index=index, dominant=dominant, pollutants={})


def _part(measure: Measure, hours: Hours, *, multiplier: float, at: datetime) -> tuple[Decimal | None, SubIndex]:
    """Return what a pollutant adds to the sum, and what is told of it."""
    average = measure.exact(hours, multiplier=multiplier, at=at)
    amount = None if average.amount is None else max(average.amount, Decimal(0))
    share = None if amount is None else ((COEFFICIENTS[measure] * amount).exp() - 1) * SCALE
    told = SubIndex(
        parameter=measure.parameter,
        concentration=amount,
        unit=measure.amount.unit,
        averaging=measure.period.label,
        completeness=average.completeness,
        reason=average.reason if share is None else f"adds {share:.2f} to the sum, and has no index of its own",
    )
    return share, told


def _shares(hours: Mapping[str, Hours], axis: Axis) -> Floats:
    """Return what each pollutant adds in each hour of an axis, NaN where it is not known."""
    found = np.full((len(COEFFICIENTS), axis.length), np.nan)
    factors = multipliers(COEFFICIENTS, hours)
    for row, (measure, coefficient) in enumerate(COEFFICIENTS.items()):
        if measure in factors:
            means = measure.fast(hours[measure.parameter], multiplier=factors[measure], axis=axis)
            amounts = np.maximum(means, 0) / MILLION
            found[row] = np.where(means == MISSING, np.nan, np.expm1(float(coefficient) * amounts) * float(SCALE))
    return found


CA_AQHI = standards.register("ca_aqhi")(
    HealthIndex(
        name="ca_aqhi",
        title="Air Quality Health Index (Canada)",
        source="Stieb et al. (2008), J. Air Waste Manage. Assoc. 58:435-450; Environment Canada, About the AQHI",
        categories=(
            Category(1, "Low", "#00CCFF", _LOW),
            Category(2, "Low", "#0099CC", _LOW),
            Category(3, "Low", "#006699", _LOW),
            Category(4, "Moderate", "#FFFF00", _MODERATE),
            Category(5, "Moderate", "#FFCC00", _MODERATE),
            Category(6, "Moderate", "#FF9933", _MODERATE),
            Category(7, "High", "#FF6666", _HIGH),
            Category(8, "High", "#FF0000", _HIGH),
            Category(9, "High", "#CC0000", _HIGH),
            Category(10, "High", "#990000", _HIGH),
            Category(None, "Very High", "#660000", _VERY_HIGH),
        ),
    )
)
