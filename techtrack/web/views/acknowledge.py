"""The page behind the link of an e-mail: one button that takes its alerts, without log-in."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Alert
from techtrack.alerts.services import Said, act_on_many
from techtrack.core import clock
from techtrack.notifications.models import Delivery
from techtrack.notifications.services import read_link
from techtrack.web.views.page import zone_of

COMMENT = "by the link of an e-mail"


@dataclass(frozen=True, slots=True)
class Line:
    """An alert of the link; ``refusal`` says why it could not be taken."""

    alert: Alert
    refusal: str = ""


# GET shows and changes nothing: mail servers open every link in a message to see whether it is harmful.
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether to take the alerts of a message; take them when the answer is sent, as the person it was sent to."""
    delivery, person_id = read_link(token)
    person = User.objects.get(pk=person_id)
    # The rights of today, not those of the day when it was sent; somebody who has left has none.
    access = access_of(person)
    refusals = _take(delivery, access) if request.method == "POST" else {}
    with timezone.override(zone_of(person)):
        lines = [Line(alert, refusals.get(alert.pk, "")) for alert in _alerts(delivery, access)]
        context = {
            "lines": lines,
            "person": person,
            "done": request.method == "POST",
            "waiting": any(line.alert.acknowledged_at is None for line in lines),
        }
        return render(request, "web/acknowledge.html", context)


def _alerts(delivery: Delivery, access: Access) -> list[Alert]:
    rows = Alert.objects.visible_to(access).filter(pk__in=delivery.alerts.values("pk"))
    return list(rows.select_related("asset__site", "acknowledged_by").order_by("-raised_at", "-pk"))


def _take(delivery: Delivery, access: Access) -> dict[int, str]:
    """Acknowledge what nobody has taken yet; return why not, by alert."""
    items = {alert.pk: None for alert in _alerts(delivery, access) if alert.acknowledged_at is None}
    said = Said(COMMENT)
    outcomes = act_on_many(action="acknowledge", items=items, said=said, by=access, now=clock.now()) if items else []
    return {outcome.alert_id: outcome.error.detail for outcome in outcomes if outcome.error}
