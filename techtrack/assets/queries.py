"""Reads of assets for other apps: references to assets resolved at once, strict types, tags; packs of types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Func, Q, Value
from django.db.models.sql.compiler import SQLCompiler

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Site
from techtrack.assets.domain.packs import Pack, parse
from techtrack.assets.models import Asset, AssetQuerySet, AssetType
from techtrack.core.registry import UnknownKind

BIGGEST_ID = 2**63 - 1
LONGEST_KEY = 200
# SQLite takes 32,766 variables in one statement, unless its builder said otherwise.
AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class AssetRef:
    """What a reading, a rule or a task needs to know of an asset."""

    id: int
    kind: str
    site_id: int | None
    type_id: int | None
    name: str
    key: str | None


@dataclass(frozen=True, slots=True)
class TypeRules:
    """What an asset type asks of readings: the only ``codes`` it takes, and how old they may be; None: all."""

    codes: frozenset[str] | None
    retention: timedelta | None


def resolve(*, refs: Iterable[int | str], access: Access, role: Role) -> dict[int | str, AssetRef]:
    """Find the assets that ``refs`` (ids, ids as digits, or keys) mean, where the caller has ``role``.

    What does not exist, or is not the caller's, is absent. One query per 10,000 different references.
    """
    wanted = {ref: sought for ref in refs if (sought := _sought(ref)) is not None}
    found: dict[int | str, AssetRef] = {}
    for part in _parts(set(wanted.values())):
        ids = [item for item in part if isinstance(item, int)]
        keys = [item for item in part if isinstance(item, str)]
        rows = Asset.objects.visible_to(access, role).filter(Q(pk__in=ids) | Q(key__in=keys))
        found |= _by_name(rows.order_by())
    return {ref: found[sought] for ref, sought in wanted.items() if sought in found}


def resolved(*, access: Access, role: Role, most: int) -> dict[int | str, AssetRef]:
    """Return up to ``most`` of the assets where the caller has ``role``, by id and by key."""
    return _by_name(Asset.objects.visible_to(access, role).order_by()[:most])


def home_site(access: Access) -> Site | None:
    """Return the site of a caller who is engineer at exactly one: where new assets stand unless told otherwise."""
    sites = access.sites(Role.ENGINEER)
    return Site.objects.filter(pk__in=sites).first() if sites is not None and len(sites) == 1 else None


def strict_codes(*, type_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """Return, of those types that are strict, the only parameter codes that each of them takes."""
    rows = AssetType.objects.filter(pk__in=set(type_ids), strict=True).values_list("pk", "parameters")
    return {pk: frozenset(entry["code"] for entry in parameters) for pk, parameters in rows}


def type_rules(*, type_ids: Iterable[int]) -> dict[int, TypeRules]:
    """Return the rules of those types that have any."""
    rows = AssetType.objects.filter(Q(strict=True) | Q(retention__isnull=False), pk__in=set(type_ids))
    return {
        pk: TypeRules(frozenset(entry["code"] for entry in parameters) if strict else None, retention)
        for pk, strict, parameters, retention in rows.values_list("pk", "strict", "parameters", "retention")
    }


@cache
def packs() -> dict[str, Pack]:
    """Return every pack that asset types can begin with, by slug: one for each file in ``packs/``."""
    folder = files("techtrack.assets").joinpath("packs")
    texts = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".yaml")]
    return {pack.slug: pack for pack in sorted(map(parse, texts), key=lambda pack: pack.slug)}


def packs_for(access: Access) -> list[Pack]:
    """Return the packs for somebody to choose from; like types they are no secret to whoever has a role anywhere."""
    return list(packs().values()) if access.everywhere or access.at else []


def pack(slug: str, *, pointer: str = "/pack") -> Pack:
    """Return the pack of this slug.

    Raises:
        UnknownKind: there is none; the message lists those there are.

    """
    if slug not in packs():
        raise UnknownKind(f"{slug!r} is not a known pack: choose one of {', '.join(packs())}", pointer=pointer)
    return packs()[slug]


def tagged(rows: AssetQuerySet, tag: str) -> AssetQuerySet:
    """Narrow ``rows`` to assets that carry exactly this tag."""
    return rows.filter(_HasTag("tags", Value(tag)))


class _HasTag(Func):
    """Whether a JSON list holds a text; each database asked in its own words, so that any text is safe."""

    output_field = BooleanField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            template="EXISTS (SELECT 1 FROM json_each(%(expressions)s)",
            arg_joiner=") WHERE value = ",
            **context,
        )

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" ? ", **context)


def is_key(text: str) -> bool:
    """Tell whether ``text`` may be an asset's key: printable, and not digits alone, which mean an id."""
    return 0 < len(text) <= LONGEST_KEY and text.isprintable() and not _is_id(text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _by_name(rows: AssetQuerySet) -> dict[int | str, AssetRef]:
    found: dict[int | str, AssetRef] = {}
    for row in rows.values_list("id", "kind", "site_id", "type_id", "name", "key"):
        asset = AssetRef(*row)
        found[asset.id] = asset
        if asset.key is not None:
            found[asset.key] = asset
    return found


def _sought(ref: int | str) -> int | str | None:
    if isinstance(ref, str) and not _is_id(ref):
        return ref if is_key(ref) else None
    # Nineteen digits hold every id; int() of a novel's length would not be free.
    number = int(ref) if isinstance(ref, int) or len(ref) < 20 else 0  # noqa: PLR2004
    return number if 0 < number <= BIGGEST_ID else None


def _parts(items: set[int | str]) -> Iterator[list[int | str]]:
    rest = iter(items)
    while part := list(islice(rest, AT_ONCE)):
        yield part
