"""Addresses of work."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.tasks.api.viewsets import CategoryViewSet, EquipmentTasksViewSet, SensorTasksViewSet, TaskViewSet

router = SimpleRouter()
router.register("tasks", TaskViewSet)
router.register("categories", CategoryViewSet)

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/equipment/<int:id>/tasks/", EquipmentTasksViewSet.as_view({"get": "list"})),
    path("api/sensors/<int:id>/tasks/", SensorTasksViewSet.as_view({"get": "list"})),
]
