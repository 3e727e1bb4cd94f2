"""The page behind a link to one task: to be read by anybody who has the link, without logging in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from techtrack.core import clock
from techtrack.tasks.domain.workflow import is_overdue
from techtrack.tasks.queries import linked


@never_cache
@require_safe
def shared_task(request: HttpRequest, key: str) -> HttpResponse:
    """Show what the task says, and nobody's name; of a link that is over, that it is."""
    now = clock.now()
    task, link = linked(key, now=now)
    late = is_overdue(task.state, task.due_date, now)
    response = render(request, "web/shared_task.html", {"task": task, "link": link, "late": late})
    # The address is a key: nobody is to find it by searching.
    response["X-Robots-Tag"] = "noindex"
    return response
