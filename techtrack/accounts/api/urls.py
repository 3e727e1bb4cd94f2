"""Addresses of accounts, users, sites and tickets."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.accounts.api import (
    audit,
    export,
    invitations,
    lockouts,
    people,
    recovery,
    second_factor,
    sessions,
    views,
    viewsets,
)

router = SimpleRouter()
router.register("users", viewsets.UserViewSet, basename="user")
router.register("lockouts", lockouts.LockoutViewSet, basename="lockout")
router.register("invitations", invitations.InvitationViewSet, basename="invitation")
router.register("people", people.PeopleViewSet, basename="person")
router.register("audit", audit.AuditViewSet, basename="audit")
router.register("sites", viewsets.SiteViewSet, basename="site")

ME: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("api/token/", views.TokenView.as_view()),
    path("api/token/refresh/", views.RefreshView.as_view()),
    path("api/token/verify/", views.VerifyView.as_view()),
    path("api/accounts/register/", invitations.RegisterView.as_view()),
    path("api/accounts/invitations/accept/", invitations.AcceptView.as_view()),
    path("api/accounts/login/", views.LoginView.as_view()),
    path("api/accounts/logout/", views.LogoutView.as_view()),
    path("api/accounts/me/", viewsets.MeViewSet.as_view(ME)),
    path("api/accounts/reauthenticate/", second_factor.ReauthenticateView.as_view()),
    path("api/accounts/second-factor/", second_factor.SecondFactorView.as_view()),
    path("api/accounts/second-factor/confirm/", second_factor.ConfirmView.as_view()),
    path("api/accounts/second-factor/recovery-codes/", second_factor.RecoveryCodesView.as_view()),
    path("api/users/<int:pk>/second-factor/", second_factor.OthersSecondFactorView.as_view()),
    path("api/accounts/sessions/", sessions.SessionViewSet.as_view({"get": "list", "delete": "destroy_others"})),
    path("api/accounts/sessions/<str:id>/", sessions.SessionViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("api/accounts/password/change/", recovery.ChangePasswordView.as_view()),
    path("api/accounts/password/reset/", recovery.ResetPasswordView.as_view()),
    path("api/accounts/password/reset/confirm/", recovery.ConfirmResetView.as_view()),
    path("api/accounts/verify/", recovery.VerifyAddressView.as_view()),
    path("api/accounts/verify/resend/", recovery.ResendVerificationView.as_view()),
    path("api/audit/verify/", audit.AuditVerifyView.as_view()),
    path("api/accounts/export/", export.ExportView.as_view()),
    path("api/live/ticket/", views.TicketView.as_view()),
    path("api/", include(router.urls)),
]
