"""How lists of channels, routes and deliveries are narrowed."""

from __future__ import annotations

import django_filters

from techtrack.core.api.filters import FilterSet, IdFilter
from techtrack.notifications.models import DeliveryState


class SiteFilter(FilterSet):
    """Channels and routes by site."""

    site = IdFilter(field_name="site")


class DeliveryFilter(FilterSet):
    """Deliveries by how far they are, where they go and what they tell of."""

    state = django_filters.ChoiceFilter(choices=DeliveryState.choices)
    channel = IdFilter(field_name="channel")
    alert = IdFilter(field_name="alert")
