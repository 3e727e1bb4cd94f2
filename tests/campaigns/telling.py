"""The platform's side of a campaign against the outbox: ``python -m tests.campaigns.telling FOLDER`` answers questions.

The senders and the one who reports alerts are roles of nursery.py. All clocks of theirs go faster, so that leases run
out and delays pass; what waits for a gateway is made short in life.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

FOLDER = "TECHTRACK_HOME"
PLAN = "plan.json"
# In life, in seconds: how long a sender waits for a word of the mail server, and for a whole request.
MAIL_TIMEOUT, WEB_TIMEOUT = 1.0, 1.5
# By the fast clock: the longest wait for a message that failed, and of a channel.
LONGEST_DELAY = timedelta(seconds=20)
# Alerts return so many alerts later.
RETURNS_AFTER = 40


def plan_of() -> Any:
    """The plan of the campaign to which this process belongs."""
    from tests.campaigns.telling_plan import Plan  # noqa: PLC0415 - the settings come first

    return Plan.read(Path(os.environ[FOLDER]) / PLAN)


def hasten() -> None:
    """Let the clock of this process go faster."""
    from techtrack.core import clock  # noqa: PLC0415 - the settings come first

    plan, real = plan_of(), clock.now
    began = datetime.fromtimestamp(plan.began, UTC)

    def fast() -> datetime:
        passed: timedelta = real() - began
        return began + passed * plan.pace

    clock.now = fast
    clock.plant_now.follow(fast)


def warm() -> None:
    """Load what otherwise each process would load anew that is forked from this one."""
    import_module("apprise").Apprise.instantiate("ntfy://127.0.0.1/plant")


def find_services() -> None:
    """Let the library find on this machine the services of other people."""
    from tests.campaigns.telling_plan import TWILIO, VONAGE  # noqa: PLC0415 - the settings come first

    ports, plugins = plan_of().services, "apprise.plugins"
    import_module(f"{plugins}.twilio").NotifyTwilio.notify_sms_url = f"http://127.0.0.1:{ports[TWILIO]}/sms"
    import_module(f"{plugins}.vonage").NotifyVonage.notify_url = f"http://127.0.0.1:{ports[VONAGE]}/sms"


def tell() -> None:
    """Run the background loops of a worker until killed."""
    from django.conf import settings  # noqa: PLC0415 - the settings come first

    from techtrack.config import server  # noqa: PLC0415 - as above
    from techtrack.notifications.domain import retry  # noqa: PLC0415 - as above

    hasten()
    find_services()
    settings.EMAIL_TIMEOUT, settings.HTTP_TIMEOUT = MAIL_TIMEOUT, WEB_TIMEOUT
    retry.LONGEST_DELAY = retry.LONGEST_PAUSE = LONGEST_DELAY
    # The tables are there; looking for them at each start would be most of what a campaign does.
    with mock.patch.object(server, "prepare"):
        server.work(metrics_port=None, say=print)


def report(seed: int) -> None:
    """Report the alerts that are not yet there, and say of some that they are over; then wait to be killed."""
    from techtrack.alerts.models import Alert  # noqa: PLC0415 - the settings come first
    from techtrack.assets.models import Asset  # noqa: PLC0415 - as above

    hasten()
    dice, cases = random.Random(seed + os.getpid()), plan_of().cases
    places = {asset.name: asset for asset in Asset.objects.all()}
    there = set(Alert.objects.values_list("title", flat=True))
    for place, case in enumerate(cases):
        if case.mark not in there:
            _raise(case.mark, places[case.gateway])
            time.sleep(dice.uniform(0, 0.01))
        if place >= RETURNS_AFTER:
            _end(cases[place - RETURNS_AFTER])
    for case in cases[-RETURNS_AFTER:]:
        _end(case)
    time.sleep(3600)


def _raise(mark: str, asset: Any) -> None:
    from techtrack.accounts.domain.access import internal  # noqa: PLC0415 - the settings come first
    from techtrack.alerts import services  # noqa: PLC0415 - as above
    from techtrack.core import clock  # noqa: PLC0415 - as above

    services.create_alert(by=internal(), now=clock.now(), data={"asset": asset, "severity": "high", "title": mark})


def _end(case: Any) -> None:
    from techtrack.accounts.domain.access import internal  # noqa: PLC0415 - the settings come first
    from techtrack.alerts import services  # noqa: PLC0415 - as above
    from techtrack.alerts.models import Alert  # noqa: PLC0415 - as above
    from techtrack.core import clock  # noqa: PLC0415 - as above

    alert = Alert.objects.filter(title=case.mark, active=True).first() if case.returns else None
    if alert is not None:
        services.update_alert(alert=alert, by=internal(), changes={"active": False}, expected=None, now=clock.now())


# -- Questions -------------------------------------------------------------------------------------------------


def begin() -> None:
    """Make the tables, and for each gateway a machine, a channel, and a route from one to the other."""
    from django.core.management import call_command  # noqa: PLC0415 - the settings come first

    from techtrack.accounts.domain.access import internal  # noqa: PLC0415 - as above
    from techtrack.core import clock  # noqa: PLC0415 - as above
    from techtrack.notifications import services  # noqa: PLC0415 - as above
    from tests import factories  # noqa: PLC0415 - as above

    call_command("migrate", verbosity=0, interactive=False)
    plan, by, now = plan_of(), internal(), clock.now()
    site = factories.make_site("Plant")
    for one in plan.destinations:
        factories.make_equipment(one.name, tags=[one.name], site=site)
        channel = services.create_channel(
            by=by, data={"name": one.name, "kind": one.kind, "config": one.config}, now=now
        )
        # Two routes lead to what is healthy, and it is told once.
        for _ in range(1 + (one.temper == "healthy")):
            route = {"name": one.name, "tags": [one.name], "channel_ids": [channel.pk]}
            services.create_route(by=by, data=route, now=now)


def state() -> dict[str, Any]:
    """How many alerts there are, active ones apart, what is still to be told, and deliveries by channel and state."""
    from django.db.models import Count  # noqa: PLC0415 - the settings come first

    from techtrack.alerts.models import Alert  # noqa: PLC0415 - as above
    from techtrack.notifications.models import Delivery, Notice  # noqa: PLC0415 - as above

    counts = Delivery.objects.order_by("channel__name", "state").values_list("channel__name", "state")
    rows = list(counts.annotate(count=Count("pk")))
    return {
        "alerts": Alert.objects.count(),
        "active": Alert.objects.filter(active=True).count(),
        "untold": Notice.objects.filter(told_at=None).count(),
        "deliveries": {name: {row[1]: row[2] for row in part} for name, part in groupby(rows, lambda row: row[0])},
    }


def deliveries() -> list[list[Any]]:
    """Every delivery, as telling_verdict.Row."""
    from techtrack.notifications.models import Delivery  # noqa: PLC0415 - the settings come first
    from tests.campaigns.telling_gateways import CASE, OVER  # noqa: PLC0415 - as above

    rows = Delivery.objects.order_by("created_at").select_related("channel")
    told = [(row, f"{row.subject} {row.body} {json.dumps(row.facts)}") for row in rows]
    return [
        [str(row.pk), row.channel.name, row.state, row.attempts, row.error, bool(OVER.search(text)),
         sorted(set(CASE.findall(text)))]
        for row, text in told
    ]  # fmt: skip


def raised() -> dict[str, float]:
    """When each alert was raised, in seconds of UNIX as they are in life."""
    from techtrack.alerts.models import Alert  # noqa: PLC0415 - the settings come first

    plan, rows = plan_of(), Alert.objects.values_list("title", "raised_at")
    return {mark: plan.began + (at.timestamp() - plan.began) / plan.pace for mark, at in rows}


def retry() -> None:
    """Bring every dead letter back."""
    from techtrack.accounts.domain.access import internal  # noqa: PLC0415 - the settings come first
    from techtrack.core import clock  # noqa: PLC0415 - as above
    from techtrack.notifications import services  # noqa: PLC0415 - as above
    from techtrack.notifications.models import Delivery  # noqa: PLC0415 - as above

    services.retry_deliveries(rows=Delivery.objects.all(), by=internal(), now=clock.now())


def main() -> None:
    """Answer the questions on stdin, one a line, with a line of JSON each."""
    import django  # noqa: PLC0415 - the settings come first

    django.setup()
    import_module("techtrack.config.urls")
    hasten()
    for line in sys.stdin:
        print(json.dumps(globals()[line.strip()]()), flush=True)


if __name__ == "__main__":
    main()
