"""Every address of the platform."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerView,
)

from techtrack.config import health
from techtrack.config.asyncapi import AsyncApiView
from techtrack.config.root import RootView
from techtrack.config.schema import SchemaView

API = ["accounts", "assets", "telemetry", "alerts", "notifications", "tasks", "integrations"]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/", RootView.as_view()),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/asyncapi/", AsyncApiView.as_view(), name="asyncapi"),
    path("swagger.json", SpectacularJSONAPIView.as_view()),
    path("swagger/", SpectacularSwaggerView.as_view(url_name="schema"), name="swagger"),
    path("redoc/", SpectacularRedocView.as_view(url_name="schema", template_name="web/redoc.html"), name="redoc"),
    *(path("", include(f"techtrack.{app}.api.urls")) for app in API),
    path("admin/", admin.site.urls),
    path("", include("techtrack.demo.urls")),
    path("", include("techtrack.web.urls")),
]

handler400 = "techtrack.config.errors.bad_request"
handler403 = "techtrack.config.errors.permission_denied"
handler404 = "techtrack.config.errors.not_found"
handler500 = "techtrack.config.errors.server_error"
