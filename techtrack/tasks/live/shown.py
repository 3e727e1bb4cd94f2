"""What open sockets are told of work, and by which topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from techtrack.core.clock import isoformat
from techtrack.tasks.domain.audience import Audience
from techtrack.tasks.events import CommentChanged, PeopleMentioned, ReminderDue, TaskChanged

Told = list[tuple[list[str], dict[str, Any]]]


def of_tasks(facts: Sequence[TaskChanged]) -> Told:
    """What became of tasks, for those who may see them."""
    return [
        (_topics(fact.audience), {"type": "task", "event": fact.event, "task": fact.summary or {"id": fact.task_id}})
        for fact in facts
        if fact.shown
    ]


def of_comments(facts: Sequence[CommentChanged]) -> Told:
    """What became of comments, for those who may see their tasks; what they say is asked for."""
    return [(_topics(fact.audience), _comment("comment", fact.event, fact)) for fact in facts]


def of_mentions(facts: Sequence[PeopleMentioned]) -> Told:
    """Who was mentioned, for each of them."""
    return [(_own(fact.people), _comment("mention", "mentioned", fact)) for fact in facts]


def of_reminders(facts: Sequence[ReminderDue]) -> Told:
    """What is to be remembered, for those who are to."""
    return [(_own(fact.people), {"type": "reminder", "event": "due", "reminder": _reminder(fact)}) for fact in facts]


def _comment(kind: str, event: str, fact: CommentChanged | PeopleMentioned) -> dict[str, Any]:
    comment = {"id": fact.comment_id, "task": fact.task_id, "author": fact.author_id}
    return {"type": kind, "event": event, "comment": comment}


def _reminder(fact: ReminderDue) -> dict[str, Any]:
    return {"task": fact.task_id, "due_date": isoformat(fact.due) if fact.due else None}


def _topics(audience: Audience) -> list[str]:
    return _own(audience.people) + ([] if audience.site is None else [f"sites/{audience.site}/tasks"])


def _own(people: Sequence[int] | frozenset[int]) -> list[str]:
    return [f"users/{user}/tasks" for user in sorted(people)]
