"""By what an alert is hidden: another rule's alert, work, an alert above it, a silence, a flood. Decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from techtrack.core.errors import Invalid

NO_DATA = "no_data"
FLOOD = "flood"
# In a flood the others are still told.
FLOODING = frozenset({"info", "low"})
KINDS = ("silence", "maintenance")


class InhibitedByItself(Invalid):
    """A rule would hide its own alerts, or two would hide each other's for good."""

    code = "inhibited_by_itself"


class Windows(Protocol):
    """When a silence holds; times in µs."""

    def covers(self, at: int) -> bool:
        """Tell whether ``at`` lies in a window."""

    def next_change(self, after: int) -> int | None:
        """Return when a window next begins or ends."""


@dataclass(frozen=True, slots=True)
class Span:
    """One window, [start, end)."""

    start: int
    end: int

    def covers(self, at: int) -> bool:
        """Tell whether ``at`` lies in it."""
        return self.start <= at < self.end

    def next_change(self, after: int) -> int | None:
        """Return when it begins or ends, None once it is over."""
        return next((edge for edge in (self.start, self.end) if after < edge), None)


@dataclass(frozen=True, slots=True)
class Subject:
    """What matters of an alert; ``above`` are the assets above its own, the nearest first.

    ``hidden_by`` is what hides it so far. ``rule`` is None where a person reported it. ``patience`` (µs) is how long
    after its cause it may return: as long as its readings take to come.
    """

    alert: int
    asset: int
    above: tuple[int, ...]
    site: int | None
    type: str | None
    tags: frozenset[str]
    inhibited_by: frozenset[int]
    patience: int
    rule: int | None
    severity: str
    parameter: str
    condition: str
    hidden_by: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """An alert that may explain others. One that returned, ``gone`` µs ago, hides only what it hid, for a while."""

    alert: int
    asset: int
    rule: int | None
    condition: str
    gone: int | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """A silence or maintenance window; what is not set matches all."""

    id: int
    site: int | None
    windows: Windows
    assets: frozenset[int] = frozenset()
    type: str | None = None
    tags: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    rules: frozenset[int] = frozenset()
    parameter: str = ""

    @classmethod
    def of(cls, number: int, site: int | None, windows: Windows, matchers: Mapping[str, Any]) -> Quiet:
        """Build one of matchers as they are stored."""
        sets = {name: frozenset(matchers.get(name) or ()) for name in ("assets", "tags", "severities", "rules")}
        return cls(
            number,
            site,
            windows,
            type=matchers.get("asset_type") or None,
            parameter=matchers.get("parameter") or "",
            **sets,
        )

    def matches(self, subject: Subject) -> bool:
        """Tell whether it is meant for the alert, whenever it holds; all its tags must be the asset's."""
        return (
            self.site in {None, subject.site}
            and (not self.assets or subject.asset in self.assets)
            and self.type in {None, subject.type}
            and self.tags <= subject.tags
            and (not self.severities or subject.severity in self.severities)
            and (not self.rules or subject.rule in self.rules)
            and self.parameter in {"", subject.parameter}
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is now that hides alerts: causes and work by asset, silences that hold, alerts that are a flood."""

    causes: Mapping[int, Sequence[Cause]] = field(default_factory=dict)
    work: Mapping[int, Sequence[str]] = field(default_factory=dict)
    quiets: Sequence[Quiet] = ()
    flooding: Collection[int] = frozenset()


def hidden_by(subject: Subject, scene: Scene) -> str:
    """Return by what an alert is hidden, empty where by nothing; what hides it already goes on to, while it can.

    What a person reported is never hidden: somebody has just seen it.
    """
    if subject.rule is None:
        return ""
    reasons = list(_reasons(subject, scene))
    return subject.hidden_by if subject.hidden_by in reasons else next(iter(reasons), "")


def refuse_circle(rule: int | None, inhibited_by: Collection[int], known: Mapping[int, Collection[int]]) -> None:
    """Pass where no rule hides itself through others; ``known`` says by which the other rules are inhibited.

    Raises:
        InhibitedByItself: it would.
    """
    seen, waiting = set[int](), list(inhibited_by)
    while waiting:
        one = waiting.pop()
        if one == rule:
            raise InhibitedByItself("a rule cannot hide its own alerts, nor two each other's", pointer="/inhibited_by")
        if one not in seen:
            seen.add(one)
            waiting += known.get(one, ())


def _reasons(subject: Subject, scene: Scene) -> Iterator[str]:
    """Say what hides the alert, the strongest first."""
    line = (subject.asset, *subject.above)
    causes = [cause for asset in line for cause in scene.causes.get(asset, ()) if _counts(cause, subject)]
    yield from (f"rule:{cause.rule}" for cause in causes if cause.rule in subject.inhibited_by)
    yield from scene.work.get(subject.asset, ())
    yield from (f"alert:{cause.alert}" for cause in causes if cause.asset != subject.asset and _is_same(cause, subject))
    yield from (f"silence:{one.id}" for one in scene.quiets if one.matches(subject))
    if subject.alert in scene.flooding and subject.severity in FLOODING:
        yield FLOOD


def _counts(cause: Cause, subject: Subject) -> bool:
    if cause.gone is None:
        return cause.alert != subject.alert
    return subject.hidden_by in {f"rule:{cause.rule}", f"alert:{cause.alert}"} and cause.gone < subject.patience


def _is_same(cause: Cause, subject: Subject) -> bool:
    """Tell whether trouble above explains trouble below: the same kind of it, or nothing comes through."""
    return cause.condition == NO_DATA or (bool(cause.condition) and cause.condition == subject.condition)
