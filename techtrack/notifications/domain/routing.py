"""Decides whether a route takes an alert, by the alert's labels."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.alerts.domain.condition import SEVERITIES


@dataclass(frozen=True, slots=True)
class Labels:
    """What routes ask of an alert."""

    site_id: int | None
    severity: str
    asset_type: str | None
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a route demands; None and the empty set demand nothing."""

    site_id: int | None = None
    asset_type: str | None = None
    minimum_severity: str = SEVERITIES[0]
    tags: frozenset[str] = frozenset()


def matches(labels: Labels, matcher: Matcher) -> bool:
    """Tell whether an alert with ``labels`` meets every demand of ``matcher``."""
    return (
        matcher.site_id in {None, labels.site_id}
        and matcher.asset_type in {None, labels.asset_type}
        and SEVERITIES.index(labels.severity) >= SEVERITIES.index(matcher.minimum_severity)
        and matcher.tags <= labels.tags
    )
