"""Brings the demo plant into being through the services: twice is the same as once, a half-loaded one is finished."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Scope, internal
from techtrack.accounts.models import ApiKey, Site, User
from techtrack.accounts.queries import access_of
from techtrack.alerts import services as alerts
from techtrack.alerts.models import Rule
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, AssetType, Kind, Parameter
from techtrack.core.clock import iso_duration, to_micros
from techtrack.demo import air, folder, plant, recordings, story, upkeep
from techtrack.demo.clock import SPAN, Loop, ReplayClock, State, read_state, write_state
from techtrack.demo.feed import Feed
from techtrack.demo.maintenance import record
from techtrack.demo.plant import Thing
from techtrack.demo.recordings import Recording
from techtrack.integrations.services import ImportPlan, Layout, import_file
from techtrack.notifications import services as notifications
from techtrack.notifications.models import Channel, Route
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Origin

US = internal("demo")
GATEWAY, TRY_ME, LOAD = "Demo gateway", "Demo: your device", "Demo: load generator"
LABELS = {
    "occupancy": {"0": "nobody", "1": "somebody"},
    "demo_fault": {"0": "measured", "1": "made by the button"},
    "error": {str(number): f"error{number}" for number in range(1, 6)},
    "failure": {str(number): f"comp{number}" for number in range(1, 5)},
    "maintenance": {str(number): f"comp{number}" for number in range(1, 5)},
}
NAMES = {
    "pm2_5": "PM2.5",
    "pm10": "PM10",
    "so2": "SO2",
    "no2": "NO2",
    "co": "CO",
    "o3": "Ozone",
}
Say = Callable[[str, int, int], None]


def _to_nobody(*_: object) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Playing:
    """A recording that is being replayed for an asset."""

    key: str
    recording: Recording
    loop: Loop


@dataclass(frozen=True, slots=True)
class DemoPlant:
    """What the demo needs to run: its time, what it replays, and what it tells the visitor."""

    state: State
    playing: list[Playing]
    passwords: dict[str, str]
    keys: dict[str, str]


def load_plant(now: datetime, *, say: Say = _to_nobody) -> DemoPlant:
    """Make whatever of the plant is not there yet; ``say`` hears what is being done, and how far it is."""
    things = plant.things()
    state = _state(now)
    say("People and places", 0, len(things))
    passwords = _people(now)
    sites = {name: _site(name, zone, now) for name, zone in plant.SITES.items()}
    _types(now)
    playing: list[Playing] = []
    for number, thing in enumerate(things):
        say(str(thing.data["name"]), number, len(things))
        playing += _asset(thing, sites[thing.site], state, now)
    say("Maintenance records", len(things), len(things))
    _maintenance(playing, state)
    say("Rules, plans and keys", len(things), len(things))
    _rules(now)
    upkeep.plan(start=state.start, by=US, now=now)
    air.declare(by=US, now=now)
    _telling(now)
    return DemoPlant(state, playing, passwords, _keys(now))


def _state(now: datetime) -> State:
    """Return the story's time: kept from the last run, or made anew for a new plant."""
    kept = read_state()
    if kept and Asset.objects.filter(key=plant.LARGE_MACHINE.key).exists():
        # Nothing moves until the server is ready.
        frozen = ReplayClock(now, min(kept.through, now), 0)
        state = replace(kept, clock=frozen)
    else:
        start = now - SPAN
        state = State(start, ReplayClock(now, start, 0), start)
    write_state(state)
    return state


def _people(now: datetime) -> dict[str, str]:
    kept = folder.read_secrets("demo-passwords")
    passwords = {one.username: kept.get(one.username) or secrets.token_urlsafe(9) for one in story.PEOPLE}
    folder.keep_secrets("demo-passwords", passwords)
    there = set(User.objects.values_list("username", flat=True))
    for one in story.PEOPLE:
        if one.username not in there:
            email = f"{one.username}@techtrack.example"
            profile = {"username": one.username, "first_name": one.first_name, "email": email}
            if one.username == "adam":
                profile |= {"is_staff": True, "is_superuser": True}  # type: ignore[dict-item]
            password = passwords[one.username]
            accounts.create_user(by=US, profile=profile, password=password, roles={None: one.role}, now=now)
    return passwords


def _site(name: str, zone: str, now: datetime) -> Site:
    found = Site.objects.filter(name=name).first()
    return found or accounts.create_site(by=US, fields={"name": name, "timezone": zone}, now=now)


def _types(now: datetime) -> None:
    there = set(AssetType.objects.values_list("slug", flat=True))
    known = set(Parameter.objects.values_list("code", flat=True))
    for code in [*LABELS, *NAMES]:
        if code not in known:
            words = {"code": code, "name": NAMES.get(code, ""), "labels": LABELS.get(code, {})}
            assets.create_parameter(by=US, now=now, data=words)
    for slug, (interval, parameters) in plant.TYPES.items():
        if slug not in there:
            name = slug.replace("-", " ").capitalize()
            data: dict[str, Any] = {"slug": slug, "name": name, "parameters": parameters, "expected_interval": interval}
            assets.create_asset_type(by=US, now=now, data=data)


