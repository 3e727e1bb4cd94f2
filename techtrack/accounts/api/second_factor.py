"""Second factors: enrol, confirm, look at, renew recovery codes, disable; and proving again who one is."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.serializers import OneTimeCodeField, PasswordField, PasswordSerializer
from techtrack.accounts.api.views import Door, secret_response
from techtrack.accounts.models import User
from techtrack.accounts.queries import recovery_codes_left, second_factor_of
from techtrack.core import clock
from techtrack.core.api.fields import MomentField


class SecondFactorSerializer(serializers.Serializer):
    """Whether there is a second factor, and what is left of its recovery codes."""

    enabled = serializers.BooleanField()
    confirmed_at = MomentField(allow_null=True)
    recovery_codes_left = serializers.IntegerField()


class EnrolmentSerializer(serializers.Serializer):
    """What an authenticator app must be told."""

    secret = serializers.CharField(help_text="Base32, to type in.")
    uri = serializers.CharField(help_text="`otpauth:`, to show as a QR code.")


class CodeSerializer(serializers.Serializer):
    """A code that the app shows now."""

    otp = OneTimeCodeField()


class RecoveryCodesSerializer(serializers.Serializer):
    """Recovery codes, each good once; shown this once."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class ProofSerializer(serializers.Serializer):
    """A code, for people with a second factor, or for others the password."""

    otp = OneTimeCodeField(required=False)
    password = PasswordField(required=False)


class OwnDoor(Door):
    """A door to the caller's own account."""

    @property
    def caller(self) -> User:
        """The person who asks."""
        return User.objects.get(pk=self.request.auth.user_id)


class SecondFactorView(OwnDoor):
    """The caller's second factor."""

    @extend_schema(operation_id="second_factor_retrieve", responses=SecondFactorSerializer)
    def get(self, request: Request) -> Response:
        """Look whether there is one."""
        factor = second_factor_of(self.request.auth.user_id)
        body = {
            "enabled": factor is not None,
            "confirmed_at": factor and factor.confirmed_at,
            "recovery_codes_left": recovery_codes_left(self.request.auth.user_id),
        }
        return Response(SecondFactorSerializer(body).data)

    @extend_schema(
        operation_id="second_factor_create", request=PasswordSerializer, responses={201: EnrolmentSerializer}
    )
    def post(self, request: Request) -> Response:
        """Get a secret for an authenticator app; it counts once a code of it has been confirmed."""
        password = self.read(PasswordSerializer)["password"]
        made = services.enrol(user=self.caller, by=self.request.auth, password=password, now=clock.now())
        return secret_response(EnrolmentSerializer(made).data, status=201)

    @extend_schema(operation_id="second_factor_destroy", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Disable it; needs a proof of the last 15 minutes."""
        services.disable(user=self.caller, by=self.request.auth, now=clock.now())
        return Response(status=204)


class ConfirmView(OwnDoor):
    """The proof that the app has the secret."""

    @extend_schema(operation_id="second_factor_confirm", request=CodeSerializer, responses=RecoveryCodesSerializer)
    def post(self, request: Request) -> Response:
        """Enable the second factor by a code of the app; the recovery codes are shown this once."""
        code = self.read(CodeSerializer)["otp"]
        made = services.confirm(user=self.caller, by=self.request.auth, code=code, now=clock.now())
        return secret_response({"recovery_codes": made})


class RecoveryCodesView(OwnDoor):
    """New recovery codes in place of the old ones."""

    @extend_schema(
        operation_id="second_factor_recovery_codes_create", request=None, responses={201: RecoveryCodesSerializer}
    )
    def post(self, request: Request) -> Response:
        """Get new recovery codes, shown this once; those of before are void. Needs a proof of the last 15 minutes."""
        made = services.renew_recovery_codes(user=self.caller, by=self.request.auth, now=clock.now())
        return secret_response({"recovery_codes": made}, status=201)


class OthersSecondFactorView(Door):
    """The second factor of somebody who has lost it."""

    @extend_schema(operation_id="users_second_factor_destroy", request=None, responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Take a person's second factor away, as an administrator; the password alone opens the account then."""
        user = User.objects.visible_to(self.request.auth).filter(pk=pk).first() if pk < 2**63 else None
        if user is None:
            raise Http404
        services.disable(user=user, by=self.request.auth, now=clock.now())
        return Response(status=204)


class ReauthenticateView(OwnDoor):
    """A proof of who one is, within a session."""

    @extend_schema(operation_id="accounts_reauthenticate", request=ProofSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Prove again who you are, for what is dangerous: by a code if you have a second factor, else the password."""
        proof = self.read(ProofSerializer)
        services.reauthenticate(
            user=self.caller,
            by=self.request.auth,
            password=proof.get("password"),
            otp=proof.get("otp"),
            now=clock.now(),
        )
        return Response(status=204)
