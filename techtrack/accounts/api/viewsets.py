"""Users, the caller's own account, and sites."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.authentication import BrowserAuthentication
from techtrack.accounts.api.filters import SiteFilter, UserFilter
from techtrack.accounts.api.schema import ErasingSchema, PersonSchema
from techtrack.accounts.api.serializers import MeSerializer, PasswordSerializer, SiteSerializer, UserSerializer
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Site, User
from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.viewsets import ResourceViewSet

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The ETag you have seen, such as `"3"`; 412 if it changed.'
)


class PersonViewSet(ResourceViewSet):
    """What both doors to a person's account share."""

    door = "accounts"
    schema = PersonSchema()
    queryset = User.objects.all()

    def edit(self, instance: User, data: dict[str, Any], expected: int | None) -> User:
        by = self.request.auth
        user = services.update_user(user=instance, by=by, changes=data, expected=expected, now=clock.now())
        by_cookie = isinstance(self.request.successful_authenticator, BrowserAuthentication)
        if "password" in data and by_cookie and by.user_id == user.pk:
            # A new password ends every browser session but the one that it was changed in.
            update_session_auth_hash(self.request._request, user)  # noqa: SLF001 - DRF offers no public way
        return user


class UserViewSet(PersonViewSet):
    """Everybody for administrators for all sites; others find themselves."""

    serializer_class = UserSerializer
    filterset_class = UserFilter
    ordering_fields = ["username", "email", "last_name", "date_joined", "last_login"]
    ordering = ["username"]
    search_fields = ["username", "email", "first_name", "last_name"]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        # Before the body is looked at: "taken already" would tell an outsider who is here.
        request.auth.require(Role.ADMIN, None)  # type: ignore[union-attr]
        return super().create(request, *args, **kwargs)

    def add(self, data: dict[str, Any]) -> User:
        data.pop("current_password", None)
        roles, password = data.pop("roles", {}), data.pop("password", None)
        return services.create_user(by=self.request.auth, profile=data, password=password, roles=roles, now=clock.now())

    def drop(self, instance: User, expected: int | None) -> None:
        services.delete_user(user=instance, by=self.request.auth, expected=expected)


@extend_schema_view(
    retrieve=extend_schema(operation_id="me_retrieve"),
    update=extend_schema(operation_id="me_update", parameters=[IF_MATCH]),
    partial_update=extend_schema(operation_id="me_partial_update", parameters=[IF_MATCH]),
    destroy=extend_schema(operation_id="me_destroy", parameters=[IF_MATCH]),
)
class MeViewSet(PersonViewSet):
    """The caller's own account; deleting it takes the password."""

    serializer_class = MeSerializer
    schema = ErasingSchema()

    def get_object(self) -> User:
        user: User = self.get_queryset().get(pk=self.request.auth.user_id)
        return user

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        proof = PasswordSerializer(data=request.data)
        proof.is_valid(raise_exception=True)
        user, by = self.get_object(), self.request.auth
        expected = concurrency.expected_version(request, user.version)
        password = proof.validated_data["password"]
        self._guarded(user, lambda: services.erase_self(user=user, by=by, password=password, expected=expected))
        return Response(status=204)


class SiteViewSet(ResourceViewSet):
    """Sites where the caller has a role; administrators for all sites change them."""

    queryset = Site.objects.all()
    serializer_class = SiteSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at"]
    ordering = ["name"]
    search_fields = ["name", "address"]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        # Before the body is looked at: "taken already" would tell the names of sites that the caller cannot see.
        request.auth.require(Role.ADMIN, None)  # type: ignore[union-attr]
        return super().create(request, *args, **kwargs)

    def get_object(self) -> Site:
        site: Site = super().get_object()
        if self.request.method not in SAFE_METHODS:
            self.request.auth.require(Role.ADMIN, None)
        return site

    def add(self, data: dict[str, Any]) -> Site:
        return services.create_site(by=self.request.auth, fields=data, now=clock.now())

    def edit(self, instance: Site, data: dict[str, Any], expected: int | None) -> Site:
        by = self.request.auth
        return services.update_site(site=instance, by=by, changes=data, expected=expected, now=clock.now())

    def drop(self, instance: Site, expected: int | None) -> None:
        services.delete_site(site=instance, by=self.request.auth, expected=expected)