def _asset(thing: Thing, site: Site, state: State, now: datetime) -> Iterable[Playing]:
    """Make an asset and load its past; give its recording, where it has one that goes on."""
    asset = Asset.objects.filter(key=thing.key).first()
    if asset is None:
        data = {**thing.data, "key": thing.key, "site": site}
        asset = assets.create_asset(kind=Kind(thing.kind), by=US, now=now, data=data)
    if thing is plant.STATION:
        _load_station(thing.key, now)
    if thing.feed is None:
        return []
    feed = thing.feed()
    loop = feed.loop(state.start)
    _load_past(asset, feed, loop, state, now)
    return [Playing(thing.key, feed.recording, loop)]


def _load_past(asset: Asset, feed: Feed, loop: Loop, state: State, now: datetime) -> None:
    """Store what lies before the story's start, as one batch: it is there wholly or not at all."""
    if telemetry.extent([asset.pk]) is not None:
        return
    when, which = loop.between(feed.begins(loop) - 1, 0)
    if not len(when):
        return
    columns = {code: column[which] for code, column in feed.recording.columns.items()}
    present = {code: column for code, column in columns.items() if not np.isnan(column).all()}
    batch = Batch(np.full(len(when), asset.pk, np.int64), when + to_micros(state.start), present)
    telemetry_services.make_room(now=now)
    telemetry_services.ingest(batch=batch, by=US, now=now, origin=Origin.IMPORT)


def _load_station(key: str, now: datetime) -> None:
    """Import the air station's file as anybody would import one; it is loaded once, however often this runs."""
    columns = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM")
    layout = Layout(columns=dict.fromkeys(columns, ""), timezone=plant.SITES["Aotizhongxin air station"])
    path = recordings.DATA / "prsa_aotizhongxin.csv.gz"
    import_file(path=path, plan=ImportPlan(layout, asset=key), by=US, now=now, progress=lambda _: None)


def _maintenance(playing: Iterable[Playing], state: State) -> None:
    by, tom = access_of(User.objects.get(username="adam")), User.objects.get(username="tom")
    fleet = {asset.key: asset for asset in Asset.objects.filter(type__slug="machine")}
    for one in playing:
        if asset := fleet.get(one.key):
            record(asset=asset, recording=one.recording, loop=one.loop, start=state.start, by=by, owner_id=tom.pk)


def _rules(now: datetime) -> None:
    there = set(Rule.objects.values_list("name", flat=True))
    ids: dict[str | None, int] = dict(Asset.objects.values_list("key", "pk"))
    types = {found.slug: found for found in AssetType.objects.all()}
    for watch in plant.RULES:
        if watch.name not in there:
            data: dict[str, Any] = {
                "name": watch.name,
                "asset_type": types[watch.type],
                "assets": [ids[key] for key in watch.things],
                "parameter": watch.parameter,
                "conditions": watch.conditions,
                "deadband": watch.deadband,
                "on_delay": watch.on_delay,
                "off_delay": watch.off_delay,
                "open_task": watch.open_task,
                "guidance": watch.guidance,
            }
            alerts.create_rule(by=US, now=now, data=data)


def _telling(now: datetime) -> None:
    channel = Channel.objects.filter(name="Shift").first()
    if channel is None:
        data = {"name": "Shift", "kind": "email", "config": {"to": [story.SHIFT]}}
        channel = notifications.create_channel(by=US, data=data, now=now)
    if not Route.objects.filter(name="To the shift").exists():
        second = User.objects.get(username=story.SECOND)
        route = {
            "name": "To the shift",
            "minimum_severity": "medium",
            "channel_ids": [channel.pk],
            "escalation": [{"after": iso_duration(story.PATIENCE), "people": [second.pk]}],
        }
        notifications.create_route(by=US, data=route, now=now)


def _keys(now: datetime) -> dict[str, str]:
    """Return the texts of the keys: the gateway's, the visitor's for one asset, and one that may make machines.

    Lost ones are made anew.
    """
    adam = access_of(User.objects.get(username="adam"))
    kept = folder.read_secrets("demo-keys")
    own = Asset.objects.get(key=plant.TRY_ME.key)
    wanted = ((GATEWAY, Scope.INGEST, None), (TRY_ME, Scope.INGEST, own.pk), (LOAD, Scope.WRITE, None))
    for name, scope, asset_id in wanted:
        there = ApiKey.objects.filter(name=name, asset_id=asset_id).exists()
        if not (there and name in kept):
            _, kept[name] = accounts.create_key(
                by=adam,
                name=name,
                scope=scope,
                site=own.site if asset_id else None,
                asset_id=asset_id,
                expires_at=None,
                allowed_addresses=[],
                now=now,
            )
    folder.keep_secrets("demo-keys", kept)
    return kept
