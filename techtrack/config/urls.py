"""Every address of the platform."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerView,
)

from techtrack.config import health
from techtrack.config.admin_door import admin_login
from techtrack.config.asyncapi import AsyncApiView
from techtrack.config.root import RootView
from techtrack.config.schema import SchemaView

# Tasks before alerts, which catch all that there might be below an alert.
API = ["accounts", "assets", "telemetry", "environment", "tasks", "alerts", "notifications", "integrations", "reports"]
# The rooms in which the API's document is read. They describe themselves to nobody: there is no page that says it.
ROOM: dict[str, Any] = {"url_name": "schema", "http_method_names": ["get", "head"]}

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/", RootView.as_view()),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/asyncapi/", AsyncApiView.as_view(), name="asyncapi"),
    path("swagger.json", SpectacularJSONAPIView.as_view()),
    path("swagger/", SpectacularSwaggerView.as_view(template_name="web/swagger.html", **ROOM), name="swagger"),
    path("redoc/", SpectacularRedocView.as_view(template_name="web/redoc.html", **ROOM), name="redoc"),
    *(path("", include(f"techtrack.{app}.api.urls")) for app in API),
    # Django's own page would ask for the password alone: no second factor, no end to guessing.
    path("admin/login/", admin_login),
    # And this one would change it past the service that ends the sessions of before.
    path("admin/password_change/", RedirectView.as_view(pattern_name="change-password")),
    path("admin/", admin.site.urls),
    path("", include("techtrack.demo.urls")),
    path("", include("techtrack.web.urls")),
]

handler400 = "techtrack.config.errors.bad_request"
handler403 = "techtrack.config.errors.permission_denied"
handler404 = "techtrack.config.errors.not_found"
handler500 = "techtrack.config.errors.server_error"
