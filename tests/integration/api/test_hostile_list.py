"""The hostile list over REST: every operation of the document, every input, the same answer on both databases.

The inputs are in tests/campaigns/hostile_inputs.py, what each door answers in tests/golden/hostile/. A new operation
or field is attacked as soon as it is in the document; where it takes what others refuse, or the other way round, the
table is written anew with TECHTRACK_HOSTILE_RECORD=1 and read as a diff.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction

from techtrack.accounts.models.guard import Allowance, Lockout
from techtrack.core.api import parsers
from tests.campaigns import hostile_inputs as inputs
from tests.campaigns import hostile_ledger
from tests.campaigns.hostile_ledger import Ledger
from tests.campaigns.hostile_world import Caller, Operation, World, operations

SHARDS = 6
# Each member and each parameter meets one in so many of the inputs; with TECHTRACK_CAMPAIGN set, all of them.
SHARES = 10
# Bodies are refused before the database is asked: on PostgreSQL each operation meets one in so many of them.
BODY_SHARES = 4 if os.environ.get("TECHTRACK_TEST_DATABASE") == "postgres" else 1
WHOLE = bool(os.environ.get("TECHTRACK_CAMPAIGN"))
JSON = "application/json"
# What is written when a request is refused: sessions say when they were last seen, refused logins are counted and told.
NOTED = {"accounts.Session", "accounts.Lockout", "accounts.Allowance", "accounts.AuditEntry"}
LISTS = ["sites", "users", "equipment", "sensors", "asset-types", "parameters", "keys", "rules", "channels", "routes"]
LISTS += ["rotas", "silences", "tasks", "categories", "alerts", "deliveries", "data", "measurements", "latest"]


@pytest.fixture
def world(adam, plant, robot, station) -> World:
    """One thing of every kind."""
    return World(adam, plant, robot, station)


@pytest.fixture
def client(adam) -> Caller:
    """Adam's program."""
    return Caller(adam)


@pytest.fixture(scope="module")
def document(django_db_setup, django_db_blocker) -> dict[str, Any]:
    """The OpenAPI document of this moment."""
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415 - it reads every view

    with django_db_blocker.unblock():
        made: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(public=True), default=str))
    return made


@pytest.fixture(scope="module")
def known(document) -> dict[str, Operation]:
    """Every operation by its label."""
    return operations(document)


class Attack:
    """Sends hostile requests to the operations of one world, and holds each answer against the promises."""

    def __init__(self, client: Any, world: World, ledger: Ledger) -> None:
        self._client, self._world, self._ledger = client, world, ledger

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        """Send one request; what PostgreSQL would not go on after is undone."""
        kind = headers.pop("Content-Type", JSON)
        with transaction.atomic():
            answer = self._client.send(method, path, body, kind, **headers)
            if answer.status_code < 400 and method != "GET":
                self._look_again(answer, path)
                transaction.set_rollback(True)
            elif broken():
                transaction.set_rollback(True)
        if path.startswith(("/api/accounts/", "/api/token/")):
            # Whoever guesses so often is locked out, for a time that no test can wait for.
            Lockout.objects.exclude(key="nobody").delete()
            Allowance.objects.all().delete()
        return answer

    def ask(self, door: Operation, place: str, name: str, answer: Any) -> None:
        """Hold an answer against the promises; ``place`` is a field by ``/name``."""
        self._ledger.note(door.label, place, name, answer.status_code)
        if answer.status_code < 400:
            return
        if why := fault_of(answer):
            self._ledger.blame(door.label, place, name, why)
        elif answer.status_code == 400 and place.startswith(("/", "?")) and not names(answer, place):
            self._ledger.blame(door.label, place, name, f"no pointer to it: {answer.content[:300]!r}")

    def _look_again(self, answer: Any, path: str) -> None:
        """What was accepted can be read, alone and in its list."""
        for where in {path, answer.headers.get("Location", path)}:
            seen = self._client.send("GET", where)
            if seen.status_code >= 500:
                self._ledger.blame(f"GET {where}", "(afterwards)", "what was accepted", str(seen.status_code))

    def bodies(self, door: Operation) -> None:
        """Every body that no door should read."""
        for name, body in shared(door.label, inputs.BODIES, of=BODY_SHARES):
            raw = body.encode() if isinstance(body, str) else body
            self.ask(door, "(body)", name, self.send(door.method, self._world.at(door.path), raw))

    def members(self, door: Operation) -> None:
        """Every member of the body in turn, as it should not be."""
        good = {} if door.method == "PATCH" else self._world.body(door.label) or {}
        for member, schema in door.members.items():
            for name, value in shared(door.label + member, values_for(schema)):
                raw = inputs.body_of(good | {member: value})
                self.ask(door, f"/{member}", name, self.send(door.method, self._world.at(door.path), raw))

    def items(self, door: Operation) -> None:
        """The same members, each in an item of the bulk door beside, which answers as if it came alone."""
        good = self._world.body(door.label) or {}
        for member, schema in door.members.items():
            for name, value in shared(door.label + member, values_for(schema)):
                if isinstance(value, inputs.Raw):
                    # Beyond a double: refused with the whole of a bulk body, while a text alone takes it as a word.
                    raw = inputs.body_of(good | {member: value})
                    self.ask(door, f"/{member}", name, self.send(door.method, door.path, raw))
                    continue
                raw = inputs.body_of({"items": [{"action": "create", "body": good | {member: value}}]})
                answer = self.send(door.method, f"{door.path}bulk/", raw)
                told = json.loads(answer.content)
                [one] = told.get("results") or [told]
                self._ledger.note(door.label, f"/{member}", name, one["status"])
                if one["status"] >= 400 and b'"/items/0/body' not in answer.content:
                    self._ledger.blame(door.label, f"/items/0/body/{member}", name, f"no pointer to it: {told}")

    def parameters(self, door: Operation) -> None:
        """Every query parameter in turn, and those that nobody has."""
        path, needed = self._world.at(door.path), self._world.query(door.label)
        for name, query in shared(door.label, inputs.QUERIES, of=3):
            self.ask(door, "(query)", name, self.send("GET", f"{path}?{needed}{query}"))
        for parameter in door.parameters:
            for name, text in shared(door.label + parameter, inputs.PARAMETERS):
                rest = re.sub(rf"\b{re.escape(parameter)}=[^&]*&", "", needed)
                self.ask(door, f"?{parameter}", name, self.send("GET", f"{path}?{rest}{parameter}={text}"))

    def ids(self, door: Operation) -> None:
        """Every id that leads nowhere."""
        before, _, after = door.path.partition("{")
        rest = after.partition("}")[2]
        raw = inputs.body_of(self._world.body(door.label) or {})
        for name, text in inputs.IDS.items():
            self.ask(door, "(id)", name, self.send(door.method, f"{before}{text}{rest}", raw))


