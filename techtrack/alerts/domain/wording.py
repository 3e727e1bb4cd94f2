"""Why an alert is there, in plain words: sentences in which every number is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from techtrack.airquality.indexing import Scale
from techtrack.airquality.passing import highest_within, scales_of
from techtrack.airquality.standard import standards
from techtrack.alerts.domain.evidence import Extreme, Origin, rises
from techtrack.assets.domain.units import sign
from techtrack.core.clock import read_duration
from techtrack.core.errors import Invalid

STATISTICS = {"avg": "average", "min": "minimum", "max": "maximum"}
# Lloyd S. Nelson, "The Shewhart Control Chart: Tests for Special Causes", 1984.
NELSON = {
    1: "a value beyond 3 sigmas",
    2: "nine values on one side of the centre",
    3: "six values rising or falling in a row",
    4: "fourteen values up and down in turns",
    5: "two of three values beyond 2 sigmas on one side",
    6: "four of five values beyond 1 sigma on one side",
    7: "fifteen values within 1 sigma",
    8: "eight values beyond 1 sigma on either side",
}
COMBINING = {"all_of": " and ", "any_of": " or "}
RETURNED = "it returned"


class Escalated(NamedTuple):
    """It became graver because nobody had acknowledged it."""

    at: datetime
    before: str
    after: str


class Aside(NamedTuple):
    """What hides an alert: ``how`` is shelved, out_of_service or suppressed; ``by`` who did, or what explains it."""

    how: str
    by: str
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentence is made of; ``condition`` is as the rule's definition has it, empty where that is not known.

    ``units`` are those of the parameters, as people write them. ``since`` is when the condition began to hold,
    ``until`` when that was over, because ``ended`` happened. ``rule`` is None for what a person reported, who is
    ``reporter``.
    """

    parameter: str
    units: Mapping[str, str]
    zone: tzinfo
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
    ended: str = RETURNED
    escalated: Sequence[Escalated] = ()
    hidden: Sequence[Aside] = field(default=())

    @property
    def unit(self) -> str:
        """The unit of the one parameter; empty where there are several."""
        return self.units.get(self.parameter, "")


def sentence(facts: Facts) -> str:
    """Tell in plain words what happened, and what has been done about it."""
    told = [_reported(facts) if facts.rule is None else _found(facts)]
    told += (_escalated(one, facts) for one in facts.escalated)
    told += (_hidden(one, facts) for one in facts.hidden)
    return " ".join([*told, *(["It was found in late data, when it was over."] if facts.late else [])])


def _found(facts: Facts) -> str:
    subject, since = _subject(facts), _time(facts.since, facts)
    told = f"{_held(facts, subject)} since {since}"
    if facts.until is not None:
        told = f"{_held(facts, subject)} from {since} until {facts.ended} at {_time(facts.until, facts, facts.since)}"
    told += f" ({_source(facts)})"
    if facts.worst is not None:
        at = _time(facts.worst.at, facts, facts.since)
        reached = _reached(facts.worst, plain=subject == facts.parameter)
        told += f"; {reached} {_amount(facts.worst.value, facts.unit)} at {at}"
    if facts.raised_at > facts.since:
        delay = in_words(facts.raised_at - facts.since)
        told += f"; raised at {_time(facts.raised_at, facts, facts.since)}, after the on-delay of {delay}"
    return f"{told}."


def _held(facts: Facts, subject: str) -> str:
    """Say what held, in the tense of whether it does."""
    over, several = facts.until is not None, " and " in subject
    if parts := [*_parts(facts)] if facts.kind in COMBINING else []:
        together = facts.kind == "all_of" and len(parts) > 1
        has = "held" if over else "have held" if together else "has held"
        return f"{COMBINING[facts.kind].join(parts)} {has}{' together' if together else ''}"
    was = ("were" if several else "was") if over else ("have been" if several else "has been")
    return f"{subject} {was} {_predicate(facts)}"


def _parts(facts: Facts) -> Iterator[str]:
    """Say what each of combined conditions demands: ``speed below 100 rpm``."""
    for one in facts.condition.get("conditions") or ():
        if not isinstance(one, Mapping):
            continue
        kind, parameter = str(one.get("kind")), str(one.get("parameter") or facts.definition.get("parameter") or "")
        inner = replace(facts, kind=kind, condition=one, parameter=parameter, limit=None, value=None)
        if kind in COMBINING:
            yield f"({COMBINING[kind].join(_parts(inner))})"
        else:
            yield f"{_subject(inner)} {_predicate(inner)}"


def _reached(worst: Extreme, *, plain: bool) -> str:
    """Say what a reading reached; of an average it is no peak."""
    if plain:
        return "it peaked at" if worst.highest else "it fell to"
    return f"the {'highest' if worst.highest else 'lowest'} reading was"


def _reported(facts: Facts) -> str:
    told = f"{facts.reporter or 'Somebody'} reported at {_time(facts.raised_at, facts)}: {facts.title.rstrip('.')}."
    if facts.until is None:
        return told
    return f"{told} It was over at {_time(facts.until, facts, facts.raised_at)}."


