"""Follows what happens to the assets and people of tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import F

from techtrack.core import events
from techtrack.tasks import queries
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.events import TaskChanged
from techtrack.tasks.models import Course, Departure, Level, RunLog, Task, TaskOwner, TaskShare
from techtrack.tasks.services.labour import stop_clock_of
from techtrack.tasks.services.recording import recorded


@transaction.atomic
def forget_asset(*, asset_id: int, now: datetime) -> None:
    """Prepare for an asset's deletion: tasks that only its site could see go with it, others lose the asset."""
    # Before the asset is locked: whoever plans or counts for it, and refers to it at the commit, is waited for here.
    Course.objects.filter(asset=asset_id).delete()
    RunLog.objects.filter(asset=asset_id).delete()
    with recorded(Task.objects.filter(asset=asset_id), by=None, now=now) as ids:
        for part in queries.parts(ids):
            queries.goes_with(asset_id).filter(pk__in=part).delete()
            Task.objects.filter(pk__in=part).update(asset=None, version=F("version") + 1, updated_at=now)


@transaction.atomic
def follow_asset(*, asset_id: int, left: int) -> None:
    """Announce the tasks about an asset that has left a site (0: none) to those who may see them now.

    Open pages get the unfinished ones; the others may be many, and only who keeps a copy needs them.
    """
    # Each gets a number, while others may be writing it.
    ids = queries.locked(Task.objects.filter(asset=asset_id).kept())
    facts: list[TaskChanged] = []
    for pk, found in queries.snapshots(ids).items():
        quiet = found.fields["state"] not in UNFINISHED
        # What a key sees that is bound to the asset may depend on the site as well.
        gone = replace(found.audience, site=left).without(replace(found.audience, asset=None))
        facts += [TaskChanged(pk, "deleted", gone, quiet=quiet)] if gone else []
        facts.append(TaskChanged(pk, "changed", found.audience, found.summary, quiet))
    events.publish_all(facts)


@transaction.atomic
def forget_person(*, user_id: int, now: datetime) -> None:
    """Prepare for a person's deletion: tasks that nobody else could see go along, others lose the person.

    What would be nobody's although it is shared goes to one it is shared with: who may write before who may not,
    and then the first. Otherwise nobody could ever delete it. Work about an asset stays with the asset's site.
    """
    left = queries.left_behind(user_id)
    others = TaskShare.objects.exclude(user=user_id)
    with events.at_once(), recorded(queries.concerning(user_id), by=None, now=now) as ids:
        # Afterwards nobody knows whose it is.
        stop_clock_of(user_id=user_id, now=now)
        left.exclude(pk__in=others.values("task")).delete()
        heirs: dict[int, int] = {}
        for share in sorted(others.filter(task__in=left), key=lambda row: (-Level.values.index(row.level), row.pk)):
            heirs.setdefault(share.task_id, share.user_id)
        TaskOwner.objects.bulk_create(TaskOwner(task_id=task, user_id=heir) for task, heir in heirs.items())
        for part in queries.parts(ids):
            Task.objects.filter(pk__in=part).update(version=F("version") + 1, updated_at=now)
        # The database would do this when the person goes, but then the history would not tell of it.
        TaskOwner.objects.filter(user=user_id).delete()
        TaskShare.objects.filter(user=user_id).delete()
        Task.objects.filter(created_by=user_id).update(created_by=None)
    Departure.objects.filter(person_id=user_id).delete()
