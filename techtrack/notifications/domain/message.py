"""Words a message about alerts: plain text that says what, where, how much and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.notifications.domain.template import fill

LONGEST_SUBJECT = 200
LABEL_WIDTH = 10
# A cascade may bring thousands: the gravest tell what it is, of the others is told how many they are.
MOST_SHOWN = 50
LONGEST_DESCRIPTION = 1000
# What counts of alerts are by: these, and one for those that are over, however grave they were.
COUNTED = (*reversed(SEVERITIES), "returned")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message tells of one alert. Times carry the time zone in which they are to be written.

    ``event`` is raised, returned, or why it is told again (severity_changed, escalated, repeated, digest). ``origin``
    holds what must be said of the data, such as ``replayed, measured 2004``; ``advice`` what the rule recommends to do,
    ``description`` what is said of this very alert.
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
    alert: int = 0
    rule: str = ""
    asset_id: int = 0
    asset_type: str = ""
    description: str = ""

    @property
    def status(self) -> str:
        """Firing or resolved, as other tools call it."""
        return "resolved" if self.event == "returned" else "firing"


@dataclass(frozen=True, slots=True)
class Templates:
    """Texts of a channel's own; empty ones are the built-in texts."""

    subject: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What a transport carries; each takes of it what it can show.

    ``text`` is plain text, ``short`` one line for a phone, ``html`` the same for people with a screen. ``chart`` is a
    PNG image. ``acknowledge`` is a link that takes the alerts, for one person or after log-in. ``group`` names what the
    alerts have in common, the same for all messages about them, ``receiver`` the channel. ``facts`` are the gravest of
    the alerts, ``more`` how many others there are, by COUNTED. ``reached`` are the addresses of the channel that have
    it already.
    """

    subject: str
    text: str
    short: str = ""
    html: str = ""
    status: str = "firing"
    group: str = ""
    receiver: str = ""
    link: str = ""
    acknowledge: str = ""
    facts: tuple[Facts, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    chart: bytes | None = None
    reached: frozenset[str] = frozenset()

    @property
    def truncated(self) -> int:
        """How many alerts it is about without showing them."""
        return sum(self.more.values())


# What a template may name; the values are those of the gravest alert in the message.
VARIABLES: Mapping[str, str] = {
    "event": "raised, severity_changed, escalated, repeated, returned or digest",
    "status": "firing or resolved",
    "severity": "critical, high, medium, low or info",
    "title": "the alert's title",
    "rule": "the rule's name",
    "site": "the site's name",
    "asset": "the asset's name",
    "asset_type": "the asset's type",
    "parameter": "what is measured",
    "value": "the value, with its unit",
    "limit": "the limit, with its unit",
    "since": "when it began, in the site's time zone",
    "returned": "when it returned to normal",
    "data": "what must be said of the data, such as `simulated`",
    "advice": "what the rule recommends to do",
    "description": "what is said of this very alert",
    "link": "the alert's page",
    "count": "how many alerts the message tells of",
    "alerts": "one line for each of them",
}


def compose(
    facts: Facts | Sequence[Facts], templates: Templates | None = None, more: Mapping[str, int] | None = None
) -> Message:
    """Write the message about one or more alerts, the gravest of those that fire first, and ``more`` that it counts.

    Names that people typed in cannot add a line to it, nor a header to an e-mail.
    """
    told = [facts] if isinstance(facts, Facts) else sorted(facts, key=_gravity)
    own, rest = templates or Templates(), with_more(told[MOST_SHOWN:], more or {})
    told = told[:MOST_SHOWN]
    values = variables_of(told, rest)
    subject = _line(fill(own.subject, values)) if own.subject else _subject(told, rest)
    text = fill(own.body, values) if own.body else _body(told, rest)
    return Message(
        subject=_within(subject, LONGEST_SUBJECT),
        text=text,
        short=_line(text) if own.body else short_of(told, rest),
        status="firing" if any(one.status == "firing" for one in told) else "resolved",
        link=told[0].link,
        facts=tuple(told),
        more=rest,
    )


def variables_of(told: Sequence[Facts], more: Mapping[str, int]) -> dict[str, str]:
    """Return what a template may name, for alerts of which the first is the gravest."""
    first = told[0]
    values = {
        "event": first.event,
        "status": first.status,
        "severity": first.severity,
        "title": first.title,
        "rule": first.rule,
        "site": first.site,
        "asset": first.asset,
        "asset_type": first.asset_type,
        "parameter": first.parameter,
        "value": quantity(first.value, first.unit),
        "limit": quantity(first.limit, first.unit),
        "since": moment(first.since),
        "returned": moment(first.returned_at) if first.returned_at else "",
        "data": "; ".join(first.origin),
        "advice": first.advice,
        "description": first.description,
        "link": first.link,
        "count": str(len(told) + sum(more.values())),
    }
    return {name: _line(text) for name, text in values.items()} | {"alerts": _lines(told, more)}


def counts(kinds: Iterable[tuple[str, bool]]) -> dict[str, int]:
    """Count alerts, told as severity and whether they fire, by COUNTED; what there is none of is left out."""
    found = Counter(severity if fires else "returned" for severity, fires in kinds)
    return {name: found[name] for name in COUNTED if found[name]}


def with_more(untold: Iterable[Facts], more: Mapping[str, int]) -> dict[str, int]:
    """Return counts with those of further alerts added."""
    found = counts((one.severity, one.status == "firing") for one in untold)
    return {name: number for name in COUNTED if (number := found.get(name, 0) + more.get(name, 0))}


def in_words(counted: Mapping[str, int]) -> str:
    """Return counts as people read them: ``3 critical, 12 high``."""
    return ", ".join(f"{number} {name}" for name, number in counted.items())


def short_of(told: Sequence[Facts], more: Mapping[str, int]) -> str:
    """Return one line for a phone, without the link: subject, value and limit, since when."""
    first = told[0]
    numbers = [quantity(first.value, first.unit), f"limit {quantity(first.limit, first.unit)}"]
    known = [text for text, number in zip(numbers, (first.value, first.limit), strict=True) if number is not None]
    at = first.returned_at or first.since
    numbers_told = f": {', '.join(known)}" if known else ""
    return f"{_subject(told, more)}{numbers_told} {at:%d %b %H:%M}"


def to_json(facts: Facts) -> dict[str, Any]:
    """Return the facts as JSON has them; ``zone`` names the time zone of its times."""
    zone = facts.since.tzinfo
    return asdict(facts) | {
        "since": facts.since.isoformat(),
        "returned_at": facts.returned_at.isoformat() if facts.returned_at else None,
        "origin": list(facts.origin),
        "zone": zone.key if isinstance(zone, ZoneInfo) else "",
    }


def from_json(data: Mapping[str, Any]) -> Facts:
    """Read back what ``to_json`` wrote; what an older version has not written has its default."""
    known = {field.name for field in fields(Facts)}
    values = {name: value for name, value in data.items() if name in known}
    for name in ("since", "returned_at"):
        values[name] = _moment(data.get(name), str(data.get("zone") or ""))
    return Facts(**values | {"origin": tuple(data.get("origin") or ())})


def told_to_json(told: Iterable[Facts], more: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return what a message says as JSON has it: an object for each alert that it shows, then the counts of others."""
    return [*(to_json(one) for one in told), *([{"more": dict(more)}] if more else [])]


