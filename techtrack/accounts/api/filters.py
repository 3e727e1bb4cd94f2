"""Filters of the lists of users and sites."""

from __future__ import annotations

import django_filters

from techtrack.accounts.api.serializers import ROLES
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter


class UserFilter(FilterSet):
    """Users by activity, and by where and as what they work."""

    is_active = FlagFilter()
    site = IdFilter(field_name="memberships__site", distinct=True)
    role = django_filters.ChoiceFilter(field_name="memberships__role", choices=ROLES, distinct=True)


class SiteFilter(FilterSet):
    """Sites by the site they stand in."""

    parent = IdFilter()
