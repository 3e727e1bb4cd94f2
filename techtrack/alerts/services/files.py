"""Rules written as the files say: all of them, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts.domain import files
from techtrack.alerts.domain.files import BadFile, Difference, RuleName, Written
from techtrack.alerts.models import Rule
from techtrack.alerts.queries.files import Directory, Found
from techtrack.alerts.services.rules import create_rule, delete_rule, update_rule
from techtrack.core.errors import Fault, Invalid

Key = tuple[str, Found]
# What is not compared as it is told.
APART = {"scope", "inhibited_by"}
COLUMNS = {"late_data": "late_max_age"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of a rule, or would."""

    rule: str
    what: Literal["created", "updated", "unchanged", "deleted"]
    differences: list[Difference] = field(default_factory=list)


@transaction.atomic
def import_rules(
    *, rules: Sequence[Written], prune: Collection[str | None] = (), dry_run: bool = False, by: Access, now: datetime
) -> list[Effect]:
    """Create the rules that are not there, update those that say something else, and tell what was done.

    ``prune``: delete the other rules of these sites (None: of all, and without a site) that the caller may write.
    ``dry_run``: the same, and then undone.

    Raises:
        BadFile: with all that is wrong, and where.
        Forbidden: the caller is no engineer of what a rule watches.

    """
    importer = _Importer(Directory(by), by, now)
    effects = importer.write(rules)
    effects += importer.prune(set(prune))
    if dry_run:
        transaction.set_rollback(True)
    return effects


