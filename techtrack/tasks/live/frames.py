"""The frames that tell of tasks, as the document of the socket describes them."""

from __future__ import annotations

from typing import Literal, TypedDict


class Share(TypedDict):
    """With whom a task is shared, and for what."""

    user: int
    level: Literal["read", "comment", "write"]


class TaskSummary(TypedDict):
    """A task; its description is at /api/tasks/{id}/."""

    id: int
    title: str
    priority: Literal[1, 2, 3, 4]
    state: Literal["open", "in_progress", "on_hold", "done", "cancelled"]
    start_date: str | None
    due_date: str | None
    position: float
    owners: list[int]
    shared_with: list[Share]
    equipment: int | None
    sensor: int | None
    alert: int | None
    plan: int | None
    verification: Literal["waiting", "verifying", "verified", "refuted", "expired", "waived"] | None
    created_by: int | None
    created_at: str
    updated_at: str
    completed_at: str | None
    version: int


class TaskGone(TypedDict):
    """What is left to say of a task."""

    id: int


class TaskFrame(TypedDict):
    """A task was created or changed; the latter may be the first that a subscriber hears of it."""

    type: Literal["task"]
    sequence: int
    event: Literal["created", "changed"]
    task: TaskSummary


class TaskGoneFrame(TypedDict):
    """A task was deleted, or the subscriber may no longer see it."""

    type: Literal["task"]
    sequence: int
    event: Literal["deleted"]
    task: TaskGone


class TasksShown(TypedDict):
    """The unfinished tasks that the subscriber may see, the newest first, at most 500."""

    tasks: list[TaskSummary]
