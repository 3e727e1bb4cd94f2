"""How lists of alerts and rules are narrowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import STATES, STATUSES
from techtrack.assets.models import Kind
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter, MomentFilter

LONGEST_CODE = 64


def _choices(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


class AssetAlertFilter(FilterSet):
    """Filters of the alerts of one asset, which the path has named."""

    FACTS: ClassVar[dict[str, dict[str, bool]]] = {
        "unacknowledged": {"active": True, "acknowledged_at__isnull": True},
        "acknowledged": {"active": True, "acknowledged_at__isnull": False},
        "returned_unacknowledged": {"active": False, "acknowledged_at__isnull": True},
        "normal": {"active": False, "acknowledged_at__isnull": False},
    }

    severity = django_filters.ChoiceFilter(choices=_choices(SEVERITIES))
    state = django_filters.ChoiceFilter(choices=_choices(STATES), method="in_state")
    status = django_filters.ChoiceFilter(choices=_choices(STATUSES), method="in_status")
    active = FlagFilter(field_name="active")
    open = extend_schema_field({"type": "boolean", "description": "Not yet both returned and acknowledged"})(
        FlagFilter(field_name="is_open")
    )
    rule = IdFilter(field_name="rule_id")
    parameter = django_filters.CharFilter(field_name="parameter", max_length=LONGEST_CODE)
    assignee = IdFilter(field_name="assignee_id")
    raised_after = MomentFilter(field_name="raised_at", lookup_expr="gte")
    raised_before = MomentFilter(field_name="raised_at", lookup_expr="lt")
    returned_after = MomentFilter(field_name="returned_at", lookup_expr="gte")
    returned_before = MomentFilter(field_name="returned_at", lookup_expr="lt")
    acknowledged_after = MomentFilter(field_name="acknowledged_at", lookup_expr="gte")
    acknowledged_before = MomentFilter(field_name="acknowledged_at", lookup_expr="lt")
    acknowledged_by = IdFilter(field_name="acknowledged_by_id")
    occurrences = IdFilter(field_name="occurrences")
    value = django_filters.NumberFilter(field_name="value")
    limit = django_filters.NumberFilter(field_name="limit")

    def in_state(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Narrow to the facts that the state stands for: it is derived, not a column."""
        return rows.filter(**self.FACTS[value])

    def in_status(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Narrow to the facts that the older word stands for."""
        return self.in_state(rows, name, STATES[STATUSES.index(value)])


class AlertFilter(AssetAlertFilter):
    """Filters of all alerts."""

    equipment = IdFilter(method="of_equipment", label="Of this equipment")
    sensor = IdFilter(method="of_sensor", label="Of this sensor")
    site = IdFilter(field_name="asset__site_id")

    def of_equipment(self, rows: QuerySet, name: str, value: int) -> QuerySet:
        """Narrow to one piece of equipment."""
        return rows.filter(asset_id=value, asset__kind=Kind.EQUIPMENT)

    def of_sensor(self, rows: QuerySet, name: str, value: int) -> QuerySet:
        """Narrow to one sensor."""
        return rows.filter(asset_id=value, asset__kind=Kind.SENSOR)


class RuleFilter(FilterSet):
    """Filters of rules."""

    site = IdFilter(field_name="site_id")
    asset_type = django_filters.CharFilter(field_name="asset_type__slug", max_length=LONGEST_CODE)
    parameter = django_filters.CharFilter(field_name="parameter", max_length=LONGEST_CODE)
    enabled = FlagFilter(field_name="enabled")
