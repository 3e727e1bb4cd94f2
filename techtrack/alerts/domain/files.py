"""Rules as a file that people write, review and keep with their code: names instead of ids, read strictly.

The *normal* form of a rule is the one in which it travels, with every default filled in and every duration written in
one way, so that two rules are the same where their normal forms are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from techtrack.alerts.domain.condition import worst_first
from techtrack.alerts.domain.rule import CountShape, parse_rule
from techtrack.alerts.domain.terms import parse_escalation
from techtrack.alerts.domain.told import columns, duration_of
from techtrack.core import params, plain_yaml
from techtrack.core.clock import iso_duration
from techtrack.core.errors import Fault, Invalid, member

MOST_RULES = 10_000
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=2000)]
# What a rule may do without: absent from its normal form, and null in its columns.
ABSENT = dict.fromkeys(("aggregate", "count", "no_data", "schedule", "open_task"))
_DURATION = re.compile(
    r"/(on_delay|off_delay|reraise_window|aggregate/window|late_data/max_age|schedule/duration"
    r"|escalation/\d+/after|guidance/respond_within|open_task/verify/(run|within))"
)
_COMMENT = """\
# Rules of TechTrack, as files: see docs/how-to/rules-as-files.md
#   techtrack rules test FILE               hold them against series and the alerts expected of them
#   techtrack rules import FILE --dry-run   say what would change
# A rule is known by its name and scope. What is left out has its default.
"""


class BadFile(Invalid):
    """The file cannot be used; each fault says where in it, as ``source#pointer``."""

    code = "bad_rules_file"


@dataclass(frozen=True, slots=True)
class Names:
    """Which assets a rule watches, by the name of a site, the slug of a type, and keys (or names) of assets."""

    site: Name | None = None
    asset_type: Name | None = None
    assets: Annotated[list[str], Meta(max_length=1000)] = field(default_factory=list)
    tags: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=50)] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [self.asset_type, *self.assets, *(f"#{tag}" for tag in self.tags), self.site and f"at {self.site}"]
        return " ".join(part for part in parts if part) or "everywhere"


@dataclass(frozen=True, slots=True)
class RuleName:
    """What a rule is known by."""

    name: str
    scope: Names = field(default_factory=Names)

    def __str__(self) -> str:
        return f"{self.name} ({self.scope})"

    def is_meant_by(self, wanted: str | RuleName) -> bool:
        """Tell whether a reference, by name alone or by name and scope, may mean this rule."""
        return self.name == wanted if isinstance(wanted, str) else self.key == wanted.key

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for all ways to write it."""
        scope = self.scope
        return self.name, scope.site, scope.asset_type, frozenset(scope.assets), frozenset(scope.tags)


@dataclass(frozen=True, slots=True)
class Written:
    """A rule of a file in its normal form, without scope and inhibition; ``place`` is where, as ``source#pointer``."""

    name: RuleName
    told: dict[str, Any]
    inhibited_by: tuple[str | RuleName, ...]
    place: str

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the rule, all of them but its scope and inhibition."""
        return ABSENT | columns(self.told)


class RuleFile(NamedTuple):
    """The rules of a file; with a ``site`` they are all that there are of it."""

    rules: list[Written]
    site: str | None


class Difference(NamedTuple):
    """A member (JSON pointer) that is something else; None where it is not there."""

    pointer: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class _Aggregate:
    window: str
    statistic: str = "avg"
    min_completeness: float = 0.0


@dataclass(frozen=True, slots=True)
class _Silence:
    after: str
    policy: str = "alert"
    severity: str = "medium"


@dataclass(frozen=True, slots=True)
class _Late:
    max_age: str = "PT1H"


@dataclass(frozen=True, slots=True)
class _Schedule:
    timezone: str
    rrule: str
    duration: str
    dtstart: str | None = None


@dataclass(frozen=True, slots=True)
class _Stage:
    after: str
    severity: str


@dataclass(frozen=True, slots=True)
class _Verify:
    wanted: bool | None = None
    run: str | None = None
    within: str | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    title: Annotated[str, Meta(max_length=200)] | None = None
    priority: Annotated[int, Meta(ge=1, le=4)] | None = None
    description: Annotated[str, Meta(max_length=10_000)] | None = None
    verify: _Verify | None = None


@dataclass(frozen=True, slots=True)
class _Guidance:
    cause: Text | None = None
    consequence: Text | None = None
    action: Text | None = None
    respond_within: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """The shape of a rule in a file, in the order of reading: what it is, looks at, and makes of it."""

    name: Name
    enabled: bool = True
    scope: Names = field(default_factory=Names)
    parameter: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9_]{0,63})?\Z")] = ""
    aggregate: _Aggregate | None = None
    conditions: list[dict[str, Any]]
    deadband: Annotated[float, Meta(ge=0)] = 0.0
    on_delay: str = "PT0S"
    off_delay: str = "PT0S"
    count: CountShape | None = None
    no_data: _Silence | None = None
    late_data: _Late = field(default_factory=_Late)
    schedule: _Schedule | None = None
    latched: bool = False
    inhibited_by: Annotated[list[str | RuleName], Meta(max_length=100)] = field(default_factory=list)
    reraise_window: str = "PT0S"
    escalation: list[_Stage] = field(default_factory=list)
    open_task: _Task | None = None
    guidance: _Guidance = field(default_factory=_Guidance)


def normal(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the normal form of a rule whose scope is told in names.

    Raises:
        Invalid: it has not the shape of a rule.

    """
    plain: dict[str, Any] = _tidy(params.dump(params.build(_Rule, told)), "")
    return plain


