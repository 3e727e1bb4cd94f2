"""A day on which alerts happen and are told of, minute by minute."""

from __future__ import annotations

from datetime import timedelta

from techtrack.alerts.models import Alert
from techtrack.notifications import jobs, services
from techtrack.notifications.models import Delivery
from tests import factories

NOW = factories.NOW
MINUTE = timedelta(minutes=1)


class Day:
    """A day on which alerts happen and the teller looks: each step says what was written at that minute."""

    def __init__(self) -> None:
        self.now = NOW

    def happens(self, alert, event="raised"):
        alert.refresh_from_db()
        services.enqueue_for_alert(alert_id=alert.pk, event=event, at=self.now, now=self.now, plant_now=self.now)

    def returns(self, alert):
        Alert.objects.filter(pk=alert.pk).update(active=False, returned_at=self.now)
        self.happens(alert, "returned")

    def at(self, minutes):
        """Let the teller look so many minutes after the beginning."""
        self.now = NOW + minutes * MINUTE
        return self.told()

    def told(self):
        """What is written now: channel, event and the titles, of each new message."""
        before = set(Delivery.objects.values_list("pk", flat=True))
        while jobs.tell(now=self.now):
            pass
        rows = Delivery.objects.exclude(pk__in=before).select_related("channel")
        return sorted(
            (row.channel.name, row.event, *sorted(row.alerts.values_list("title", flat=True))) for row in rows
        )
