"""What tasks announce."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.tasks.domain.audience import Audience


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task was created, changed or deleted (``event``), in this transaction.

    ``audience`` may see it; for those who may see it no longer it was deleted.
    """

    task_id: int
    event: str
    audience: Audience
