"""How lists of alerts and rules are narrowed."""

from __future__ import annotations

from collections.abc import Iterable

import django_filters
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import STATES, STATUSES
from techtrack.assets.models import Kind
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter, MomentFilter

LONGEST_CODE = 64
_PLAIN = Q(out_of_service_until=None, shelved_until=None, suppressed_by="")
_OVER = Q(_PLAIN, active=False, latched=False)
_TAKEN = Q(acknowledged_at__isnull=False)
# The facts of Alert.state, one by one; of Alert.status below.
STATE_FACTS = {
    "out_of_service": Q(out_of_service_until__isnull=False),
    "shelved": Q(out_of_service_until=None, shelved_until__isnull=False),
    "suppressed": Q(out_of_service_until=None, shelved_until=None) & ~Q(suppressed_by=""),
    "unacknowledged": Q(_PLAIN, active=True, acknowledged_at=None),
    "acknowledged": Q(_PLAIN, _TAKEN, active=True),
    "latched": Q(_PLAIN, active=False, latched=True),
    "returned_unacknowledged": Q(_OVER, acknowledged_at=None, is_open=True),
    "normal": _OVER & (_TAKEN | Q(is_open=False)),
}
STATUS_FACTS = {
    "active_unacknowledged": Q(active=True, acknowledged_at=None),
    "active_acknowledged": Q(_TAKEN, active=True),
    "cleared_unacknowledged": Q(active=False, acknowledged_at=None),
    "cleared_acknowledged": Q(_TAKEN, active=False),
}


def _choices(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


class AssetAlertFilter(FilterSet):
    """Filters of the alerts of one asset, which the path has named."""

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
    latched = FlagFilter(field_name="latched")
    late = FlagFilter(field_name="late")
    shelved = FlagFilter(field_name="shelved_until", lookup_expr="isnull", exclude=True)
    shelved_by = IdFilter(field_name="shelved_by_id")
    out_of_service = FlagFilter(field_name="out_of_service_until", lookup_expr="isnull", exclude=True)
    suppressed = FlagFilter(field_name="suppressed_by", method="is_suppressed")
    suppressed_by = django_filters.CharFilter(field_name="suppressed_by", max_length=LONGEST_CODE)
    revision = IdFilter(field_name="revision")
    condition = django_filters.CharFilter(field_name="condition", max_length=LONGEST_CODE)
    escalates_before = MomentFilter(field_name="escalates_at", lookup_expr="lt")

    def in_state(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Narrow to the facts that the state stands for: it is derived, not a column."""
        return rows.filter(STATE_FACTS[value])

    def is_suppressed(self, rows: QuerySet, name: str, value: bool) -> QuerySet:  # noqa: FBT001 - the library calls it so
        """Narrow to what something hides, or to what nothing does."""
        return rows.exclude(suppressed_by="") if value else rows.filter(suppressed_by="")

    def in_status(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Narrow to the facts that the older word stands for."""
        return rows.filter(STATUS_FACTS[value])


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
