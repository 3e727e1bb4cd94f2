"""The page of work to do."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from techtrack.accounts.domain.access import Access
from techtrack.core import clock
from techtrack.core.errors import Conflict, Invalid
from techtrack.tasks.models import State, Task
from techtrack.tasks.services import update_task
from techtrack.web import queries
from techtrack.web.views.page import page


@require_safe
@page
def tasks(request: HttpRequest, access: Access) -> HttpResponse:
    """What is to be done, the soonest due first, and what was done last."""
    context = {
        "lines": queries.task_lines(access),
        "done": queries.done_tasks(access),
        "now": clock.now(),
    }
    return render(request, "web/tasks.html", context)


@require_POST
@page
def finish(request: HttpRequest, access: Access, task_id: int) -> HttpResponse:
    """Mark a task as done."""
    task = Task.objects.visible_to(access).filter(pk=task_id).first()
    if task is None:
        raise Http404
    try:
        update_task(task=task, by=access, changes={"state": State.DONE}, expected=None, now=clock.now())
    except (Conflict, Invalid) as error:
        messages.warning(request, f"Not done: {error.detail}.")
    else:
        messages.success(request, f"Done: {task.title}")
    return redirect("tasks")
