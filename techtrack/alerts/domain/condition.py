"""What a condition is, and how a rule's stored conditions become clauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from techtrack.core import params
from techtrack.core.errors import Fault, Invalid
from techtrack.core.registry import Registry

INFINITY = float("inf")
# No value lies in it.
NOWHERE = (INFINITY, -INFINITY)
SEVERITIES = ("info", "low", "medium", "high", "critical")
MOST_CLAUSES = 10


class Value(NamedTuple):
    """A value of the watched series; ``at`` is event time in µs."""

    at: int
    value: float


class Condition(Protocol):
    """A test of the newest values of a series; parameters are the fields of the class."""

    limit: float

    def holds(self, window: Sequence[Value], *, firing: bool, deadband: float) -> bool:
        """Tell whether the condition holds at the end of ``window``; ``firing`` when it held before."""


@runtime_checkable
class Calm(Protocol):
    """A condition that can say when it surely does not hold: the judge then passes such values over in bulk."""

    def quiet(self) -> tuple[float, float]:
        """Return the closed range of values at which it does not hold, unless it was firing."""


conditions: Registry[type] = Registry("condition", package="techtrack.alerts.domain.conditions")


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a rule, and how grave it is when it holds."""

    kind: str
    condition: Condition
    severity: str

    @property
    def rank(self) -> int:
        """The place of the severity, from 0 (info) up."""
        return SEVERITIES.index(self.severity)


def parse_conditions(raw: Any, *, pointer: str = "/conditions") -> tuple[Clause, ...]:
    """Build a rule's clauses, gravest first, from ``[{"kind", "severity", …parameters}]``.

    Raises:
        Invalid: with a fault that names the place.
    """
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_CLAUSES:
        raise Invalid(f"a list of 1 to {MOST_CLAUSES} conditions is expected", pointer=pointer)
    clauses = [_parse(one, f"{pointer}/{index}") for index, one in enumerate(raw)]
    return tuple(sorted(clauses, key=lambda clause: -clause.rank))


def quiet_range(clauses: Sequence[Clause]) -> tuple[float, float]:
    """Return the closed range at which no clause holds that was not firing; ``NOWHERE`` if one cannot say."""
    low, high = -INFINITY, INFINITY
    for clause in clauses:
        least, most = clause.condition.quiet() if isinstance(clause.condition, Calm) else NOWHERE
        low, high = max(low, least), min(high, most)
    return low, high


def _parse(raw: Any, pointer: str) -> Clause:
    if not isinstance(raw, dict):
        raise Invalid("an object is expected", pointer=pointer)
    kind, severity = raw.get("kind"), raw.get("severity", "medium")
    if not isinstance(kind, str):
        raise _missing(f"{pointer}/kind")
    if severity not in SEVERITIES:
        raise Invalid(f"choose one of {', '.join(SEVERITIES)}", pointer=f"{pointer}/severity")
    fields = {name: value for name, value in raw.items() if name not in {"kind", "severity"}}
    built: Condition = params.build(conditions.get(kind, pointer=f"{pointer}/kind"), fields, pointer=pointer)
    return Clause(kind, built, severity)


def _missing(pointer: str) -> Invalid:
    return Invalid("this field is required", faults=[Fault(pointer, "required", "this field is required")])
