"""Which rules watch which series: resolved once, and again when rules or assets change."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from django.db.models import TextField
from django.db.models.functions import Cast

from techtrack.alerts.domain.condition import NOWHERE, parse_conditions, quiet_range
from techtrack.alerts.domain.lifecycle import Watch
from techtrack.alerts.domain.scope import Fleet, Ints, Scope
from techtrack.alerts.domain.series import Column, Panel, column
from techtrack.alerts.models import Rule
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid
from techtrack.core.models import Head

HEAD = "rulebook"
# From so many changed rules on, reading all of them is faster than naming each.
MOST_NAMED = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule as the judge needs it; values in the closed range ``quiet`` leave it quiet."""

    rule_id: int
    name: str
    version: int
    parameter: str
    watch: Watch
    open_task: dict[str, object] | None
    guidance: dict[str, str]
    quiet: tuple[float, float] = NOWHERE


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rule as it was read; ``entry`` is None where it cannot be understood.

    ``edition`` is its version and when it was changed, as the database writes that.
    """

    edition: tuple[int, object]
    entry: Entry | None
    scope: Scope


@dataclass(frozen=True)
class RuleBook:
    """The rules by parameter and asset, as of ``generation``; ``entries`` in the order in which they are judged."""

    generation: int = -1
    entries: list[Entry] = field(default_factory=list)
    columns: Mapping[str, Column] = field(default_factory=dict)
    assets: Panel = field(default_factory=lambda: Panel(np.empty(0, np.int64)))
    rulings: Mapping[int, Ruling] = field(default_factory=dict)

    @classmethod
    def load(cls, last: RuleBook | None = None) -> RuleBook:
        """Read the rules and resolve their scopes; rules that are as in ``last`` are taken from there.

        The generation is read first, so that a change is never missed.
        """
        generation = Head.current(HEAD)
        fleet = Fleet(Asset.objects.values_list("pk", "site_id", "type_id", "tags"))
        return cls.of(generation, _rulings(last.rulings if last else {}), fleet)

    @classmethod
    def of(cls, generation: int, rulings: Mapping[int, Ruling], fleet: Fleet) -> RuleBook:
        """Lay the rules out by parameter and asset."""
        understood = [ruling for ruling in rulings.values() if ruling.entry is not None]
        entries = [ruling.entry for ruling in understood if ruling.entry is not None]
        watched: dict[str, list[tuple[int, Ints]]] = defaultdict(list)
        for place, (entry, ruling) in enumerate(zip(entries, understood, strict=True)):
            watched[entry.parameter].append((place, fleet.rows(ruling.scope)))
        quiet = np.array([entry.quiet for entry in entries], np.float64).reshape(-1, 2).T
        panels = {fleet.ids.tobytes(): Panel(fleet.ids)}
        columns = {code: column(fleet.ids, pairs, quiet, panels) for code, pairs in watched.items()}
        return cls(generation, entries, columns, panels[fleet.ids.tobytes()], rulings)

    @cached_property
    def by_id(self) -> dict[int, Entry]:
        """The rules by id."""
        return {entry.rule_id: entry for entry in self.entries}

    @cached_property
    def ids(self) -> Ints:
        """The ids of the rules, by their places."""
        return np.array([entry.rule_id for entry in self.entries], np.int64)

    @cached_property
    def ids_by_code(self) -> dict[str, Ints]:
        """The ids of the rules of each parameter."""
        return {code: self.ids[np.unique(column.rules)] for code, column in self.columns.items()}

    def at(self, code: str, row: int) -> list[Entry]:
        """Return the rules of a series."""
        return [self.entries[place] for place in self.columns[code].at(row)]

    def watching(self, rule_id: int, asset_id: int) -> tuple[Entry, int] | None:
        """Return the rule and the row of the asset in its column, None where it does not watch the asset."""
        entry = self.by_id.get(rule_id)
        if entry is None:
            return None
        row = self.columns[entry.parameter].panel.row(asset_id)
        return (entry, row) if any(found is entry for found in self.at(entry.parameter, row)) else None


def turn_page(*_: object) -> None:
    """Count a change of rules or assets, in its transaction: the judge reads the book anew."""
    Head.take(HEAD)


def _rulings(known: Mapping[int, Ruling]) -> dict[int, Ruling]:
    """Read the enabled rules in their order; only those that changed are decoded."""
    enabled = Rule.objects.filter(enabled=True)
    # Times as text: whether they are equal is all that is asked, and to read thousands costs more than all the rest.
    told = enabled.values_list("pk", "version", Cast("updated_at", TextField()))
    editions = {pk: (version, at) for pk, version, at in told}
    changed = [pk for pk, edition in editions.items() if pk not in known or known[pk].edition != edition]
    rows: Iterable[Rule] = enabled.filter(pk__in=changed) if len(changed) < MOST_NAMED else enabled.iterator()
    # One that was changed between the two queries is read again: it has turned the page.
    read = {rule.pk: _ruling(rule, editions[rule.pk]) for rule in rows if rule.pk in editions} if changed else {}
    # One that went between them will turn it, too.
    return {pk: read[pk] if pk in read else known[pk] for pk in editions if pk in read or pk in known}


def _ruling(rule: Rule, edition: tuple[int, object]) -> Ruling:
    scope = Scope(rule.site_id, rule.asset_type_id, frozenset(rule.assets), frozenset(rule.tags))
    try:
        return Ruling(edition, _entry(rule), scope)
    except Invalid:
        # Such as a condition whose plug-in was removed: one rule must not stop the judge for all.
        _log.exception("rule %s cannot be read and is not judged", rule.pk)
        return Ruling(edition, None, scope)


def _entry(rule: Rule) -> Entry:
    watch = Watch(
        parse_conditions(rule.conditions),
        deadband=rule.deadband,
        on_delay=rule.on_delay // MICROSECOND,
        off_delay=rule.off_delay // MICROSECOND,
    )
    quiet = quiet_range(watch.clauses)
    return Entry(rule.pk, rule.name, rule.version, rule.parameter, watch, rule.open_task, rule.guidance, quiet)