def _escalated(one: Escalated, facts: Facts) -> str:
    at = _time(one.at, facts, facts.since)
    return f"It was escalated from {one.before} to {one.after} at {at}, since nobody had acknowledged it."


def _hidden(one: Aside, facts: Facts) -> str:
    until = f" until {_time(one.until, facts)}" if one.until else ""
    reason = f": {one.reason.rstrip('.')}" if one.reason else ""
    if one.how == "suppressed":
        return f"It is hidden by {one.by}."
    what = "out of service" if one.how == "out_of_service" else "shelved"
    return f"It is {what}{f', by {one.by},' if one.by else ''}{until}{reason}."


def _subject(facts: Facts) -> str:
    name = facts.parameter or "the asset"
    if facts.kind == "air_quality":
        if standard := facts.condition.get("standard"):
            known = standard in standards.names()
            return f"the {standards.get(standard).title if known else f'index {standard}'} of {name}"
        period = _plain_text(facts.condition.get("average") or "PT1H")
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
    if facts.kind == "air_quality" and facts.condition.get("standard"):
        return _indexed(facts)
    side = rises(facts.kind, limit=facts.limit, value=facts.value)
    if facts.kind in {"above", "below", "outside", "air_quality"} and side is not None and facts.limit is not None:
        return f"{'above' if side else 'below'} {_amount(facts.limit, facts.unit)}"
    return _beyond(facts) or (f"in the condition “{facts.kind}”" if facts.kind else "as its rule forbids")


def _beyond(facts: Facts) -> str:
    """Say what is demanded where nobody knows the limit that was crossed, empty where that is not known either."""
    limit, low, high = (facts.condition.get(name) for name in ("limit", "low", "high"))
    if facts.kind == "outside" and low is not None and high is not None:
        return f"below {_asked(low, facts.unit)} or above {_asked(high, facts.unit)}"
    if facts.kind in {"above", "below", "air_quality"} and limit is not None:
        return f"{'below' if facts.kind == 'below' else 'above'} {_asked(limit, facts.unit)}"
    return ""


def _indexed(facts: Facts) -> str:
    """Say which index is passed, and at which concentrations it is; those of the tables of today."""
    limit, name = facts.condition.get("limit"), str(facts.condition["standard"])
    told = f"above {_asked(limit, '')}"
    if not isinstance(limit, int | float) or name not in standards.names():
        return told
    with suppress(Invalid):
        scales = scales_of(standards.get(name), facts.parameter, method=facts.condition.get("method"))
        ends = [(scale, end) for scale in scales if (end := highest_within(scale, limit)) is not None]
        told += f" ({' or '.join(_passed(scale, end) for scale, end in ends)})" if ends else ""
    return told


def _passed(scale: Scale, end: Decimal) -> str:
    label = scale.period.label
    period = label if label.startswith("NowCast") else f"mean of {label}"
    return f"{period} above {_amount(float(end), sign(scale.amount.unit))}"


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
    asked = [facts.condition[name] for name in ("below", "above") if facts.condition.get(name) is not None]
    limit = _amount(facts.limit, facts.unit) if facts.limit is not None else "its limit"
    if facts.limit is None and asked:
        limit = " or ".join(_asked(one, facts.unit) for one in asked)
    return f"heading for {limit} within {_plain_text(facts.condition.get('horizon'))}"


def _signalling(facts: Facts) -> str:
    """Name the rules of Nelson that were broken, else those that are looked at."""
    broken = [rule for rule in NELSON if int(facts.value or 0) >> (rule - 1) & 1]
    if not broken:
        asked = ", ".join(str(rule) for rule in facts.condition.get("rules") or (1, 2, 3, 4))
        return f"out of statistical control (Nelson rules {asked})"
    told = "; ".join(f"{NELSON[rule]} (Nelson rule {rule})" for rule in broken)
    return f"out of statistical control: {told},"


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
    return f"{number} {unit}" if unit else number


def _time(moment: datetime, facts: Facts, after: datetime | None = None) -> str:
    """Say a time; only the clock's, where the day is that of ``after``, which was said before."""
    local = moment.astimezone(facts.zone)
    if after is not None and after.astimezone(facts.zone).date() == local.date():
        return f"{local:%H:%M}"
    return f"{local:%Y-%m-%d %H:%M %Z}"


def _plain_text(duration: Any) -> str:
    found = read_duration(duration) if isinstance(duration, str) else None
    return str(duration) if found is None else in_words(found)


def in_words(duration: timedelta) -> str:
    """Write a duration as people say it, such as ``1 h 30 min``; to the second from a minute on."""
    if duration >= timedelta(minutes=1):
        duration = timedelta(seconds=round(duration.total_seconds()))
    minutes, seconds = divmod(duration.total_seconds() % 86_400, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(duration.days, "d"), (hours, "h"), (minutes, "min"), (round(seconds, 3), "s")]
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"
