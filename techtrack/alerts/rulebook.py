"""The rules as the judge needs them: by feature and asset, in columns, made anew when rules or assets have changed."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from techtrack.alerts.domain.condition import Circumstances, Unlimited, conditions
from techtrack.alerts.domain.features.base import Feature
from techtrack.alerts.domain.rule import JUDGED, Spec, Watch, parse_rule
from techtrack.alerts.domain.scope import Fleet, Ints, Scope
from techtrack.alerts.domain.series import Column, Panel, Watched, column
from techtrack.alerts.domain.terms import Terms, parse_escalation
from techtrack.alerts.models import Rule
from techtrack.alerts.queries.circumstances import circumstances_of
from techtrack.assets.events import AssetChanged, AssetTypeChanged
from techtrack.assets.models import Asset
from techtrack.core.auditing import Changed
from techtrack.core.models import Head

HEAD = "rulebook"
# From so many changed rules on, reading all of them is faster than naming each.
MOST_NAMED = 500
# Conditions that are the same whatever the interval at which an asset sends.
NO_INTERVAL = {"above", "below", "inside", "outside", "rate_of_change", "flatline", "deviation", "forecast"}
NO_INTERVAL |= {"control_chart", "all_of", "any_of"}
# Where it is declared in which unit something is measured, or at which state of the air, beside types: columns.
DECLARED = {"parameter": ("unit",), "air-settings": ("sensor", "reference_temperature", "reference_pressure")}
# Nothing is known of it yet, units included.
NEWCOMER = Circumstances(air={})
# By what distinguishes them: circumstances, and the rows of assets that are in them.
Groups = dict[tuple[object, ...], tuple[Circumstances, Ints]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A rule as it is for assets in the same circumstances; ``quiet`` has the closed range of each feature.

    ``late``: what late data are judged by, None where they cannot be.
    """

    rule_id: int
    name: str
    version: int
    parameter: str
    watch: Watch
    open_task: dict[str, object] | None
    guidance: dict[str, str]
    terms: Terms
    quiet: tuple[tuple[float, float], ...]
    late: Watch | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rule as it was read; ``spec`` is None where it cannot be understood, and ``unread`` says why.

    ``edition`` is its version and when it was changed, as the database writes that. ``entries`` are made once for each
    kind of circumstances, or why there is none. ``asks``: whether it differs from asset to asset; ``pollutants``: whose
    units it asks for.
    """

    edition: tuple[int, object]
    rule: Rule
    spec: Spec | None
    scope: Scope
    entries: dict[tuple[object, ...], Entry | str] = field(default_factory=dict)
    unread: str = ""
    asks: bool = field(init=False)
    pollutants: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Ask the rule once: to find out takes longer than all else when a page is turned."""
        object.__setattr__(self, "asks", self.spec is not None and self.spec.asks_assets)
        object.__setattr__(self, "pollutants", self.spec.pollutants if self.spec is not None else frozenset())

    @property
    def fault(self) -> str:
        """Why it is judged nowhere, if not for want of assets."""
        reasons = [entry for entry in self.entries.values() if isinstance(entry, str)]
        return self.unread or (reasons[0] if reasons and len(reasons) == len(self.entries) else "")

    def entry(self, key: tuple[object, ...], circumstances: Circumstances) -> Entry | str:
        """Return the rule as it is in these circumstances, which are known by ``key``, or why it is not judged."""
        if key not in self.entries:
            self.entries[key] = _entry(self, circumstances)
        return self.entries[key]


