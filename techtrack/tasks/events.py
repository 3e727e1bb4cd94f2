"""What tasks announce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from techtrack.tasks.domain.audience import Audience


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task was created, changed or deleted (``event``), in this transaction.

    ``audience`` may see it; for those who may see it no longer it was deleted. ``summary`` is what open pages get of
    it, None where it was deleted. ``quiet``: only those need to know who keep a copy.
    """

    task_id: int
    event: str
    audience: Audience
    summary: Mapping[str, Any] | None = None
    quiet: bool = False

    @property
    def shown(self) -> bool:
        """Whether open pages hear of it."""
        return not self.quiet and (bool(self.audience.people) or self.audience.site is not None)


@dataclass(frozen=True, slots=True)
class CommentChanged:
    """A comment was created, changed or deleted (``event``), in this transaction; ``audience`` may see its task."""

    task_id: int
    comment_id: int
    author_id: int | None
    event: str
    audience: Audience


@dataclass(frozen=True, slots=True)
class PeopleMentioned:
    """A comment mentions people who may see its task, and who were not told of it yet."""

    task_id: int
    comment_id: int
    author_id: int | None
    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReminderDue:
    """People are to be reminded of a task now; ``due`` is when it is to be done, if that is known."""

    task_id: int
    due: datetime | None
    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """A plan was created or changed: what it asks for is looked at."""

    plan_id: int


@dataclass(frozen=True, slots=True)
class ProofEnded:
    """Telemetry has proved the work of a task (``verified``), refuted it, or could not tell in time (``expired``).

    ``people`` own the task.
    """

    task_id: int
    phase: str
    people: tuple[int, ...]
