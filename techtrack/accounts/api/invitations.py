"""Invitations, and accounts that people make for themselves, invited or not."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.recovery import LinkSerializer
from techtrack.accounts.api.schema import PersonSchema
from techtrack.accounts.api.serializers import (
    LONGEST_NAME,
    MOST_ROLES,
    LoginSerializer,
    MeSerializer,
    RegistrationSerializer,
    RoleSerializer,
    roles_by_site,
)
from techtrack.accounts.api.views import Door, OpenDoor, welcome
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Invitation
from techtrack.core import clock
from techtrack.core.api import idempotency
from techtrack.core.api.fields import ResourceSerializer
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.errors import Forbidden


class InvitationSerializer(ResourceSerializer):
    """Whom an administrator asks to join, and as what."""

    email = serializers.EmailField(max_length=LONGEST_NAME)
    roles = RoleSerializer(many=True, max_length=MOST_ROLES, allow_empty=False)  # type: ignore[call-arg] # many=True

    class Meta:
        model = Invitation
        read_only_fields = [
            "invited_by",
            "expires_at",
            "accepted_at",
            "accepted_by",
            "version",
            "created_at",
            "updated_at",
        ]
        fields = ["id", "email", "roles", *read_only_fields]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Bring roles into one form: a role by site, None standing for all sites."""
        if "roles" in attrs:
            attrs["roles"] = roles_by_site(attrs["roles"])
        return attrs


class InvitationViewSet(ResourceViewSet):
    """Invitations to places that the caller administers: letters that are good for a week, and for one account."""

    door = "accounts"
    schema = PersonSchema()
    queryset = Invitation.objects.all()
    serializer_class = InvitationSerializer
    ordering_fields = ["email", "created_at", "expires_at", "accepted_at"]
    ordering = ["-created_at", "-id"]
    search_fields = ["email"]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        if self.request.auth.sites(Role.ADMIN) == frozenset():
            raise Forbidden("this needs the role admin at one site at least")
        return super().create(request, *args, **kwargs)

    def add(self, data: dict[str, Any]) -> Invitation:
        return services.invite(by=self.request.auth, now=clock.now(), **data)

    def edit(self, instance: Invitation, data: dict[str, Any], expected: int | None) -> Invitation:
        by = self.request.auth
        return services.update_invitation(invitation=instance, by=by, changes=data, expected=expected, now=clock.now())

    def drop(self, instance: Invitation, expected: int | None) -> None:
        services.withdraw_invitation(invitation=instance, by=self.request.auth, expected=expected)

    @extend_schema(operation_id="invitations_resend", request=None, responses=InvitationSerializer)
    @action(detail=True, methods=["post"])
    @idempotency.keyed
    def resend(self, request: Request, pk: str) -> Response:
        """Send the letter again; the invitation is good for another week."""
        found = services.resend_invitation(invitation=self.get_object(), by=self.request.auth, now=clock.now())
        return Response(self.fresh(found))


class RegisterView(OpenDoor):
    """An account for somebody new."""

    @extend_schema(
        operation_id="accounts_register", request=RegistrationSerializer, responses={201: LoginSerializer}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Register and log in; the account has the roles of its ``invitation``, without one it belongs nowhere yet.

        A user name that is taken is refused. An e-mail address is not: who owns it is told by a letter, nobody else.
        """
        profile = self.read(RegistrationSerializer)
        password = profile.pop("password")
        user, tokens = services.register(profile=profile, password=password, **self.origin(), now=clock.now())
        response = welcome(user, tokens, status=201)
        response["Location"] = request.build_absolute_uri(f"/api/users/{user.pk}/")
        return response


class AcceptView(Door):
    """An invitation for somebody who has an account."""

    @extend_schema(operation_id="accounts_invitations_accept", request=LinkSerializer, responses=MeSerializer)
    def post(self, request: Request) -> Response:
        """Take the roles of an invitation, by the key of its letter, beside those that the caller has."""
        user = services.accept_as(**self.read(LinkSerializer), by=self.request.auth, now=clock.now())
        return Response(MeSerializer(user).data)
