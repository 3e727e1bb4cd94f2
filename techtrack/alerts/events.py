"""What alerts announce."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """A rule's condition holds (or a person says so); ``again`` when an open alert was raised once more.

    ``open_task`` is the rule's wish for a task, None where it has none. ``at`` is event time. Of what is ``hidden``
    (shelved, suppressed, out of service) nobody is told.
    """

    alert_id: int
    asset_id: int
    site_id: int | None
    severity: str
    at: datetime
    again: bool = False
    open_task: dict[str, object] | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class AlertReturned:
    """The condition no longer holds; ``hidden`` as above."""

    alert_id: int
    asset_id: int
    site_id: int | None
    severity: str
    at: datetime
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class AlertAcknowledged:
    """An operator has taken it."""

    alert_id: int
    by_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """Something of an alert changed that its watchers may want to see (published beside every fact above).

    ``event`` is the kind of the AlertEvent: raised, returned, acknowledged, severity_changed …
    """

    alert_id: int
    site_id: int | None
    event: str


@dataclass(frozen=True, slots=True)
class AssetHealthChanged:
    """The worst severity among the alerts of an asset that ask for somebody is now ``worst`` (None: none does)."""

    asset_id: int
    worst: str | None


@dataclass(frozen=True, slots=True)
class ReadingsJudged:
    """The judge has passed a stretch of the log; ``newest`` is the newest event time (µs) per asset in it.

    ``ahead`` says by how much (µs) the clocks of some are ahead; of these, ``newest`` is when it came.
    """

    position: int
    newest: dict[int, int] = field(default_factory=dict)
    ahead: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """A rule was created, edited or deleted."""

    rule_id: int


@dataclass(frozen=True, slots=True)
class HidingChanged:
    """What hides alerts was changed: work began or ended, somebody silenced something."""


@dataclass(frozen=True, slots=True)
class PreviewAsked:
    """Somebody wants a preview that takes long; the rule lab's loop makes it."""

    run_id: int


@dataclass(frozen=True, slots=True)
class ReferencesAsked:
    """A question (events.ask): at which state of the air are masses of gas of these assets (None: of all) meant.

    Answer with pairs of an asset and an ``airquality.units.Reference``, of those of which it is declared.
    """

    assets: Collection[int] | None = None
