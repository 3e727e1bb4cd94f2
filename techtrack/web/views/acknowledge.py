"""The page behind the link of an e-mail: one button that takes its alerts, without log-in."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Alert, AlertQuerySet
from techtrack.alerts.services import Said, act_on_many
from techtrack.core import clock
from techtrack.notifications.models import Delivery
from techtrack.notifications.services import read_link
from techtrack.web.views.page import zone_of

COMMENT = "by the link of an e-mail"
# A message may be of thousands: as many are shown as the message shows, and they are taken by so many at a time.
MOST_SHOWN, AT_ONCE = 50, 200


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
        alerts = _alerts(delivery, access)
        context = {
            "lines": [Line(alert, refusals.get(alert.pk, "")) for alert in alerts[:MOST_SHOWN]],
            "more": max(0, alerts.count() - MOST_SHOWN),
            "person": person,
            "done": request.method == "POST",
            "waiting": alerts.filter(acknowledged_at=None).exists(),
        }
        return render(request, "web/acknowledge.html", context)


def _alerts(delivery: Delivery, access: Access) -> AlertQuerySet:
    """The alerts of a message that may be seen, first those that nobody has taken."""
    rows = Alert.objects.visible_to(access).filter(pk__in=delivery.alerts.values("pk"))
    waiting = F("acknowledged_at").asc(nulls_first=True)
    return rows.select_related("asset__site", "acknowledged_by").order_by(waiting, "-raised_at", "-pk")


def _take(delivery: Delivery, access: Access) -> dict[int, str]:
    """Acknowledge what nobody has taken yet; return why not, by alert."""
    pks = list(_alerts(delivery, access).filter(acknowledged_at=None).values_list("pk", flat=True))
    refusals: dict[int, str] = {}
    for start in range(0, len(pks), AT_ONCE):
        items = dict.fromkeys(pks[start : start + AT_ONCE])
        outcomes = act_on_many(action="acknowledge", items=items, said=Said(COMMENT), by=access, now=clock.now())
        refusals |= {outcome.alert_id: outcome.error.detail for outcome in outcomes if outcome.error}
    return refusals
