"""What the OpenAPI document says of credentials, and of the one DELETE that has a body."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from techtrack.accounts.api.serializers import PasswordSerializer

EMPTY_OBJECT = {"type": "object", "maxProperties": 0}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the schema of access tokens."""

    target_class = "techtrack.accounts.api.authentication.TokenAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `POST /api/token/`."}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the schema of API keys."""

    target_class = "techtrack.accounts.api.authentication.KeyAuthentication"
    name = "apiKeyAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        text = "A key of `/api/keys/`; `Authorization: Api-Key <key>` works too."
        return {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": text}


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the schema of browser sessions."""

    target_class = "techtrack.accounts.api.authentication.BrowserAuthentication"
    name = "cookieAuth"
    priority = 1

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        text = "The session of the pages; what writes needs `X-CSRFToken` too."
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": text}


class PersonSchema(AutoSchema):
    """Describes a door that only people go through: keys are refused there, whatever their scope."""

    def get_auth(self) -> list[dict[str, Any]]:
        return [auth for auth in super().get_auth() if KeyScheme.name not in auth]


class ErasingSchema(PersonSchema):
    """Describes a DELETE that takes a body, which drf-spectacular leaves out."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None and self.method == "DELETE":
            component = self.resolve_serializer(PasswordSerializer, "request")
            content = {"application/json": {"schema": component.ref}}
            operation["requestBody"] = {"required": True, "content": content}
        return operation
