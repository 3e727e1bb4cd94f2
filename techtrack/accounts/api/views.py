"""Coming and going: log in, renew, verify, log out, and tickets for the WebSocket."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from techtrack.accounts import services
from techtrack.accounts.api.authentication import client_address
from techtrack.accounts.api.schema import EMPTY_OBJECT, PersonSchema
from techtrack.accounts.api.serializers import (
    AccessTokenSerializer,
    CredentialsSerializer,
    LoginSerializer,
    MeSerializer,
    RefreshSerializer,
    TicketSerializer,
    TokensSerializer,
)
from techtrack.accounts.models import User
from techtrack.accounts.queries import session_access
from techtrack.core import clock
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.filters import refuse_unknown_parameters


class Door(APIView):
    """Reads one strict body and no query parameter."""

    # Its ``auth`` is the caller's Access, which DRF's types take for a token of its own.
    request: Any
    door = "accounts"
    schema = PersonSchema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_unknown_parameters(request, ())

    def read(self, serializer: type[Serializer]) -> dict[str, Any]:
        """Return the body as ``serializer`` understands it, all of it."""
        form = serializer(data=self.request.data)
        refuse_unknown_fields(self.request.data, form)
        form.is_valid(raise_exception=True)
        data: dict[str, Any] = form.validated_data
        return data


class OpenDoor(Door):
    """A door for people who are not known yet; a stale cookie or token does not stand in their way."""

    authentication_classes = []
    permission_classes = []

    def origin(self) -> dict[str, str]:
        """Return from where, and with what, the caller comes."""
        return {"address": client_address(self.request), "device": self.request.headers.get("User-Agent", "")}


class TokenView(OpenDoor):
    """Tokens for a user name or e-mail address and a password."""

    @extend_schema(operation_id="token_create", request=CredentialsSerializer, responses=TokensSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Log in."""
        _, tokens = services.log_in(**self.read(CredentialsSerializer), **self.origin(), now=clock.now())
        return secret_response(TokensSerializer(tokens).data)


class RefreshView(OpenDoor):
    """A new pair of tokens for a refresh token, which is spent by it."""

    @extend_schema(operation_id="token_refresh", request=RefreshSerializer, responses=TokensSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Renew; using a refresh token twice ends its session, since somebody must have a copy."""
        tokens = services.refresh(token=self.read(RefreshSerializer)["refresh"], now=clock.now())
        return secret_response(TokensSerializer(tokens).data)


class VerifyView(OpenDoor):
    """Whether an access token is good."""

    @extend_schema(operation_id="token_verify", request=AccessTokenSerializer, responses={200: EMPTY_OBJECT}, auth=[])
    def post(self, request: Request) -> Response:
        """Look at an access token: 200 if it opens something now, else 401."""
        session_access(self.read(AccessTokenSerializer)["token"], clock.now())
        return Response({})


class LoginView(OpenDoor):
    """Tokens, and whose they are."""

    @extend_schema(operation_id="accounts_login", request=CredentialsSerializer, responses=LoginSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Log in."""
        user, tokens = services.log_in(**self.read(CredentialsSerializer), **self.origin(), now=clock.now())
        return welcome(user, tokens, status=200)


class LogoutView(Door):
    """The end of a session."""

    @extend_schema(
        operation_id="accounts_logout",
        request=RefreshSerializer,
        responses={205: OpenApiResponse(description="Logged out.")},
    )
    def post(self, request: Request) -> Response:
        """Log out; the refresh token and the access tokens of the session are refused from now on."""
        services.log_out(by=self.request.auth, token=self.read(RefreshSerializer)["refresh"], now=clock.now())
        return Response(status=205)


class TicketView(Door):
    """Tickets for the WebSocket, to which a browser cannot send a header."""

    @extend_schema(operation_id="live_ticket_create", request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """Get a ticket that opens the WebSocket once, within half a minute."""
        ticket = services.issue_ticket(by=self.request.auth, now=clock.now())
        return secret_response({"ticket": ticket, "expires_in": services.TICKET_SECONDS}, status=201)


def welcome(user: User, tokens: services.Tokens, *, status: int) -> Response:
    """Answer with tokens and whose they are."""
    body = {**TokensSerializer(tokens).data, "user": MeSerializer(user).data}
    return secret_response(body, status=status)


def secret_response(data: Any, *, status: int = 200) -> Response:
    """Answer with something secret: kept by nobody on the way (RFC 6749, 5.1)."""
    return Response(data, status=status, headers={"Cache-Control": "no-store"})
