"""What people are written about work: that it is to be done, that somebody spoke of them, that it has not helped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from techtrack.accounts.domain.letters import one_line
from techtrack.tasks.domain.workflow import LONGEST_TITLE

# A letter is no place to read a long text: the task is.
MOST_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Work:
    """A task as a letter speaks of it; ``place`` is what it is about, empty for nothing, ``link`` leads to it."""

    title: str
    link: str
    place: str = ""
    due: datetime | None = None


Words = tuple[str, str]


def reminder(work: Work, *, zone: ZoneInfo, signature: str) -> Words:
    """Return subject and text of a reminder, in the time of the reader."""
    opening = f"You asked to be reminded of this task: {_title(work)}"
    return f"Reminder: {_title(work)}", _text([opening, *_facts(work, zone)], signature)


def mention(work: Work, *, author: str, comment: str, zone: ZoneInfo, signature: str) -> Words:
    """Return subject and text for somebody whom a comment mentions."""
    said = comment if len(comment) <= MOST_SHOWN else f"{comment[:MOST_SHOWN]} …"
    # Quoted, line by line: what somebody wrote cannot pass for what we write.
    quoted = "\n".join(f"> {one_line(line, most=len(said))}" for line in said.splitlines())
    opening = f"{one_line(author)} mentioned you on the task: {_title(work)}"
    subject = f"{one_line(author)} mentioned you: {_title(work)}"
    return subject, _text([opening, quoted, *_facts(work, zone)], signature)


def reopened(work: Work, *, evidence: str, zone: ZoneInfo, signature: str) -> Words:
    """Return subject and text for those whose work has not helped, as telemetry sees it; ``evidence`` says why."""
    opening = f"This task is open again, since what it was to mend came back while the asset ran: {_title(work)}"
    return f"Open again: {_title(work)}", _text(
        [opening, *([evidence] if evidence else []), *_facts(work, zone)], signature
    )


def _title(work: Work) -> str:
    return one_line(work.title, most=LONGEST_TITLE)


def _facts(work: Work, zone: ZoneInfo) -> Iterator[str]:
    facts = [f"About: {one_line(work.place, most=LONGEST_TITLE)}"] if work.place else []
    if work.due is not None:
        facts.append(f"Due: {work.due.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})")
    if facts:
        yield "\n".join(facts)
    yield work.link


def _text(paragraphs: list[str], signature: str) -> str:
    return "\n\n".join([*paragraphs, signature]) + "\n"
