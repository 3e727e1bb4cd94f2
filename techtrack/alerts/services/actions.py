"""What operators and engineers do to alerts: each action is one conditional UPDATE of facts, and one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import User
from techtrack.alerts.domain.terms import parse_escalation, stages_above
from techtrack.alerts.events import AlertAcknowledged
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.news import changed, in_sight
from techtrack.alerts.services.alerts import refuse_stranger
from techtrack.alerts.services.telling import happening, healths, publish
from techtrack.core import clock
from techtrack.core.errors import Conflict, Fault, Invalid, NotFound, Stale, TechTrackError

# What changes whether an alert asks for somebody.
OF_HEALTH = {"shelved", "unshelved", "reset", "out_of_service", "returned_to_service"}
ENGINEERS = {"out-of-service", "return-to-service"}
BROUGHT_BACK = {"unshelved", "returned_to_service", "unacknowledged"}
NOBODY: dict[str, Any] = {"acknowledged_at": None, "acknowledged_by": None, "ack_comment": ""}
UNSHELVED: dict[str, Any] = {"shelved_until": None, "shelved_by": None, "shelve_reason": ""}
IN_SERVICE: dict[str, Any] = {
    "out_of_service_until": None,
    "out_of_service_by": None,
    "out_of_service_reason": "",
}


class AlreadyAcknowledged(Conflict):
    """Somebody else has already taken this alert."""

    code = "alert_already_acknowledged"


class NotAcknowledged(Conflict):
    """There is no acknowledgement to take back."""

    code = "alert_not_acknowledged"


class AlertOver(Conflict):
    """The alert is closed; what comes is another one."""

    code = "alert_over"


class AlreadyShelved(Conflict):
    """Somebody has put it aside before."""

    code = "alert_already_shelved"


class NotShelved(Conflict):
    """It is not put aside, or no longer."""

    code = "alert_not_shelved"


class StillActive(Conflict):
    """Only what has returned can be reset."""

    code = "alert_active"


class NotLatched(Conflict):
    """It was reset before, or its rule demands no reset."""

    code = "alert_not_latched"


class AlreadyAssigned(Conflict):
    """It is this person's already."""

    code = "alert_already_assigned"


class AlreadyOutOfService(Conflict):
    """An engineer has taken it out of service before."""

    code = "alert_already_out_of_service"


class InService(Conflict):
    """It is in service, or again."""

    code = "alert_in_service"


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says with an action: reason or comment, until when (told at ``place``), who is to do it."""

    comment: str = ""
    until: datetime | None = None
    assignee: User | None = None
    place: str = "/until"


@dataclass(frozen=True, slots=True)
class Deed:
    """An action on an alert: what must be so, what it then writes, and what the refusal says where it is not so."""

    kind: str
    where: Q
    writes: dict[str, Any]
    refusal: tuple[type[Conflict], str]
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item of a bulk action: the alert as it is now, or why nothing was done."""

    alert_id: int
    alert: Alert | None = None
    error: TechTrackError | None = None


@transaction.atomic
def act(*, alert: Alert, action: str, said: Said, by: Access, expected: int | None, now: datetime) -> Alert:
    """Do one of ACTIONS to an alert, if it still has version ``expected`` (None: whatever it has).

    Raises:
        Conflict: the facts do not allow it, or it is so already; the detail says since when and by whom.
        Invalid: what the action needs was not said.
        Stale: somebody else was faster.

    """
    held = _hold(alert.pk)
    if not held:
        raise NotFound("it is gone")
    deed = _do(held[0], action, said, by, expected, now)
    return _tell([(held[0], deed)], said, by, now)[alert.pk]


def acknowledge_alert(*, alert: Alert, by: Access, comment: str, now: datetime) -> Alert:
    """Record that ``by`` has taken the alert; one that has returned before (and is reset) is closed by it.

    Raises:
        AlreadyAcknowledged: it was taken before; the detail says by whom.

    """
    return act(alert=alert, action="acknowledge", said=Said(comment), by=by, expected=None, now=now)


