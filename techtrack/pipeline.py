"""READ FIRST: event -> what follows from it. The only file that joins the parts.

A bearing's vibration climbs. A door of telemetry *receives* it and *stores* the batch in the log; its
position wakes the *judge*, which folds the log through the rules and commits the *alert* together with its
place in the log. In the same transaction the messages that *notify* people are queued, the task to *repair*
it is opened, and the news to *show* it is numbered for open pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings

from techtrack.accounts import jobs as account_jobs
from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.events import (
    AuditNoted,
    LetterOwed,
    LoggedOut,
    PersonalDataAsked,
    RolesChanged,
    SessionsEnded,
    SiteDeleting,
    SiteZoneChanged,
    TokenReused,
    UserDeleting,
)
from techtrack.accounts.services import audit
from techtrack.accounts.services.audit_reading import told_of_person
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
    ReferencesAsked,
    RuleChanged,
)
from techtrack.alerts.judge import Judge
from techtrack.alerts.live import shown as alert_news
from techtrack.alerts.live.frames import AlertFrame, AlertsShown
from techtrack.alerts.queries.people import personal_data as alerts_of_people
from techtrack.assets import queries as asset_queries
from techtrack.assets import services as assets
from techtrack.assets.events import (
    AssetChanged,
    AssetDeleting,
    AssetMoving,
    AssetTypeChanged,
    AssetTypeMade,
    ParametersRegistered,
    WhatHolds,
)
from techtrack.core import clock
from techtrack.core.auditing import Changed, Denied, SecurityFact
from techtrack.core.events import after, answer, in_one, together
from techtrack.core.jobs import Loop, wake
from techtrack.core.writes import writes
from techtrack.environment import jobs as environment_jobs
from techtrack.environment import queries as environment
from techtrack.environment.screening import Screen
from techtrack.integrations import jobs as integration_jobs
from techtrack.integrations import services as integrations
from techtrack.live import jobs as live_jobs
from techtrack.live import services as live
from techtrack.live.bus import bus
from techtrack.live.events import EventRecorded
from techtrack.live.feeds import LiveEventFeed
from techtrack.live.hub import hub
from techtrack.live.topics import Forms, Topic
from techtrack.notifications import jobs as notification_jobs
from techtrack.notifications import queries as notification_queries
from techtrack.notifications import services as notifications
from techtrack.notifications.events import DeliveriesQueued, DeliveryChanged, LetterAsked, NoticesWritten
from techtrack.notifications.live import shown as delivery_news
from techtrack.notifications.live.forgetting import forget_person
from techtrack.notifications.live.frames import DeliveriesShown, DeliveryFrame
from techtrack.reports import queries as report_queries
from techtrack.reports import services as reports
from techtrack.tasks import jobs as task_jobs
from techtrack.tasks import queries as task_queries
from techtrack.tasks import services as tasks
from techtrack.tasks.events import (
    CommentChanged,
    PeopleMentioned,
    PlanChanged,
    ProofEnded,
    ReminderDue,
    TaskChanged,
)
from techtrack.tasks.live import shown as task_news
from techtrack.tasks.live.frames import TaskFrame, TaskGoneFrame, TasksShown
from techtrack.tasks.live.talk import CommentFrame, MentionFrame, ReminderFrame
from techtrack.telemetry import jobs as telemetry_jobs
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.events import SegmentAppended, StoreRunAsked
from techtrack.telemetry.live.feed import ReadingsFeed
from techtrack.telemetry.live.frames import ReadingFrame
from techtrack.telemetry.queries.people import personal_data as readings_of_people
from techtrack.watch import jobs as watch_jobs

# What they say of a caller may have been remembered.
CREDENTIALS = frozenset({"user", "api-key"})
# Which loop looks at what another process hints at.
HEARD = {"rules": "judge", "hiding": "hider", "previews": "rule lab", "notices": "teller", "deliveries": "sender"}


def connect() -> None:
    """Say what follows from what; called once at start-up."""
    # receive -> store: a committed batch wakes whoever follows the log.
    after(SegmentAppended, wake("judge"), hub.wake, lambda fact: bus.tell("log", fact.position))
    # judge: where it has passed, assets were seen; what changes the rules or their scope reaches it in order.
    together(ReadingsJudged, lambda fact: assets.mark_seen(newest=fact.newest, ahead=fact.ahead))
    together(RuleChanged, rulebook.turn_page)
    together(AssetChanged, rulebook.follow_asset)
    together(AssetTypeChanged, rulebook.follow_type)
    together(Changed, rulebook.follow_declared)
    together(ParametersRegistered, rulebook.follow_units)
    answer(ReferencesAsked, lambda asked: environment.references_of(asked.assets))
    # It stands at another site: units that need no key ask first; who may see what is about it, sees that now.
    together(AssetMoving, integrations.follow_move)
    together(AssetChanged, _follow_move)
    # A type that begins with a pack gets the pack's rules and plans with it.
    together(AssetTypeMade, _follow_pack)
    after(RuleChanged, wake("judge"), _hint("rules"))
    # hide: what work or a silence explains is looked at again.
    after(HidingChanged, wake("hider"), _hint("hiding"))
    # try: a preview that takes long is made beside.
    after(PreviewAsked, wake("rule lab"), _hint("previews"))
    # alert -> notify: the message is committed with what it tells.
    together(AlertRaised, lambda fact: _queue_messages(fact, "raised"))
    together(AlertReturned, lambda fact: _queue_messages(fact, "returned"))
    together(AlertChanged, _queue_rise)
    # account -> its person: a letter is queued with what it is about.
    together(LetterOwed, lambda fact: notifications.owe_letter(fact, now=clock.now()))
    after(NoticesWritten, wake("teller"), _hint("notices"))
    after(DeliveriesQueued, wake("sender"), _hint("deliveries"))
    _repair()
    # -> show
    together(AssetHealthChanged, lambda fact: assets.set_health(asset_id=fact.asset_id, worst=fact.worst))
    in_one(AlertChanged, _shows(alert_news.of_alerts))
    in_one(TaskChanged, _shows(task_news.of_tasks), lambda facts: tasks.number_changes(facts=facts, now=clock.now()))
    in_one(CommentChanged, _shows(task_news.of_comments))
    in_one(PeopleMentioned, _shows(task_news.of_mentions))
    in_one(ReminderDue, _shows(task_news.of_reminders))
    in_one(DeliveryChanged, _shows(delivery_news.of_deliveries))
    after(EventRecorded, hub.wake, lambda fact: bus.tell("events", fact.sequence))
    # store -> keep: what is derived of readings is made beside, where it is not made already.
    after(SiteZoneChanged, wake("compactor"))
    after(StoreRunAsked, wake("store runs"))
    _let_go()
    # Somebody may do less, or more: what is remembered of callers ends, in every process.
    for ended in (LoggedOut, RolesChanged, SessionsEnded, TokenReused):
        after(ended, _forget_callers)
    after(Changed, lambda fact: _forget_callers(fact) if fact.object_type in CREDENTIALS else None)
    # A person asks what is stored of the own self.
    answer(PersonalDataAsked, notification_queries.personal_data, alerts_of_people, readings_of_people)
    answer(PersonalDataAsked, task_queries.personal_data, task_queries.personal_talk, task_queries.personal_upkeep)
    answer(PersonalDataAsked, report_queries.personal_data, lambda asked: [("audit", told_of_person(asked.user_id))])
    _record()
    _show_live()
    _hear()


def _repair() -> None:
    # alert -> repair
    together(AlertRaised, _open_task)
    # A plan, an alert, work that is done: who plans and who proves look at once.
    after(PlanChanged, wake("planner"), wake("counter"), _hint("work"))
    after(AlertRaised, wake("planner"))
    after(AssetChanged, wake("plans"))
    after(TaskChanged, wake("planner"), wake("prover"), _hint("work"))
    # work -> its people: letters about it are queued with their cause; what they say is asked when they are sent.
    together(PeopleMentioned, lambda fact: _write_to(fact.people, task_queries.MENTION, fact.comment_id))
    together(ReminderDue, lambda fact: _write_to(fact.people, task_queries.REMINDER, fact.task_id))
    together(ProofEnded, _tell_refuted)
    answer(LetterAsked, task_queries.letter)


def loops() -> list[Loop]:
    """Make the work that goes on beside requests, in this process or in ``techtrack worker``."""
    return [
        Loop("judge", Judge(Screen().sound).work, every=0.1, rest=0.02),
        Loop("quality control", environment_jobs.QualityControl().work, every=1.0, rest=0.1),
        Loop("neighbours", environment_jobs.compare_neighbours, every=60.0),
        Loop("alert timers", alert_jobs.end_due, every=1.0),
        Loop("hider", alert_jobs.Hider().work, every=1.0),
        Loop("rule lab", alert_jobs.preview_next, every=5.0),
        Loop("compactor", telemetry_jobs.Compactor().work, every=1.0),
        Loop("store runs", telemetry_jobs.run_next, every=5.0),
        Loop("teller", notification_jobs.tell_due, every=1.0),
        Loop("sender", notification_jobs.send_due, every=1.0),
        Loop("old messages", notification_jobs.forget_old, every=3600.0),
        Loop("old guesses", account_jobs.forget_old_guesses, every=3600.0),
        Loop("live events", live_jobs.forget_old_events, every=3600.0),
        Loop("audit sealer", account_jobs.seal_audit_log, every=2.0, rest=0.1),
        Loop("old audit entries", account_jobs.forget_old_entries, every=3600.0),
        Loop("deleted tasks", task_jobs.forget_deleted, every=3600.0),
        Loop("reminders", task_jobs.remind_due, every=1.0),
        Loop("planner", task_jobs.plan_work, every=5.0, rest=0.2),
        Loop("plans", task_jobs.reconcile_plans, every=300.0, rest=1.0),
        Loop("counter", task_jobs.count_use, every=10.0),
        Loop("prover", task_jobs.prove_repairs, every=2.0, rest=0.2),
        Loop("loose files", task_jobs.collect_files, every=3600.0),
        Loop("old rejections", integration_jobs.forget_rejected, every=3600.0),
        Loop("forgotten clocks", task_jobs.stop_clocks, every=600.0),
    ]


def watchers(*, works: bool, serves: bool) -> list[Loop]:
    """Make what every process does to see that all are at work: a dead one cannot tell of itself."""
    if not settings.WATCH_SECONDS:
        return []
    every = settings.WATCH_SECONDS
    pulse = watch_jobs.Pulse("both" if works and serves else "worker" if works else "web")
    watch = watch_jobs.Watch()
    found = [
        Loop("pulse", pulse.beat, every=every * 2 / 3, last=pulse.end),
        Loop("watch", watch.look, every=every),
        # Where nobody sends, whoever is left gets the messages out.
        Loop("stand-in teller", lambda: watch.stand_in(notification_jobs.tell_due), every=1.0),
        Loop("stand-in sender", lambda: watch.stand_in(notification_jobs.send_due), every=1.0),
    ]
    if works and settings.DEADMAN_URL:
        found.append(Loop("dead man", watch_jobs.DeadMan(settings.DEADMAN_URL).work, every=min(every, 60.0)))
    return found


def _let_go() -> None:
    # An asset goes: its readings go with it, and who would lose something says so first.
    together(AssetDeleting, lambda fact: tasks.forget_asset(asset_id=fact.asset_id, now=clock.now()))
    together(AssetDeleting, lambda fact: alert_services.forget_asset(asset_id=fact.asset_id))
    # Last: from here on everybody who sends readings waits for the head of the log.
    together(AssetDeleting, lambda fact: telemetry.forget(asset_id=fact.asset_id, now=clock.now()))
    answer(WhatHolds, telemetry.what_we_hold, alerts.what_we_hold, task_queries.what_we_hold, task_queries.kept_up)
    # A site goes: first what tells people there, for which tellers are waited for; what its rules alone judged is over.
    together(SiteDeleting, lambda fact: notifications.forget_site(site_id=fact.site_id))
    together(SiteDeleting, lambda fact: alert_services.forget_site(site_id=fact.site_id, now=clock.now()))
    # A person goes: work that others need stays with them.
    together(UserDeleting, lambda fact: notifications.forget_person(user_id=fact.user_id))
    together(UserDeleting, lambda fact: tasks.forget_person(user_id=fact.user_id, now=clock.now()))
    together(UserDeleting, lambda fact: reports.forget_person(user_id=fact.user_id))
    together(UserDeleting, lambda fact: forget_person(fact.user_id))
    together(UserDeleting, lambda fact: audit.forget_person_in_audit(user_id=fact.user_id, now=clock.now()))


def _record() -> None:
    # Whatever people configure, and whatever happens to their way in, is recorded with it.
    together(Changed, lambda fact: audit.note_change(fact=fact, now=clock.now()))
    for fact in SecurityFact.__subclasses__():
        together(fact, lambda fact: audit.note_security(fact=fact, now=clock.now()))
    after(Denied, lambda fact: audit.note_denied(fact=fact, now=clock.now()))
    after(AuditNoted, wake("audit sealer"))


def _hear() -> None:
    # What other processes did: hints, which may be lost; all of these also look without one.
    bus.hear("log", hub.wake, wake("judge"))
    for topic, loop in HEARD.items():
        bus.hear(topic, wake(loop))
    bus.hear("events", hub.wake)
    bus.hear("work", wake("planner"), wake("prover"))
    bus.hear("callers", lambda _: writes.tell())


def _forget_callers(_: object) -> None:
    writes.tell()
    bus.tell("callers", 0)


def _hint(topic: str) -> Callable[[object], None]:
    return lambda _: bus.tell(topic, 0)


def _follow_pack(fact: AssetTypeMade) -> None:
    if fact.pack is not None:
        alert_services.follow_pack(type_id=fact.type_id, pack=fact.pack, by=fact.by, now=fact.at)
        # Behind them: plans name the rules of their pack.
        tasks.follow_pack(type_id=fact.type_id, pack=fact.pack, by=fact.by, now=fact.at)


def _follow_move(fact: AssetChanged) -> None:
    if fact.left is not None:
        alert_services.follow_asset(asset_id=fact.asset_id, left=fact.left)
        tasks.follow_asset(asset_id=fact.asset_id, left=fact.left)


def _queue_messages(fact: AlertRaised | AlertReturned, event: str) -> None:
    if fact.hidden:
        return
    notifications.enqueue_for_alert(
        alert_id=fact.alert_id, event=event, at=fact.at, now=clock.now(), plant_now=clock.plant_now()
    )


def _queue_rise(fact: AlertChanged) -> None:
    if fact.event == "severity_changed":
        now = clock.plant_now()
        notifications.enqueue_for_alert(
            alert_id=fact.alert_id, event=fact.event, at=now, now=clock.now(), plant_now=now
        )


def _write_to(people: Sequence[int], kind: str, pk: int) -> None:
    notifications.owe_notes(kind=kind, people=people, about={"id": pk}, now=clock.now())


def _tell_refuted(fact: ProofEnded) -> None:
    if fact.phase == "refuted" and fact.people:
        _write_to(fact.people, task_queries.REOPENED, fact.task_id)


def _open_task(fact: AlertRaised) -> None:
    if fact.open_task is not None and not fact.hidden:
        tasks.open_for_alert(alert_id=fact.alert_id, wish=fact.open_task, now=clock.now())


def _shows(make: Callable[[Any], list[tuple[list[str], dict[str, Any]]]]) -> Callable[[Any], None]:
    """Return what tells open pages what ``make`` makes of facts, where it makes anything."""

    def show(facts: Any) -> None:
        if told := make(facts):
            live.record_all(told=told, now=clock.now())

    return show


def _show_live() -> None:
    reading, alert = Forms((ReadingFrame,)), Forms((AlertFrame,), AlertsShown)
    work, delivery = (TaskFrame, TaskGoneFrame, CommentFrame), Forms((DeliveryFrame,), DeliveriesShown)
    task, own_task = Forms(work, TasksShown), Forms((*work, MentionFrame, ReminderFrame), TasksShown)
    for topic in (
        Topic("assets/{asset}/readings", _may_see_asset, forms=reading),
        Topic("sites/{site}/readings", _may_see_site, forms=reading),
        Topic("sites/{site}/alerts", _may_see_site, _open_alerts, forms=alert),
        Topic("sites/{site}/tasks", _may_see_site, _unfinished_tasks, forms=task),
        Topic("users/{user}/tasks", _is_this_person, _unfinished_tasks, forms=own_task),
        Topic("sites/{site}/deliveries", _operates_site, _unsent, forms=delivery),
        Topic("users/{user}/deliveries", _is_this_person, _unsent, forms=delivery),
        # Authorised frame by frame: of what all sites tell a subscriber gets that of the sites it may see.
        Topic("readings", _anybody, gathers=("sites/{site}/readings",), forms=reading),
        Topic("alerts", _anybody, _open_alerts, gathers=("sites/{site}/alerts",), forms=alert),
        Topic("tasks", _of_no_asset, _unfinished_tasks, gathers=_of_both("tasks"), forms=own_task),
        Topic("deliveries", _of_no_asset, _unsent, gathers=_of_both("deliveries"), forms=delivery),
    ):
        hub.topics.register(topic)
    hub.register_feed(ReadingsFeed())
    hub.register_feed(LiveEventFeed())


def _of_both(what: str) -> tuple[str, str]:
    return f"users/{{user}}/{what}", f"sites/{{site}}/{what}"


def _anybody(access: Access, place: dict[str, str]) -> bool:
    return True


def _may_see_asset(access: Access, place: dict[str, str]) -> bool:
    return bool(asset_queries.resolve(refs=[int(place["asset"])], access=access, role=Role.VIEWER))


def _may_see_site(access: Access, place: dict[str, str]) -> bool:
    return access.only_asset is None and access.allows(Role.VIEWER, int(place["site"]) or None)


def _open_alerts(access: Access, place: dict[str, str]) -> dict[str, Any]:
    return {"alerts": alerts.open_summaries(access, site_id=int(place["site"]) if "site" in place else None)}


def _of_no_asset(access: Access, place: dict[str, str]) -> bool:
    return access.only_asset is None


def _is_this_person(access: Access, place: dict[str, str]) -> bool:
    return access.user_id == int(place["user"]) and access.only_asset is None and access.only_site is None


def _operates_site(access: Access, place: dict[str, str]) -> bool:
    return access.only_asset is None and access.allows(Role.OPERATOR, int(place["site"]) or None)


def _unfinished_tasks(access: Access, place: dict[str, str]) -> dict[str, Any]:
    return {"tasks": task_queries.unfinished_summaries(access, **_ids(place))}


def _unsent(access: Access, place: dict[str, str]) -> dict[str, Any]:
    return {"deliveries": delivery_news.unsent_summaries(access, **_ids(place))}


def _ids(place: dict[str, str]) -> dict[str, int]:
    return {f"{name}_id": int(text) for name, text in place.items()}
