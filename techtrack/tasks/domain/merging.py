"""Two people edit one task: what each changed is kept, and only where both changed the same thing they must talk.

A merge of three: what the caller had read, what the task is now, and what the caller sends. Who sends back a value as
it was read did not change it (a PUT sends all of them), and who writes what is there already clashes with nobody. Lists
are merged by their items, since that is what people edit: two who add an owner each both mean what they say, and of a
checklist a person edits a step. To take lists as wholes would make clashes of all that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from techtrack.core.errors import Fault, Stale, member

Key = Callable[[Any], Hashable]
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Edit:
    """One write: the ``version`` that it made, and the fields that it changed, before and after, in their JSON form."""

    version: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Clash:
    """Both changed ``field``, or its ``item`` (None: all of it), to different things; None where it was taken out."""

    field: str
    item: Hashable
    theirs: Any
    yours: Any

    @property
    def pointer(self) -> str:
        """Where in the body, with the key of an item for its place in the list."""
        field = member("", self.field)
        return field if self.item is None else member(field, self.item)


class Clashing(Stale):
    """Somebody else changed the same thing since the caller read it; ``faults`` name each, ``clashes`` show both."""

    def __init__(self, clashes: Sequence[Clash]) -> None:
        names = ", ".join(dict.fromkeys(clash.field for clash in clashes))
        super().__init__(f"somebody else changed {names} since you read it")
        self.clashes = tuple(clashes)
        self.faults = tuple(Fault(one.pointer, self.code, "somebody else changed it meanwhile") for one in clashes)


def _itself(item: Any) -> Hashable:
    # A reminder is an object without a name: it is what it says.
    return tuple(sorted(item.items())) if isinstance(item, Mapping) else item


# Lists of a task and what its items go by; every other field is one value.
KEYS: Mapping[str, Key] = {
    "owners": _itself,
    "shared_with": itemgetter("user"),
    "checklist": itemgetter("key"),
    "reminders": _itself,
}
# Lists of which it means something that they are empty: a task would be nobody's.
NEVER_EMPTIED = frozenset({"owners"})


def merge(yours: Mapping[str, Any], *, read: int, version: int, edits: Iterable[Edit]) -> dict[str, Any]:
    """Return what to write of the caller's changes to a task of ``version``, who had read version ``read``.

    ``edits`` are those known of the task, in any order. What is there already is left out.

    Raises:
        Clashing: the same thing was changed by both.
        Stale: it is not known what happened since version ``read``.
    """
    since = sorted((edit for edit in edits if read < edit.version <= version), key=lambda edit: edit.version)
    if read > version or [edit.version for edit in since] != list(range(read + 1, version + 1)):
        raise Stale("it was changed by somebody else since you read it")
    base: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for edit in since:
        base = {**edit.before, **base}
        theirs |= edit.after
    written: dict[str, Any] = {}
    clashes: list[Clash] = []
    for field, value in yours.items():
        if field not in theirs:
            written[field] = value
            continue
        merged, found = _field(field, base[field], theirs[field], value)
        clashes += found
        if merged != theirs[field]:
            written[field] = merged
    if clashes:
        raise Clashing(clashes)
    return written


_Merged = tuple[Any, list[Clash]]


def _field(field: str, base: Any, theirs: Any, yours: Any) -> _Merged:
    if yours in (base, theirs):
        return theirs, []
    if theirs == base:
        # Changed, and changed back.
        return yours, []
    if field in KEYS and all(isinstance(one, list) for one in (base, theirs, yours)):
        return _list(field, base, theirs, yours)
    return theirs, [Clash(field, None, theirs, yours)]


def _list(field: str, base: list[Any], theirs: list[Any], yours: list[Any]) -> _Merged:
    key = KEYS[field]
    old, new, mine = ({key(item): item for item in items} for items in (base, theirs, yours))
    items: dict[Hashable, Any] = {}
    clashes: list[Clash] = []
    for name in {**old, **new, **mine}:
        was, now, wanted = (side.get(name, _ABSENT) for side in (old, new, mine))
        if _same(wanted, was) or _same(wanted, now):
            chosen = now
        elif _same(now, was):
            chosen = wanted
        else:
            chosen = now
            clashes.append(Clash(field, name, *(None if side is _ABSENT else side for side in (now, wanted))))
        if chosen is not _ABSENT:
            items[name] = chosen
    emptied = field in NEVER_EMPTIED and theirs and yours and not items
    if clashes or emptied:
        return theirs, clashes or [Clash(field, None, theirs, yours)]
    order = _order(list(old), list(new), list(mine), items.keys())
    return (theirs, [Clash(field, None, theirs, yours)]) if order is None else ([items[name] for name in order], [])


def _same(one: Any, other: Any) -> bool:
    return one is other or (one is not _ABSENT and other is not _ABSENT and bool(one == other))


def _order(
    base: list[Hashable], theirs: list[Hashable], yours: list[Hashable], kept: Collection[Hashable]
) -> list[Hashable] | None:
    """Return the kept items in the order of whoever changed it, None where both did, in different ways."""
    we_moved, they_moved = _moved(base, yours), _moved(base, theirs)
    if we_moved and they_moved and _moved(theirs, yours):
        return None
    lead, other = (yours, theirs) if we_moved else (theirs, yours)
    order = [name for name in lead if name in kept]
    place = 0
    for name in other:
        if name not in kept:
            continue
        if name in order:
            place = order.index(name) + 1
        else:
            # Behind what stands before it where it comes from.
            order.insert(place, name)
            place += 1
    return order


def _moved(one: list[Hashable], other: list[Hashable]) -> bool:
    """Tell whether what both hold stands in another order."""
    return [name for name in one if name in other] != [name for name in other if name in one]
