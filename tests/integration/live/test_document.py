"""The AsyncAPI document: it is the one in the repository, and says of real frames neither too much nor too little."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts.services import acknowledge_alert
from techtrack.config.asyncapi import document
from techtrack.core import clock, plain_yaml
from techtrack.core.clock import to_micros
from techtrack.live.hub import hub as running
from techtrack.live.models import LiveEvent
from techtrack.live.socket import LiveSocket
from techtrack.live.threads import in_thread
from techtrack.tasks import services as tasks
from techtrack.tasks.models import TaskReminder
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.services import ingest
from tests import factories
from tests.integration.live.conftest import QUICK
from tests.integration.live.test_tasks_and_deliveries import announce

SNAPSHOT = Path(__file__).resolve().parents[3] / "docs" / "reference" / "asyncapi.yaml"


def strict(told):
    """The document with every object closed: a member that it does not mention is a fault."""
    told = deepcopy(told)
    for schema in told["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return told


def validators(told):
    """By the name of each message, what checks it."""
    messages = told["components"]["messages"]
    return {
        name: Draft202012Validator({**message["payload"], "components": told["components"]})
        for name, message in messages.items()
    }


def references(value):
    """Every ``$ref`` there is."""
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def followed(told, reference):
    for name in reference.removeprefix("#/").split("/"):
        told = told[name]
    return told


class TestDocument:
    def test_is_the_one_in_the_repository(self):
        kept = plain_yaml.load(SNAPSHOT.read_text(encoding="utf-8"))
        assert kept == document(), "`make schema` writes docs/reference/asyncapi.yaml anew; look at the diff"

    def test_is_served_to_everybody_in_the_form_that_is_asked_for(self, api):
        for query, kind in (("", "application/yaml"), ("?format=yaml", "application/yaml"), ("?format=json", "json")):
            answer = api(None).get(f"/api/asyncapi/{query}")
            assert answer.status_code == 200
            assert kind in answer["Content-Type"]
            assert plain_yaml.load(answer.content.decode()) == document()
        assert api(None).get("/api/asyncapi/?format=xml").status_code == 400

    def test_leads_nowhere_it_does_not_exist(self):
        told = document()
        found = list(references(told))
        assert len(found) > 50
        assert all(followed(told, reference) for reference in found)

    def test_has_sound_schemas(self):
        for schema in document()["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)

    def test_describes_every_topic(self):
        topics = {topic.pattern for topic in running.topics.kinds()}
        assert topics == set(document()["channels"]["live"]["x-topics"])
        assert topics >= {"readings", "alerts", "tasks", "deliveries"}


@pytest.fixture
def hub(transactional_db):
    return running


@pytest.fixture
def application(hub):
    return LiveSocket(hub, QUICK)


def happen(plant, robot, olga):
    """Let something of every kind happen."""
    now = clock.now()
    ingest(batch=Batch.of([Row(robot.pk, to_micros(now), {"speed": 5.0})]), by=internal(), now=now, origin=Origin.LIVE)
    alert = factories.make_alert(robot, rule=factories.make_rule(site=plant), value=1.5, limit=1)
    acknowledge_alert(alert=alert, by=access_of(olga), comment="", now=now)
    data = {"title": "Oil", "asset": robot, "alert": alert, "due_date": now, "shared_with": [(olga.pk, "read")]}
    task = tasks.create_task(by=access_of(olga), data=data, now=now)
    colleague = factories.make_user(f"otto{task.pk}", role="operator", site=plant)
    tasks.add_comment(task=task, by=access_of(colleague), text="@olga, look", now=now)
    reminder = TaskReminder.objects.create(task=task, at=now, moment=now)
    tasks.fire_reminder(pk=reminder.pk, now=now)
    tasks.delete_task(task=task, by=access_of(olga), expected=None, now=factories.NOW)
    announce(factories.make_delivery(factories.make_channel(site=plant), alert=alert, site=plant), "sent")


class TestFrames:
    async def test_of_every_kind_are_as_it_says(self, connect, olga, plant, robot):
        def before():
            factories.make_alert(robot)
            factories.make_task(olga, asset_id=robot.pk)
            factories.make_delivery(factories.make_channel(site=plant), site=plant)

        await in_thread(before)
        told = strict(document())
        checks, met = validators(told), set()
        async with await connect(olga) as socket:
            topics = ["readings", "alerts", "tasks", "deliveries"]
            socket.say(type="subscribe", id="a", topics=topics, since=0)
            socket.say(type="subscribe", id=7, topics=topics, since=2**40)
            socket.say(type="subscribe", id="b", topics=["moons"])
            socket.say(type="ping", id="c")
            socket.say(type="unsubscribe", topics=["moons"])
            await self.hear(socket, checks, met, {"pong", "unsubscribed", "heartbeat"})
            await in_thread(happen, plant, robot, olga)
            await self.hear(socket, checks, met, set(checks) - {"authenticate", "subscribe", "unsubscribe", "ping"})
        snapshots = {name: topic["snapshot"]["$ref"] for name, topic in topics_of(told).items() if "snapshot" in topic}
        async with await connect(olga) as socket:
            shown = (await socket.ask(type="subscribe", topics=topics))["snapshot"]
        assert set(shown) == {"alerts", "tasks", "deliveries"}
        for name, snapshot in shown.items():
            assert snapshot[name], "an empty list proves nothing"
            Draft202012Validator({"$ref": snapshots[name], "components": told["components"]}).validate(snapshot)

    async def hear(self, socket, checks, met, wanted):
        """Hold every frame against the document until all that are wanted were met."""
        async with asyncio.timeout(20):
            while wanted - met:
                frame = json.loads((await socket._next())["text"])
                kind = "task_gone" if frame.get("event") == "deleted" else frame["type"]
                checks[kind].validate(frame)
                met.add(kind)

    async def test_that_are_not_are_caught(self, connect, olga, plant, robot):
        await in_thread(happen, plant, robot, olga)
        rows = await in_thread(lambda: list(LiveEvent.objects.all()))
        alert = next(row.payload | {"sequence": row.sequence} for row in rows if row.payload["type"] == "alert")
        check = validators(strict(document()))["alert"]
        assert check.is_valid(alert)
        for fault in ({"more": 1}, {"alert": alert["alert"] | {"more": 1}}, {"sequence": "1"}):
            assert not check.is_valid(alert | fault)
        assert not check.is_valid({name: value for name, value in alert.items() if name != "sequence"})


def topics_of(told):
    return told["channels"]["live"]["x-topics"]


MESSAGES = [
    {"type": "ping"},
    {"type": "ping", "id": "a"},
    {"type": "ping", "id": 5},
    {"type": "ping", "id": None},
    {"type": "ping", "id": {}},
    {"type": "ping", "id": 1.5},
    {"type": "ping", "id": "x" * 101},
    {"type": "ping", "id": 10**400},
    {"type": "ping", "more": 1},
    {"type": "dance"},
    {"type": "subscribe"},
    {"type": "subscribe", "topics": ["alerts"]},
    {"type": "subscribe", "topics": ["alerts"], "since": 0},
    {"type": "subscribe", "topics": ["alerts"], "since": None},
    {"type": "subscribe", "topics": ["alerts"], "since": -1},
    {"type": "subscribe", "topics": ["alerts"], "since": 2**63},
    {"type": "subscribe", "topics": ["alerts"], "since": "1"},
    {"type": "subscribe", "topics": []},
    {"type": "subscribe", "topics": "alerts"},
    {"type": "subscribe", "topics": [7]},
    {"type": "subscribe", "topics": ["x" * 101]},
    {"type": "subscribe", "topics": ["alerts"] * 101},
    {"type": "unsubscribe", "topics": ["alerts"]},
    {"type": "unsubscribe"},
    {"hello": 1},
    [1],
]


class TestMessages:
    async def test_are_understood_where_it_says_so_and_nowhere_else(self, connect, olga):
        checks = [
            check for name, check in validators(document()).items() if name in {"ping", "subscribe", "unsubscribe"}
        ]
        async with await connect(olga) as socket:
            for message in MESSAGES:
                socket.say(message)
                answer = await socket.hear()
                while answer["type"] == "resync":
                    answer = await socket.hear()
                understood = answer.get("code") != "bad_message"
                assert understood == any(check.is_valid(message) for check in checks), message
