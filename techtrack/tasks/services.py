"""Every write of work for people: tasks, who owns them, with whom they are shared, and categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts import hiding
from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset
from techtrack.core import events
from techtrack.core.errors import Conflict, Fault, Forbidden, Invalid
from techtrack.tasks import queries
from techtrack.tasks.domain.audience import NOBODY, Audience
from techtrack.tasks.domain.workflow import UNFINISHED, draft_for_alert
from techtrack.tasks.events import TaskChanged
from techtrack.tasks.models import Category, Level, State, Task, TaskOwner, TaskQuerySet, TaskShare


class UnknownPerson(Invalid):
    """An owner, or somebody to share with, is nobody whom the caller can know."""

    code = "unknown_person"


class NotYourCategory(Invalid):
    """A category is its owner's own drawer; others cannot put anything into it."""

    code = "not_your_category"


class NamedTwice(Invalid):
    """A list of people names somebody twice."""

    code = "named_twice"


class AnotherTaskIsOpen(Conflict):
    """The alert has another unfinished task that a machine opened for it."""

    code = "another_task_is_open"


class CategoryExists(Conflict):
    """The caller has a category of that name already."""

    code = "category_exists"


@transaction.atomic
def create_task(*, by: Access, data: Mapping[str, Any], now: datetime) -> Task:
    """Create a task from columns of Task, ``owners`` (ids) and ``shared_with`` ((id, level) pairs).

    Without owners the maker owns it. A task about an asset needs an operator at the asset's site.

    Raises:
        UnknownPerson, NotYourCategory, NamedTwice: see there.
    """
    columns, owners, shares = _split(data, maker=by.user_id)
    _check(by, columns, owners=owners or [], shares=shares or [], held=None)
    _require_at_asset(by, columns.get("asset"))
    done = {"completed_at": now} if columns.get("state") == State.DONE else {}
    task = Task.objects.create(created_by_id=by.user_id, created_at=now, updated_at=now, **columns, **done)
    _replace_people(task, owners=[by.user_id] if owners is None else owners, shares=shares)
    _explain(task, columns, now=now)
    _announce(task)
    return task


