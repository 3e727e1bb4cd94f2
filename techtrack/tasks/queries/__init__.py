"""Reads of work: who may see or change a task, what is told of it, what would go with an asset or a person."""

from techtrack.tasks.queries.attachments import contents, folder
from techtrack.tasks.queries.blocking import is_blocked, unfinished_blockers, waits_for
from techtrack.tasks.queries.board import column, gap
from techtrack.tasks.queries.calendars import calendar_of
from techtrack.tasks.queries.changes import HEAD, Changes, changes
from techtrack.tasks.queries.going import concerning, goes_with, left_behind, personal_data, personal_talk, what_we_hold
from techtrack.tasks.queries.history import edits_since
from techtrack.tasks.queries.labour import time_spent
from techtrack.tasks.queries.letters import MENTION, REMINDER, REOPENED, letter, page_of
from techtrack.tasks.queries.links import LinkExpired, NoSuchLink, linked
from techtrack.tasks.queries.permissions import may_delete, may_write, operates, strangers
from techtrack.tasks.queries.reading import held, locked, parts, whole
from techtrack.tasks.queries.steps import answers_of, checked, meters_before
from techtrack.tasks.queries.talk import MOST_REMINDED, may_comment, readers, reminders_due
from techtrack.tasks.queries.told import (
    MOST_SHOWN,
    Snapshot,
    audiences,
    snapshot,
    snapshots,
    unfinished_summaries,
    written,
)
from techtrack.tasks.queries.upkeep import kept_up, personal_upkeep

__all__ = [
    "HEAD",
    "MENTION",
    "MOST_REMINDED",
    "MOST_SHOWN",
    "REMINDER",
    "REOPENED",
    "Changes",
    "LinkExpired",
    "NoSuchLink",
    "Snapshot",
    "answers_of",
    "audiences",
    "calendar_of",
    "changes",
    "checked",
    "column",
    "concerning",
    "contents",
    "edits_since",
    "folder",
    "gap",
    "goes_with",
    "held",
    "is_blocked",
    "kept_up",
    "left_behind",
    "letter",
    "linked",
    "locked",
    "may_comment",
    "may_delete",
    "may_write",
    "meters_before",
    "operates",
    "page_of",
    "parts",
    "personal_data",
    "personal_talk",
    "personal_upkeep",
    "readers",
    "reminders_due",
    "snapshot",
    "snapshots",
    "strangers",
    "time_spent",
    "unfinished_blockers",
    "unfinished_summaries",
    "waits_for",
    "what_we_hold",
    "whole",
    "written",
]
