"""``/api/asyncapi/``: the document of the live socket, as YAML or, for ``?format=json`` and by ``Accept``, as JSON."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.config.schema import AsAsked
from techtrack.core import plain_yaml
from techtrack.live import asyncapi
from techtrack.live.hub import hub


class YamlRenderer(BaseRenderer):
    """Plain YAML."""

    media_type = "application/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        return plain_yaml.dump(data)


class AsyncApiView(AsAsked):
    """The AsyncAPI document."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    renderer_classes = [YamlRenderer, JSONRenderer]
    # It is no operation of the API, and not in its document.
    schema = None

    def get(self, request: Request) -> Response:
        return Response(document())


def document() -> dict[str, Any]:
    """Return the document of the socket as it is here."""
    return asyncapi.document(hub.topics, version=str(settings.SPECTACULAR_SETTINGS["VERSION"]))
