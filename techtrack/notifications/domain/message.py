"""Words a message about an alert: plain text that says what, where, how much and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LONGEST_SUBJECT = 200
LABEL_WIDTH = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message tells. Times carry the time zone in which they are to be written.

    ``origin`` holds what must be said of the data, such as ``replayed, measured 2004``; ``advice`` what
    the rule recommends to do.
    """

    event: str
    severity: str
    title: str
    site: str
    asset: str
    parameter: str
    value: float | None
    limit: float | None
    unit: str
    since: datetime
    returned_at: datetime | None
    link: str
    origin: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What a transport carries: a subject of one line, and a body of plain text."""

    subject: str
    body: str


def compose(facts: Facts) -> Message:
    """Write the message. Names that people typed in cannot add a line to it, nor a header to an e-mail."""
    return Message(subject=_subject(facts), body=_body(facts))


def _subject(facts: Facts) -> str:
    mark = facts.severity.upper() if facts.event == "raised" else f"{facts.event}, was {facts.severity}"
    place = _line(facts.asset) + (f" ({_line(facts.site)})" if facts.site else "")
    text = f"[{_line(mark)}] {_line(facts.title)}: {place}"
    return text if len(text) <= LONGEST_SUBJECT else f"{text[: LONGEST_SUBJECT - 1]}…"


def _body(facts: Facts) -> str:
    rows = [
        ("Alert", facts.title),
        ("Event", facts.event),
        ("Severity", facts.severity),
        ("Site", facts.site),
        ("Asset", facts.asset),
        ("Parameter", facts.parameter),
        ("Value", _quantity(facts.value, facts.unit)),
        ("Limit", _quantity(facts.limit, facts.unit)),
        ("Since", _moment(facts.since)),
        ("Returned", _moment(facts.returned_at) if facts.returned_at else ""),
        ("Data", "; ".join(facts.origin)),
        ("To do", facts.advice),
        ("Open it", facts.link),
    ]
    lines = [f"{label + ':':<{LABEL_WIDTH}} {_line(text)}" for label, text in rows if text]
    return "\n".join(lines) + "\n"


def _quantity(number: float | None, unit: str) -> str:
    if number is None:
        return ""
    # Ten digits: what a sensor delivers, without the noise of binary fractions.
    return f"{number:.10g} {unit}".strip()


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def _line(text: str) -> str:
    """Return ``text`` on one line: breaks and control characters become single spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
