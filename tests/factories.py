"""Makes rows for tests directly in the tables, so that a test of one service does not lean on another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from techtrack.accounts.domain.access import Role, Scope, internal
from techtrack.accounts.models import ApiKey, Invitation, InvitedRole, Lockout, Membership, Site, User
from techtrack.alerts.models import Alert, AlertEvent, Rule, Silence
from techtrack.assets.models import Asset, AssetState, AssetType, Equipment, Kind, Parameter, Sensor
from techtrack.core.clock import to_micros
from techtrack.core.models import Head
from techtrack.environment.models import AirSettings
from techtrack.integrations.models import Door, ImportRun, PushUnit, RejectedPush
from techtrack.notifications.models import Channel, Delivery, Rota, Route
from techtrack.reports.domain.canonical import checksum
from techtrack.reports.models import AirReport
from techtrack.tasks.models import (
    AssetMeter,
    Attachment,
    Block,
    CalendarFeed,
    Category,
    Comment,
    Course,
    Downtime,
    Plan,
    PlanOwner,
    SavedFilter,
    StoredFile,
    Task,
    TaskEdit,
    TaskLink,
    TaskNumber,
    TaskOwner,
    TaskShare,
    TimeEntry,
)
from techtrack.tasks.queries import HEAD, folder
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.models import StoreRun
from techtrack.telemetry.services import ingest

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
STAMPS = {"created_at": NOW, "updated_at": NOW}
PASSWORD = "correct horse battery staple"
_numbers = count(1)


def make_site(name: str, **fields: Any) -> Site:
    """A site."""
    return Site.objects.create(name=name, **STAMPS, **fields)


def make_user(username: str, *, role: Role | None = None, site: Site | None = None, **fields: Any) -> User:
    """A person with a verified address whose password is PASSWORD; with a ``role`` at ``site`` (None: all sites)."""
    fields = {"email": f"{username}@example.org", "email_verified_at": NOW} | fields
    user = User(username=username, **fields)
    user.set_password(PASSWORD)
    user.save()
    if role is not None:
        Membership.objects.create(user=user, site=site, role=role)
    return user


def make_type(slug: str, **fields: Any) -> AssetType:
    """The asset type ``slug``; the one that is there, if it is."""
    defaults = {"name": slug.replace("-", " ").capitalize(), **STAMPS, **fields}
    return AssetType.objects.get_or_create(slug=slug, defaults=defaults)[0]


def make_equipment(name: str = "", **fields: Any) -> Equipment:
    """A piece of equipment with its state row."""
    return _make_asset(Equipment, Kind.EQUIPMENT, name, fields)


def make_sensor(name: str = "", **fields: Any) -> Sensor:
    """A sensor with its state row."""
    return _make_asset(Sensor, Kind.SENSOR, name, fields)


def _make_asset(model: Any, kind: Kind, name: str, fields: dict[str, Any]) -> Any:
    number = next(_numbers)
    asset = model.objects.create(kind=kind, name=name or f"{kind.label} {number}", **STAMPS, **fields)
    AssetState.objects.create(asset_id=asset.pk)
    return asset


def make_parameter(code: str = "", **fields: Any) -> Parameter:
    """A parameter."""
    return Parameter.objects.create(code=code or f"parameter_{next(_numbers)}", **STAMPS, **fields)


def make_invitation(inviter: User, site: Site | None, **fields: Any) -> Invitation:
    """An invitation that is open until a week after NOW."""
    defaults = {"email": f"guest{next(_numbers)}@example.org", "expires_at": NOW + timedelta(days=7)}
    made = Invitation.objects.create(invited_by=inviter, **(defaults | STAMPS | fields))
    InvitedRole.objects.create(invitation=made, site=site, role=Role.VIEWER)
    return made


def make_key(maker: User, *, scope: Scope = Scope.INGEST, **fields: Any) -> ApiKey:
    """A key's row; its secret is not known to anybody."""
    number = next(_numbers)
    secret = {"prefix": f"p{number}", "digest": f"{number:064x}"}
    return ApiKey.objects.create(name=f"Key {number}", created_by=maker, scope=scope, **secret, **STAMPS, **fields)


def make_lockout(user: User) -> Lockout:
    """One wrong guess about somebody."""
    number = next(_numbers)
    return Lockout.objects.create(key=f"{number:064x}", user=user, failures=1, tried_at=NOW, failed_at=NOW)


def make_rule(**fields: Any) -> Rule:
    """A rule: temperature above 80."""
    defaults: dict[str, Any] = {
        "name": f"Rule {next(_numbers)}",
        "parameter": "temperature",
        "conditions": [{"kind": "above", "limit": 80.0, "severity": "high"}],
    }
    return Rule.objects.create(**(defaults | STAMPS | fields))


