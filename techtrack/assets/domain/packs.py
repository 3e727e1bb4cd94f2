"""What an asset-type pack is: parameters, ranges, rules and plans of one kind of machine, read from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from techtrack.assets.domain.running import RunningSign
from techtrack.core import params, plain_yaml
from techtrack.core.errors import Invalid

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,63}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


class BadPack(Invalid):
    """The file is no pack; the pointer names the place."""

    code = "bad_pack"


@dataclass(frozen=True, slots=True)
class Measured:
    """A parameter of a pack, in a UCUM ``unit``.

    A sensor may say ``minimum`` to ``maximum``; ``typical`` is what one says of a machine that is well.
    """

    code: str
    label: str
    unit: str
    minimum: float
    maximum: float
    typical: float


@dataclass(frozen=True, slots=True)
class Pack:
    """What an asset type begins with. ``rules`` are bodies of ``/api/rules/`` without a scope: it is the new type.

    ``sources`` say where limits come from, and which of them are only starting values. ``plans`` are bodies of
    ``/api/plans/`` without a scope, whose conditions name rules of the pack; ``running`` is as an asset type has it.
    """

    slug: str
    name: str
    description: str
    expected_interval: timedelta
    retention: timedelta
    parameters: list[Measured]
    rules: list[dict[str, Any]]
    sources: list[str]
    running: dict[str, Any] | None = None
    plans: list[dict[str, Any]] = field(default_factory=list)

    def columns(self) -> dict[str, Any]:
        """Return the columns of an asset type that it fills."""
        listed = [asdict(one) for one in self.parameters]
        return {
            "slug": self.slug,
            "name": self.name,
            "parameters": [{name: one[name] for name in one if name != "typical"} for one in listed],
            "expected_interval": self.expected_interval,
            "retention": self.retention,
            "running": self.running,
        }


def parse(text: str) -> Pack:
    """Read the text of a pack's file.

    Raises:
        Invalid: with a fault that names the place.

    """
    pack = params.build(Pack, plain_yaml.load(text))
    if not _SLUG.fullmatch(pack.slug):
        raise BadPack("a slug is small letters, digits and hyphens", pointer="/slug")
    for place, one in enumerate(pack.parameters):
        if not _CODE.fullmatch(one.code):
            raise BadPack("a code is small letters, digits and underscores", pointer=f"/parameters/{place}/code")
        if not one.minimum <= one.typical <= one.maximum:
            raise BadPack("the typical value is out of range", pointer=f"/parameters/{place}/typical")
    _refuse_twice((one.code for one in pack.parameters), "/parameters")
    _check_rules(pack)
    _check_plans(pack)
    return pack


def _check_rules(pack: Pack) -> None:
    """Look at what can be known here; the rest of a rule is proved by the app that keeps rules, when it is made."""
    codes = {one.code for one in pack.parameters}
    for place, rule in enumerate(pack.rules):
        if not isinstance(rule.get("name"), str):
            raise BadPack("a rule has a name", pointer=f"/rules/{place}/name")
        if "scope" in rule:
            raise BadPack("the scope is the type that is made", pointer=f"/rules/{place}/scope")
        for code in watched(rule):
            if code not in codes:
                raise BadPack(f"the pack has no parameter {code!r}", pointer=f"/rules/{place}")
    _refuse_twice((rule["name"] for rule in pack.rules), "/rules")


def _check_plans(pack: Pack) -> None:
    """Look at what can be known here, as of rules."""
    codes, rules = {one.code for one in pack.parameters}, {rule["name"] for rule in pack.rules}
    if pack.running is not None and RunningSign.parse(pack.running, pointer="/running").parameter not in codes:
        raise BadPack("the pack has no such parameter", pointer="/running/parameter")
    for place, plan in enumerate(pack.plans):
        if not isinstance(plan.get("name"), str):
            raise BadPack("a plan has a name", pointer=f"/plans/{place}/name")
        for code in watched(plan.get("meters", [])):
            if code not in codes:
                raise BadPack(f"the pack has no parameter {code!r}", pointer=f"/plans/{place}/meters")
        for condition in plan.get("conditions", []):
            if condition.get("rule") not in rules:
                raise BadPack(f"the pack has no rule {condition.get('rule')!r}", pointer=f"/plans/{place}/conditions")
    _refuse_twice((plan["name"] for plan in pack.plans), "/plans")


def watched(part: Any) -> Iterator[Any]:
    """Give every parameter that a rule, or a condition somewhere inside it, names."""
    if isinstance(part, dict):
        if part.get("parameter"):
            yield part["parameter"]
        for member in part.values():
            yield from watched(member)
    elif isinstance(part, list):
        for item in part:
            yield from watched(item)


def _refuse_twice(names: Iterable[str], pointer: str) -> None:
    listed = list(names)
    for name in listed:
        if listed.count(name) > 1:
            raise BadPack(f"{name!r} is listed twice", pointer=pointer)
