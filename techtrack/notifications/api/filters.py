"""How lists of channels, routes and deliveries are narrowed."""

from __future__ import annotations

import django_filters

from techtrack.core.api.filters import FilterSet, IdFilter, MomentFilter
from techtrack.notifications.domain.grouping import EVENTS
from techtrack.notifications.models import LETTER, DeliveryState


class SiteFilter(FilterSet):
    """Channels and routes by site."""

    site = IdFilter(field_name="site")


class DeliveryFilter(FilterSet):
    """Deliveries by how far they are, where they go and what they tell of."""

    state = django_filters.ChoiceFilter(choices=DeliveryState.choices)
    channel = IdFilter(field_name="channel")
    alert = IdFilter(field_name="alerts", help_text="Messages about this alert, others beside it or not.")
    route = IdFilter(field_name="route")
    site = IdFilter(field_name="site")
    person = IdFilter(field_name="person")
    event = django_filters.ChoiceFilter(choices=[(name, name) for name in (*EVENTS, LETTER)])
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
