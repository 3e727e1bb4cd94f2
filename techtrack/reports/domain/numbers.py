"""Numbers of a report, as they are kept."""

from __future__ import annotations

from typing import overload

# Of what is computed no more is told than the values it is computed of can hold.
DECIMALS = 6


@overload
def rounded(value: float) -> float: ...
@overload
def rounded(value: None) -> None: ...
def rounded(value: float | None) -> float | None:
    """Bring a number to the decimals that are kept."""
    # No negative zero: a database keeps numbers, and not the sign of nothing.
    return None if value is None else round(value, DECIMALS) + 0.0