def values_for(schema: dict[str, Any]) -> dict[str, Any]:
    """The inputs for one member, by what the document says it is."""
    shape = json.dumps(schema)
    found = dict(inputs.ANY)
    if '"date-time"' in shape or '"date"' in shape:
        found |= {f"time: {name}": value for name, value in inputs.TIMES.items()}
    if '"duration"' in shape:
        found |= {f"duration: {name}": value for name, value in inputs.DURATIONS.items()}
    if '"string"' in shape or "$ref" in shape or '"object"' in shape:
        found |= {f"text: {name}": value for name, value in inputs.TEXT.items()}
    return found


def shared(place: str, values: Mapping[str, Any], *, of: int = SHARES) -> Iterator[tuple[str, Any]]:
    """Deal the inputs out: each place gets some of them, the same ones in every run, and together they get all."""
    for name, value in values.items():
        if WHOLE or zlib.crc32(f"{place} {name}".encode()) % of == 0:
            yield name, value


def broken() -> bool:
    """Tell whether PostgreSQL refuses to go on with the transaction."""
    inner: Any = connection.connection
    return connection.vendor == "postgresql" and inner.info.transaction_status.name == "INERROR"


def fault_of(answer: Any) -> str:
    """Say what a refusal lacks of a problem document, nothing if it is whole."""
    if answer.headers.get("Content-Type") != "application/problem+json":
        return f"no problem+json: {answer.headers.get('Content-Type')}"
    problem = json.loads(answer.content)
    missing = {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"} - problem.keys()
    if missing or problem["status"] != answer.status_code:
        return f"not a whole problem: {problem}"
    return "it tells how it is made" if b"Traceback" in answer.content or b'File "' in answer.content else ""


# Where two members belong together, the fault may be shown at the other one.
TOGETHER = {"/equipment": {"/asset"}, "/sensor": {"/asset"}, "/rrule": {"/duration"}, "/from": {"/to"}}
TOGETHER |= {"?equipment": {"?asset"}, "?sensor": {"?asset"}}
TOGETHER |= {"/current_password": {"/password"}, "/key": {"/password"}, "/otp": {"/password"}}
TOGETHER |= {"/password": {"/current_password", "/key"}, "/items": {"/equipment", "/sensor"}, "/asset": {"/items"}}


def names(answer: Any, place: str) -> bool:
    """Tell whether a refusal points at the place."""
    places = {place} | TOGETHER.get(place, set())
    pointers = [f"{one['pointer']}/" for one in json.loads(answer.content)["errors"]]
    return any(pointer.startswith(f"{one}/") for one in places for pointer in pointers)


def contents() -> dict[str, str]:
    """A digest of each table of the platform."""
    ours = (model for model in apps.get_models() if model.__module__.startswith("techtrack.") and not model._meta.proxy)
    return {
        model._meta.label: hashlib.sha256(
            repr(sorted(map(repr, model._default_manager.values_list()))).encode()
        ).hexdigest()
        for model in ours
        if model._meta.label not in NOTED
    }


def changed(before: dict[str, str]) -> list[str]:
    """The tables that are not as they were."""
    return sorted(label for label, digest in contents().items() if before.get(label) != digest)


@pytest.fixture
def run(client, world, known) -> Iterator[Callable[..., None]]:
    """Attack some of the operations, and look at the tables and the lists afterwards."""

    def campaign(name: str, usual: int, wanted: Callable[[Operation], bool], attack: str, shard: int = 0) -> None:
        ledger = Ledger(name, usual=usual)
        doors = [door for door in known.values() if wanted(door)]
        if shard >= 0:
            doors = [door for number, door in enumerate(doors) if number % SHARDS == shard]
        attacker = Attack(client, world, ledger)
        before = contents()
        for door in doors:
            cache.clear()
            getattr(attacker, attack)(door)
            for label in changed(before):
                ledger.blame(door.label, "(afterwards)", label, "was changed by requests that were refused")
                before = contents()
        for collection in LISTS:
            assert client.send("GET", f"/api/{collection}/").status_code == 200, collection
        ledger.close()

    return campaign


def takes_body(door: Operation) -> bool:
    """Tell whether it reads a body."""
    return door.takes_body


def makes_or_changes(door: Operation) -> bool:
    """Tell whether it reads a body that no other operation reads in the same way: PUT reads what POST does."""
    return door.takes_body and door.method in {"POST", "PATCH", "DELETE"}


@pytest.mark.parametrize("shard", range(SHARDS))
class TestEveryOperation:
    def test_reads_no_body_that_two_readers_could_read_differently(self, run, shard):
        run("bodies", 400, takes_body, "bodies", shard)

    def test_refuses_each_bad_member_by_its_name(self, run, shard):
        run("members", 400, makes_or_changes, "members", shard)

    def test_refuses_each_bad_parameter_by_its_name(self, run, shard):
        run("parameters", 400, lambda door: door.method == "GET", "parameters", shard)

    def test_finds_nothing_under_an_id_that_is_none(self, run, shard):
        run("ids", 404, lambda door: "{" in door.path, "ids", shard)


class TestItems:
    def test_of_a_bulk_door_are_answered_as_they_would_be_alone(self, run, known):
        bulks = {label.removesuffix("bulk/") for label in known if label.endswith("/bulk/")}
        assert len(bulks) >= 8
        # A password is set one by one.
        run("members", 400, lambda door: door.label in bulks and "password" not in door.members, "items", -1)


class TestHeaders:
    def test_of_a_list_that_is_read(self, client, world, known):
        ledger = Ledger("headers", usual=200)
        attack = Attack(client, world, ledger)
        door = known["GET /api/sites/"]
        for name, headers in inputs.READING.items():
            attack.ask(door, "(headers)", name, attack.send("GET", "/api/sites/", **headers))
        ledger.close()

    def test_of_a_site_that_is_made(self, client, world, known):
        ledger = Ledger("headers", usual=200)
        attack = Attack(client, world, ledger)
        door = known["POST /api/sites/"]
        body = inputs.body_of(world.body("POST /api/sites/"))
        before = contents()
        for name, headers in inputs.WRITING.items():
            attack.ask(door, "(headers)", name, attack.send("POST", "/api/sites/", body, **headers))
        assert changed(before) == []
        ledger.close()

    @pytest.mark.parametrize(
        "label", ["PATCH /api/sites/{id}/", "PATCH /api/data/{reading}/", "DELETE /api/tasks/{id}/"]
    )
    def test_of_a_change_under_a_condition(self, client, world, known, label):
        ledger = Ledger("headers", usual=412)
        attack = Attack(client, world, ledger)
        body = inputs.body_of(world.body(label) or {})
        before = contents()
        for name, tag in inputs.MATCHING.items():
            answer = attack.send(known[label].method, world.at(known[label].path), body, **{"If-Match": tag})
            attack.ask(known[label], "(If-Match)", name, answer)
        assert changed(before) == []
        ledger.close()


class TestPlanted:
    """The campaign finds what it is there to find."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(self, monkeypatch):
        monkeypatch.setattr(hostile_ledger, "RECORDS", False)
        monkeypatch.setitem(globals(), "BODY_SHARES", 1)

    def test_a_view_that_takes_a_lone_surrogate_is_caught(self, run, monkeypatch):
        monkeypatch.setattr(parsers, "_check_text", lambda *_: None)
        with pytest.raises(AssertionError, match="surrogate"):
            run("bodies", 400, lambda door: door.label == "POST /api/equipment/", "bodies", -1)

    def test_a_view_that_breaks_is_caught(self, run, monkeypatch):
        monkeypatch.setattr(parsers.StrictJSONParser, "parse", lambda _, stream, *_more: json.loads(stream.read()))
        with pytest.raises(AssertionError, match="deep"):
            run("bodies", 400, lambda door: door.label == "POST /api/equipment/", "bodies", -1)


def test_there_are_more_than_four_hundred_inputs():
    tables = [value for name, value in vars(inputs).items() if name.isupper() and isinstance(value, dict)]
    assert sum(map(len, tables)) >= 400
