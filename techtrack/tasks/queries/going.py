"""What would go with an asset or a person, and what is stored about a person."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from techtrack.accounts.events import PersonalDataAsked
from techtrack.assets.events import WhatHolds
from techtrack.core.rows import Section, naming
from techtrack.tasks.models import (
    Attachment,
    Block,
    CalendarFeed,
    Category,
    Comment,
    Mention,
    SavedFilter,
    Task,
    TaskEdit,
    TaskLink,
    TaskOwner,
    TaskQuerySet,
    TaskShare,
    TimeEntry,
)


def goes_with(asset_id: int) -> TaskQuerySet:
    """Tasks that only the asset's site can see: nobody who made, took or shares them is there."""
    return Task.objects.filter(asset=asset_id, created_by=None, owner_rows=None, share_rows=None)


def concerning(user_id: int) -> TaskQuerySet:
    """Tasks that this person has made, owns or shares."""
    owned = TaskOwner.objects.filter(user=user_id).values("task")
    shared = TaskShare.objects.filter(user=user_id).values("task")
    return Task.objects.filter(Q(created_by=user_id) | Q(pk__in=owned) | Q(pk__in=shared))


def left_behind(user_id: int) -> TaskQuerySet:
    """Those of them that without this person are nobody's: about no asset, made and owned by no other."""
    rows = concerning(user_id).filter(Q(created_by=user_id) | Q(created_by=None), asset=None)
    return rows.exclude(pk__in=TaskOwner.objects.exclude(user=user_id).values("task"))


def what_we_hold(question: WhatHolds) -> list[str]:
    """Answer how many tasks would go with an asset (connected to ``WhatHolds``); people's own work stays."""
    count = goes_with(question.asset_id).kept().count()
    return [f"{count} task{'' if count == 1 else 's'}"] if count else []


def personal_data(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with tasks that the person made, is to do, or was shared, what the person did to tasks, and keeps."""
    yield naming(Task, asked.user_id, "created_by")
    yield naming(TaskOwner, asked.user_id, "user")
    yield naming(TaskShare, asked.user_id, "user")
    yield naming(Category, asked.user_id, "owner")
    yield naming(SavedFilter, asked.user_id, "owner")
    yield naming(TaskEdit, asked.user_id, "by")
    yield naming(TaskLink, asked.user_id, "created_by", hidden={"digest"})


def personal_talk(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with what the person said, attached and was mentioned in, when the person worked, and own calendars."""
    yield naming(Comment, asked.user_id, "author")
    yield naming(Mention, asked.user_id, "user")
    yield naming(Attachment, asked.user_id, "created_by")
    yield naming(TimeEntry, asked.user_id, "person")
    yield naming(Block, asked.user_id, "created_by")
    yield naming(CalendarFeed, asked.user_id, "owner", hidden={"digest"})
