"""``/api/schema/``: the OpenAPI document, as YAML or, for ``?format=json`` and by ``Accept``, as JSON."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from drf_spectacular.views import SpectacularAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.errors import Invalid

FORMATS = ("json", "yaml")


class ByFormat(DefaultContentNegotiation):
    """Lets ``format`` choose as well; no other address under ``/api/`` has a second form yet."""

    settings: Any = SimpleNamespace(URL_FORMAT_OVERRIDE="format")


class AsAsked(APIView):
    """A view that gives its document in the form that is asked for."""

    content_negotiation_class = ByFormat

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        refuse_unknown_parameters(request, {"format"})
        if request.query_params.get("format", "yaml") not in FORMATS:
            raise Invalid(f"format is one of {', '.join(FORMATS)}", pointer="?format")
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Any, response: Response, *args: Any, **kwargs: Any) -> Response:
        if response.exception:
            # A problem is JSON, whatever form the document was asked for in.
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


class SchemaView(AsAsked, SpectacularAPIView):
    """The OpenAPI document."""
