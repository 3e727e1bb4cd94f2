"""Builds the world of the authorisation matrix: two mirrored sites, and whoever asks about them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from techtrack.accounts.domain import credentials
from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    InvitedRole,
    Lockout,
    Session,
    User,
)
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import PreviewRun, RuleRevision
from techtrack.assets.models import Equipment, Sensor
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.notifications.models import DeliveryState
from techtrack.tasks.models import Task
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Kind, Row
from techtrack.telemetry.services import Saying, correct, mark_quality
from tests import factories
from tests.integration.authorisation.walk import stranger
from tests.integration.authorisation.world import COMMON_ID, FIRST_ID, MARKS, NOW, READING, Principal, Side, World


class Builder:
    """Fills one site."""

    def __init__(self, mark: str, mine: dict[int, dict[str, Any]]) -> None:
        # Far apart: what is made during a walk, at the next number of its table, is not taken for one of these.
        self._ids = count(FIRST_ID[mark], 1_000)
        self._given: list[int] = []
        self._mine = mine
        self.mark = mark
        self.side = Side(mark, factories.make_site(f"Site {mark}", pk=self.id(), address=f"1 {mark} road"))

    def id(self) -> int:
        """The next id of this site's range."""
        number = next(self._ids)
        self._given.append(number)
        return number

    def person(self, name: str, role: Role | None, *, everywhere: bool = False) -> User:
        """Somebody, with the rows that belong to a person."""
        site = None if everywhere else self.side.site
        # Whoever is everywhere is known everywhere.
        about = {"pk": COMMON_ID} if everywhere else {"pk": self.id()}
        user = factories.make_user(name if everywhere else f"{name}-{self.mark}", role=role, site=site, **about)
        self.side.people[name] = user
        before = len(self._given) - 1
        self._mine[user.pk] = self.belongings(user)
        self.side.belongings[user.pk] = set(map(str, self._given[before:]))
        return user

    def close(self) -> None:
        """Note which ids are of this site."""
        self.side.ids = set(map(str, self._given))

    def belongings(self, user: User) -> dict[str, Any]:
        text = f"{self.mark}-{user.pk}"
        category = factories.make_category(user, pk=self.id(), name=f"Category {text}")
        site = self.side.site if user.memberships.exists() else None
        key = factories.make_key(user, pk=self.id(), site=site, scope=Scope.READ)
        ApiKey.objects.filter(pk=key.pk).update(name=f"Key {text}")
        task = factories.make_task(user, pk=self.id(), title=f"Own {text}", owners=[user])
        about = {"username": user.username, "user": user.pk}
        about["feed"] = factories.make_feed(user, pk=self.id(), name=f"Calendar {text}").pk
        about["filter"] = factories.make_filter(user, pk=self.id(), name=f"Filter {text}").pk
        return about | {"category": category.pk, "key": key.pk, "own_task": task.pk, "preview": self.preview(user)}

    def fill(self) -> Side:
        """Make one row of every resource."""
        side, mark = self.side, self.mark
        for role in ("viewer", "operator", "engineer"):
            self.person(role, Role(role))
        names = side.names
        names |= {"site": side.site.pk, "mark": mark, "person": side.people["operator"].pk}
        names["colleague"] = side.people["engineer"].pk
        self._assets()
        self._alarms()
        self._telling()
        self._work()
        self._upkeep()
        self._watching()
        return side

    def _assets(self) -> None:
        side, mark = self.side, self.mark
        of = {"site": side.site, "type": factories.make_type("robot"), "description": mark, "tags": [mark]}
        robot = factories.make_equipment(f"Robot {mark}", pk=self.id(), key=f"robot-{mark}", **of)
        spare = factories.make_equipment(f"Spare {mark}", pk=self.id(), key=f"spare-{mark}", **of)
        station = factories.make_sensor(f"Station {mark}", pk=self.id(), key=f"station-{mark}", **of)
        idle = factories.make_sensor(f"Idle {mark}", pk=self.id(), key=f"idle-{mark}", **of)
        side.names |= {"equipment": robot.pk, "sensor": station.pk, "asset": robot.pk}
        side.names |= {"spare": spare.pk, "idle": idle.pk, "tag": f"robot-{mark}", "robot_name": robot.name}
        unit = factories.make_push_unit(station, pk=self.id(), unit_id=f"unit-{mark}", anonymous=False)
        rejected = factories.make_rejected(station, pk=self.id(), unit_id=f"unit-{mark}", payload=mark)
        side.names |= {"push_unit": unit.pk, "rejected": rejected.pk}
        air = factories.make_air_settings(station, pk=self.id())
        report = factories.make_air_report(side.site, pk=self.id())
        side.names |= {"air_settings": air.pk, "air_report": report.pk, "air_checksum": report.checksum}
        engineer = access_of(side.people["engineer"])
        micros = to_micros(NOW)
        for asset, name in ((robot, "data"), (station, "measurements")):
            factories.make_reading(asset, at=NOW, temperature=READING[mark])
            row = Row(asset.pk, micros, {"temperature": READING[mark]})
            correct(asset=asset, row=row, kind=Kind.PATCH, by=engineer, expected=None, now=NOW)
            said = Saying(None, (micros - 9, micros - 3), Quality.SUSPECT, f"calibration {mark}")
            marked, _ = mark_quality(asset=asset, said=said, by=engineer, now=NOW)
            side.names |= {name: f"{asset.pk}-{micros}", f"{name}_mark": f"{asset.pk}-{marked.position}"}
            asset.refresh_from_db()

    def _alarms(self) -> None:
        side, mark = self.side, self.mark
        operator, later = side.people["operator"], NOW + timedelta(days=1)
        robot = Equipment.objects.get(pk=side.names["equipment"])
        station = Sensor.objects.get(pk=side.names["sensor"])
        rule = factories.make_rule(pk=self.id(), site=side.site, name=f"Rule {mark}")
        taken = {"acknowledged_by": operator, "acknowledged_at": NOW}
        states: dict[str, dict[str, Any]] = {
            "alert": {"assignee": operator},
            "taken": taken,
            "shelved": {"shelved_until": later, "shelved_by": operator, "shelve_reason": mark},
            "latched": {**taken, "active": False, "latched": True, "returned_at": NOW},
            "retired": {"out_of_service_until": later, "out_of_service_by": operator, "out_of_service_reason": mark},
        }
        for name, state in states.items():
            about = {"pk": self.id(), "title": f"{name} {mark}", "description": mark, **state}
            side.names[name] = factories.make_alert(robot, **about).pk
        factories.make_alert(station, pk=self.id(), title=f"Air {mark}", rule=rule)
        RuleRevision.objects.create(rule=rule, number=1, definition=rule.definition, created_at=NOW)
        silence = factories.make_silence(pk=self.id(), site=side.site, name=f"Silence {mark}", reason=mark)
        side.names |= {"rule": rule.pk, "silence": silence.pk}

    def _telling(self) -> None:
        side, mark = self.side, self.mark
        config = {"to": [f"post@{mark}.example"]}
        of = {"site": side.site}
        channel = factories.make_channel(pk=self.id(), name=f"Channel {mark}", config=config, **of)
        route = factories.make_route(channel, pk=self.id(), name=f"Route {mark}", **of)
        rota = factories.make_rota(side.people["operator"], pk=self.id(), name=f"Rota {mark}", **of)
        about = {"subject": f"Hot {mark}", "state": DeliveryState.DEAD, "error": mark, "id": self._uuid()}
        delivery = factories.make_delivery(channel, alert_id=side.names["alert"], route=route, **about, **of)
        side.names |= {"channel": channel.pk, "route": route.pk, "rota": rota.pk, "delivery": str(delivery.pk)}

    def _work(self) -> None:
        side = self.side
        task = factories.make_task(
            side.people["operator"],
            pk=self.id(),
            title=f"Task {self.mark}",
            asset_id=side.names["equipment"],
            alert_id=side.names["alert"],
            checklist=[{"type": "tick", "title": f"Look at {self.mark}", "key": "look"}],
        )
        self._talk(task)
        factories.make_edit(task, pk=self.id(), after={"title": f"Edited {self.mark}"}, before={"title": self.mark})
        link = factories.make_link(task, pk=self.id())
        deleted = factories.make_task(
            side.people["operator"],
            pk=self.id(),
            title=f"Deleted {self.mark}",
            asset_id=side.names["equipment"],
            deleted_at=NOW,
        )
        side.names |= {"task": task.pk, "link": link.pk, "deleted_task": deleted.pk}

    def _talk(self, task: Task) -> None:
        """What belongs to a task."""
        side, mark, who = self.side, self.mark, self.side.people["operator"]
        about = {"asset_id": side.names["equipment"]}
        first, spare = (factories.make_task(who, pk=self.id(), title=f"{what} {mark}", **about) for what in "ab")
        factories.make_block(task, first, pk=self.id())
        comment = factories.make_comment(task, who, pk=self.id(), text=f"Said at {mark}")
        attachment = factories.make_attachment(task, who, mark.encode(), pk=self.id(), name=f"{mark}.png")
        entry = factories.make_time(task, who, pk=self.id(), note=f"Worked at {mark}")
        names = {"comment": comment.pk, "attachment": attachment.pk, "entry_of_time": entry.pk}
        side.names |= names | {"first_task": first.pk, "spare_task": spare.pk}

    def _upkeep(self) -> None:
        """What is planned, counted and proved of the robot."""
        side, mark = self.side, self.mark
        robot = Equipment.objects.get(pk=side.names["equipment"])
        plan = factories.make_plan(pk=self.id(), name=f"Plan {mark}", asset_id=robot.pk, description=mark)
        factories.make_course(plan, robot, pk=self.id(), detail=f"Due at {mark}")
        downtime = factories.make_downtime(robot, pk=self.id(), reason=f"Broken {mark}", ends_at=None)
        meter = factories.make_meter(robot, pk=self.id(), parameter=f"hours_{mark}", key=f"counter:hours_{mark}")
        found = factories.make_alert(robot, pk=self.id(), title=f"Found {mark}", rule_id=side.names["rule"])
        about = {"pk": self.id(), "title": f"Mend {mark}", "asset_id": robot.pk, "alert_id": found.pk}
        mended = factories.make_task(side.people["operator"], **about)
        names = {"plan": plan.pk, "downtime": downtime.pk, "meter": meter.pk, "mended": mended.pk}
        side.names |= names

    def _watching(self) -> None:
        """Somebody who is asked to join, and what was noted."""
        side, boss = self.side, self.side.people["engineer"]
        times = factories.STAMPS | {"expires_at": NOW + timedelta(days=7)}
        guest = f"guest@{self.mark}.example"
        asked = Invitation.objects.create(pk=self.id(), email=guest, invited_by=boss, **times)
        InvitedRole.objects.create(invitation=asked, site=side.site, role=Role.VIEWER)
        noted = {"actor": f"user:{boss.pk}", "action": "site.changed", "after": f'{{"name": "{self.mark}"}}'}
        entry = AuditEntry.objects.create(pk=self.id(), at=to_micros(NOW), site_id=side.site.pk, **noted)
        side.names |= {"invitation": asked.pk, "entry": entry.pk}

    def preview(self, user: User) -> int:
        """A preview that somebody asked for."""
        question = {"assets": [], "mark": f"{self.mark}-{user.pk}"}
        run = PreviewRun.objects.create(pk=self.id(), question=question, total=1, by=user, created_at=NOW, state="done")
        return run.pk

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=(FIRST_ID[self.mark] << 96) + self.id() + (4 << 76) + (8 << 60))


