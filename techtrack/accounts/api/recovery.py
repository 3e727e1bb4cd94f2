"""Passwords and addresses: changed by their owner, set anew, shown to be right by a letter."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.authentication import client_address, keep_browser
from techtrack.accounts.api.schema import EMPTY_OBJECT
from techtrack.accounts.api.serializers import LONGEST_NAME, LONGEST_TOKEN, PasswordField
from techtrack.accounts.api.views import Door, OpenDoor
from techtrack.accounts.models import User
from techtrack.core import clock

DONE = {204: OpenApiResponse(description="Done.")}
ASKED = {202: EMPTY_OBJECT}


class NewPasswordSerializer(serializers.Serializer):
    """The password of now and the one to be."""

    current_password = PasswordField()
    password = PasswordField()


class NameSerializer(serializers.Serializer):
    """A user name or e-mail address."""

    username = serializers.CharField(max_length=LONGEST_NAME, required=False, write_only=True)
    email = serializers.CharField(max_length=LONGEST_NAME, required=False, write_only=True)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"email": ["Give either email or username."]}, code="required")
        return attrs


class LinkSerializer(serializers.Serializer):
    """What stands in the link of a letter."""

    key = serializers.CharField(max_length=LONGEST_TOKEN, write_only=True)


class ResetSerializer(LinkSerializer):
    """The key of a letter, and the password to be."""

    password = PasswordField()


class ChangePasswordView(Door):
    """A new password for somebody who knows the old one."""

    @extend_schema(operation_id="accounts_password_change", request=NewPasswordSerializer, responses=DONE)
    def post(self, request: Request) -> Response:
        """Change the password; every other session ends."""
        asked, by, now = self.read(NewPasswordSerializer), self.request.auth, clock.now()
        user = User.objects.get(pk=by.user_id)
        services.update_user(user=user, by=by, changes=asked, expected=None, now=now)
        keep_browser(self.request, user)
        return Response(status=204)


class ResetPasswordView(OpenDoor):
    """A letter for somebody who has forgotten the password."""

    @extend_schema(operation_id="accounts_password_reset", request=NameSerializer, responses=ASKED, auth=[])
    def post(self, request: Request) -> Response:
        """Ask for a letter; the answer is the same whether anybody gets one. It goes to verified addresses only."""
        name = next(iter(self.read(NameSerializer).values()))
        services.ask_reset(name=name, address=client_address(request), now=clock.now())
        return Response({}, status=202)


class ConfirmResetView(OpenDoor):
    """The end of having forgotten the password."""

    @extend_schema(operation_id="accounts_password_reset_confirm", request=ResetSerializer, responses=DONE, auth=[])
    def post(self, request: Request) -> Response:
        """Set a new password by the key of a letter, once; every session ends."""
        services.confirm_reset(**self.read(ResetSerializer), now=clock.now())
        return Response(status=204)


class VerifyAddressView(OpenDoor):
    """Proof of an e-mail address."""

    @extend_schema(operation_id="accounts_verify", request=LinkSerializer, responses={200: EMPTY_OBJECT}, auth=[])
    def post(self, request: Request) -> Response:
        """Show by the key of a letter that its address is the account's."""
        services.verify(**self.read(LinkSerializer), now=clock.now())
        return Response({})


class ResendVerificationView(Door):
    """The letter once more."""

    @extend_schema(operation_id="accounts_verify_resend", request=None, responses=ASKED)
    def post(self, request: Request) -> Response:
        """Ask for another letter to the address that waits to be verified."""
        user = User.objects.get(pk=self.request.auth.user_id)
        services.ask_to_verify(user=user, now=clock.now())
        return Response({}, status=202)
