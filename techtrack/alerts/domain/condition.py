"""What a condition is: it looks at features, compares each with limits, and combines what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from techtrack.airquality.units import Amount
from techtrack.alerts.domain.features.base import LARGEST, Feature, Raw
from techtrack.alerts.domain.features.windows import Window
from techtrack.core import params
from techtrack.core.errors import Fault, Invalid
from techtrack.core.registry import Registry

INFINITY = float("inf")
# No value lies in it.
NOWHERE = (INFINITY, -INFINITY)
SEVERITIES = ("info", "low", "medium", "high", "critical")
MOST_CLAUSES = 10
# A state keeps one bit for each.
MOST_LEAVES = 30
# Of nested all_of and any_of: they are looked through with each reading, and multiply.
MOST_SETS = 1000
# Longer delays, windows and stretches are a mistake; times are whole µs in 64 bits, and must stay so.
LONGEST = timedelta(days=3660)
# Sets of leaves; the condition holds while all of one set do.
Holds = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A limit that each asset brings along in its attributes; ``default`` for those that do not."""

    attribute: str
    default: float | None = None


Limit = float | Attribute


class OfTheRule(Invalid):
    """What is wrong is not the condition but what the rule says for all of them; the pointer is from its top."""


class Unlimited(Invalid):
    """The asset lacks what a limit is taken from or made with: an attribute, for want of a default; a unit."""

    code = "no_limit"


