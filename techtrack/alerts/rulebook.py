"""Which rules watch which series: resolved once, and again when rules or assets change."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from techtrack.alerts.domain.condition import parse_conditions
from techtrack.alerts.domain.lifecycle import Watch
from techtrack.alerts.models import Rule
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid
from techtrack.core.models import Head

HEAD = "rulebook"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule as the judge needs it."""

    rule_id: int
    name: str
    version: int
    parameter: str
    watch: Watch
    open_task: dict[str, object] | None
    guidance: dict[str, str]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules by (asset id, parameter), as of ``generation``."""

    generation: int = -1
    by_series: dict[tuple[int, str], list[Entry]] = field(default_factory=dict)
    by_key: dict[tuple[int, int], Entry] = field(default_factory=dict)

    @classmethod
    def load(cls) -> RuleBook:
        """Read the rules and resolve their scopes; the generation is read first, so that a change is never missed."""
        generation = Head.current(HEAD)
        assets = list(Asset.objects.values_list("pk", "site_id", "type_id", "tags"))
        by_series: dict[tuple[int, str], list[Entry]] = defaultdict(list)
        by_key: dict[tuple[int, int], Entry] = {}
        for rule in Rule.objects.filter(enabled=True):
            try:
                entry = _entry(rule)
            except Invalid:
                # Such as a condition whose plug-in was removed: one rule must not stop the judge for all.
                _log.exception("rule %s cannot be read and is not judged", rule.pk)
                continue
            for asset_id in in_scope(rule, assets):
                by_series[asset_id, rule.parameter].append(entry)
                by_key[rule.pk, asset_id] = entry
        return cls(generation, dict(by_series), by_key)


def in_scope(rule: Rule, assets: Iterable[tuple[int, int | None, int | None, list[str]]]) -> list[int]:
    """Return the ids of the ``assets`` (id, site, type, tags) that a rule watches; an empty matcher matches all."""
    chosen, tags = set(rule.assets), set(rule.tags)
    return [
        pk
        for pk, site_id, type_id, has in assets
        if (rule.site_id is None or rule.site_id == site_id)
        and (rule.asset_type_id is None or rule.asset_type_id == type_id)
        and (not chosen or pk in chosen)
        and tags.issubset(has)
    ]


def turn_page(*_: object) -> None:
    """Count a change of rules or assets, in its transaction: the judge reads the book anew."""
    Head.take(HEAD)


def _entry(rule: Rule) -> Entry:
    watch = Watch(
        parse_conditions(rule.conditions),
        deadband=rule.deadband,
        on_delay=rule.on_delay // MICROSECOND,
        off_delay=rule.off_delay // MICROSECOND,
    )
    return Entry(rule.pk, rule.name, rule.version, rule.parameter, watch, rule.open_task, rule.guidance)
