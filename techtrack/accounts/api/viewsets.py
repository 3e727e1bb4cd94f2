"""Users, the caller's own account, and sites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.authentication import keep_browser
from techtrack.accounts.api.filters import SiteFilter, UserFilter
from techtrack.accounts.api.schema import EMPTY_OBJECT, ErasingSchema, PersonSchema
from techtrack.accounts.api.serializers import MeSerializer, PasswordSerializer, SiteSerializer, UserSerializer
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Site, User
from techtrack.core import clock
from techtrack.core.api import concurrency, idempotency
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.models import Versioned

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The ETag you have seen, such as `"3"`; 412 if it changed.'
)


class PersonViewSet(ResourceViewSet):
    """What both doors to a person's account share."""

    door = "accounts"
    schema = PersonSchema()
    queryset = User.objects.all()

    def once(self, request: Request, work: Callable[[], Response]) -> Response | HttpResponse:
        # A wrong password is counted although its request fails; in one transaction with the key it would not be.
        return super().once(request, work) if request.method == "POST" else work()

    def edit(self, instance: User, data: dict[str, Any], expected: int | None) -> User:
        by = self.request.auth
        left_out = self.action == "update" and "email" not in self.request.data
        if by.user_id == instance.pk and left_out:
            # One's own address is the way back to the account: it is taken away by saying so, not by leaving it out.
            data.pop("email", None)
        user = services.update_user(user=instance, by=by, changes=data, expected=expected, now=clock.now())
        if "password" in data and by.user_id == user.pk:
            keep_browser(self.request, user)
        return user


class UserViewSet(PersonViewSet, BulkViewSet):
    """Everybody for administrators for all sites; others find themselves."""

    # Hashing is slow on purpose, and a wrong guess must count although the request fails.
    alone: ClassVar[frozenset[str]] = frozenset({"password", "current_password"})
    serializer_class = UserSerializer
    filterset_class = UserFilter
    ordering_fields = ["username", "email", "last_name", "date_joined", "last_login"]
    ordering = ["username"]
    search_fields = ["username", "email", "first_name", "last_name"]

    def make(self, body: Any) -> Versioned:
        # Before the body is looked at: "taken already" would tell an outsider who is here.
        self.request.auth.require(Role.ADMIN, None)
        return super().make(body)

    def add(self, data: dict[str, Any]) -> User:
        data.pop("current_password", None)
        roles, password = data.pop("roles", {}), data.pop("password", None)
        return services.create_user(by=self.request.auth, profile=data, password=password, roles=roles, now=clock.now())

    @extend_schema(operation_id="users_end_sessions", request=None, responses={204: None})
    @action(detail=True, methods=["post"], url_path="end-sessions")
    @idempotency.keyed
    def end_sessions(self, request: Request, pk: str) -> Response:
        """End every session of a person; for administrators."""
        services.end_sessions_of(user=self.get_object(), by=self.request.auth, now=clock.now())
        return Response(status=204)

    @extend_schema(operation_id="users_send_password_link", request=None, responses={202: EMPTY_OBJECT})
    @action(detail=True, methods=["post"], url_path="send-password-link")
    @idempotency.keyed
    def send_password_link(self, request: Request, pk: str) -> Response:
        """Send the person a letter by which to set a password; for administrators."""
        services.welcome(user=self.get_object(), by=self.request.auth)
        return Response({}, status=202)

    def drop(self, instance: User, expected: int | None) -> None:
        services.delete_user(user=instance, by=self.request.auth, expected=expected, now=clock.now())

    def hold(self, ids: list[int]) -> None:
        services.hold_roles()
        super().hold(ids)


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
        refuse_unknown_fields(request.data, proof)
        proof.is_valid(raise_exception=True)
        user, by = self.get_object(), self.request.auth
        expected = concurrency.expected_version(request, user.version)
        password = proof.validated_data["password"]
        self._guarded(
            user,
            lambda: services.erase_self(user=user, by=by, password=password, expected=expected, now=clock.now()),
        )
        return Response(status=204)


class SiteViewSet(BulkViewSet):
    """Sites where the caller has a role; administrators for all sites change them."""

    queryset = Site.objects.all()
    serializer_class = SiteSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at"]
    ordering = ["name"]
    search_fields = ["name", "address"]

    def make(self, body: Any) -> Versioned:
        # Before the body is looked at: "taken already" would tell the names of sites that the caller cannot see.
        self.request.auth.require(Role.ADMIN, None)
        return super().make(body)

    def rewrite(self, instance: Site, body: Any, expected: int | None, *, partial: bool) -> Versioned:
        self.request.auth.require(Role.ADMIN, None)
        return super().rewrite(instance, body, expected, partial=partial)

    def add(self, data: dict[str, Any]) -> Site:
        return services.create_site(by=self.request.auth, fields=data, now=clock.now())

    def edit(self, instance: Site, data: dict[str, Any], expected: int | None) -> Site:
        by = self.request.auth
        return services.update_site(site=instance, by=by, changes=data, expected=expected, now=clock.now())

    def drop(self, instance: Site, expected: int | None) -> None:
        services.delete_site(site=instance, by=self.request.auth, expected=expected, now=clock.now())

    def hold(self, ids: list[int]) -> None:
        services.hold_roles()
        super().hold(ids)
