"""Why an alert is there, from what is recorded: the limit and where it came from, and one sentence in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from techtrack.core.clock import read_duration

# What a condition calls its limits.
LIMITS = ("limit", "low", "high", "above", "below")
# Values of these conditions, and their limits, are those of the readings.
PLAIN = ("above", "below", "outside", "inside", "air_quality")
STATISTICS = {"avg": "average", "min": "minimum", "max": "maximum"}
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


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentence is made of; ``condition`` is as the rule's definition has it, empty where that is not known.

    ``since`` is when the condition began to hold, ``until`` when the alert returned. ``rule`` is None for what a person
    reported, who is ``reporter``.
    """

    parameter: str
    unit: str
    zone: ZoneInfo
    rule: str | None
    revision: int | None
    kind: str
    condition: Mapping[str, Any]
    definition: Mapping[str, Any]
    limit: float | None
    value: float | None
    origin: Origin | None
    since: datetime
    raised_at: datetime
    until: datetime | None
    worst: Extreme | None
    title: str
    reporter: str | None = None
    late: bool = False


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


def sentence(facts: Facts) -> str:
    """Tell in plain words what happened; every number in it is recorded."""
    told = _reported(facts) if facts.rule is None else _found(facts)
    return f"{told} It was found in late data, when it was over." if facts.late else told


def _found(facts: Facts) -> str:
    subject, what, since = _subject(facts), _predicate(facts), _time(facts.since, facts)
    has, was = ("have", "were") if " and " in subject else ("has", "was")
    when = f"{has} been {what} since {since}"
    if facts.until is not None:
        when = f"{was} {what} from {since} until it returned at {_time(facts.until, facts, after=facts.since)}"
    told = f"{subject} {when} ({_source(facts)})"
    if facts.worst is not None:
        at = _time(facts.worst.at, facts, after=facts.since)
        reached = _reached(facts.worst, plain=subject == facts.parameter)
        told += f"; {reached} {_amount(facts.worst.value, facts.unit)} at {at}"
    if facts.raised_at > facts.since:
        delay = _plain(facts.raised_at - facts.since)
        told += f"; raised at {_time(facts.raised_at, facts, after=facts.since)}, after the on-delay of {delay}"
    return f"{told}."


def _reached(worst: Extreme, *, plain: bool) -> str:
    """Say what a reading reached; of an average it is no peak."""
    if plain:
        return "it peaked at" if worst.highest else "it fell to"
    return f"the {'highest' if worst.highest else 'lowest'} reading was"


def _reported(facts: Facts) -> str:
    told = f"{facts.reporter or 'Somebody'} reported at {_time(facts.raised_at, facts)}: {facts.title.rstrip('.')}."
    if facts.until is None:
        return told
    return f"{told} It was over at {_time(facts.until, facts, after=facts.raised_at)}."


def _subject(facts: Facts) -> str:
    name = facts.parameter or "the asset"
    if facts.kind == "air_quality":
        period = _plain_text(facts.condition.get("average", "PT1H"))
        return f"the average of {name} over {period}"
    aggregate = facts.definition.get("aggregate")
    if not isinstance(aggregate, Mapping) or facts.kind in {"no_data", "forecast"}:
        return name
    statistic = str(aggregate.get("statistic", "avg"))
    return f"the {STATISTICS.get(statistic, statistic)} of {name} over {_plain_text(aggregate.get('window'))}"


def _predicate(facts: Facts) -> str:
    known = {
        "inside": _between,
        "rate_of_change": _changing,
        "flatline": _stuck,
        "no_data": _silent,
        "deviation": _deviating,
        "forecast": _heading,
        "control_chart": _signalling,
        "all_of": _combining,
        "any_of": _combining,
    }
    if facts.kind in known and facts.condition:
        return known[facts.kind](facts)
    side = rises(facts.kind, limit=facts.limit, value=facts.value)
    if facts.kind in {"above", "below", "outside", "air_quality"} and side is not None and facts.limit is not None:
        return f"{'above' if side else 'below'} {_amount(facts.limit, facts.unit)}"
    return f"in the condition “{facts.kind}”" if facts.kind else "as its rule forbids"


def _between(facts: Facts) -> str:
    low, high = (_asked(facts.condition.get(name), facts.unit) for name in ("low", "high"))
    return f"between {low} and {high}"


def _changing(facts: Facts) -> str:
    per = _plain_text(facts.condition.get("per", "PT1M"))
    return f"changing by more than {_asked(facts.condition.get('limit'), facts.unit)} in {per}"


def _stuck(facts: Facts) -> str:
    tolerance = facts.condition.get("tolerance")
    where = f"within {_amount(tolerance, facts.unit)}" if tolerance else "at one value"
    return f"stuck {where} for {_plain_text(facts.condition.get('duration'))} or longer"


def _silent(facts: Facts) -> str:
    after = str(facts.condition.get("after"))
    if after.endswith("x"):
        return f"silent for more than {after.removesuffix('x')} of its usual intervals"
    return f"silent for {_plain_text(after)} or longer"


def _deviating(facts: Facts) -> str:
    return f"more than {_amount(facts.condition.get('sigmas'), '')} standard deviations from what is normal for it"


def _heading(facts: Facts) -> str:
    limit = _amount(facts.limit, facts.unit) if facts.limit is not None else "its limit"
    return f"heading for {limit} within {_plain_text(facts.condition.get('horizon'))}"


def _signalling(facts: Facts) -> str:
    rules = ", ".join(str(rule) for rule in facts.condition.get("rules") or (1, 2, 3, 4))
    return f"out of statistical control (Nelson rules {rules})"


def _combining(facts: Facts) -> str:
    return f"in a state that meets {'all' if facts.kind == 'all_of' else 'one'} of several conditions"


def _source(facts: Facts) -> str:
    revision = f", revision {facts.revision}" if facts.revision is not None else ""
    rule = f"rule “{facts.rule}”{revision}"
    if facts.origin is None:
        return rule
    if facts.origin.source == "attribute":
        return f"limit of the asset, its attribute {facts.origin.attribute}; {rule}"
    return f"{'default limit' if facts.origin.source == 'default' else 'limit'} of {rule}"


def _asked(limit: Any, unit: str) -> str:
    if isinstance(limit, Mapping):
        return f"its {limit.get('attribute')}"
    return _amount(limit, unit)


def _amount(value: Any, unit: str) -> str:
    number = f"{value:.6g}" if isinstance(value, int | float) else str(value)
    return f"{number} {unit}" if unit and unit != "1" else number


def _time(moment: datetime, facts: Facts, *, after: datetime | None = None) -> str:
    """Say a time at the site; only the clock's, where the day is that of ``after``, which was said before."""
    local = moment.astimezone(facts.zone)
    if after is not None and after.astimezone(facts.zone).date() == local.date():
        return f"{local:%H:%M}"
    return f"{local:%Y-%m-%d %H:%M %Z}"


def _plain_text(duration: Any) -> str:
    found = read_duration(duration) if isinstance(duration, str) else None
    return str(duration) if found is None else _plain(found)


def _plain(duration: timedelta) -> str:
    minutes, seconds = divmod(duration.total_seconds() % 86_400, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(duration.days, "d"), (hours, "h"), (minutes, "min"), (round(seconds, 3), "s")]
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"


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