def make_alert(asset: Asset, **fields: Any) -> Alert:
    """An active alert of ``asset`` that nobody has acknowledged, with the event of its raising."""
    defaults: dict[str, Any] = {"severity": "high", "title": f"Alert {next(_numbers)}", "raised_at": NOW}
    alert = Alert.objects.create(asset_id=asset.pk, **(defaults | STAMPS | fields))
    AlertEvent.objects.create(alert=alert, at=NOW, recorded_at=NOW, kind="raised")
    return alert


def make_silence(**fields: Any) -> Silence:
    """A silence of an hour, of all alerts."""
    defaults: dict[str, Any] = {
        "name": f"Silence {next(_numbers)}",
        "starts_at": NOW,
        "ends_at": NOW + timedelta(hours=1),
    }
    return Silence.objects.create(**(defaults | STAMPS | fields))


def make_channel(**fields: Any) -> Channel:
    """An e-mail channel."""
    defaults: dict[str, Any] = {
        "name": f"Channel {next(_numbers)}",
        "kind": "email",
        "config": {"to": ["x@example.org"]},
    }
    return Channel.objects.create(**(defaults | STAMPS | fields))


def make_route(*channels: Channel, **fields: Any) -> Route:
    """A route of every alert to ``channels``."""
    route = Route.objects.create(**({"name": f"Route {next(_numbers)}"} | STAMPS | fields))
    route.channels.set(channels)
    return route


def make_rota(*people: User, **fields: Any) -> Rota:
    """People who take turns of a week."""
    defaults: dict[str, Any] = {"name": f"Rota {next(_numbers)}", "people": [one.pk for one in people]}
    return Rota.objects.create(**(defaults | {"starts_at": NOW} | STAMPS | fields))


def make_delivery(channel: Channel, **fields: Any) -> Delivery:
    """A message that waits to be sent."""
    defaults: dict[str, Any] = {"event": "raised", "subject": "Hot", "body": "Hot.", "next_attempt_at": NOW}
    return Delivery.objects.create(channel=channel, created_at=NOW, **(defaults | fields))


def make_category(owner: User, **fields: Any) -> Category:
    """A person's category."""
    return Category.objects.create(owner=owner, **({"name": f"Category {next(_numbers)}"} | STAMPS | fields))


def make_task(
    creator: User | None, *, owners: Sequence[User] = (), shared_with: Sequence[User] = (), **fields: Any
) -> Task:
    """A task with its owners, and the people who may read it."""
    task = Task.objects.create(created_by=creator, **({"title": f"Task {next(_numbers)}"} | STAMPS | fields))
    TaskNumber.objects.create(task=task, number=Head.take(HEAD))
    for user in owners:
        TaskOwner.objects.create(task=task, user=user)
    for user in shared_with:
        TaskShare.objects.create(task=task, user=user)
    return task


def make_edit(task: Task, **fields: Any) -> TaskEdit:
    """A line of the history of a task."""
    defaults: dict[str, Any] = {"version": next(_numbers), "at": NOW, "by_id": task.created_by_id}
    return TaskEdit.objects.create(task=task, **(defaults | fields))


def make_link(task: Task, **fields: Any) -> TaskLink:
    """A link to a task for a week; its key is not known to anybody."""
    defaults = {"digest": f"{next(_numbers):064x}", "expires_at": NOW + timedelta(days=7)}
    return TaskLink.objects.create(task=task, created_by_id=task.created_by_id, **(defaults | STAMPS | fields))


def make_comment(task: Task, author: User, **fields: Any) -> Comment:
    """A comment that mentions nobody."""
    return Comment.objects.create(task=task, author=author, **({"text": f"Word {next(_numbers)}"} | STAMPS | fields))


def make_attachment(task: Task, maker: User, content: bytes = b"words", **fields: Any) -> Attachment:
    """A file of a task, whose contents lie in the folder of attachments, as those of a small picture."""
    digest = hashlib.sha256(content).hexdigest()
    file = StoredFile.objects.get_or_create(pk=digest, defaults={"used_at": NOW})[0]
    with folder().drafted(content, content) as draft:
        draft.keep(digest)
    about = {"name": f"{next(_numbers)}.png", "type": "image/png", "size": len(content), "width": 8, "height": 6}
    return Attachment.objects.create(task=task, created_by=maker, file=file, **(about | STAMPS | fields))


def make_time(task: Task, person: User, **fields: Any) -> TimeEntry:
    """An hour that somebody worked on a task."""
    defaults = {"started_at": NOW - timedelta(hours=2), "ended_at": NOW - timedelta(hours=1)}
    return TimeEntry.objects.create(task=task, person=person, **(defaults | STAMPS | fields))


def make_block(task: Task, blocker: Task, **fields: Any) -> Block:
    """A task that waits for another one."""
    return Block.objects.create(task=task, blocker=blocker, created_by_id=task.created_by_id, **(STAMPS | fields))


def make_feed(owner: User, **fields: Any) -> CalendarFeed:
    """A calendar of somebody; its key is not known to anybody."""
    defaults = {"name": f"Calendar {next(_numbers)}", "digest": f"{next(_numbers):064x}"}
    return CalendarFeed.objects.create(owner=owner, **(defaults | STAMPS | fields))


