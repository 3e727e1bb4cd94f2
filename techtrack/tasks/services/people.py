"""Checks and writes who is to do a task and with whom it is shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import Fault, Forbidden, Invalid
from techtrack.tasks import queries
from techtrack.tasks.models import MOST_PEOPLE, Category, Task, TaskOwner, TaskShare


class UnknownPerson(Invalid):
    """An owner, or somebody to share with, is nobody whom the caller can know."""

    code = "unknown_person"


class NotYourCategory(Invalid):
    """A category is its owner's own drawer; others cannot put anything into it."""

    code = "not_your_category"


class TooManyPeople(Invalid):
    """More are to do a task, or have it shared with them, than anybody means."""

    code = "too_many_people"


class NamedTwice(Invalid):
    """A list of people names somebody twice."""

    code = "named_twice"


Shares = Sequence[tuple[int, str]]


def check(by: Access, columns: Mapping[str, Any], *, owners: Sequence[int], shares: Shares, held: Task | None) -> None:
    """Refuse people whom the caller cannot know and categories of others, unless the task has them already."""
    places = [(f"/owners/{index}", pk) for index, pk in enumerate(owners)]
    shared = [(f"/shared_with/{index}/user", pk) for index, (pk, _) in enumerate(shares)]
    for name, named in (("/owners", places), ("/shared_with", shared)):
        _refuse_repeated(named)
        # Each list was right, and what two people's become together may be too long.
        if len(named) > MOST_PEOPLE:
            raise TooManyPeople(f"{MOST_PEOPLE} people at most", pointer=name)
    known = {*held.owners, *(row.user_id for row in held.shared_with), held.created_by_id} if held else set()
    unknown = queries.strangers(by, [pk for _, pk in places + shared]) - known
    faults = [
        Fault(place, UnknownPerson.code, f"there is no person {pk} who shares a site with you")
        for place, pk in places + shared
        if pk in unknown
    ]
    if faults:
        raise UnknownPerson(faults[0].detail, faults=faults)
    category: Category | None = columns.get("category")
    there = held is not None and category is not None and category.pk == held.category_id
    if category is not None and category.owner_id != by.user_id and not there:
        raise NotYourCategory("this category is not yours", pointer="/category")


def require_people(by: Access, task: Task, *, owners: Sequence[int] | None, shares: Shares | None) -> None:
    """Pass where the caller may say so of a task: its maker and its owners say who does it and whom it is shared with.

    Who operates its asset gives it to others, and takes what is nobody's: an owner may delete the task and show it to
    everybody, which nobody gets by taking it from others.
    """
    if queries.may_delete(by, task):
        return
    if shares is not None and sorted(shares) != [(row.user_id, row.level) for row in task.shared_with]:
        raise Forbidden("only who made or owns this task may say with whom it is shared")
    if owners is None or sorted(owners) == task.owners:
        return
    if not queries.operates(by, task):
        raise Forbidden("only who made or owns this task, or operates its asset, may say who does it")
    if task.owners and (by.user_id in owners or not owners):
        raise Forbidden("this task is somebody's: only who made or owns it may give it to you, or to nobody")


def _refuse_repeated(places: Sequence[tuple[str, int]]) -> None:
    for place in _repeated(places):
        raise NamedTwice("this person is named twice", pointer=place)


def _repeated(places: Sequence[tuple[str, int]]) -> Iterator[str]:
    seen: set[int] = set()
    for place, pk in places:
        if pk in seen:
            yield place
        seen.add(pk)


def replace_people(task: Task, *, owners: Sequence[int] | None, shares: Shares | None) -> None:
    """Put exactly these owners and shares in place; None leaves them."""
    if owners is not None:
        TaskOwner.objects.filter(task=task).delete()
    if shares is not None:
        TaskShare.objects.filter(task=task).delete()
    add_people(task, owners=owners or (), shares=shares or ())


def add_people(task: Task, *, owners: Sequence[int], shares: Shares) -> None:
    """Add owners and shares to a task that has none of them."""
    TaskOwner.objects.bulk_create(TaskOwner(task=task, user_id=pk) for pk in owners)
    TaskShare.objects.bulk_create(TaskShare(task=task, user_id=pk, level=level) for pk, level in shares)
