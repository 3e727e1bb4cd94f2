"""Why an alert is there, from what is recorded: its condition, the limit and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

# What a condition calls its limits.
LIMITS = ("limit", "low", "high", "above", "below")
# Values of these conditions, and their limits, are those of the readings.
PLAIN = ("above", "below", "outside", "inside", "air_quality")
_CLOSE = 1e-9


class Origin(NamedTuple):
    """Where a limit came from: the ``rule``, an ``attribute`` of the asset, or the ``default`` for those without it."""

    source: str
    attribute: str | None = None


class Extreme(NamedTuple):
    """The reading that lay furthest on the wrong side; ``highest`` says which side that is."""

    value: float
    at: datetime
    highest: bool


def condition_of(definition: Mapping[str, Any], kind: str, severity: str) -> dict[str, Any]:
    """Return the condition of a rule's definition that an alert tells of, empty where none is like it."""
    asked = [one for one in definition.get("conditions") or () if isinstance(one, dict) and one.get("kind") == kind]
    silence = definition.get("no_data")
    if kind == "no_data" and isinstance(silence, dict):
        asked.append({"kind": kind, "severity": "medium", **silence})
    alike = [one for one in asked if one.get("severity", "medium") == severity]
    # Escalation makes an alert graver than its condition is.
    return dict((alike or asked or [{}])[0])


def origin_of(
    condition: Mapping[str, Any], attributes: Mapping[str, Any], *, limit: float | None, value: float | None
) -> Origin | None:
    """Say where the limit came from; None where nothing is known of it.

    Attributes are those of now: of one that was changed since it can only be said that the limit was taken from it.
    """
    asked = [condition[name] for name in LIMITS if condition.get(name) is not None]
    if not asked or limit is None:
        return None
    beyond = asked[0] if value is not None and value < limit else asked[-1]
    found = next((one for one in asked if _amounts_to(one, attributes, limit)), beyond)
    if not isinstance(found, Mapping):
        return Origin("rule")
    name = str(found.get("attribute"))
    own = attributes.get(name)
    by_default = not _same(own, limit) and (own is None or _same(found.get("default"), limit))
    return Origin("default" if by_default else "attribute", name)


def rises(kind: str, *, limit: float | None, value: float | None) -> bool | None:
    """Tell whether higher is worse, or lower (False); None where neither is, or nobody can say."""
    if kind in {"above", "air_quality"}:
        return True
    if kind == "below":
        return False
    if kind == "deviation":
        return None if value is None else value > 0
    if kind in {"outside", "forecast"} and value is not None and limit is not None:
        return value > limit
    return None


def parameters_of(parameter: str, condition: Mapping[str, Any], definition: Mapping[str, Any]) -> list[str]:
    """Return the parameters that an alert is about: its own, else what its condition names, else the rule's."""
    named = [parameter] if parameter else [*_named(condition)]
    return list(dict.fromkeys(named or ([definition["parameter"]] if definition.get("parameter") else [])))


def _amounts_to(asked: Any, attributes: Mapping[str, Any], limit: float) -> bool:
    if isinstance(asked, Mapping):
        return _same(attributes.get(str(asked.get("attribute")), asked.get("default")), limit)
    return _same(asked, limit)


def _same(one: Any, other: float) -> bool:
    number = isinstance(one, int | float) and not isinstance(one, bool)
    return number and abs(one - other) <= _CLOSE * max(1.0, abs(other))


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("parameter"), str) and part["parameter"]:
            yield part["parameter"]
        for inner in part.values():
            yield from _named(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _named(inner)
