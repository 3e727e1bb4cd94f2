"""Addresses of work."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.tasks.api.alerts import AlertTaskView
from techtrack.tasks.api.attachments import AttachmentViewSet
from techtrack.tasks.api.blocking import BlockViewSet
from techtrack.tasks.api.categories import CategoryViewSet
from techtrack.tasks.api.comments import CommentViewSet
from techtrack.tasks.api.downtimes import DowntimeViewSet
from techtrack.tasks.api.feeds import CalendarView, FeedViewSet
from techtrack.tasks.api.history import TaskHistoryViewSet
from techtrack.tasks.api.labour import TimeViewSet
from techtrack.tasks.api.links import LinkViewSet, SharedTaskView
from techtrack.tasks.api.meters import MeterViewSet
from techtrack.tasks.api.plans import PlanAssetsViewSet, PlanViewSet
from techtrack.tasks.api.proofs import ProofViewSet
from techtrack.tasks.api.saved import SavedFilterViewSet
from techtrack.tasks.api.steps import AnswersViewSet
from techtrack.tasks.api.tasks import DeletedTaskViewSet, EquipmentTasksViewSet, SensorTasksViewSet, TaskViewSet
from techtrack.tasks.api.upkeep import MaintenanceKpiView

router = SimpleRouter()
router.register("tasks", TaskViewSet)
router.register("categories", CategoryViewSet)
router.register("calendar-feeds", FeedViewSet)
router.register("task-filters", SavedFilterViewSet)
router.register("plans", PlanViewSet)
router.register("downtimes", DowntimeViewSet)
router.register("meters", MeterViewSet)

# What belongs to one task.
nested = SimpleRouter()
nested.register("comments", CommentViewSet)
nested.register("attachments", AttachmentViewSet)
nested.register("time", TimeViewSet)
nested.register("blockers", BlockViewSet)
nested.register("links", LinkViewSet)
ANSWERS: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
VERIFICATION: dict[str, Any] = {"get": "retrieve", "put": "update"}

urlpatterns = [
    path("api/tasks/calendar.ics", CalendarView.as_view()),
    path("api/tasks/<int:task_id>/answers/", AnswersViewSet.as_view(ANSWERS)),
    path("api/tasks/kpi/", MaintenanceKpiView.as_view()),
    path("api/tasks/<int:task_id>/verification/", ProofViewSet.as_view(VERIFICATION)),
    path("api/alerts/<int:alert_id>/task/", AlertTaskView.as_view()),
    path("api/plans/<int:plan_id>/assets/", PlanAssetsViewSet.as_view({"get": "list"})),
    path("api/tasks/<int:task_id>/history/", TaskHistoryViewSet.as_view({"get": "list"})),
    path("api/tasks/<int:task_id>/", include(nested.urls)),
    path("api/tasks/deleted/", DeletedTaskViewSet.as_view({"get": "list"})),
    path("api/tasks/<int:pk>/restore/", DeletedTaskViewSet.as_view({"post": "restore"})),
    path("api/shared/tasks/<str:key>/", SharedTaskView.as_view()),
    path("api/", include(router.urls)),
    path("api/equipment/<int:id>/tasks/", EquipmentTasksViewSet.as_view({"get": "list"})),
    path("api/sensors/<int:id>/tasks/", SensorTasksViewSet.as_view({"get": "list"})),
]
