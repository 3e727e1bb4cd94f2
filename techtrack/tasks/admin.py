"""Tasks and categories in Django's admin; services write, and private work stays private."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from techtrack.accounts.domain.access import Access
from techtrack.core import clock
from techtrack.core.admin import HELD, ServiceAdmin
from techtrack.tasks import services
from techtrack.tasks.models import Category, Task


class OwnAdmin(ServiceAdmin):
    """Shows what the API would show to the same person."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        manager: Any = self.model._default_manager
        visible: QuerySet = manager.visible_to(self.caller(request))
        return visible.order_by(*self.get_ordering(request))


@admin.register(Task)
class TaskAdmin(OwnAdmin):
    """Work."""

    list_display = ["title", "state", "priority", "due_date", "asset", "created_by", "updated_at"]
    list_filter = ["state", "priority"]
    list_select_related = ["asset", "created_by"]
    search_fields = ["title", "description"]
    raw_id_fields = ["asset", "alert"]
    readonly_fields = ["created_by", "completed_at", *HELD]
    fields = ["title", "description", "priority", "state", "due_date", "asset", "alert", *readonly_fields]

    def create(self, by: Access, data: dict[str, Any]) -> Task:
        return services.create_task(by=by, data=data, now=clock.now())

    def edit(self, instance: Task, by: Access, changes: dict[str, Any]) -> None:
        services.update_task(task=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: Task, by: Access) -> None:
        services.delete_task(task=instance, by=by, expected=None, now=clock.now())


@admin.register(Category)
class CategoryAdmin(OwnAdmin):
    """Drawers for tasks."""

    list_display = ["name", "colour", "updated_at"]
    search_fields = ["name"]
    fields = ["name", "colour", *HELD]

    def create(self, by: Access, data: dict[str, Any]) -> Category:
        return services.create_category(by=by, data=data, now=clock.now())

    def edit(self, instance: Category, by: Access, changes: dict[str, Any]) -> None:
        services.update_category(category=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: Category, by: Access) -> None:
        services.delete_category(category=instance, by=by, expected=None, now=clock.now())
