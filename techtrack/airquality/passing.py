"""Up to which concentration the index of one pollutant does not pass a limit, by the tables of its standard.

Tables and roundings are monotone, so that to compare an index with a limit is to compare the concentration.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

from techtrack.airquality.hours import LARGEST
from techtrack.airquality.indexing import Indexed, Scale
from techtrack.airquality.standard import Standard, chosen_method
from techtrack.core.errors import Invalid

# In the unit of a scale.
_MOST: Final = Decimal(LARGEST)


def scales_of(standard: Standard, parameter: str, *, method: str | None = None) -> tuple[Scale, ...]:
    """Return by what the newest edition of a standard gives a pollutant an index; the highest of several counts.

    A pollutant that it does not know has none.

    Raises:
        Invalid: the standard gives no pollutant an index of its own, or has no such method.
    """
    method = chosen_method(method, standard.methods)
    if not isinstance(standard, Indexed):
        raise Invalid(f"{standard.name} adds pollutants up: none has an index of its own", pointer="/standard")
    return tuple(scale for scale in standard.editions[-1].scales[method] if scale.parameter == parameter)


@lru_cache(maxsize=1024)
def highest_within(scale: Scale, limit: float) -> Decimal | None:
    """Return the highest concentration, rounded as the scale rounds, whose index is not above ``limit``.

    It is in the scale's unit, and below zero where even clean air is above the limit. None: no concentration is. What
    the table says nothing of is not above any limit.
    """
    step = scale.rounding.step
    # Whole numbers of steps: ``within`` is not above the limit, ``beyond`` is.
    within, beyond = -1, int(_MOST // step)
    if not _above(scale, beyond * step, limit):
        return None
    while beyond - within > 1:
        middle = (within + beyond) // 2
        within, beyond = (within, middle) if _above(scale, middle * step, limit) else (middle, beyond)
    return within * step


def _above(scale: Scale, amount: Decimal, limit: float) -> bool:
    index = scale.table.exact(amount)
    return index is not None and index > limit