def told_from_json(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Facts], dict[str, int]]:
    """Read back what ``told_to_json`` wrote."""
    rows = list(rows)
    more = {str(name): int(number) for row in rows for name, number in row.get("more", {}).items()}
    return [from_json(row) for row in rows if "more" not in row], more


def quantity(number: float | None, unit: str) -> str:
    """Return a number with its unit, as people write it."""
    if number is None:
        return ""
    # Ten digits: what a sensor delivers, without the noise of binary fractions.
    return f"{number:.10g} {unit}".strip()


def moment(at: datetime) -> str:
    """Return a time with its time zone."""
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def headline(facts: Facts) -> str:
    """Return one alert as a line: how grave, what and where."""
    mark = facts.severity.upper()
    if facts.event == "returned":
        mark = f"returned, was {facts.severity}"
    elif facts.event != "raised":
        mark = f"{mark}, {facts.event.replace('_', ' ')}"
    place = _line(facts.asset) + (f" ({_line(facts.site)})" if facts.site else "")
    return f"[{_line(mark)}] {_line(facts.title)}: {place}"


def rows_of(facts: Facts) -> list[tuple[str, str]]:
    """Return what is known of one alert: labels and single lines."""
    rows = [
        ("Alert", facts.title),
        ("Event", facts.event),
        ("Severity", facts.severity),
        ("Site", facts.site),
        ("Asset", facts.asset),
        ("Parameter", facts.parameter),
        ("Value", quantity(facts.value, facts.unit)),
        ("Limit", quantity(facts.limit, facts.unit)),
        ("Since", moment(facts.since)),
        ("Returned", moment(facts.returned_at) if facts.returned_at else ""),
        ("Data", "; ".join(facts.origin)),
        # What was reported by hand in one line is called so already.
        ("About it", _within(facts.description, LONGEST_DESCRIPTION) if facts.description != facts.title else ""),
        ("To do", facts.advice),
        ("Open it", facts.link),
    ]
    return [(label, _line(text)) for label, text in rows if text]


def _gravity(facts: Facts) -> tuple[bool, int, datetime]:
    return facts.status == "resolved", -SEVERITIES.index(facts.severity), facts.since


def _subject(told: Sequence[Facts], more: Mapping[str, int]) -> str:
    line, others = headline(told[0]), len(told) - 1 + sum(more.values())
    return _within(f"{line} and {others} more" if others else line, LONGEST_SUBJECT)


def _body(told: Sequence[Facts], more: Mapping[str, int]) -> str:
    total = len(told) + sum(more.values())
    if total > 1:
        returned = more.get("returned", 0) + sum(one.status == "resolved" for one in told)
        count = f"{total} alerts" + (f", {returned} of them returned to normal" if returned else "")
        return f"{count}.\n\n{_lines(told, more)}\n"
    return "".join(f"{label + ':':<{LABEL_WIDTH}} {text}\n" for label, text in rows_of(told[0]))


def _lines(told: Sequence[Facts], more: Mapping[str, int]) -> str:
    lines = [f"{headline(one)}: {_numbers(one)}\n  {_line(one.link)}" for one in told]
    return "\n".join([*lines, f"and {sum(more.values())} more: {in_words(more)}"] if more else lines)


def _numbers(facts: Facts) -> str:
    value, limit = quantity(facts.value, facts.unit), quantity(facts.limit, facts.unit)
    since = moment(facts.returned_at or facts.since)
    return _line(", ".join(part for part in (value, limit and f"limit {limit}", f"since {since}") if part))


def _within(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _line(text: str) -> str:
    """Return ``text`` on one line: breaks and control characters become single spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _moment(text: str | None, zone: str) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    place: tzinfo | None = at.tzinfo
    if zone:
        try:
            place = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            # Written by a machine that knew the zone: its offset stands in the time itself.
            place = at.tzinfo
    return at.astimezone(place)