@transaction.atomic
def update_task(*, task: Task, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Task:
    """Write ``changes`` (as ``data`` of ``create_task``; ``owners`` None gives it back to its maker).

    Raises:
        AnotherTaskIsOpen: it would be the second unfinished one that a machine opened for its alert.
        Stale: somebody else was faster. Also as ``create_task``.
    """
    if not queries.may_write(by, task):
        raise Forbidden("you may read this task, but not change it")
    columns, owners, shares = _split(changes, maker=task.created_by_id)
    _check(by, columns, owners=owners or [], shares=shares or [], held=task)
    if "asset" in columns and columns["asset"] != task.asset:
        _require_at_asset(by, columns["asset"])
    with _told(Task.objects.filter(pk=task.pk)):
        try:
            with transaction.atomic():
                task.change(expected=expected, now=now, **columns, **_completion(columns.get("state"), now))
        except IntegrityError as error:
            raise AnotherTaskIsOpen("the alert has another unfinished task: finish that one") from error
        _replace_people(task, owners=owners, shares=shares)
        _explain(task, columns, now=now)
    return task


@transaction.atomic
def delete_task(*, task: Task, by: Access, expected: int | None) -> None:
    """Delete a task; its maker and its owners may, and an operator where a machine opened it."""
    if not queries.may_delete(by, task):
        raise Forbidden("only who made or owns this task may delete it")
    cause = _cause(task)
    with _told(Task.objects.filter(pk=task.pk)):
        task.remove(expected=expected)
        hiding.unsuppress(by=cause)


@transaction.atomic
def open_for_alert(*, alert_id: int, wish: Mapping[str, Any], now: datetime) -> Task | None:
    """Open the task that a rule wishes for an alert; None where an unfinished one is there already.

    Call it in the transaction that raised the alert.
    """
    alert = Alert.objects.select_related("asset").get(pk=alert_id)
    draft = draft_for_alert(wish, title=alert.title, asset=alert.asset.name, severity=alert.severity)
    task = Task(
        title=draft.title,
        description=draft.description,
        priority=draft.priority,
        asset=alert.asset,
        alert=alert,
        automatic=True,
        created_at=now,
        updated_at=now,
    )
    try:
        # The unique constraint decides, whoever raises the alert again at the same moment.
        with transaction.atomic():
            task.save(force_insert=True)
    except IntegrityError:
        return None
    _announce(task)
    return task


@transaction.atomic
def forget_asset(*, asset_id: int, now: datetime) -> None:
    """Prepare for an asset's deletion: tasks that only its site could see go with it, others lose the asset."""
    with _told(Task.objects.filter(asset=asset_id)):
        queries.goes_with(asset_id).delete()
        Task.objects.filter(asset=asset_id).update(asset=None, version=F("version") + 1, updated_at=now)


@transaction.atomic
def follow_asset(*, asset_id: int, left: int) -> None:
    """Announce the unfinished tasks about an asset that has left a site (0: none) to those who may see them now."""
    rows = Task.objects.filter(asset=asset_id, state__in=UNFINISHED).order_by("pk")
    now = queries.audiences(rows)
    gone = [(pk, Audience(audience.people, left).without(audience)) for pk, audience in now.items()]
    lost = [TaskChanged(pk, "deleted", audience) for pk, audience in gone if audience]
    events.publish_all([*lost, *(TaskChanged(pk, "changed", audience) for pk, audience in now.items())])


@transaction.atomic
def forget_person(*, user_id: int, now: datetime) -> None:
    """Prepare for a person's deletion: tasks that nobody else could see go along, others lose the person.

    What would be nobody's although it is shared goes to one it is shared with: who may write before who may not,
    and then the first. Otherwise nobody could ever delete it. Work about an asset stays with the asset's site.
    """
    left = queries.left_behind(user_id)
    others = TaskShare.objects.exclude(user=user_id)
    with _told(queries.concerning(user_id)):
        left.exclude(pk__in=others.values("task")).delete()
        heirs: dict[int, int] = {}
        for share in sorted(others.filter(task__in=left), key=lambda row: (-Level.values.index(row.level), row.pk)):
            heirs.setdefault(share.task_id, share.user_id)
        TaskOwner.objects.bulk_create(TaskOwner(task_id=task, user_id=heir) for task, heir in heirs.items())
        queries.concerning(user_id).update(version=F("version") + 1, updated_at=now)


@transaction.atomic
def create_category(*, by: Access, data: Mapping[str, Any], now: datetime) -> Category:
    """Create a category of the caller's own.

    Raises:
        CategoryExists: the caller has one of that name.
    """
    try:
        with transaction.atomic():
            return Category.objects.create(owner_id=by.user_id, created_at=now, updated_at=now, **data)
    except IntegrityError as error:
        raise CategoryExists(f"you have a category {data['name']!r} already") from error


@transaction.atomic
def update_category(
    *, category: Category, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> Category:
    """Change a category of the caller's own; raises as ``create_category`` does."""
    _require_owner(by, category)
    try:
        with transaction.atomic():
            return category.change(expected=expected, now=now, **changes)
    except IntegrityError as error:
        raise CategoryExists(f"you have a category {changes['name']!r} already") from error


@transaction.atomic
def delete_category(*, category: Category, by: Access, expected: int | None, now: datetime) -> None:
    """Delete a category of the caller's own; its tasks stay, without it."""
    _require_owner(by, category)
    with _told(Task.objects.filter(category=category)):
        Task.objects.filter(category=category).update(category=None, version=F("version") + 1, updated_at=now)
    category.remove(expected=expected)


_Shares = Sequence[tuple[int, str]]


def _split(data: Mapping[str, Any], *, maker: int | None) -> tuple[dict[str, Any], list[int] | None, _Shares | None]:
    """Part ``data`` into columns, owners and shares; None stands for what the caller does not touch."""
    columns = dict(data)
    shares = columns.pop("shared_with", None)
    if "owners" not in columns:
        return columns, None, shares
    owners = columns.pop("owners")
    default = [] if maker is None else [maker]
    return columns, default if owners is None else list(owners), shares


def _check(
    by: Access, columns: Mapping[str, Any], *, owners: Sequence[int], shares: _Shares, held: Task | None
) -> None:
    """Refuse people whom the caller cannot know and categories of others, unless the task has them already."""
    places = [(f"/owners/{index}", pk) for index, pk in enumerate(owners)]
    shared = [(f"/shared_with/{index}/user", pk) for index, (pk, _) in enumerate(shares)]
    _refuse_repeated(places)
    _refuse_repeated(shared)
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


def _refuse_repeated(places: Sequence[tuple[str, int]]) -> None:
    for place in _repeated(places):
        raise NamedTwice("this person is named twice", pointer=place)


def _repeated(places: Sequence[tuple[str, int]]) -> Iterator[str]:
    seen: set[int] = set()
    for place, pk in places:
        if pk in seen:
            yield place
        seen.add(pk)


def _require_at_asset(by: Access, asset: Asset | None) -> None:
    """Pass for work about an asset where the caller operates, and for private work of a person.

    A key bound to a site or an asset cannot make private work: it could not see it again.
    """
    if asset is not None:
        by.require(Role.OPERATOR, asset.site_id)
    bound = by.only_asset is not None or by.only_site is not None
    if bound and (asset is None or by.only_asset not in {None, asset.pk}):
        raise Forbidden("this key is bound to a site or an asset: name an asset that it reaches")


def _announce(task: Task) -> None:
    for pk, audience in queries.audiences(Task.objects.filter(pk=task.pk)).items():
        events.publish(TaskChanged(pk, "created", audience))


@contextmanager
def _told(rows: TaskQuerySet) -> Iterator[None]:
    """Announce what becomes of these tasks: to those who may see them afterwards, and to those who may no longer."""
    before = queries.audiences(rows)
    yield
    after = queries.audiences(Task.objects.filter(pk__in=before))
    # First: who is in both by different ways gets the task back at once.
    lost = [(pk, audience.without(after.get(pk, NOBODY))) for pk, audience in before.items()]
    gone = [TaskChanged(pk, "deleted", audience) for pk, audience in lost if audience]
    events.publish_all([*gone, *(TaskChanged(pk, "changed", audience) for pk, audience in after.items())])


def _cause(task: Task) -> str:
    return f"task:{task.pk}"


def _explain(task: Task, columns: Mapping[str, Any], *, now: datetime) -> None:
    """Hide the alerts of an asset while somebody works on one of them, so that the work itself pages nobody."""
    if not {"state", "alert", "asset"} & set(columns):
        return
    if task.state == State.IN_PROGRESS and task.alert_id and task.asset_id:
        hiding.suppress(asset_id=task.asset_id, by=_cause(task), starts_at=now)
    else:
        hiding.unsuppress(by=_cause(task))


def _completion(state: str | None, now: datetime) -> dict[str, Any]:
    """When it was completed follows from the state, in the same statement; done again keeps the first time."""
    if state is None:
        return {}
    return {"completed_at": Coalesce(F("completed_at"), Value(now)) if state == State.DONE else None}


def _replace_people(task: Task, *, owners: Sequence[int] | None, shares: _Shares | None) -> None:
    """Put exactly these owners and shares in place; None leaves them."""
    if owners is not None:
        TaskOwner.objects.filter(task=task).delete()
        TaskOwner.objects.bulk_create(TaskOwner(task=task, user_id=pk) for pk in owners)
    if shares is not None:
        TaskShare.objects.filter(task=task).delete()
        TaskShare.objects.bulk_create(TaskShare(task=task, user_id=pk, level=level) for pk, level in shares)


def _require_owner(by: Access, category: Category) -> None:
    if category.owner_id != by.user_id:
        raise Forbidden("this category is not yours")
