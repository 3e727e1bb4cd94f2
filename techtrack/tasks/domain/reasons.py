"""Why a plan's next task is due when it is, or why nobody can say when."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """One word for programs; ``Outlook.detail`` says it to people."""

    SCHEDULED = "scheduled"
    ENDED = "ended"
    REACHED = "reached"
    PROJECTED = "projected"
    NO_READINGS = "no_readings"
    TOO_LITTLE_HISTORY = "too_little_history"
    NOT_USED = "not_used"
    TOO_FAR = "too_far"
    RAISED = "raised"
    NOT_RAISED = "not_raised"