def make_filter(owner: User, **fields: Any) -> SavedFilter:
    """A person's saved filter, of open tasks."""
    defaults = {"name": f"Filter {next(_numbers)}", "query": {"state": "open"}}
    return SavedFilter.objects.create(owner=owner, **(defaults | STAMPS | fields))


def make_plan(asset: Asset | None = None, *, owners: Sequence[User] = (), **fields: Any) -> Plan:
    """A plan that asks for work every Monday morning, with its course at the asset."""
    weekly = {"rrule": "FREQ=WEEKLY;BYDAY=MO", "dtstart": "2026-11-02T06:00"}
    defaults: dict[str, Any] = {
        "name": f"Plan {next(_numbers)}",
        "asset_id": asset.pk if asset else None,
        "triggers": {"timezone": "UTC", "schedule": weekly},
    }
    plan = Plan.objects.create(**(defaults | STAMPS | fields))
    for user in owners:
        PlanOwner.objects.create(plan=plan, user=user)
    if asset is not None:
        make_course(plan, asset)
    return plan


def make_course(plan: Plan, asset: Asset, **fields: Any) -> Course:
    """A plan at an asset, to be looked at."""
    defaults = {"begun_at": NOW, "settled": NOW, "look_at": NOW}
    return Course.objects.create(plan=plan, asset_id=asset.pk, **(defaults | fields))


def make_downtime(asset: Asset, **fields: Any) -> Downtime:
    """An hour in which an asset was broken."""
    defaults = {"starts_at": NOW - timedelta(hours=2), "ends_at": NOW - timedelta(hours=1)}
    return Downtime.objects.create(asset_id=asset.pk, **(defaults | STAMPS | fields))


def make_meter(asset: Asset, **fields: Any) -> AssetMeter:
    """A counter of an asset that stands at 1,000."""
    number = next(_numbers)
    defaults: dict[str, Any] = {"kind": "counter", "parameter": f"hours_{number}", "total": 1000.0, "behind": False}
    made = defaults | {"key": f"counter:hours_{number}:None:None", "time": to_micros(NOW) - 1, "look_at": NOW}
    return AssetMeter.objects.create(asset_id=asset.pk, **(made | fields))


def make_run(by: User, **fields: Any) -> StoreRun:
    """A check of the store that found nothing."""
    defaults: dict[str, Any] = {"kind": "check", "state": "done", "created_at": NOW, "finished_at": NOW}
    return StoreRun.objects.create(by_id=by.pk, **(defaults | fields))


def make_import(**fields: Any) -> ImportRun:
    """A file of which half is loaded."""
    defaults: dict[str, Any] = {
        "fingerprint": f"{next(_numbers):064}",
        "name": "readings.csv",
        "rows_total": 100,
        "rows_done": 50,
        "readings": 50,
        "seconds": 0.5,
        "started_at": NOW,
    }
    return ImportRun.objects.create(**(defaults | fields))


def make_reading(asset: Asset, *, at: datetime = NOW, **values: float) -> None:
    """A reading in the log of readings."""
    batch = Batch.of([Row(asset.pk, to_micros(at), values or {"temperature": 71.3})])
    ingest(batch=batch, by=internal(), now=max(at, NOW), origin=Origin.LIVE)


def make_air_settings(sensor: Asset, **fields: Any) -> AirSettings:
    """What is declared of a sensor: masses of gas at 20 °C, unless said."""
    about = {"reference_temperature": 20.0, "reference_pressure": 1013.25} | fields
    return AirSettings.objects.create(sensor_id=sensor.pk, **(STAMPS | about))


def make_air_report(site: Site, **fields: Any) -> AirReport:
    """A preliminary report of a year that is over, in which nothing was measured."""
    about = {"period": "2025", "limits": "eu_2024", "standard": "us_epa", "drawn_up_at": NOW} | fields
    content = {
        "title": f"Air quality, {site.name}, {about['period']}",
        "period": about["period"],
        "complete": True,
        "sensors": [],
    }
    sealed = {"content": content, "checksum": checksum(content)}
    return AirReport.objects.create(site=site, **(sealed | STAMPS | about))


def make_push_unit(sensor: Asset, **fields: Any) -> PushUnit:
    """A sensor.community unit that brings the readings of a sensor, without a key unless said."""
    about = {"door": Door.SENSOR_COMMUNITY, "unit_id": "esp8266-3394227", "anonymous": True} | fields
    return PushUnit.objects.create(sensor_id=sensor.pk, **about, **STAMPS)


def make_rejected(sensor: Asset | None = None, **fields: Any) -> RejectedPush:
    """What was refused of a unit."""
    about = {"door": Door.SENSOR_COMMUNITY, "unit_id": f"esp8266-{next(_numbers)}", "code": "bad_body"} | fields
    told = {"detail": "a number is expected", "payload": "{}", "size": 2, "first_at": NOW, "last_at": NOW}
    return RejectedPush.objects.create(sensor_id=sensor.pk if sensor else None, **{**told, **about})