def build() -> World:
    """Make everything, in the order in which things name each other."""
    mine: dict[int, dict[str, Any]] = {}
    factories.make_type("robot", pk=COMMON_ID + 10)
    builders = {mark: Builder(mark, mine) for mark in MARKS}
    sides = {mark: builder.fill() for mark, builder in builders.items()}
    world = World(sides, {}, mine)
    common = _common()
    for side in sides.values():
        side.names |= common
    world.principals = {one.name: one for one in _everybody(builders)}
    ApiKey.objects.update(last_used=NOW)
    for builder in builders.values():
        builder.close()
    return world


def _common() -> dict[str, Any]:
    """What belongs to no site."""
    root = factories.make_user("root", role=Role.ADMIN)
    return {
        "type": factories.make_type("robot").pk,
        "unused_type": factories.make_type("unused", pk=COMMON_ID).pk,
        "parameter": factories.make_parameter("torque", pk=COMMON_ID).pk,
        "run": factories.make_run(by=root, pk=COMMON_ID).pk,
        "import": factories.make_import(pk=COMMON_ID).pk,
        "lockout": Lockout.objects.create(pk=COMMON_ID, key="0" * 64, failures=3, tried_at=NOW, failed_at=NOW).pk,
    }


def _everybody(builders: dict[str, Builder]) -> list[Principal]:
    here, there = (builders[mark] for mark in MARKS)
    boss, far_boss = (builder.person("boss", Role.ADMIN) for builder in (here, there))
    admin = here.person("admin", Role.ADMIN, everywhere=True)
    stranger, gone = here.person("stranger", None), here.person("gone", Role.OPERATOR)
    people = [
        Principal("anonymous", dead=True, own={"username": "nobody"}),
        _person("self_registered", stranger, {}),
        *(
            _person(role, here.side.people[role], {here.mark: Role(role)})
            for role in ("viewer", "operator", "engineer")
        ),
        _person("site_admin", boss, {here.mark: Role.ADMIN}),
        _person("admin", admin, {"*": Role.ADMIN}),
        *(
            _person(f"far_{role}", there.side.people[role], {there.mark: Role(role)}, home=there.mark)
            for role in ("viewer", "operator", "engineer")
        ),
        _person("far_site_admin", far_boss, {there.mark: Role.ADMIN}, home=there.mark),
        _person("deactivated", gone, {}, dead=True),
        _person("expired", here.side.people["operator"], {}, dead=True, at=NOW - timedelta(hours=1)),
    ]
    User.objects.filter(pk=gone.pk).update(is_active=False)
    # Django's own pages ask for this besides.
    User.objects.filter(pk=admin.pk).update(is_staff=True, is_superuser=True)
    engineer = here.side.people["engineer"]
    roles = {here.mark: Role.ENGINEER}
    machines = [_machine(f"{scope}_key", engineer, scope, roles) for scope in Scope]
    bound = {"site": here.side.site}
    machines.append(_machine("site_key", admin, Scope.WRITE, {here.mark: Role.ADMIN}, **bound))
    asset = {"asset_id": here.side.names["equipment"]}
    machines.append(_machine("device_key", admin, Scope.INGEST, {here.mark: Role.ADMIN}, **asset, **bound))
    there_bound = {"site": there.side.site, "asset_id": there.side.names["equipment"]}
    far_roles = {there.mark: Role.ADMIN}
    machines.append(_machine("far_device_key", far_boss, Scope.INGEST, far_roles, home=there.mark, **there_bound))
    return people + machines