@dataclass(frozen=True, slots=True)
class Comparator:
    """Holds while a value is below ``low`` or above ``high``, or (``inside``) neither.

    Once it holds, it lets go only ``deadband`` further back, so that a value resting on a limit does not chatter
    (ISA-18.2, alarm deadband).
    """

    low: float = -INFINITY
    high: float = INFINITY
    inside: bool = False
    deadband: float = 0.0

    def holds(self, value: float, *, held: bool) -> bool:
        """Test a value; ``held`` when the one before held."""
        if self.inside:
            slack = self.deadband if held else 0.0
            return self.low - slack <= value <= self.high + slack
        slack = self.deadband if held else 0.0
        return value < self.low + slack or value > self.high - slack

    def quiet(self) -> tuple[float, float]:
        """Return the closed range of values at which it does not hold if it did not before."""
        return NOWHERE if self.inside else (self.low, self.high)

    def crossed(self, value: float | None) -> float | None:
        """Return the limit that the value is about: the one it is beyond, or the only one there is."""
        finite = [limit for limit in (self.low, self.high) if abs(limit) != INFINITY]
        if len(finite) < 2 or value is None:  # noqa: PLR2004 - one of two
            return finite[-1] if finite else None
        return self.low if value < self.low + self.deadband else self.high


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison of one feature, by its place; ``lapse``: also while nothing comes (the feature is a Gap)."""

    feature: int
    comparator: Comparator
    lapse: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a rule as it is for an asset, and how grave it is when it holds."""

    kind: str
    severity: str
    holds: Holds

    @property
    def rank(self) -> int:
        """The place of the severity, from 0 (info) up."""
        return SEVERITIES.index(self.severity)

    def met(self, truth: int) -> bool:
        """Tell whether it holds; ``truth`` has a bit for each leaf that does."""
        return any(truth & needed == needed for needed in self.holds)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is judged instead of each reading: a statistic (Window) of ``width`` µs, complete enough."""

    width: int
    statistic: str
    min_completeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a rule takes from an asset: attributes that limits name, and the interval (µs) at which it should send.

    ``air`` has the units of its pollutants by code, and the state of the air that masses of gas are meant at; None
    where no asset is looked at: what a standard looks up is in its own unit then.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    interval: int | None = None
    air: Mapping[str, Amount] | None = None


@dataclass(slots=True)
class Draft:
    """Collects what the conditions of a rule look at, for assets in the same circumstances."""

    parameter: str
    aggregate: Aggregate | None
    deadband: float
    circumstances: Circumstances
    features: list[Feature] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)

    def series(self, parameter: str = "") -> Feature:
        """Return what is judged of a parameter, the rule's unless another is named: readings, or their aggregate."""
        raw = self.raw(parameter)
        if self.aggregate is None:
            return raw
        share, interval = self.aggregate.min_completeness, self.circumstances.interval
        least = -int(-share * self.aggregate.width // interval) if share and interval else 1
        return Window(raw, self.aggregate.width, self.aggregate.statistic, max(1, least))

    def raw(self, parameter: str = "") -> Feature:
        """Return the readings of a parameter, the rule's unless another is named."""
        code = parameter or self.parameter
        if not code:
            raise OfTheRule("a parameter is needed in the rule or in each condition", pointer="/parameter")
        return Raw(code)

    def number(self, limit: Limit) -> float:
        """Return a limit as it is for the asset."""
        if not isinstance(limit, Attribute):
            return limit
        value = self.circumstances.attributes.get(limit.attribute, limit.default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
            raise Unlimited(f"the asset has no number {limit.attribute!r} among its attributes")
        return float(value)

    def leaf(self, feature: Feature, comparator: Comparator, *, lapse: bool = False) -> Holds:
        """Note a comparison; equal ones are one."""
        if feature not in self.features:
            self.features.append(feature)
        leaf = Leaf(self.features.index(feature), comparator, lapse)
        if leaf not in self.leaves:
            if len(self.leaves) == MOST_LEAVES:
                raise OfTheRule(f"at most {MOST_LEAVES} comparisons make a rule", pointer="/conditions")
            self.leaves.append(leaf)
        return (1 << self.leaves.index(leaf),)


class Condition(Protocol):
    """A kind of condition; its parameters are the fields of the class."""

    def place(self, draft: Draft) -> Holds:
        """Note in ``draft`` what it looks at; return when it holds."""


conditions: Registry[type] = Registry("condition", package="techtrack.alerts.domain.conditions")


@dataclass(frozen=True, slots=True)
class Ask:
    """A condition as it was asked for, with its severity, and where it stands in the rule."""

    kind: str
    condition: Condition
    severity: str
    pointer: str = field(default="", compare=False)


def parse_conditions(raw: Any, *, pointer: str = "/conditions") -> tuple[Ask, ...]:
    """Build a rule's conditions, gravest first, from ``[{"kind", "severity", …parameters}]``.

    Raises:
        Invalid: with a fault that names the place.
    """
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_CLAUSES:
        raise Invalid(f"a list of 1 to {MOST_CLAUSES} conditions is expected", pointer=pointer)
    asked = [parse_condition(one, pointer=f"{pointer}/{index}") for index, one in enumerate(raw)]
    return tuple(sorted(asked, key=lambda one: -SEVERITIES.index(one.severity)))


def parse_condition(raw: Any, *, pointer: str) -> Ask:
    """Build one condition; raises as ``parse_conditions`` does."""
    if not isinstance(raw, dict):
        raise Invalid("an object is expected", pointer=pointer)
    kind, severity = raw.get("kind"), raw.get("severity", "medium")
    if not isinstance(kind, str):
        raise _missing(f"{pointer}/kind")
    if severity not in SEVERITIES:
        raise Invalid(f"choose one of {', '.join(SEVERITIES)}", pointer=f"{pointer}/severity")
    fields = {name: value for name, value in raw.items() if name not in {"kind", "severity"}}
    built: Condition = params.build(conditions.get(kind, pointer=f"{pointer}/kind"), fields, pointer=pointer)
    for name in fields:
        check_length(getattr(built, name), pointer=f"{pointer}/{name}")
    return Ask(kind, built, severity, pointer)


def check_length(value: Any, *, pointer: str) -> None:
    """Raise Invalid for a duration that is too long; what is none passes."""
    if isinstance(value, timedelta) and abs(value) > LONGEST:
        raise Invalid(f"a duration of at most {LONGEST.days} days is expected", pointer=pointer)


def worst_first(raw: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return conditions that were proved as they are kept: as they were written, with a severity, gravest first."""
    told = [{**one, "severity": one.get("severity", "medium")} for one in raw]
    return sorted(told, key=lambda one: -SEVERITIES.index(one["severity"]))


@contextmanager
def within(pointer: str) -> Iterator[None]:
    """Let faults of what is placed inside point below ``pointer``."""
    try:
        yield
    except OfTheRule:
        raise
    except Invalid as error:
        faults = [Fault(pointer + fault.pointer, fault.code, fault.detail) for fault in error.faults]
        raise type(error)(error.detail, faults=faults) from None


def all_hold(parts: Sequence[Holds]) -> Holds:
    """Combine: one set of each part."""
    sets = {0}
    for part in parts:
        sets = {one | other for one in sets for other in part}
        if len(sets) > MOST_SETS:
            raise OfTheRule(f"more than {MOST_SETS} combinations of comparisons", pointer="/conditions")
    return tuple(sorted(sets))


def any_holds(parts: Sequence[Holds]) -> Holds:
    """Combine: a set of any part."""
    return tuple(sorted({one for part in parts for one in part}))


def _missing(pointer: str) -> Invalid:
    return Invalid("this field is required", faults=[Fault(pointer, "required", "this field is required")])