@dataclass(frozen=True)
class RuleBook:
    """The rules by feature and asset, as of ``generation``; ``entries`` in the order in which they are judged.

    ``faults`` says of rules that are judged nowhere why, if not for want of assets.
    """

    generation: int = -1
    entries: list[Entry] = field(default_factory=list)
    columns: Mapping[Feature, Column] = field(default_factory=dict)
    assets: Panel = field(default_factory=lambda: Panel(np.empty(0, np.int64)))
    rulings: Mapping[int, Ruling] = field(default_factory=dict)
    faults: Mapping[int, str] = field(default_factory=dict)

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
        """Lay the rules out by feature and asset."""
        entries: list[Entry] = []
        faults: dict[int, str] = {}
        watched: dict[Feature, list[Watched]] = defaultdict(list)
        asking = _Asking([ruling.pollutants for ruling in rulings.values() if ruling.asks])
        for ruling in rulings.values():
            for entry, rows in _resolved(ruling, fleet, asking):
                for feature, quiet in zip(entry.watch.features, entry.quiet, strict=True):
                    watched[feature].append(Watched(len(entries), rows, *quiet))
                entries.append(entry)
            if ruling.fault:
                faults[ruling.rule.pk] = ruling.fault
        panels = {fleet.ids.tobytes(): Panel(fleet.ids)}
        columns = {feature: column(fleet.ids, parts, panels) for feature, parts in watched.items()}
        return cls(generation, entries, columns, panels[fleet.ids.tobytes()], rulings, faults)

    @cached_property
    def by_code(self) -> dict[str, list[Feature]]:
        """The features that are derived of each parameter, the readings themselves first."""
        found: dict[str, list[Feature]] = defaultdict(list)
        for feature in sorted(self.columns, key=lambda feature: feature.of is not None):
            found[feature.code].append(feature)
        return dict(found)

    @cached_property
    def derived(self) -> dict[str, list[Feature]]:
        """Those of them that are not the readings themselves."""
        found = {code: [one for one in features if one.of is not None] for code, features in self.by_code.items()}
        return {code: features for code, features in found.items() if features}

    @cached_property
    def places(self) -> dict[int, list[int]]:
        """The places of each rule's entries."""
        found: dict[int, list[int]] = defaultdict(list)
        for place, entry in enumerate(self.entries):
            found[entry.rule_id].append(place)
        return dict(found)

    def at(self, feature: Feature, row: int) -> list[Entry]:
        """Return the rules of a series."""
        return [self.entries[place] for place in self.columns[feature].at(row)]

    def watching(self, rule_id: int, asset_id: int) -> Entry | None:
        """Return the rule as it is for an asset, None where it does not watch the asset."""
        for place in self.places.get(rule_id, ()):
            entry = self.entries[place]
            found = self.columns[entry.watch.features[0]]
            if place in found.at(found.panel.row(asset_id)):
                return entry
        return None


def turn_page(*_: object) -> None:
    """Count a change of rules or assets, in its transaction: the judge reads the book anew."""
    Head.take(HEAD)


def follow_asset(fact: AssetChanged) -> None:
    """Turn the page if a rule may look at what was changed of an asset, in the transaction of the change.

    Rules are asked while nobody else can turn it: one that is written at this moment is either there already, or
    turns the page once this is committed, and is then seen with the asset as it is now.
    """
    if not fact.moved:
        Head.hold(HEAD)
        if not ((fact.interval and _asks_interval()) or _asks_attribute(fact.attributes)):
            return
    turn_page()


def follow_type(_: AssetTypeChanged) -> None:
    """Turn the page if a rule may look at the interval at which assets of a type send; as above."""
    Head.hold(HEAD)
    if _asks_interval():
        turn_page()


def follow_declared(fact: Changed) -> None:
    """Turn the page if a unit was declared otherwise that a rule may look up an index with; as above."""
    before, after = (_declared(fact.object_type, columns) for columns in (fact.before, fact.after))
    if before != after:
        follow_units()


