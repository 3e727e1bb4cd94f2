"""Addresses of accounts, users, sites and tickets."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.accounts.api import views, viewsets

router = SimpleRouter()
router.register("users", viewsets.UserViewSet, basename="user")
router.register("sites", viewsets.SiteViewSet, basename="site")

ME: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("api/token/", views.TokenView.as_view()),
    path("api/token/refresh/", views.RefreshView.as_view()),
    path("api/token/verify/", views.VerifyView.as_view()),
    path("api/accounts/register/", views.RegisterView.as_view()),
    path("api/accounts/login/", views.LoginView.as_view()),
    path("api/accounts/logout/", views.LogoutView.as_view()),
    path("api/accounts/me/", viewsets.MeViewSet.as_view(ME)),
    path("api/live/ticket/", views.TicketView.as_view()),
    path("api/", include(router.urls)),
]
