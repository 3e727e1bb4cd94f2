"""The way into Django's admin: through the login page that everybody takes."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse


def admin_login(request: HttpRequest) -> HttpResponse:
    """Send a stranger to the login page, and from there back; who is logged in and comes here has no business here."""
    if request.user.is_authenticated:
        raise PermissionDenied
    query = QueryDict(mutable=True)
    query["next"] = request.GET.get("next", reverse("admin:index"))
    return redirect(f"{reverse('login')}?{query.urlencode(safe='/')}")