def _declared(kind: str, columns: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what a row says of units; what readings bring to a type has none: who sends it waits for nobody here."""
    told = [(name, columns.get(name)) for name in DECLARED.get(kind, ())]
    listed = columns.get("parameters", ()) if kind == "asset-type" else ()
    return told + [(str(one.get("code")), one["unit"]) for one in listed if one.get("unit")]


def follow_units(*_: object) -> None:
    """Turn the page if a rule may look up an index with a unit; as above."""
    Head.hold(HEAD)
    if _is_enabled(_has_any(['"standard"'])):
        turn_page()


def _asks_interval() -> bool:
    """Tell whether an enabled rule may; of kinds of conditions that are not ours, nobody knows."""
    kinds = [f'"{kind}"' for kind in conditions.names() if kind not in NO_INTERVAL]
    return _is_enabled(Q(aggregate__isnull=False) | Q(no_data__isnull=False) | _has_any(kinds))


def _asks_attribute(names: Iterable[str]) -> bool:
    """Tell whether an enabled rule may take a limit from one of these attributes."""
    # One database keeps JSON as it was written, the other as letters.
    told = [json.dumps(name, ensure_ascii=escaped) for name in names for escaped in (True, False)]
    return bool(told) and _is_enabled(Q(told__contains='"attribute"') & _has_any(told))


def _has_any(texts: Iterable[str]) -> Q:
    found = Q()
    for text in texts:
        found |= Q(told__contains=text)
    return found


def _is_enabled(what: Q) -> bool:
    return Rule.objects.filter(enabled=True).annotate(told=Cast("conditions", TextField())).filter(what).exists()


class _Asking:
    """What rules take from assets, read once and only if a rule asks; ``pollutants`` are those of rules that do."""

    def __init__(self, pollutants: Sequence[frozenset[str]]) -> None:
        some = frozenset[str]().union(*pollutants)
        self._known = circumstances_of(pollutants=some) if pollutants else {}

    def of(self, asset: int) -> Circumstances:
        """Return what an asset brings along; nothing if it has just come."""
        return self._known.get(asset, NEWCOMER)


def _resolved(ruling: Ruling, fleet: Fleet, asking: _Asking) -> Iterable[tuple[Entry, Ints]]:
    """Give a rule as it is for the assets in its scope, with their rows: once for each kind of circumstances."""
    if ruling.spec is None:
        return
    rows = fleet.rows(ruling.scope)
    if not ruling.asks:
        groups: Groups = {(): (Circumstances(), rows)}
    else:
        groups = _grouped(ruling, fleet.ids, rows, asking)
    for gone in ruling.entries.keys() - groups.keys():
        # Circumstances in which no asset is any more: attributes may change for years.
        del ruling.entries[gone]
    for key, (circumstances, some) in groups.items():
        entry = ruling.entry(key, circumstances)
        if isinstance(entry, Entry):
            yield entry, some


def _grouped(ruling: Ruling, ids: Ints, rows: Ints, asking: _Asking) -> Groups:
    names, pollutants = sorted(ruling.spec.attributes) if ruling.spec else [], sorted(ruling.pollutants)
    found: dict[tuple[object, ...], list[int]] = defaultdict(list)
    known: dict[tuple[object, ...], Circumstances] = {}
    for row, asset in zip(rows.tolist(), ids[rows].tolist(), strict=True):
        circumstances = asking.of(asset)
        attributes, air = circumstances.attributes, circumstances.air or {}
        own = (*(repr(attributes.get(name)) for name in names), *(air.get(code) for code in pollutants))
        key = (circumstances.interval, *own)
        found[key].append(row)
        known[key] = circumstances
    return {key: (known[key], np.array(some, np.int64)) for key, some in found.items()}


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
        return Ruling(edition, rule, spec_of(rule), scope)
    except Exception as error:  # noqa: BLE001 - conditions may be plug-ins
        # Such as one whose plug-in was removed: one rule must not stop the judge for all.
        _log.exception("rule %s cannot be read and is not judged", rule.pk)
        return Ruling(edition, rule, None, scope, unread=f"it cannot be read: {error}")


def spec_of(rule: Rule) -> Spec:
    """Return what a stored rule demands; raises Invalid."""
    return parse_rule({name: getattr(rule, name) for name in JUDGED})


def _entry(ruling: Ruling, circumstances: Circumstances) -> Entry | str:
    rule, spec = ruling.rule, ruling.spec
    if spec is None:
        return ruling.unread
    try:
        watch = spec.watch(circumstances)
        quiet = tuple(watch.quiet(index) for index in range(len(watch.features)))
    except Unlimited as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - as above
        _log.exception("rule %s makes no sense with %s and is not judged there", rule.pk, circumstances.attributes)
        return f"it makes no sense with an asset: {error}"
    terms = Terms(rule.revision, rule.latched, rule.reraise_window, parse_escalation(rule.escalation))
    task = rule.open_task
    return Entry(
        rule.pk, rule.name, rule.version, rule.parameter, watch, task, rule.guidance, terms, quiet, watch.of_late
    )
