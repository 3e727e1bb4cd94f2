"""Addresses of readings."""

from typing import Any

from django.urls import path

from techtrack.telemetry.api import corrections, views
from techtrack.telemetry.api.history import HistoryView, asset_history
from techtrack.telemetry.api.latest import LatestView, asset_latest
from techtrack.telemetry.api.store import CheckView, RebuildView, StoreRunViewSet, StoreView
from techtrack.telemetry.api.trend import asset_trend

item: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
collection: dict[str, Any] = {"get": "list", "post": "create"}
one: dict[str, Any] = {"get": "retrieve"}
listed: dict[str, Any] = {"get": "list"}

urlpatterns = [
    path("api/store/", StoreView.as_view()),
    path("api/store/check/", CheckView.as_view()),
    path("api/store/rebuild/", RebuildView.as_view()),
    path("api/store/runs/", StoreRunViewSet.as_view(listed)),
    path("api/store/runs/<str:pk>/", StoreRunViewSet.as_view(one)),
    # Before single readings: "quality" is no id of one.
    path("api/data/quality/", corrections.DataMarks.as_view(collection)),
    path("api/data/quality/<str:mark>/", corrections.DataMarks.as_view(one)),
    path("api/measurements/quality/", corrections.MeasurementMarks.as_view(collection)),
    path("api/measurements/quality/<str:mark>/", corrections.MeasurementMarks.as_view(one)),
    path("api/data/", views.DataViewSet.as_view(collection)),
    path("api/data/<str:reading>/", views.DataViewSet.as_view(item)),
    path("api/data/<str:reading>/corrections/", corrections.DataCorrections.as_view(listed)),
    path("api/measurements/", views.MeasurementViewSet.as_view(collection)),
    path("api/measurements/<str:reading>/", views.MeasurementViewSet.as_view(item)),
    path("api/measurements/<str:reading>/corrections/", corrections.MeasurementCorrections.as_view(listed)),
    path("api/ingest/", views.IngestView.as_view()),
    path("api/history/", HistoryView.as_view()),
    path("api/latest/", LatestView.as_view()),
    path("api/equipment/<int:pk>/latest/", asset_latest("equipment")),
    path("api/sensors/<int:pk>/latest/", asset_latest("sensor")),
    path("api/equipment/<int:pk>/history/", asset_history("equipment")),
    path("api/sensors/<int:pk>/history/", asset_history("sensor")),
    path("api/equipment/<int:pk>/trend/", asset_trend("equipment")),
    path("api/sensors/<int:pk>/trend/", asset_trend("sensor")),
]