@transaction.atomic
def act_on_many(
    *, action: str, items: Mapping[int, int | None], said: Said, by: Access, now: datetime
) -> list[Outcome]:
    """Do one of ACTIONS to the alerts ``{id: expected version or None}``; one that fails hinders no other."""
    # All rows first and in one order, as the judge takes them, and live events last: so nobody deadlocks.
    held = {alert.pk: alert for alert in _hold(*items, by=by)}
    errors: dict[int, TechTrackError] = {}
    done: list[tuple[Alert, Deed]] = []
    for pk, expected in items.items():
        try:
            with transaction.atomic():
                if pk not in held:
                    raise NotFound(f"there is no alert {pk} that you may see")
                done.append((held[pk], _do(held[pk], action, said, by, expected, now)))
        except TechTrackError as error:
            errors[pk] = error
    alerts = _tell(done, said, by, now)
    return [Outcome(pk, alert=alerts.get(pk), error=errors.get(pk)) for pk in items]


def _hold(*ids: int, by: Access | None = None) -> list[Alert]:
    rows = Alert.objects.all() if by is None else Alert.objects.visible_to(by)
    rows = rows.select_related("asset", "rule").filter(pk__in=ids).order_by("pk")
    # Held until commit, so that what is told as the state before is that.
    return list(rows.select_for_update(of=("self",), no_key=True))


def _do(before: Alert, action: str, said: Said, by: Access, expected: int | None, now: datetime) -> Deed:
    by.require(Role.ENGINEER if action in ENGINEERS else Role.OPERATOR, before.asset.site_id)
    deed = ACTIONS[action](before, said, by, now)
    rows = Alert.objects.filter(pk=before.pk)
    if expected is not None:
        rows = rows.filter(version=expected)
    # The database decides between two who press the button at once: the second finds the facts changed.
    if not rows.filter(deed.where).update(**deed.writes, version=F("version") + 1, updated_at=now):
        raise _refusal(before, deed, expected)
    return deed


def _tell(done: Sequence[tuple[Alert, Deed]], said: Said, by: Access, now: datetime) -> dict[int, Alert]:
    """Write the event of each deed and publish the news; return the alerts as they are now."""
    pks = [before.pk for before, _ in done]
    alerts = {alert.pk: alert for alert in Alert.objects.select_related("asset").filter(pk__in=pks)}
    rows, facts = [], list[object]()
    for before, deed in done:
        alert, state, evidence = alerts[before.pk], before.state, deed.evidence
        rows.append(happening(alert, deed.kind, by=by, now=now, before=state, comment=said.comment, evidence=evidence))
        facts.append(changed(alert, deed.kind))
        if deed.kind == "acknowledged":
            facts.append(AlertAcknowledged(alert_id=alert.pk, by_id=by.user_id, at=now))
        if deed.kind in BROUGHT_BACK:
            facts += in_sight(alert, now)
    AlertEvent.objects.bulk_create(rows)
    publish([*healths(alerts[before.pk] for before, deed in done if deed.kind in OF_HEALTH), *facts])
    return alerts


def _refusal(alert: Alert, deed: Deed, expected: int | None) -> Conflict:
    if expected is not None and expected != alert.version:
        return Stale("it was changed by somebody else since you read it")
    kind, what = deed.refusal
    text, told = f"alert {alert.pk} {what}", deed.kind.replace("_", " ")
    last = AlertEvent.objects.filter(alert=alert, kind=deed.kind).select_related("actor").last()
    if last is None or kind in {AlertOver, StillActive}:
        return kind(text)
    who = last.actor.username if last.actor else "the platform, or somebody who is gone"
    whose = f"by {who} at {clock.isoformat(last.recorded_at)}"
    return kind(f"{text} {whose}" if text.endswith(told) else f"{text} ({told} {whose})")


def _is(condition: Q) -> ExpressionWrapper:
    return ExpressionWrapper(condition, output_field=BooleanField())


def _by(by: Access) -> int | None:
    return by.user_id or None


# -- Each action ----------------------------------------------------------------------------------------------


