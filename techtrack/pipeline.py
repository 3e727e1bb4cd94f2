"""READ FIRST: event -> what follows from it. The only file that joins the parts.

A bearing's vibration climbs. A door of telemetry *receives* it and *stores* the batch in the log; its
position wakes the *judge*, which folds the log through the rules and commits the *alert* together with its
place in the log. In the same transaction the messages that *notify* people are queued, the task to *repair*
it is opened, and the news to *show* it is numbered for open pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.events import SiteZoneChanged, UserDeleting
from techtrack.alerts import jobs as alert_jobs
from techtrack.alerts import queries as alerts
from techtrack.alerts import rulebook
from techtrack.alerts import services as alert_services
from techtrack.alerts.events import (
    AlertChanged,
    AlertRaised,
    AlertReturned,
    AssetHealthChanged,
    HidingChanged,
    PreviewAsked,
    ReadingsJudged,
    RuleChanged,
)
from techtrack.alerts.judge import Judge
from techtrack.assets import queries as asset_queries
from techtrack.assets import services as assets
from techtrack.assets.events import AssetChanged, AssetDeleting, AssetTypeChanged, AssetTypeMade, WhatHolds
from techtrack.core import clock
from techtrack.core.events import after, answer, together
from techtrack.core.jobs import Loop, wake
from techtrack.live import jobs as live_jobs
from techtrack.live import services as live
from techtrack.live.bus import bus
from techtrack.live.events import EventRecorded
from techtrack.live.feeds import LiveEventFeed
from techtrack.live.hub import hub
from techtrack.notifications import jobs as notification_jobs
from techtrack.notifications import services as notifications
from techtrack.notifications.events import DeliveriesQueued
from techtrack.tasks import queries as task_queries
from techtrack.tasks import services as tasks
from techtrack.telemetry import jobs as telemetry_jobs
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.events import SegmentAppended, StoreRunAsked
from techtrack.telemetry.live.feed import ReadingsFeed


def connect() -> None:
    """Say what follows from what; called once at start-up."""
    # receive -> store: a committed batch wakes whoever follows the log.
    after(SegmentAppended, wake("judge"), hub.wake, lambda fact: bus.tell("log", fact.position))
    # judge: where it has passed, assets were seen; what changes the rules or their scope reaches it in order.
    together(ReadingsJudged, lambda fact: assets.mark_seen(newest=fact.newest))
    together(RuleChanged, rulebook.turn_page)
    together(AssetChanged, rulebook.turn_page)
    together(AssetTypeChanged, rulebook.turn_page)
    # A type that begins with a pack gets the pack's rules with it.
    together(AssetTypeMade, _follow_pack)
    after(RuleChanged, wake("judge"), _hint("rules"))
    # hide: what work or a silence explains is looked at again.
    after(HidingChanged, wake("hider"), _hint("hiding"))
    # try: a preview that takes long is made beside.
    after(PreviewAsked, wake("rule lab"), _hint("previews"))
    # alert -> notify: the message is committed with what it tells.
    together(AlertRaised, lambda fact: _queue_messages(fact, "raised"))
    together(AlertReturned, lambda fact: _queue_messages(fact, "returned"))
    after(DeliveriesQueued, wake("sender"), _hint("deliveries"))
    # alert -> repair
    together(AlertRaised, _open_task)
    # -> show
    together(AssetHealthChanged, lambda fact: assets.set_health(asset_id=fact.asset_id, worst=fact.worst))
    together(AlertChanged, _show)
    after(EventRecorded, hub.wake, lambda fact: bus.tell("events", fact.sequence))
    # store -> keep: what is derived of readings is made beside, where it is not made already.
    after(SiteZoneChanged, wake("compactor"))
    after(StoreRunAsked, wake("store runs"))
    # An asset goes: its readings go with it, and who would lose something says so first.
    together(AssetDeleting, lambda fact: tasks.forget_asset(asset_id=fact.asset_id, now=clock.now()))
    together(AssetDeleting, lambda fact: alert_services.forget_asset(asset_id=fact.asset_id))
    # Last: from here on everybody who sends readings waits for the head of the log.
    together(AssetDeleting, lambda fact: telemetry.forget(asset_id=fact.asset_id, now=clock.now()))
    answer(WhatHolds, telemetry.what_we_hold, alerts.what_we_hold, task_queries.what_we_hold)
    # A person goes: work that others need stays with them.
    together(UserDeleting, lambda fact: tasks.forget_person(user_id=fact.user_id, now=clock.now()))
    _show_live()
    # What other processes did: hints, which may be lost; all of these also look without one.
    bus.hear("log", hub.wake, wake("judge"))
    bus.hear("rules", wake("judge"))
    bus.hear("hiding", wake("hider"))
    bus.hear("previews", wake("rule lab"))
    bus.hear("events", hub.wake)
    bus.hear("deliveries", wake("sender"))


def loops() -> list[Loop]:
    """Make the work that goes on beside requests, in this process or in ``techtrack worker``."""
    return [
        Loop("judge", Judge().work, every=0.1, rest=0.02),
        Loop("alert timers", alert_jobs.end_due, every=1.0),
        Loop("hider", alert_jobs.Hider().work, every=1.0),
        Loop("rule lab", alert_jobs.preview_next, every=5.0),
        Loop("compactor", telemetry_jobs.Compactor().work, every=1.0),
        Loop("store runs", telemetry_jobs.run_next, every=5.0),
        Loop("sender", notification_jobs.send_due, every=1.0),
        Loop("live events", live_jobs.forget_old_events, every=3600.0),
    ]


def _hint(topic: str) -> Callable[[object], None]:
    return lambda _: bus.tell(topic, 0)


def _follow_pack(fact: AssetTypeMade) -> None:
    if fact.pack is not None:
        alert_services.follow_pack(type_id=fact.type_id, pack=fact.pack, by=fact.by, now=fact.at)


def _queue_messages(fact: AlertRaised | AlertReturned, event: str) -> None:
    if fact.hidden:
        return
    notifications.enqueue_for_alert(
        alert_id=fact.alert_id, event=event, at=fact.at, now=clock.now(), plant_now=clock.plant_now()
    )


def _open_task(fact: AlertRaised) -> None:
    if fact.open_task is not None and not fact.hidden:
        tasks.open_for_alert(alert_id=fact.alert_id, wish=fact.open_task, now=clock.now())


def _show(fact: AlertChanged) -> None:
    payload = {"type": "alert", "event": fact.event, "alert": alerts.summary(fact.alert_id)}
    live.record(topic=f"sites/{fact.site_id or 0}/alerts", payload=payload, now=clock.now())


def _show_live() -> None:
    hub.register_topic("assets/{asset}/readings", authorise=_may_see_asset, snapshot=None)
    hub.register_topic("sites/{site}/readings", authorise=_may_see_site, snapshot=None)
    hub.register_topic("sites/{site}/alerts", authorise=_may_see_site, snapshot=_open_alerts)
    # Authorised frame by frame: of what all sites tell a subscriber gets that of the sites it may see.
    hub.register_topic("readings", authorise=_anybody, snapshot=None, gathers="sites/{site}/readings")
    hub.register_topic("alerts", authorise=_anybody, snapshot=_open_alerts, gathers="sites/{site}/alerts")
    hub.register_feed(ReadingsFeed())
    hub.register_feed(LiveEventFeed())


def _anybody(access: Access, place: dict[str, str]) -> bool:
    return True


def _may_see_asset(access: Access, place: dict[str, str]) -> bool:
    return bool(asset_queries.resolve(refs=[int(place["asset"])], access=access, role=Role.VIEWER))


def _may_see_site(access: Access, place: dict[str, str]) -> bool:
    return access.only_asset is None and access.allows(Role.VIEWER, int(place["site"]) or None)


def _open_alerts(access: Access, place: dict[str, str]) -> dict[str, Any]:
    return {"alerts": alerts.open_summaries(access, site_id=int(place["site"]) if "site" in place else None)}
