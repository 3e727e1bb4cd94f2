"""The frames that tell of what people say about tasks, as the document of the socket describes them."""

from __future__ import annotations

from typing import Literal, TypedDict


class CommentNews(TypedDict):
    """A comment of a task; its text is at /api/tasks/{task}/comments/{id}/."""

    id: int
    task: int
    author: int | None


class CommentFrame(TypedDict):
    """Somebody commented on a task, or changed or deleted a comment."""

    type: Literal["comment"]
    sequence: int
    event: Literal["created", "changed", "deleted"]
    comment: CommentNews


class MentionFrame(TypedDict):
    """A comment mentions the subscriber."""

    type: Literal["mention"]
    sequence: int
    event: Literal["mentioned"]
    comment: CommentNews


class ReminderNews(TypedDict):
    """A task, and when it is to be done."""

    task: int
    due_date: str | None


class ReminderFrame(TypedDict):
    """The subscriber is to be reminded of a task now."""

    type: Literal["reminder"]
    sequence: int
    event: Literal["due"]
    reminder: ReminderNews
