"""What lists of assets can be narrowed by."""

from __future__ import annotations

import django_filters

from techtrack.accounts.models import ApiKey
from techtrack.assets import queries
from techtrack.assets.models import AssetQuerySet, Status
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter, MomentFilter


class AssetFilters(FilterSet):
    """Filters of equipment and sensors."""

    type = django_filters.CharFilter("type__slug", max_length=64, label="The slug of the type.")
    model = django_filters.CharFilter(max_length=200, label="Exactly this model.")
    status = django_filters.ChoiceFilter(choices=Status.choices)
    site = IdFilter("site_id")
    tag = django_filters.CharFilter(method="_tagged", max_length=64, label="Carries this tag.")
    installed_after = django_filters.DateFilter("installation_date", "gte", label="Installed on this day or later.")
    installed_before = django_filters.DateFilter("installation_date", "lte", label="Installed on this day or earlier.")
    last_seen_before = MomentFilter("state__last_seen", "lt", label="Newest reading earlier than this.")

    def _tagged(self, rows: AssetQuerySet, _: str, tag: str) -> AssetQuerySet:
        return queries.tagged(rows, tag)


class AssetTypeFilters(FilterSet):
    """Filters of asset types."""

    slug = django_filters.CharFilter(max_length=64)


class ParameterFilters(FilterSet):
    """Filters of parameters."""

    code = django_filters.CharFilter(max_length=64)
    unit = django_filters.CharFilter(max_length=40)


class KeyFilters(FilterSet):
    """Filters of keys."""

    scope = django_filters.ChoiceFilter(choices=ApiKey._meta.get_field("scope").choices)
    site = IdFilter("site_id")
    asset = IdFilter("asset_id")
    created_by = IdFilter("created_by_id")
    expires_before = MomentFilter("expires_at", "lt", label="Ends before this.")
    last_used_before = MomentFilter("last_used", "lt", label="Not shown since.")
    unused = FlagFilter(field_name="last_used", lookup_expr="isnull", label="Whether nobody has shown it yet.")
