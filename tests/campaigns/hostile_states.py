"""The state of things in which an operation succeeds, where that is more than that its objects are there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from techtrack.accounts import services as accounts
from techtrack.accounts.domain import codes, credentials
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Invitation, InvitedRole, SecondFactor, User
from techtrack.accounts.services import links
from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.reports.models import AirReport
from techtrack.tasks.models import CalendarFeed, Task, TaskLink
from tests import factories
from tests.forms import Form

# Of a link to a task.
KEY = "known-to-nobody-else"
LATER = factories.NOW + timedelta(days=3650)
NEW_PASSWORD = "another one, long enough"

# What a scene gives is the body to send; None where the usual one will do.
Scene = Callable[[Any], Any]


def _alert(**change: Any) -> Scene:
    def scene(world: Any) -> None:
        Alert.objects.filter(pk=world.alert).update(**change)

    return scene


def _session(user: User) -> Any:
    return accounts.start_session(user=user, address="127.0.0.1", device="test", now=clock.now())


def _factor(user_id: int, *, confirmed: bool = True) -> str:
    seed, now = codes.new_seed(), clock.now()
    sealed = accounts.second_factor.seal(seed)
    SecondFactor.objects.create(user_id=user_id, sealed=sealed, made_at=now, confirmed_at=now if confirmed else None)
    return seed


def _confirm_factor(world: Any) -> dict[str, str]:
    return {"otp": codes.code_at(_factor(world.adam.pk, confirmed=False), clock.now())}


def _own_factor(world: Any) -> None:
    _factor(world.adam.pk)


def _their_factor(world: Any) -> None:
    _factor(world.colleague)


def _verification(world: Any) -> dict[str, str]:
    facts = {"user": world.adam.pk, "to": links.mark_of(world.adam.email)}
    return {"key": links.written(links.VERIFY, facts, until=LATER)}


def _unverified(world: Any) -> None:
    User.objects.filter(pk=world.adam.pk).update(email_verified_at=None)


def _reset(world: Any) -> dict[str, str]:
    facts = {"user": world.adam.pk, "state": links.state_of(User.objects.get(pk=world.adam.pk))}
    return {"key": links.written(links.RESET, facts, until=LATER), "password": NEW_PASSWORD}


def _invited(world: Any) -> dict[str, str]:
    found = Invitation.objects.get(pk=world.ids["invitations"])
    facts = {"invitation": found.pk, "to": links.mark_of(found.email)}
    return {"key": links.written(links.INVITE, facts, until=LATER)}


def _clock_runs(world: Any) -> None:
    factories.make_time(Task.objects.get(pk=world.ids["tasks"]), world.adam, ended_at=None)


def _calendar(world: Any) -> None:
    """A key that opens something is known to nobody else: it is asked for by ``query``."""
    CalendarFeed.objects.filter(pk=world.ids["calendar-feeds"]).update(digest=credentials.digest("known"))


def _linked(world: Any) -> None:
    """The key of a link is known to nobody else either."""
    TaskLink.objects.filter(pk=world.ids["tasks/links"]).update(digest=credentials.digest(KEY), expires_at=LATER)


def _deleted(world: Any) -> None:
    Task.objects.filter(pk=world.ids["tasks"]).update(deleted_at=factories.NOW)


def _another_admin(world: Any) -> dict[str, str]:
    factories.make_user("ada", role=Role.ADMIN)
    return {"password": factories.PASSWORD}


def _empty_site(world: Any) -> None:
    world.ids["sites"] = factories.make_site("Empty").pk


def _read_report(world: Any) -> dict[str, str]:
    """The report is signed as it was read."""
    return {"checksum": AirReport.objects.get(pk=world.ids["reports/air-quality"]).checksum}


def make_invitation(by: User, site: Any) -> int:
    """An open invitation; returns its id."""
    times = factories.STAMPS | {"expires_at": LATER}
    made = Invitation.objects.create(email="guest@example.org", invited_by=by, **times)
    InvitedRole.objects.create(invitation=made, site=site, role=Role.VIEWER)
    return int(made.pk)


def _found(world: Any) -> None:
    """The task is about an alert of a rule."""
    Task.objects.filter(pk=world.ids["tasks"]).update(alert=world.alert)


SCENES: dict[str, Scene] = {
    "PUT /api/tasks/{task_id}/verification/": _found,
    "POST /api/alerts/{id}/unacknowledge/": _alert(acknowledged_at=factories.NOW),
    "POST /api/alerts/{id}/unshelve/": _alert(shelved_until=LATER),
    "POST /api/alerts/{id}/return-to-service/": _alert(out_of_service_until=LATER),
    "POST /api/alerts/{id}/reset/": _alert(
        latched=True, active=False, returned_at=factories.NOW, acknowledged_at=factories.NOW
    ),
    "POST /api/tasks/{task_id}/time/stop/": _clock_runs,
    "GET /api/tasks/calendar.ics": _calendar,
    "GET /api/shared/tasks/{key}/": _linked,
    "POST /api/tasks/{id}/restore/": _deleted,
    "POST /api/tasks/{task_id}/attachments/": lambda _: Form(file=["note.txt", "words", "text/plain"]),
    "POST /api/token/refresh/": lambda world: {"refresh": _session(world.adam).refresh},
    "POST /api/accounts/logout/": lambda world: {"refresh": _session(world.adam).refresh},
    "POST /api/token/verify/": lambda world: {"token": _session(world.adam).access},
    "POST /api/accounts/second-factor/confirm/": _confirm_factor,
    "POST /api/accounts/second-factor/recovery-codes/": _own_factor,
    "DELETE /api/accounts/second-factor/": _own_factor,
    "DELETE /api/users/{id}/second-factor/": _their_factor,
    "POST /api/accounts/verify/": _verification,
    "POST /api/accounts/verify/resend/": _unverified,
    "POST /api/accounts/password/reset/confirm/": _reset,
    "POST /api/accounts/invitations/accept/": _invited,
    "DELETE /api/accounts/me/": _another_admin,
    "DELETE /api/sites/{id}/": _empty_site,
    "POST /api/reports/air-quality/{id}/sign/": _read_report,
    # What a rule raised is kept.
    "DELETE /api/alerts/{id}/": _alert(rule=None),
}
