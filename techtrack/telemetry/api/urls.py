"""Addresses of readings."""

from typing import Any

from django.urls import path

from techtrack.telemetry.api import views
from techtrack.telemetry.api.history import HistoryView, asset_history, asset_latest

item: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
collection: dict[str, Any] = {"get": "list", "post": "create"}

urlpatterns = [
    path("api/data/", views.DataViewSet.as_view(collection)),
    path("api/data/<str:reading>/", views.DataViewSet.as_view(item)),
    path("api/measurements/", views.MeasurementViewSet.as_view(collection)),
    path("api/measurements/<str:reading>/", views.MeasurementViewSet.as_view(item)),
    path("api/ingest/", views.IngestView.as_view()),
    path("api/history/", HistoryView.as_view()),
    path("api/equipment/<int:pk>/latest/", asset_latest("equipment")),
    path("api/sensors/<int:pk>/latest/", asset_latest("sensor")),
    path("api/equipment/<int:pk>/history/", asset_history("equipment")),
    path("api/sensors/<int:pk>/history/", asset_history("sensor")),
]
