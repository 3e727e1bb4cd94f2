"""What a rule demands of its alerts, beside when they are raised: latching, raising again, escalation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.core.clock import read_duration
from techtrack.core.errors import Invalid, member

MOST_STAGES = 5
# Of a condition that does not say how grave it is.
DEFAULT = "medium"


@dataclass(frozen=True, slots=True)
class Stage:
    """How grave an alert becomes that nobody has acknowledged ``after`` so long."""

    after: timedelta
    severity: str


@dataclass(frozen=True, slots=True)
class Terms:
    """``revision`` is the rule's; an alert that returned less than ``reraise_window`` ago is taken up again."""

    revision: int = 1
    latched: bool = False
    reraise_window: timedelta = timedelta(0)
    escalation: tuple[Stage, ...] = ()


def parse_escalation(raw: Any, *, pointer: str = "/escalation") -> tuple[Stage, ...]:
    """Build the stages of ``[{"after": "PT10M", "severity": "critical"}]``, which come later and graver each.

    Raises:
        Invalid: with a pointer to the stage.
    """
    if not isinstance(raw, list) or len(raw) > MOST_STAGES:
        raise Invalid(f"a list of at most {MOST_STAGES} stages is expected", pointer=pointer)
    stages = tuple(_stage(one, member(pointer, number)) for number, one in enumerate(raw))
    for number, (one, then) in enumerate(pairwise(stages), 1):
        if then.after <= one.after:
            raise Invalid("this comes no later than the stage before it", pointer=f"{pointer}/{number}/after")
        if _rank(then.severity) <= _rank(one.severity):
            raise Invalid("this is no graver than the stage before it", pointer=f"{pointer}/{number}/severity")
    return stages


def refuse_idle(stages: Sequence[Stage], severities: Iterable[str], *, pointer: str = "/escalation") -> None:
    """Pass where each stage makes an alert of one of these ``severities`` graver.

    Raises:
        Invalid: with a pointer to the first that does not.
    """
    least = min((_rank(severity) for severity in severities), default=0)
    for number, stage in enumerate(stages):
        if _rank(stage.severity) <= least:
            told = f"no alert of this rule is below {SEVERITIES[least]}: this stage would make none graver"
            raise Invalid(told, pointer=f"{pointer}/{number}/severity")


def severities_of(conditions: Any, no_data: Any) -> set[str]:
    """Return how grave the alerts of a rule are, told as rules are kept."""
    told = [one for one in conditions or () if isinstance(one, Mapping)]
    if isinstance(no_data, Mapping) and no_data.get("policy", "alert") == "alert":
        told.append(no_data)
    return {str(one.get("severity", DEFAULT)) for one in told} & set(SEVERITIES)


def stages_above(stages: Sequence[Stage], severity: str) -> list[Stage]:
    """Return the stages that still await an alert of this severity."""
    return [stage for stage in stages if _rank(stage.severity) > _rank(severity)]


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _stage(raw: Any, pointer: str) -> Stage:
    if not isinstance(raw, dict) or raw.keys() != {"after", "severity"}:
        raise Invalid("a stage has the members after and severity", pointer=pointer)
    after = read_duration(raw["after"]) if isinstance(raw["after"], str) else None
    if not after:
        raise Invalid("a duration above zero, such as PT10M, is expected", pointer=f"{pointer}/after")
    if raw["severity"] not in SEVERITIES:
        raise Invalid(f"choose one of {', '.join(SEVERITIES)}", pointer=f"{pointer}/severity")
    return Stage(after, raw["severity"])