def _acknowledge(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    writes = {
        "acknowledged_at": now,
        "acknowledged_by": _by(by),
        "ack_comment": said.comment,
        # In the same statement it looks whether the alert is still active: the judge may return it at this moment.
        "is_open": _is(Q(active=True) | Q(latched=True)),
        "escalates_at": None,
    }
    refusal = AlreadyAcknowledged, "was already acknowledged"
    return Deed("acknowledged", Q(acknowledged_at=None), writes, refusal)


def _unacknowledge(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    taken = Q(acknowledged_at__isnull=False, is_open=True)
    refusal = (NotAcknowledged, "is not acknowledged") if alert.is_open else (AlertOver, "is over")
    who = {"acknowledged_by": alert.acknowledged_by_id}
    return Deed("unacknowledged", taken, NOBODY | {"escalates_at": _escalates_at(alert, now)}, refusal, who)


def _escalates_at(alert: Alert, now: datetime) -> datetime | None:
    if not alert.active or alert.rule is None:
        return None
    waiting = stages_above(parse_escalation(alert.rule.escalation), alert.severity)
    return now + waiting[0].after if waiting else None


def _shelve(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    until = _bounded(said, now, timedelta(hours=settings.SHELVE_HOURS))
    writes = {"shelved_until": until, "shelved_by": _by(by), "shelve_reason": said.comment}
    refusal = (AlreadyShelved, "is already shelved") if alert.is_open else (AlertOver, "is over")
    return Deed("shelved", Q(shelved_until=None, is_open=True), writes, refusal, {"until": clock.isoformat(until)})


def _unshelve(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    return Deed("unshelved", Q(shelved_until__isnull=False), UNSHELVED, (NotShelved, "is not shelved"))


def _reset(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    writes = {"latched": False, "is_open": _is(Q(acknowledged_at=None))}
    refusal = (StillActive, "is active: it has not returned") if alert.active else (NotLatched, "is not latched")
    return Deed("reset", Q(active=False, latched=True), writes, refusal)


def _assign(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    if said.assignee != alert.assignee:
        refuse_stranger(said.assignee, alert.asset)
    other = Q(assignee__isnull=False) if said.assignee is None else ~Q(assignee=said.assignee)
    whose = {"before": {"assignee": alert.assignee_id}, "after": {"assignee": said.assignee and said.assignee.pk}}
    told = f"is {said.assignee.username}'s already" if said.assignee else "is nobody's already"
    return Deed("assigned", other, {"assignee": said.assignee}, (AlreadyAssigned, told), whose)


def _comment(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    _demand(said.comment, "/comment")
    return Deed("commented", Q(), {}, (Conflict, "takes no comment"))


def _out_of_service(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    until = _bounded(said, now, timedelta(days=settings.OUT_OF_SERVICE_DAYS))
    writes = {"out_of_service_until": until, "out_of_service_by": _by(by), "out_of_service_reason": said.comment}
    refusal = AlreadyOutOfService, "is already out of service"
    told = {"until": clock.isoformat(until)}
    return Deed("out_of_service", Q(out_of_service_until=None), writes, refusal, told)


def _return_to_service(alert: Alert, said: Said, by: Access, now: datetime) -> Deed:
    out = Q(out_of_service_until__isnull=False)
    return Deed("returned_to_service", out, IN_SERVICE, (InService, "is in service"))


def _bounded(said: Said, now: datetime, longest: timedelta) -> datetime:
    """Return until when something is put aside for a reason that was given."""
    _demand(said.comment, "/reason")
    if said.until is None:
        raise Invalid("until when is required", faults=[Fault("/until", "required", "until or duration is required")])
    if not now < said.until <= now + longest:
        raise Invalid(f"this lasts up to {clock.iso_duration(longest)} from now, and not nothing", pointer=said.place)
    return said.until


def _demand(text: str, pointer: str) -> None:
    if not text.strip():
        raise Invalid("this is required", faults=[Fault(pointer, "required", "this is required")])


ACTIONS: dict[str, Callable[[Alert, Said, Access, datetime], Deed]] = {
    "acknowledge": _acknowledge,
    "unacknowledge": _unacknowledge,
    "shelve": _shelve,
    "unshelve": _unshelve,
    "reset": _reset,
    "assign": _assign,
    "comment": _comment,
    "out-of-service": _out_of_service,
    "return-to-service": _return_to_service,
}
