"""For every list of the API: how to fill it with rows, and where it then stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Session, Site, User
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import AlertEvent, RuleRevision
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.tasks.models import Task
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Kind, Row
from techtrack.telemetry.services import Saying, correct, mark_quality
from tests import factories

_numbers = count(1)


class Stage:
    """What all scenes share: adam the admin, the plant, and colleagues to be named in rows."""

    def __init__(self, adam: User, plant: Site) -> None:
        self.adam = adam
        self.plant = plant
        self.type = factories.make_type("robot")

    def person(self) -> User:
        """A new colleague."""
        return factories.make_user(f"person{next(_numbers)}", role=Role.OPERATOR, site=self.plant)

    def robot(self) -> Any:
        """A new robot at the plant."""
        return factories.make_equipment(site=self.plant, type=self.type)

    def sensor(self) -> Any:
        """A new sensor at the plant."""
        return factories.make_sensor(site=self.plant, type=self.type)

    def alert(self, asset: Any = None) -> Any:
        """A new alert, taken by somebody."""
        person = self.person()
        rule = factories.make_rule(site=self.plant)
        taken = {"acknowledged_by": person, "acknowledged_at": factories.NOW, "assignee": person}
        return factories.make_alert(asset or self.robot(), rule=rule, **taken)

    def task(self, asset: Any = None) -> Any:
        """A new task about an asset and an alert, owned by two people and shared with another."""
        asset = asset or self.robot()
        owners = [self.person(), self.person()]
        return factories.make_task(
            self.person(),
            owners=owners,
            shared_with=[self.person()],
            asset_id=asset.pk,
            alert=self.alert(asset),
            category=factories.make_category(owners[0]),
        )

    def plan(self) -> Any:
        """A new plan for an asset, which two people are to carry out."""
        return factories.make_plan(self.robot(), owners=[self.person(), self.person()])

    def downtime(self) -> Any:
        """A down time of an asset, about a task."""
        asset = self.robot()
        return factories.make_downtime(asset, task=self.task(asset), created_by=self.person())

    def delivery(self) -> Any:
        """A new message about an alert."""
        channel = factories.make_channel(site=self.plant)
        return factories.make_delivery(channel, alert=self.alert(), site=self.plant)


def _rows(path: str, make: Callable[[Stage], Any]) -> Callable[[Stage, int], str]:
    def fill(stage: Stage, rows: int) -> str:
        for _ in range(rows):
            make(stage)
        return path

    return fill


def _of_asset(
    path: str, owner: Callable[[Stage], Any], make: Callable[[Stage, Any], Any]
) -> Callable[[Stage, int], str]:
    def fill(stage: Stage, rows: int) -> str:
        asset = owner(stage)
        for _ in range(rows):
            make(stage, asset)
        return path.format(asset.pk)

    return fill


def _readings(path: str, owner: Callable[[Stage], Any]) -> Callable[[Stage, int], str]:
    def fill(stage: Stage, rows: int) -> str:
        for number in range(rows):
            factories.make_reading(owner(stage), at=factories.NOW - timedelta(minutes=number))
        return path

    return fill


def _marks(path: str, owner: Callable[[Stage], Any]) -> Callable[[Stage, int], str]:
    def fill(stage: Stage, rows: int) -> str:
        asset = owner(stage)
        for number in range(rows):
            said = Saying(None, (number, number + 1), Quality.BAD, "calibration")
            mark_quality(asset=asset, said=said, by=access_of(_engineer()), now=factories.NOW)
        return f"{path}?asset={asset.pk}"

    return fill


def _corrections(path: str, owner: Callable[[Stage], Any]) -> Callable[[Stage, int], str]:
    def fill(stage: Stage, rows: int) -> str:
        asset, time = owner(stage), to_micros(factories.NOW)
        factories.make_reading(asset, at=factories.NOW)
        for number in range(rows):
            row = Row(asset.pk, time, {"temperature": float(number)})
            by = access_of(_engineer())
            correct(asset=asset, row=row, kind=Kind.PATCH, by=by, expected=None, now=factories.NOW)
        return path.format(f"{asset.pk}-{time}")

    return fill


def _engineer() -> User:
    return factories.make_user(f"engineer{next(_numbers)}", role=Role.ENGINEER)


def _events(stage: Stage, rows: int) -> str:
    alert = stage.alert()
    for _ in range(rows - 1):
        person = stage.person()
        AlertEvent.objects.create(
            alert=alert, at=factories.NOW, recorded_at=factories.NOW, kind="acknowledged", actor=person
        )
    return f"/api/alerts/{alert.pk}/events/"


def _revisions(stage: Stage, rows: int) -> str:
    rule = factories.make_rule(site=stage.plant)
    for number in range(rows):
        RuleRevision.objects.create(
            rule=rule, number=number, definition=rule.definition, created_at=factories.NOW, by=stage.person()
        )
    return f"/api/rules/{rule.pk}/revisions/"


def _history(stage: Stage, rows: int) -> str:
    task = stage.task()
    for _ in range(rows):
        factories.make_edit(task, by_id=stage.person().pk)
    return f"/api/tasks/{task.pk}/history/"


def _talk(path: str, make: Callable[[Task, User], Any]) -> Callable[[Stage, int], str]:
    """Rows of one task, each of another person."""

    def fill(stage: Stage, rows: int) -> str:
        task = stage.task()
        for _ in range(rows):
            make(task, stage.person())
        return path.format(task.pk)

    return fill


def _mentioning(task: Task, author: User) -> None:
    factories.make_comment(task, author).mention_rows.create(user=author)


def _links(stage: Stage, rows: int) -> str:
    task = factories.make_task(stage.adam)
    for _ in range(rows):
        factories.make_link(task)
    return f"/api/tasks/{task.pk}/links/"


def _plan_assets(stage: Stage, rows: int) -> str:
    plan = factories.make_plan(asset_type=stage.type, site=stage.plant)
    for _ in range(rows):
        asset = stage.robot()
        factories.make_course(plan, asset, task=stage.task(asset))
    return f"/api/plans/{plan.pk}/assets/"


def _session(stage: Stage) -> Any:
    stamps = {"started_at": clock.now(), "last_seen": clock.now(), "auth_time": clock.now()}
    return Session.objects.create(user=stage.adam, **stamps)


SCENES: dict[str, Callable[[Stage, int], str]] = {
    "/api/users/": _rows("/api/users/", Stage.person),
    "/api/sites/": _rows(
        "/api/sites/", lambda stage: factories.make_site(f"Site {next(_numbers)}", parent=stage.plant)
    ),
    # Who is made leaves an entry, with a name to be looked up.
    "/api/audit/": _rows("/api/audit/", Stage.person),
    "/api/accounts/sessions/": _rows("/api/accounts/sessions/", _session),
    "/api/people/": _rows("/api/people/", Stage.person),
    "/api/lockouts/": _rows("/api/lockouts/", lambda stage: factories.make_lockout(stage.person())),
    "/api/invitations/": _rows(
        "/api/invitations/", lambda stage: factories.make_invitation(stage.person(), stage.plant)
    ),
    "/api/equipment/": _rows("/api/equipment/", Stage.robot),
    "/api/sensors/": _rows("/api/sensors/", Stage.sensor),
    "/api/asset-types/": _rows("/api/asset-types/", lambda _: factories.make_type(f"type-{next(_numbers)}")),
    "/api/parameters/": _rows("/api/parameters/", lambda _: factories.make_parameter()),
    "/api/keys/": _rows("/api/keys/", lambda stage: factories.make_key(stage.person(), site=stage.plant)),
    "/api/data/": _readings("/api/data/", Stage.robot),
    "/api/measurements/": _readings("/api/measurements/", Stage.sensor),
    "/api/data/quality/": _marks("/api/data/quality/", Stage.robot),
    "/api/measurements/quality/": _marks("/api/measurements/quality/", Stage.sensor),
    "/api/data/{}/corrections/": _corrections("/api/data/{}/corrections/", Stage.robot),
    "/api/measurements/{}/corrections/": _corrections("/api/measurements/{}/corrections/", Stage.sensor),
    "/api/imports/": _rows("/api/imports/", lambda _: factories.make_import()),
    "/api/air-settings/": _rows("/api/air-settings/", lambda stage: factories.make_air_settings(stage.sensor())),
    "/api/reports/air-quality/": _rows(
        "/api/reports/air-quality/",
        lambda stage: factories.make_air_report(stage.plant, period=f"{2000 + next(_numbers) % 8000:04d}"),
    ),
    "/api/push-units/": _rows(
        "/api/push-units/", lambda stage: factories.make_push_unit(stage.sensor(), unit_id=f"unit-{next(_numbers)}")
    ),
    "/api/push-units/rejected/": _rows(
        "/api/push-units/rejected/", lambda stage: factories.make_rejected(stage.sensor())
    ),
    "/api/store/runs/": _rows("/api/store/runs/", lambda stage: factories.make_run(by=stage.adam)),
    "/api/alerts/": _rows("/api/alerts/", Stage.alert),
    "/api/alerts/{}/events/": _events,
    "/api/equipment/{}/alerts/": _of_asset("/api/equipment/{}/alerts/", Stage.robot, Stage.alert),
    "/api/sensors/{}/alerts/": _of_asset("/api/sensors/{}/alerts/", Stage.sensor, Stage.alert),
    "/api/rules/": _rows("/api/rules/", lambda stage: factories.make_rule(site=stage.plant, asset_type=stage.type)),
    "/api/silences/": _rows("/api/silences/", lambda stage: factories.make_silence(site=stage.plant)),
    "/api/rules/{}/revisions/": _revisions,
    "/api/channels/": _rows("/api/channels/", lambda stage: factories.make_channel(site=stage.plant)),
    "/api/routes/": _rows(
        "/api/routes/", lambda _: factories.make_route(factories.make_channel(), factories.make_channel())
    ),
    "/api/rotas/": _rows("/api/rotas/", lambda stage: factories.make_rota(stage.person(), site=stage.plant)),
    "/api/deliveries/": _rows("/api/deliveries/", Stage.delivery),
    "/api/tasks/": _rows("/api/tasks/", Stage.task),
    "/api/equipment/{}/tasks/": _of_asset("/api/equipment/{}/tasks/", Stage.robot, Stage.task),
    "/api/sensors/{}/tasks/": _of_asset("/api/sensors/{}/tasks/", Stage.sensor, Stage.task),
    "/api/tasks/deleted/": _rows(
        "/api/tasks/deleted/",
        lambda stage: factories.make_task(stage.adam, owners=[stage.person()], deleted_at=factories.NOW),
    ),
    "/api/tasks/{}/history/": _history,
    "/api/tasks/{}/links/": _links,
    "/api/tasks/{}/comments/": _talk("/api/tasks/{}/comments/", _mentioning),
    "/api/tasks/{}/attachments/": _talk("/api/tasks/{}/attachments/", factories.make_attachment),
    "/api/tasks/{}/time/": _talk("/api/tasks/{}/time/", factories.make_time),
    "/api/tasks/{}/blockers/": _talk(
        "/api/tasks/{}/blockers/",
        lambda task, maker: factories.make_block(task, factories.make_task(maker, asset_id=task.asset_id)),
    ),
    "/api/calendar-feeds/": _rows("/api/calendar-feeds/", lambda stage: factories.make_feed(stage.adam)),
    "/api/task-filters/": _rows("/api/task-filters/", lambda stage: factories.make_filter(stage.adam)),
    "/api/plans/": _rows("/api/plans/", Stage.plan),
    "/api/plans/{}/assets/": _plan_assets,
    "/api/downtimes/": _rows("/api/downtimes/", Stage.downtime),
    "/api/meters/": _rows("/api/meters/", lambda stage: factories.make_meter(stage.robot())),
    "/api/categories/": _rows("/api/categories/", lambda stage: factories.make_category(stage.adam)),
}
