"""``/api/``: the resources there are."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.core.api.filters import refuse_unknown_parameters

RESOURCES = [
    *("equipment", "sensors", "sites", "asset-types", "parameters", "keys"),
    *("data", "measurements", "ingest", "history", "latest", "store", "imports", "push-units"),
    *("alerts", "rules", "channels", "routes", "deliveries"),
    *("tasks", "categories", "users", "token", "live/ticket", "schema", "asyncapi"),
    *("accounts/register", "accounts/login", "accounts/logout", "accounts/me"),
]


class RootView(APIView):
    """Lists the addresses of the resources."""

    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []

    @extend_schema(operation_id="root", responses={200: OpenApiTypes.OBJECT}, tags=["root"])
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, ())
        return Response({name: request.build_absolute_uri(f"/api/{name}/") for name in RESOURCES})
