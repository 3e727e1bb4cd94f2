"""Pages by number, with a Link header; a page that cannot be is an error, never a silent default."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core.errors import Invalid

MAX_PAGE = 1_000_000


class _Paginator(Paginator):
    """Counts only where the page does not tell by itself: one that is not full is the last, or beyond it."""

    def page(self, number: Any) -> Page:
        start = (number - 1) * self.per_page
        rows = self.object_list[start : start + self.per_page]
        if len(rows) < self.per_page and (len(rows) or not start):
            # In the place where the property keeps what it has counted.
            self.__dict__["count"] = start + len(rows)
        return Page(rows, self.validate_number(number), self)


class Pages(PageNumberPagination):
    """``page`` from 1, ``page_size`` 50 unless asked, at most 500."""

    django_paginator_class = _Paginator
    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        return whole_number(request, "page_size", default=self.page_size, highest=self.max_page_size)

    def get_page_number(self, request: Request, paginator: Any) -> int:
        return whole_number(request, "page", default=1, highest=MAX_PAGE)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        add_links(response, next_url=self.get_next_link(), previous_url=self.get_previous_link())
        return response


def add_links(response: Response, *, next_url: str | None, previous_url: str | None) -> None:
    """Say where the neighbouring pages are as RFC 8288 does, for clients that do not read the body."""
    links = [(next_url, "next"), (previous_url, "prev")]
    header = ", ".join(f'<{url}>; rel="{rel}"' for url, rel in links if url)
    if header:
        response["Link"] = header


def whole_number(request: Request, name: str, *, default: int, highest: int) -> int:
    """Read query parameter ``name`` as a whole number from 1 to ``highest``.

    Raises:
        Invalid: it is something else.

    """
    text = request.query_params.get(name)
    if text is None:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004
    if not 1 <= number <= highest:
        raise Invalid(f"{name} is a whole number from 1 to {highest}", pointer=f"?{name}")
    return number
