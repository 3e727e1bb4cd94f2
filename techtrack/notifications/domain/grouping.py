"""Decides which alerts share messages, and when a group of them is told (again)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from techtrack.alerts.domain.condition import SEVERITIES

# Why a message is written, the loudest first: what tells of several things is called after that.
EVENTS = ("raised", "severity_changed", "escalated", "repeated", "returned", "digest")
RAISED, GRAVER, ESCALATED, REPEATED, RETURNED, DIGEST = EVENTS
GROUP_LABELS = ("site", "asset", "asset_type", "severity", "rule", "parameter")


def key_of(labels: Mapping[str, int | str | None], group_by: Iterable[str], *, alert: int) -> str:
    """Write down in which labels alerts of a group agree; by no label, every alert is its own group."""
    agreed = {name: labels[name] for name in GROUP_LABELS if name in set(group_by)}
    return json.dumps(agreed or {"alert": alert}, sort_keys=True, separators=(",", ":"))


def gravest(severities: Iterable[str]) -> str:
    """The worst of the severities, the mildest there is of none."""
    return max(severities, key=SEVERITIES.index, default=SEVERITIES[0])


def graver(severity: str, than: str) -> bool:
    """Tell whether one severity is worse than another."""
    return SEVERITIES.index(severity) > SEVERITIES.index(than)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a route tells a group: ``after`` are the times of its escalation since the first message, in order."""

    wait: timedelta = timedelta(0)
    interval: timedelta = timedelta(0)
    repeat_every: timedelta | None = None
    after: Sequence[timedelta] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """How far the telling of a group has come: when it was first told, when last, and how many rows of escalation."""

    opened_at: datetime | None = None
    told_at: datetime | None = None
    step: int = 0


def news_due(timing: Timing, course: Course, *, now: datetime, urgent: bool) -> datetime:
    """Return when news of ``now`` is told: after the wait, and not sooner after the last message than the interval.

    What is ``urgent``, graver than all that was told, waits for no interval.
    """
    if course.opened_at is None or course.told_at is None or urgent:
        return now + timing.wait
    return max(now, course.told_at + timing.interval)


def steps_due(timing: Timing, course: Course, *, now: datetime) -> int:
    """Return how many rows of the escalation are to have been told by ``now``."""
    if course.opened_at is None:
        return course.step
    due = sum(course.opened_at + after <= now for after in timing.after)
    return max(course.step, due)


def repeat_due(timing: Timing, course: Course) -> datetime | None:
    """Return when the message is repeated, None for never."""
    if timing.repeat_every is None or course.opened_at is None or course.told_at is None:
        return None
    # Counted from the first message: news that come more often than the repeats would put them off for ever.
    rounds = (course.told_at - course.opened_at) // timing.repeat_every + 1
    return course.opened_at + rounds * timing.repeat_every


def next_due(timing: Timing, course: Course) -> datetime | None:
    """Return when a group of which something still stands is looked at next, None where only news will change it."""
    waiting = [course.opened_at + after for after in timing.after[course.step :]] if course.opened_at else []
    repeat = repeat_due(timing, course)
    return min([*waiting, *([repeat] if repeat else [])], default=None)
