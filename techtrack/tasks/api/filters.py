"""How lists of tasks are narrowed."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from techtrack.assets.models import Kind
from techtrack.core import clock
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter, MomentFilter
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import Priority, State, TaskOwner
from techtrack.tasks.queries import is_blocked

ORDERED = ["start_date", "due_date", "priority", "position", "created_at", "updated_at", "title"]


class WorkFilter(FilterSet):
    """Tasks by state, urgency, people and time."""

    state = django_filters.ChoiceFilter(choices=State.choices)
    priority = django_filters.TypedChoiceFilter(choices=Priority.choices, coerce=int)
    category = IdFilter(field_name="category")
    owner = IdFilter(method="owned_by")
    start_after = MomentFilter(field_name="start_date", lookup_expr="gte")
    start_before = MomentFilter(field_name="start_date", lookup_expr="lt")
    due_after = MomentFilter(field_name="due_date", lookup_expr="gte")
    due_before = MomentFilter(field_name="due_date", lookup_expr="lt")
    overdue = FlagFilter(method="are_overdue")
    alert = IdFilter(field_name="alert")
    blocked = FlagFilter(method="are_blocked", label="Waits for another task that is not finished.")

    def owned_by(self, rows: QuerySet, _name: str, user_id: int) -> QuerySet:
        """Keep tasks that the user owns."""
        return rows.filter(pk__in=TaskOwner.objects.filter(user=user_id).values("task"))

    def are_overdue(self, rows: QuerySet, _name: str, flag: bool) -> QuerySet:  # noqa: FBT001 - django-filter calls it
        """Keep what is overdue, or what is not; a task without a due date never is."""
        late = Q(due_date__isnull=False, due_date__lt=clock.now(), state__in=UNFINISHED)
        return rows.filter(late) if flag else rows.exclude(late)

    def are_blocked(self, rows: QuerySet, _name: str, flag: bool) -> QuerySet:  # noqa: FBT001 - django-filter calls it
        """Keep what waits for others, or what does not."""
        return rows.filter(is_blocked() if flag else ~is_blocked())


class TaskFilter(WorkFilter):
    """All tasks, also by the asset that they are about."""

    equipment = IdFilter(method="about_equipment")
    sensor = IdFilter(method="about_sensor")

    def about_equipment(self, rows: QuerySet, _name: str, asset_id: int) -> QuerySet:
        """Keep tasks about a piece of equipment."""
        return rows.filter(asset=asset_id, asset__kind=Kind.EQUIPMENT)

    def about_sensor(self, rows: QuerySet, _name: str, asset_id: int) -> QuerySet:
        """Keep tasks about a sensor."""
        return rows.filter(asset=asset_id, asset__kind=Kind.SENSOR)
