"""Pages of rules and alerts for administrators."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from techtrack.accounts.domain.access import Access
from techtrack.alerts import services
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.core import clock
from techtrack.core.admin import HELD, ReadOnly, ServiceAdmin

SCOPE = ["site", "asset_type", "assets", "tags", "parameter"]
JUDGED = ["aggregate", "deadband", "on_delay", "off_delay", "count", "no_data", "late_max_age", "schedule"]
TOLD = ["latched", "inhibited_by", "reraise_window", "escalation", "revision"]
WATCHED = [*SCOPE, *JUDGED, *TOLD]


@admin.register(Rule)
class RuleAdmin(ServiceAdmin):
    """Rules: switched, renamed and re-tuned here; made over the API, which proves every part of them."""

    list_display = ["name", "parameter", "site", "asset_type", "enabled", "updated_at"]
    list_filter = ["enabled", "site"]
    search_fields = ["name", "parameter"]
    list_select_related = ["site", "asset_type"]
    fields = ["name", "conditions", "enabled", *WATCHED, *HELD]
    readonly_fields = [*WATCHED, *HELD]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def edit(self, instance: Rule, by: Access, changes: dict[str, Any]) -> None:
        services.update_rule(rule=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: Rule, by: Access) -> None:
        services.delete_rule(rule=instance, by=by, expected=None, now=clock.now())


class AlertEventInline(ReadOnly, admin.TabularInline):
    """The history below an alert."""

    model = AlertEvent
    fields = ["at", "kind", "actor", "before", "after", "comment"]
    extra = 0


@admin.register(Alert)
class AlertAdmin(ReadOnly, admin.ModelAdmin):
    """Alerts."""

    list_display = ["title", "asset", "severity", "state", "raised_at", "acknowledged_at", "returned_at"]
    list_filter = ["severity", "is_open", "active"]
    search_fields = ["title", "asset__name"]
    list_select_related = ["asset"]
    inlines = [AlertEventInline]
