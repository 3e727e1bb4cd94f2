"""What rules name of the plant, told in names instead of ids and found by them, for rules as files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import Site
from techtrack.alerts.domain import files
from techtrack.alerts.models import Rule
from techtrack.assets.models import Asset, AssetType
from techtrack.core.errors import Conflict, Fault, Invalid, NotFound

MISSING = "does_not_exist"


class NoName(Conflict):
    """Something that a rule names has no name of its own."""

    code = "no_name"


class Found(NamedTuple):
    """A scope by ids; two rules of one name watch the same where these are equal."""

    site: int | None
    asset_type: int | None
    assets: tuple[int, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """Rules in their normal form; ``idle`` are names of those that watch nothing any more, and are left out."""

    rules: list[dict[str, Any]]
    idle: list[str]


class Directory:
    """The sites, types, assets and rules that the caller may see, by id and by name."""

    def __init__(self, access: Access) -> None:
        self.sites = {site.pk: site for site in Site.objects.visible_to(access)}
        self.types = {kind.pk: kind for kind in AssetType.objects.visible_to(access)}
        self._sites = {site.name: pk for pk, site in self.sites.items()}
        self._types = {kind.slug: pk for pk, kind in self.types.items()}
        self._names: dict[int, str] = {}
        self._assets: dict[str, list[int]] = defaultdict(list)
        rows = list(Asset.objects.visible_to(access).order_by("pk").values_list("pk", "key", "name"))
        keys = {key for _, key, _ in rows}
        for pk, key, name in rows:
            self._names[pk] = key or name
            # A key goes before a name.
            for told in (key, name if name not in keys else None):
                if told and pk not in self._assets[told]:
                    self._assets[told].append(pk)
        self.rules = {rule.pk: rule for rule in Rule.objects.visible_to(access).select_related("site", "asset_type")}
        self._rule_names = Counter(rule.name for rule in self.rules.values())

    def scope_of(self, rule: Rule) -> Found | None:
        """Return what a rule watches; None where all the assets that it names are gone."""
        assets = tuple(sorted(pk for pk in rule.assets if pk in self._names))
        if rule.assets and not assets:
            return None
        return Found(rule.site_id, rule.asset_type_id, assets, tuple(sorted(rule.tags)))

    def told(self, rule: Rule) -> dict[str, Any]:
        """Return a rule in its normal form.

        Raises:
            NoName: an asset that it names has no key and shares its name.

        """
        inhibitors = [self.rules[pk] for pk in rule.inhibited_by if pk in self.rules]
        alike = [one for one in inhibitors if self._rule_names[one.name] > 1]
        for one in (rule, *alike):
            self._refuse_nameless(one)
        named = [self.known_by(one) if one in alike else one.name for one in inhibitors]
        # Ids say nothing of order: the same rules may be there anew, with others.
        return files.normal(rule.definition | {"scope": self._scope(rule), "inhibited_by": sorted(named, key=str)})

    def known_by(self, rule: Rule) -> dict[str, Any]:
        """Return the name and scope of a rule."""
        return {"name": rule.name, "scope": self._scope(rule)}

    def find(self, scope: files.Names) -> Found:
        """Return what a scope means.

        Raises:
            Invalid: with a fault for each name that is not known.

        """
        faults: list[Fault] = []
        site = _one(scope.site, self._sites, Fault("/scope/site", MISSING, f"there is no site {scope.site!r}"), faults)
        said = f"there is no asset type {scope.asset_type!r}"
        kind = _one(scope.asset_type, self._types, Fault("/scope/asset_type", MISSING, said), faults)
        assets = [self._asset(name, f"/scope/assets/{place}", faults) for place, name in enumerate(scope.assets)]
        if faults:
            raise Invalid(faults[0].detail, faults=faults)
        return Found(site, kind, tuple(sorted({pk for pk in assets if pk})), tuple(sorted(set(scope.tags))))

    def _scope(self, rule: Rule) -> dict[str, Any]:
        return {
            "site": rule.site.name if rule.site else None,
            "asset_type": rule.asset_type.slug if rule.asset_type else None,
            "assets": sorted(self._names[pk] for pk in rule.assets if pk in self._names),
            "tags": sorted(rule.tags),
        }

    def _refuse_nameless(self, rule: Rule) -> None:
        for pk in rule.assets:
            if len(self._assets.get(self._names.get(pk, ""), [])) > 1:
                raise NoName(
                    f"rule {rule.name!r}: there are several assets {self._names[pk]!r}: give number {pk} a key"
                )

    def _asset(self, name: str, pointer: str, faults: list[Fault]) -> int | None:
        found = self._assets.get(name, [])
        if len(found) != 1:
            said = (
                f"there are {len(found)} assets {name!r}: name one by its key"
                if found
                else f"there is no asset {name!r}"
            )
            faults.append(Fault(pointer, MISSING, said))
        return found[0] if found else None


def _one(name: str | None, known: Mapping[str, int], missing: Fault, faults: list[Fault]) -> int | None:
    if name is not None and name not in known:
        faults.append(missing)
    return known.get(name or "")


def rules_told(*, access: Access, site: str | None = None) -> Export:
    """Return the rules that the caller may see, of one site or all, as files tell them.

    Raises:
        NotFound: there is no such site.
        NoName: a rule cannot be told in names.

    """
    directory = Directory(access)
    if site is not None and site not in {one.name for one in directory.sites.values()}:
        raise NotFound(f"there is no site {site!r}")
    chosen = [rule for rule in directory.rules.values() if site is None or (rule.site and rule.site.name == site)]
    scopes = {rule.pk: directory.scope_of(rule) for rule in chosen}
    _refuse_alike([(rule.pk, rule.name, scope) for rule in chosen if (scope := scopes[rule.pk])])
    told = [directory.told(rule) for rule in chosen if scopes[rule.pk]]
    return Export(told, [rule.name for rule in chosen if not scopes[rule.pk]])


def twins_told(rule: Rule, *, access: Access) -> str | None:
    """Say which other rules have the name of one and watch the same, None where none does."""
    rows = Rule.objects.visible_to(access).filter(name=rule.name, site=rule.site_id, asset_type=rule.asset_type_id)
    scope = _members(rule)
    alike = [one.pk for one in rows.exclude(pk=rule.pk).order_by("pk") if _members(one) == scope]
    if not alike:
        return None
    return f"of the same name and scope is {_numbered(alike)}: in files of rules nobody could tell them apart"


def _members(rule: Rule) -> tuple[set[int], set[str]]:
    return set(rule.assets), set(rule.tags)


def _numbered(rules: Sequence[int]) -> str:
    return f"rule{'s' if len(rules) > 1 else ''} {', '.join(str(rule) for rule in rules)}"


def _refuse_alike(known: Iterable[tuple[int, str, Found]]) -> None:
    alike: dict[tuple[str, Found], list[int]] = defaultdict(list)
    for pk, name, scope in known:
        alike[name, scope].append(pk)
    for (name, _), pks in alike.items():
        if len(pks) > 1:
            raise NoName(f"{_numbered(pks)} {name!r} watch the same assets: rename or delete one of them")
