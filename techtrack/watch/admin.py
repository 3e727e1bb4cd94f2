"""Heartbeats and checks in Django's admin: to be read."""

from __future__ import annotations

from django.contrib import admin

from techtrack.core.admin import ReadOnly
from techtrack.watch.models import Check, Heartbeat


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly, admin.ModelAdmin):
    """Processes of the last day."""

    list_display = ["__str__", "kind", "started_at", "beat_at", "ended_at"]
    list_filter = ["kind", "host"]


@admin.register(Check)
class CheckAdmin(ReadOnly, admin.ModelAdmin):
    """What is believed of everything that is watched."""

    list_display = ["kind", "subject", "active", "since", "raised_at", "flaps"]
    list_filter = ["active", "kind"]
