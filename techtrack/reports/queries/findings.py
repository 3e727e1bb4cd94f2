"""What a report says of limits: the year so far against each, and what of it fell into the period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from techtrack.airquality.exceedances import Finding, Year, exceedances
from techtrack.airquality.hours import Hours
from techtrack.airquality.limits import LimitSet
from techtrack.core.errors import Invalid
from techtrack.environment.domain.correcting import Air
from techtrack.reports.domain.numbers import DECIMALS, rounded

# Of the years before, by parameter where limits average it over several.
Earlier = Mapping[Year, Mapping[str, Hours]]


def findings_of(
    air: Air, limits: LimitSet, *, year: Year, until: Year, earlier: Earlier
) -> tuple[list[dict[str, Any]], list[str]]:
    """Compare the year so far with each limit, the period being what is in it and not in the year ``until`` then.

    One parameter that lacks a unit does not keep the others from it: what is missing comes beside.
    """
    found, missing = [], []
    for code, hours in air.hours.items():
        try:
            now = exceedances({code: hours}, limits=limits, year=year, before=earlier)
            then = exceedances({code: hours}, limits=limits, year=until)
        except Invalid as error:
            missing += [fault.detail for fault in error.faults]
        else:
            found += [_finding(one, before) for one, before in zip(now, then, strict=True)]
    return found, missing


def _finding(one: Finding, before: Finding) -> dict[str, Any]:
    ends, over = one.forecast, one.over_years
    return {
        "limit": one.limit.key,
        "parameter": one.limit.parameter,
        "kind": one.limit.kind,
        "limit_value": str(one.limit.value),
        "unit": one.limit.amount.unit,
        "periods": str(one.limit.basis),
        "value": rounded(one.value),
        "in_period": None if one.used is None else one.used - (before.used or 0),
        "used": one.used,
        "allowed": one.allowed,
        "left": one.left,
        "exceeded": one.exceeded,
        "capture": round(one.capture, DECIMALS),
        "forecast": [rounded(end) for end in (ends.low, ends.expected, ends.high)] if ends else None,
        "over_years": {"years": list(over.years), "mean": rounded(over.mean), "exceeded": over.exceeded}
        if over
        else None,
        "reason": one.reason,
    }