def _person(
    name: str, user: User, roles: dict[str, Role], *, dead: bool = False, at: datetime = NOW, home: str = MARKS[0]
) -> Principal:
    tokens = logged_in(user, at)
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    session = Session.objects.filter(user=user).latest("pk" if dead else "started_at")
    own = tokens | {"session": str(session.pk)} | ({"username": "nobody"} if dead else {})
    return Principal(name, headers, user, roles, dead=dead, home=home, own=own)


def _machine(
    name: str, maker: User, scope: Scope, roles: dict[str, Role], home: str = MARKS[0], **bound: Any
) -> Principal:
    key = factories.make_key(maker, scope=scope, **bound)
    prefix = f"{name.replace('_', '')}aaaaaaaa"[: credentials.PREFIX_LENGTH]
    text = credentials.write_key(prefix, (name * 8)[:43])
    ApiKey.objects.filter(pk=key.pk).update(prefix=prefix, digest=credentials.digest(text))
    headers = {"X-API-Key": text}
    return Principal(name, headers, maker, roles, scope, asset=bound.get("asset_id"), home=home)


def logged_in(user: User, at: datetime) -> dict[str, str]:
    """The tokens of a session that began at ``at``."""
    body = {"username": user.username, "password": factories.PASSWORD}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: at)
        answer = stranger().post("/api/token/", body, "application/json")
    assert answer.status_code == 200, answer.content
    tokens: dict[str, str] = answer.json()
    return tokens
