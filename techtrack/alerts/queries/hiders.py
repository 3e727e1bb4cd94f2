"""What hides alerts, as people know it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.alerts.models import Alert, Rule, Silence

# Of what the reader may not see only the kind is told; work is not named either, for it may be somebody's own.
UNNAMED = {
    "rule": "an alert of another rule",
    "alert": "an alert of something above it",
    "task": "work on the asset",
    "silence": "a silence",
    "flood": "a flood of alerts from this asset",
}
_NAMED: tuple[tuple[str, Any, str, str], ...] = (
    ("rule", Rule, "name", "an alert of the rule “{}”"),
    ("alert", Alert, "title", "the alert “{}” above it"),
    ("silence", Silence, "name", "the silence “{}”"),
)


def hiders(alerts: Iterable[Alert], access: Access) -> dict[str, str]:
    """Name what hides these alerts, by ``suppressed_by``, as far as the reader may see it."""
    ids: dict[str, set[int]] = defaultdict(set)
    told: dict[str, str] = {}
    for by in {alert.suppressed_by for alert in alerts if alert.suppressed_by}:
        kind, _, number = by.partition(":")
        told[by] = UNNAMED.get(kind, by)
        if number.isdigit():
            ids[kind].add(int(number))
    for kind, model, column, words in _NAMED:
        if ids[kind]:
            names = model.objects.visible_to(access).filter(pk__in=ids[kind]).values_list("pk", column)
            told |= {f"{kind}:{pk}": words.format(name) for pk, name in names}
    return told
