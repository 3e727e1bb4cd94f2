"""How lists of plans, down times and meters are narrowed."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from techtrack.assets.models import Kind
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter, MomentFilter
from techtrack.tasks.models import Course, PlanRule


class AssetFilter(FilterSet):
    """What is about an asset, by either of its names."""

    equipment = IdFilter(method="about_equipment")
    sensor = IdFilter(method="about_sensor")
    site = IdFilter(field_name="asset__site")

    def about_equipment(self, rows: QuerySet, _name: str, asset_id: int) -> QuerySet:
        """Keep what is about a piece of equipment."""
        return rows.filter(asset=asset_id, asset__kind=Kind.EQUIPMENT)

    def about_sensor(self, rows: QuerySet, _name: str, asset_id: int) -> QuerySet:
        """Keep what is about a sensor."""
        return rows.filter(asset=asset_id, asset__kind=Kind.SENSOR)


class PlanFilter(FilterSet):
    """Plans by what they are for, and by what asks for their work."""

    equipment = IdFilter(method="for_equipment", label="Also by its type")
    sensor = IdFilter(method="for_sensor", label="Also by its type")
    asset_type = django_filters.CharFilter(field_name="asset_type__slug")
    site = IdFilter(method="at_site", label="Of its assets too")
    rule = IdFilter(method="by_rule", label="Whose alerts ask for the work")
    enabled = FlagFilter(field_name="enabled")

    def for_equipment(self, rows: QuerySet, _name: str, asset_id: int) -> QuerySet:
        """Keep plans for a piece of equipment, or for all of its type."""
        return rows.filter(pk__in=self._plans(asset_id, Kind.EQUIPMENT))

    def for_sensor(self, rows: QuerySet, _name: str, asset_id: int) -> QuerySet:
        """Keep plans for a sensor, or for all of its type."""
        return rows.filter(pk__in=self._plans(asset_id, Kind.SENSOR))

    def _plans(self, asset_id: int, kind: Kind) -> QuerySet:
        # Of assets that the caller may see: a plan for a type anywhere would tell of the others.
        courses = Course.objects.visible_to(self.request.auth)
        return courses.filter(asset=asset_id, asset__kind=kind).values("plan")

    def at_site(self, rows: QuerySet, _name: str, site_id: int) -> QuerySet:
        """Keep plans for a site, or for an asset there."""
        return rows.filter(Q(site=site_id) | Q(asset__site=site_id))

    def by_rule(self, rows: QuerySet, _name: str, rule_id: int) -> QuerySet:
        """Keep plans that a rule's alerts ask for."""
        return rows.filter(pk__in=PlanRule.objects.filter(rule=rule_id).values("plan"))


class DowntimeFilter(AssetFilter):
    """Down times by asset, kind and time."""

    task = IdFilter(field_name="task")
    planned = FlagFilter(field_name="planned")
    open = FlagFilter(method="still_open", label="Whether the asset is down still")
    starts_before = MomentFilter(field_name="starts_at", lookup_expr="lt")
    ends_after = MomentFilter(method="ending_after")

    def still_open(self, rows: QuerySet, _name: str, flag: bool) -> QuerySet:  # noqa: FBT001 - django-filter calls it
        """Keep those that have no end yet, or those that have."""
        return rows.filter(ends_at__isnull=flag)

    def ending_after(self, rows: QuerySet, _name: str, moment: object) -> QuerySet:
        """Keep those that end later, or have no end yet."""
        return rows.filter(Q(ends_at=None) | Q(ends_at__gt=moment))


class MeterFilter(AssetFilter):
    """Meters by asset and by what is counted."""

    parameter = django_filters.CharFilter(field_name="parameter")
