"""Holes as somebody might leave them: each takes one check away, and names the operations that it lays open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db.models import QuerySet

from techtrack.accounts import queries as accounts
from techtrack.accounts import tokens
from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import AuditEntry, Invitation, Site
from techtrack.accounts.models.credentials import ApiKeyQuerySet
from techtrack.accounts.models.people import SiteQuerySet, UserQuerySet
from techtrack.alerts.api.rules import RuleRevisionViewSet
from techtrack.alerts.api.viewsets import AlertEventViewSet, AssetAlertViewSet
from techtrack.alerts.models import Alert, AlertEvent, PreviewRun, Rule, RuleRevision, Silence
from techtrack.assets.models import AssetQuerySet, AssetType, Parameter
from techtrack.core.api.fields import VisibleField
from techtrack.core.api.pagination import Pages
from techtrack.core.api.viewsets import StrictViewSet
from techtrack.core.errors import Forbidden
from techtrack.environment.models import AirSettings
from techtrack.integrations.models import ImportRun, PushUnit, RejectedPush
from techtrack.notifications.models import Channel, Delivery, Rota, Route
from techtrack.notifications.services import channels
from techtrack.reports.models import AirReport
from techtrack.tasks import queries as tasks
from techtrack.tasks import services as task_services
from techtrack.tasks.api.history import TaskHistoryViewSet
from techtrack.tasks.api.links import LinkViewSet
from techtrack.tasks.api.tasks import EquipmentTasksViewSet
from techtrack.tasks.models import Category, SavedFilter, Task, TaskEdit, TaskQuerySet
from techtrack.telemetry.api.views import ReadingViewSet
from techtrack.telemetry.models import StoreRun

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """A hole: how it is made, and what is to be walked to find it."""

    name: str
    plant: Plant
    operations: tuple[str, ...]


def _unasked(rows: QuerySet, *_: object, **__: object) -> QuerySet:
    return rows


def _all_rows(kind: type) -> Plant:
    return _set(kind, "visible_to", _unasked)


def _rows_of(model: Any) -> Plant:
    return _all_rows(type(model.objects.all()))


def _set(target: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(target, name, value)


def _nested(view: Any, model: Any) -> Plant:
    return _set(view, "get_queryset", lambda _: model.objects.all())


def _passes(*_: object, **__: object) -> bool:
    return True


def _oracle(patch: pytest.MonkeyPatch) -> None:
    """What is not for the caller is refused, not hidden."""
    before = StrictViewSet.row

    def row(view: Any, pk: int) -> Any:
        found = before(view, pk)
        if found is None and view.queryset.model.objects.filter(pk=pk).exists():
            raise Forbidden("this is not for you")
        return found

    patch.setattr(StrictViewSet, "row", row)


def _writing_first(patch: pytest.MonkeyPatch) -> None:
    """The refusal comes after the write."""
    before = Access.require

    def require(access: Access, role: Any, site_id: int | None) -> None:
        Site.objects.update(address="touched")
        before(access, role, site_id)

    patch.setattr(Access, "require", require)


def _counting_all(patch: pytest.MonkeyPatch) -> None:
    """Pages count what they do not show."""
    before = Pages.get_paginated_response

    def respond(pages: Any, data: Any) -> Any:
        response = before(pages, data)
        response.data["count"] += 1
        return response

    patch.setattr(Pages, "get_paginated_response", respond)


def _naming(patch: pytest.MonkeyPatch) -> None:
    """An error tells what it refuses."""
    before = VisibleField.to_internal_value

    def read(field: Any, data: Any) -> Any:
        held = field.queryset.model.objects.filter(pk=data).first()
        field.error_messages = field.error_messages | {"does_not_exist": f"not yours: {held}"}
        return before(field, data)

    patch.setattr(VisibleField, "to_internal_value", read)


def _any_row(field: Any) -> QuerySet:
    rows: QuerySet = field.queryset.all()
    return rows


def _leaving(patch: pytest.MonkeyPatch) -> None:
    """A key that is bound to a site goes where its maker goes."""
    sites, role_at = Access.sites, Access.role_at
    patch.setattr(Access, "sites", lambda access, *role: sites(replace(access, only_site=None), *role))
    patch.setattr(Access, "role_at", lambda access, site: role_at(replace(access, only_site=None), site))


_LIVING = accounts._SESSION
ROWS = {
    "readings of every asset": (_all_rows(AssetQuerySet), ("equipment_retrieve", "data_retrieve", "history", "latest")),
    "every alert": (_rows_of(Alert), ("alerts_retrieve",)),
    "every rule": (_rows_of(Rule), ("rules_list",)),
    "every silence": (_rows_of(Silence), ("silences_retrieve",)),
    "every task": (_rows_of(Task), ("tasks_retrieve", "tasks_changes")),
    "every deleted task": (_set(TaskQuerySet, "within_reach", _unasked), ("tasks_restore",)),
    "what others have deleted": (_set(TaskQuerySet, "deleted_for", _unasked), ("tasks_deleted_list",)),
    "every saved filter": (_rows_of(SavedFilter), ("task_filters_retrieve",)),
    "the history of every task": (_nested(TaskHistoryViewSet, TaskEdit), ("tasks_history_list",)),
    "every category": (_rows_of(Category), ("categories_retrieve",)),
    "every channel": (_rows_of(Channel), ("channels_list",)),
    "every route": (_rows_of(Route), ("routes_retrieve",)),
    "every rota": (_rows_of(Rota), ("rotas_on_call",)),
    "every delivery": (_rows_of(Delivery), ("deliveries_list",)),
    "every site": (_all_rows(SiteQuerySet), ("sites_list",)),
    "every person": (_all_rows(UserQuerySet), ("users_list",)),
    "every key": (_all_rows(ApiKeyQuerySet), ("keys_retrieve",)),
    "every preview": (_rows_of(PreviewRun), ("rules_previews_retrieve",)),
    "every check of the store": (_rows_of(StoreRun), ("store_runs_retrieve",)),
    "every import": (_rows_of(ImportRun), ("imports_retrieve",)),
    "every air settings": (_rows_of(AirSettings), ("air_settings_retrieve",)),
    "every air report": (_rows_of(AirReport), ("reports_air_quality_retrieve",)),
    "every push unit": (_rows_of(PushUnit), ("push_units_retrieve",)),
    "every rejected push": (_rows_of(RejectedPush), ("push_units_rejected_retrieve",)),
    "types for strangers": (_rows_of(AssetType), ("asset_types_retrieve",)),
    "parameters for strangers": (_rows_of(Parameter), ("parameters_retrieve",)),
    "every invitation": (_rows_of(Invitation), ("invitations_retrieve",)),
    "every entry of the audit log": (_rows_of(AuditEntry), ("audit_list",)),
    "the history of every alert": (_nested(AlertEventViewSet, AlertEvent), ("alerts_events_list",)),
    "alerts of every asset": (_nested(AssetAlertViewSet, Alert), ("equipment_alerts_list",)),
    "tasks of every asset": (_nested(EquipmentTasksViewSet, Task), ("equipment_tasks_list",)),
    "revisions of every rule": (_nested(RuleRevisionViewSet, RuleRevision), ("rules_revisions_list",)),
}
CHECKS = {
    "ids of others in bodies": (_set(VisibleField, "get_queryset", _any_row), ("equipment_create", "tasks_create")),
    "no role is required": (_set(Access, "require", _passes), ("equipment_partial_update",)),
    "nor to make a site": (_set(Access, "require", _passes), ("sites_create",)),
    "nor to see corrections": (_set(Access, "require", _passes), ("data_corrections",)),
    "keys do everything": (_set(Access, "may_use", _passes), ("alerts_acknowledge_create",)),
    "devices change readings": (_set(ReadingViewSet, "door", "readings"), ("data_destroy",)),
    "destinations by anybody": (_set(channels, "require_engineer", _passes), ("channels_partial_update",)),
    "tasks written by readers": (_set(tasks, "may_write", _passes), ("tasks_partial_update",)),
    "tasks deleted by readers": (_set(tasks, "may_delete", _passes), ("tasks_destroy", "tasks_restore")),
    "tasks shown to everybody by readers": (_set(task_services, "require_showing", _passes), ("tasks_links_list",)),
    "links made by keys": (_set(LinkViewSet, "door", "resources"), ("tasks_links_list",)),
    "a key leaves its site": (_leaving, ("equipment_retrieve",)),
    "the deactivated": (_set(accounts, "_SESSION", _LIVING.replace(" AND u.is_active", "")), ("me_retrieve",)),
    "tokens for ever": (_set(tokens, "_check_times", _passes), ("me_retrieve",)),
    "refused where it should be hidden": (_oracle, ("equipment_retrieve",)),
    "written before it is refused": (_writing_first, ("sites_partial_update",)),
    "counted, not shown": (_counting_all, ("equipment_list",)),
    "told in an error": (_naming, ("equipment_create",)),
}
MUTANTS = [Mutant(name, *told) for name, told in (ROWS | CHECKS).items()]
