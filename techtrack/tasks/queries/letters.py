"""What letters about work say, when they are sent: to whoever may still see it then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from techtrack.accounts.domain.letters import SIGNATURE
from techtrack.accounts.models import User
from techtrack.notifications.events import LetterAsked
from techtrack.tasks.domain import letters
from techtrack.tasks.domain.letters import Words, Work
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import Comment, Phase, Proof, Task

REMINDER, MENTION, REOPENED = "task_reminder", "task_mention", "task_reopened"


def page_of(task_id: int) -> str:
    """Return the address at which people find a task."""
    return f"{settings.PUBLIC_URL}/tasks/#task-{task_id}"


def letter(asked: LetterAsked) -> Iterator[Words]:
    """Answer with subject and text (connected to ``LetterAsked``); with nothing where it is over, or none of theirs."""
    reader = User.objects.filter(pk=asked.user_id, is_active=True).first()
    write = {REMINDER: _reminder, MENTION: _mention, REOPENED: _reopened}.get(asked.kind)
    words = write(asked.about["id"], reader) if reader and write else None
    if words is not None:
        yield words


def _reminder(task_id: int, reader: User) -> Words | None:
    task = _visible(task_id, reader)
    if task is None or task.state not in UNFINISHED:
        return None
    return letters.reminder(_work(task), zone=_zone(reader), signature=_signature())


def _mention(comment_id: int, reader: User) -> Words | None:
    comment = Comment.objects.select_related("author").filter(pk=comment_id).first()
    task = _visible(comment.task_id, reader) if comment else None
    if comment is None or task is None:
        return None
    author = (comment.author.get_full_name() or comment.author.username) if comment.author else "Somebody"
    return letters.mention(_work(task), author=author, comment=comment.text, zone=_zone(reader), signature=_signature())


def _reopened(task_id: int, reader: User) -> Words | None:
    task = _visible(task_id, reader)
    proof = Proof.objects.filter(task=task_id, phase=Phase.REFUTED).first()
    if task is None or proof is None or task.state not in UNFINISHED:
        return None
    zone = _zone(reader)
    return letters.reopened(_work(task), evidence=_evidence(proof, zone), zone=zone, signature=_signature())


def _evidence(proof: Proof, zone: ZoneInfo) -> str:
    told = proof.evidence or {}
    if told.get("value") is None or told.get("limit") is None:
        return ""
    at = datetime.fromisoformat(told["at"]).astimezone(zone)
    measured = f"{told['parameter']} was {told['value']:g} at {at:%Y-%m-%d %H:%M} ({zone.key})"
    return f"{measured}; its limit is {told['limit']:g}."


def _visible(task_id: int, reader: User) -> Task | None:
    return Task.objects.visible_to(reader.access()).select_related("asset").filter(pk=task_id).first()


def _work(task: Task) -> Work:
    return Work(task.title, page_of(task.pk), task.asset.name if task.asset else "", task.due_date)


def _zone(reader: User) -> ZoneInfo:
    try:
        return ZoneInfo(reader.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _signature() -> str:
    return SIGNATURE.format(place=settings.PUBLIC_URL)
