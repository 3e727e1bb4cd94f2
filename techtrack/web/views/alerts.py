"""Pages of one alert: what it is, and the form that takes it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from techtrack.accounts.domain.access import Access
from techtrack.alerts import queries as explaining
from techtrack.alerts.services import acknowledge_alert
from techtrack.core import clock
from techtrack.core.errors import Conflict
from techtrack.web import queries
from techtrack.web.views.page import page


@require_safe
@page
def alert(request: HttpRequest, access: Access, alert_id: int) -> HttpResponse:
    """One alert with what happened to it; messages to people link here."""
    line = queries.alert_line(access, alert_id)
    # In the person's zone, as all times of the page are.
    zone = timezone.get_current_timezone()
    why = explaining.explain(alert=line.alert, access=access, now=clock.now(), zone=zone)
    context = {
        "line": line,
        "sentence": why.sentence if line.alert.rule else "",
        "guidance": why.definition.get("guidance"),
        "events": queries.happenings(line.alert, access),
        "remarks": queries.remarks(line.alert.asset),
    }
    return render(request, "web/alert.html", context)


@require_POST
@page
def acknowledge(request: HttpRequest, access: Access, alert_id: int) -> HttpResponse:
    """Take the alert, and show it as it is now: taken by this person, or by whoever was faster."""
    line = queries.alert_line(access, alert_id)
    try:
        acknowledge_alert(alert=line.alert, by=access, comment="", now=clock.now())
    except Conflict as error:
        messages.warning(request, f"Not acknowledged: {error.detail}.")
    else:
        messages.success(request, "Acknowledged.")
    return redirect("alert", alert_id=alert_id)