def read(text: str, *, source: str = "") -> RuleFile:
    """Read the rules of a file; ``source`` is what the file is called.

    Raises:
        BadFile: with all that is wrong.

    """
    with at(f"{source}#"):
        raw = load(text)
        listed = raw["rules"]
        if not isinstance(listed, list) or len(listed) > MOST_RULES:
            raise Invalid(f"a list of at most {MOST_RULES:,} rules is expected", pointer="/rules")
    rules, faults = list[Written](), list[Fault]()
    for number, told in enumerate(listed):
        with noting(faults):
            rules.append(_written(told, f"{source}#/rules/{number}", raw.get("site")))
    faults += _twice(rules)
    refuse(faults)
    return RuleFile(rules, raw.get("site"))


def load(text: str) -> dict[str, Any]:
    """Return the members of a file of rules and tests.

    Raises:
        Invalid: they are not what such a file has.

    """
    raw = plain_yaml.load(text)
    if not isinstance(raw, dict) or "rules" not in raw:
        raise Invalid("a file of rules begins with `rules:`")
    for name in raw.keys() - {"site", "rules", "tests", "start", "interval"}:
        raise Invalid("this is not known here", pointer=member("", name))
    if not isinstance(raw.get("site", ""), str):
        raise Invalid("the name of a site is expected", pointer="/site")
    return raw


def write(rules: Iterable[Mapping[str, Any]], *, site: str | None = None) -> str:
    """Return the text of a file of rules, given in their normal form: sorted, defaults left out, the same each time."""
    told = sorted((_short(rule) for rule in rules), key=lambda rule: (rule["name"], str(rule.get("scope", ""))))
    text = plain_yaml.dump(({"site": site} if site else {}) | {"rules": told})
    # What stands so far to the left is the beginning of a rule, whatever texts it has.
    return _COMMENT + text.replace("\n  - name: ", "\n\n  - name: ")


def differences(before: Any, after: Any, *, pointer: str = "") -> list[Difference]:
    """Return what of two plain values is not the same, member by member."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*before, *(name for name in after if name not in before)]
        pairs = [(name, (before.get(name), after.get(name))) for name in names]
    elif isinstance(before, list) and isinstance(after, list):
        pairs = [(str(place), pair) for place, pair in enumerate(zip_longest(before, after))]
    else:
        return [] if before == after else [Difference(pointer, before, after)]
    return [one for name, pair in pairs for one in differences(*pair, pointer=member(pointer, name))]


@contextmanager
def at(place: str) -> Iterator[None]:
    """Let faults of what is read inside point below ``place``."""
    try:
        yield
    except Invalid as error:
        faults = [replace(fault, pointer=place + fault.pointer) for fault in error.faults]
        raise BadFile(error.detail, faults=faults) from error


@contextmanager
def noting(faults: list[Fault]) -> Iterator[None]:
    """Note what is wrong inside, so that the rest can be looked at too."""
    try:
        yield
    except Invalid as error:
        faults += error.faults


def refuse(faults: Sequence[Fault]) -> None:
    """Pass where nothing was noted; raises BadFile."""
    if faults:
        raise BadFile(faults[0].detail, faults=faults)


def _written(raw: Any, place: str, site: str | None) -> Written:
    with at(place):
        told = normal(raw)
        scope, inhibitors = told.pop("scope"), told.pop("inhibited_by")
        if site is not None and scope.get("site") != site:
            raise Invalid(f"the file is of the site {site!r}: so is the scope of each rule", pointer="/scope/site")
        parse_escalation(told["escalation"])
        parse_rule(columns(told))
        told["conditions"] = worst_first(told["conditions"])
    wanted = tuple(one if isinstance(one, str) else _named(one) for one in inhibitors)
    return Written(RuleName(told["name"], Names(**scope)), told, wanted, place)


def _named(told: Mapping[str, Any]) -> RuleName:
    return RuleName(told["name"], Names(**told["scope"]))


def _twice(rules: Sequence[Written]) -> Iterator[Fault]:
    seen = set[tuple[Any, ...]]()
    for rule in rules:
        if rule.name.key in seen:
            yield Fault(f"{rule.place}/name", "twice", f"there is another rule {rule.name}: name or scope must differ")
        seen.add(rule.name.key)


def _tidy(value: Any, pointer: str) -> Any:
    """Leave out what is None, and write durations in one way."""
    if isinstance(value, dict):
        return {name: _tidy(one, member(pointer, name)) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_tidy(one, member(pointer, place)) for place, one in enumerate(value)]
    return iso_duration(duration_of(value, pointer)) if _DURATION.fullmatch(pointer) else value


_DEFAULTS = normal({"name": "-", "conditions": []}) | {"scope": {}}


def _short(told: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has its default."""
    inhibitors = [
        one if isinstance(one, str) else one | {"scope": _filled(one["scope"])} for one in told["inhibited_by"]
    ]
    conditions = _ordered(told["conditions"])
    kept = {**told, "scope": _filled(told["scope"]), "conditions": conditions, "inhibited_by": inhibitors}
    return {name: value for name, value in kept.items() if name == "conditions" or value != _DEFAULTS.get(name)}


def _filled(scope: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scope.items() if value}


def _ordered(part: Any) -> Any:
    """Put the members of conditions into one order: databases give them in theirs."""
    if isinstance(part, list):
        return [_ordered(one) for one in part]
    if not isinstance(part, dict):
        return part
    names = sorted(part, key=lambda name: (name == "conditions", name == "severity", name != "kind", name))
    return {name: _ordered(part[name]) for name in names}
