"""The page of the store, for administrators: how much is kept of readings, and checks and rebuilds of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from techtrack.accounts.domain.access import Access, Role
from techtrack.web.views.page import page


@require_safe
@page
def store(request: HttpRequest, access: Access) -> HttpResponse:
    """Serve the frame; the figures come from the API, which counts them no more often than it must."""
    access.require(Role.ADMIN, None)
    return render(request, "web/store.html")
