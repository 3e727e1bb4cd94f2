"""Writes what people say about tasks, and tells those who are mentioned."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.core import events
from techtrack.core.errors import Forbidden
from techtrack.tasks import queries
from techtrack.tasks.domain.mentions import mentioned, mentions
from techtrack.tasks.events import CommentChanged, PeopleMentioned
from techtrack.tasks.models import Comment, Mention, Task


@transaction.atomic
def add_comment(*, task: Task, by: Access, text: str, now: datetime) -> Comment:
    """Say something about a task; who is mentioned and may see the task is told.

    Raises:
        TooManyMentions: it calls more people than anybody means.
    """
    if not queries.may_comment(by, task):
        raise Forbidden("you may read this task, but not comment on it")
    with events.at_once():
        comment = Comment.objects.create(task=task, author_id=by.user_id, text=text, created_at=now, updated_at=now)
        _tell(comment, "created")
        _mention(comment)
    return comment


@transaction.atomic
def edit_comment(*, comment: Comment, by: Access, text: str, expected: int | None, now: datetime) -> Comment:
    """Change what one has said; whoever is mentioned now and was not before is told. Raises as ``add_comment``."""
    if comment.author_id != by.user_id:
        raise Forbidden("only who wrote this comment may change it")
    if not queries.may_comment(by, comment.task):
        raise Forbidden("you may read this task, but not comment on it any more")
    with events.at_once():
        comment.change(expected=expected, now=now, text=text)
        _tell(comment, "changed")
        _mention(comment)
    return comment


@transaction.atomic
def delete_comment(*, comment: Comment, by: Access, expected: int | None) -> None:
    """Delete what one has said; who may delete the task may delete what others said about it, too."""
    if comment.author_id != by.user_id and not queries.may_delete(by, comment.task):
        raise Forbidden("only who wrote this comment, or may delete the task, may delete it")
    with events.at_once():
        # Before it goes: afterwards it has no number.
        _tell(comment, "deleted")
        comment.remove(expected=expected)


def _tell(comment: Comment, event: str) -> None:
    for pk, audience in queries.audiences(Task.objects.filter(pk=comment.task_id)).items():
        events.publish(CommentChanged(pk, comment.pk, comment.author_id, event, audience))


def _mention(comment: Comment) -> None:
    found = mentions(comment.text)
    if not found:
        return
    people = queries.readers(comment.task, [name for names in found for name in names])
    # Asked of the table: of two edits at once, which wait for each other, the second must know whom the first told.
    known = set(Mention.objects.filter(comment=comment).values_list("user", flat=True))
    new = [pk for pk in mentioned(found, people) if pk not in known]
    Mention.objects.bulk_create(Mention(comment=comment, user_id=pk) for pk in new)
    told = tuple(pk for pk in new if pk != comment.author_id)
    if told:
        events.publish(PeopleMentioned(comment.task_id, comment.pk, comment.author_id, told))
