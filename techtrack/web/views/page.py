"""The frame of every page: a known person, the person's time zone, and errors as pages."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.core import errors


def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Serve ``view(request, access, …)`` to a person who has logged in; no cache keeps the answer."""

    @never_cache
    @login_required
    @wraps(view)
    def served(request: HttpRequest, **parts: Any) -> HttpResponse:
        assert isinstance(request.user, User)  # noqa: S101 - login_required has seen to it
        with timezone.override(zone_of(request.user)):
            try:
                return view(request, access_of(request.user), **parts)
            except errors.NotFound as error:
                raise Http404(error.detail) from error
            except errors.Forbidden as error:
                raise PermissionDenied(error.detail) from error

    return served


def zone_of(user: User) -> zoneinfo.ZoneInfo:
    """Return the person's time zone; UTC where its name is unknown to this machine."""
    try:
        return zoneinfo.ZoneInfo(user.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")