class _Importer:
    """Writes rules that name each other, by what they are known by."""

    def __init__(self, directory: Directory, by: Access, now: datetime) -> None:
        self._directory, self._by, self._now = directory, by, now
        self._there: dict[Key, list[Rule]] = defaultdict(list)
        for rule in directory.rules.values():
            scope = directory.scope_of(rule)
            if scope is not None:
                self._there[rule.name, scope].append(rule)
        self._meant: set[int] = set()
        self._hiding: set[int] = set()

    def write(self, rules: Sequence[Written]) -> list[Effect]:
        """Create or update each, those before that inhibit others; tell in the order of the files."""
        keys = self._keys(rules)
        wanted = self._inhibitors(rules, keys)
        effects = {}
        for rule in _in_order(rules, keys, wanted):
            inhibited_by = sorted({self._there[one][0].pk for one in wanted[rule.place]})
            self._hiding.update(inhibited_by)
            with files.at(rule.place):
                effects[rule.place] = self._written(rule, keys[rule.place], inhibited_by)
        return [effects[rule.place] for rule in rules]

    def prune(self, sites: set[str | None]) -> list[Effect]:
        """Delete what no file names."""
        effects = []
        for rule in self._directory.rules.values() if sites else ():
            covered = None in sites or (rule.site and rule.site.name in sites)
            if not covered or rule.pk in self._meant or not self._by.allows(Role.ENGINEER, rule.site_id):
                continue
            if rule.pk in self._hiding:
                raise Invalid(
                    f"rule {rule.name!r} would be deleted, and rules here are inhibited by it: write it here too"
                )
            effects.append(Effect(_told(self._directory, rule), "deleted"))
            delete_rule(rule=rule, by=self._by, expected=None, now=self._now)
        return effects

    def _keys(self, rules: Sequence[Written]) -> dict[str, Key]:
        """Return by what each rule is known, once it is certain that they are there once at most."""
        keys: dict[str, Key] = {}
        seen: set[Key] = set()
        faults: list[Fault] = []
        for rule in rules:
            with files.noting(faults), files.at(rule.place):
                key = rule.name.name, self._directory.find(rule.name.scope)
                self._refuse_twice(key, seen)
                keys[rule.place] = key
        files.refuse(faults)
        return keys

    def _refuse_twice(self, key: Key, seen: set[Key]) -> None:
        if key in seen:
            raise Invalid("another rule of this name watches the same", pointer="/name")
        if len(self._there[key]) > 1:
            named = ", ".join(str(rule.pk) for rule in self._there[key])
            raise Invalid(f"the rules {named} have this name and watch the same: rename or delete one", pointer="/name")
        seen.add(key)

    def _inhibitors(self, rules: Sequence[Written], keys: dict[str, Key]) -> dict[str, list[Key]]:
        """Return what each rule is inhibited by: rules of the files, or that are there."""
        names: dict[str, set[Key]] = defaultdict(set)
        for key in [*keys.values(), *(key for key, there in self._there.items() if there)]:
            names[key[0]].add(key)
        faults: list[Fault] = []
        wanted: dict[str, list[Key]] = {}
        for rule in rules:
            wanted[rule.place] = []
            for number, one in enumerate(rule.inhibited_by):
                with files.noting(faults), files.at(f"{rule.place}/inhibited_by/{number}"):
                    wanted[rule.place].append(self._meant_by(one, names))
        files.refuse(faults)
        return wanted

    def _meant_by(self, wanted: str | RuleName, names: dict[str, set[Key]]) -> Key:
        if isinstance(wanted, str):
            found = names.get(wanted, set())
            if len(found) > 1:
                raise Invalid(f"there are {len(found)} rules {wanted!r}: write {{name: …, scope: …}}")
        else:
            found = names.get(wanted.name, set()) & {(wanted.name, self._directory.find(wanted.scope))}
        if not found:
            raise Invalid(f"there is no rule {str(wanted)!r}")
        return next(iter(found))

    def _written(self, rule: Written, key: Key, inhibited_by: list[int]) -> Effect:
        there = self._there[key]
        if not there:
            data = rule.columns | self._scope(key[1]) | {"inhibited_by": inhibited_by}
            there.append(create_rule(by=self._by, now=self._now, data=data))
            return Effect(str(rule.name), "created")
        self._meant.add(there[0].pk)
        return self._changed(rule, there[0], inhibited_by)

    def _changed(self, rule: Written, there: Rule, inhibited_by: list[int]) -> Effect:
        before = self._directory.told(there)
        # Its scope is the same; rules that hide it are compared by what they are, however they are named.
        found = files.differences({name: before[name] for name in before if name not in APART}, rule.told)
        inhibitors = [self._directory.rules[pk] for pk in there.inhibited_by if pk in self._directory.rules]
        if {one.pk for one in inhibitors} != set(inhibited_by):
            names = [one.name for one in inhibitors], [str(one) for one in rule.inhibited_by]
            found.append(Difference("/inhibited_by", *names))
        if not found:
            return Effect(str(rule.name), "unchanged")
        members = {one.pointer.split("/")[1] for one in found}
        data = rule.columns | {"inhibited_by": inhibited_by}
        changes = {COLUMNS.get(name, name): data[COLUMNS.get(name, name)] for name in members}
        update_rule(rule=there, by=self._by, changes=changes, expected=None, now=self._now)
        return Effect(str(rule.name), "updated", found)

    def _scope(self, found: Found) -> dict[str, Any]:
        return {
            "site": self._directory.sites.get(found.site or 0),
            "asset_type": self._directory.types.get(found.asset_type or 0),
            "assets": list(found.assets),
            "tags": list(found.tags),
        }


def _in_order(rules: Sequence[Written], keys: dict[str, Key], wanted: dict[str, list[Key]]) -> list[Written]:
    """Return the rules so that each comes after those that inhibit it."""
    by_key = {keys[rule.place]: rule for rule in rules}
    try:
        order = list(TopologicalSorter({keys[rule.place]: wanted[rule.place] for rule in rules}).static_order())
    except CycleError as error:
        first = by_key[error.args[1][0]]
        raise BadFile("a rule would hide its own alerts", pointer=f"{first.place}/inhibited_by") from None
    return [by_key[key] for key in order if key in by_key]


def _told(directory: Directory, rule: Rule) -> str:
    known = directory.known_by(rule)
    return str(RuleName(known["name"], files.Names(**known["scope"])))
