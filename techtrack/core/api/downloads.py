"""Doors whose answers are files: their form is the file's, whatever the client says it would rather have."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from techtrack.core.errors import Invalid

# What asks for a part of a list.
PAGED = ("page", "cursor", "page_size")


class AnyForm(DefaultContentNegotiation):
    """Takes every ``Accept``: who asks for a file gets it as it is, and a problem is JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ByFormat(DefaultContentNegotiation):
    """Lets ``?format=`` decide: a browser that asks for text/csv with it must not be told 406."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        if request.query_params.get("format", "json") != "json":
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


def refuse_pages(request: Request) -> None:
    """Pass for who asks for all there is.

    Raises:
        Invalid: the query speaks of pages.
    """
    for word in PAGED:
        if word in request.query_params:
            raise Invalid(f"a file has no pages, so there is no {word}", pointer=f"?{word}")
