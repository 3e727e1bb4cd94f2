"""A body writes the fields that the document says it writes, and no other: every role tries every column, and more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import connection

from techtrack.core.api import fields, viewsets
from tests.architecture import routes
from tests.integration.authorisation import policy, tables
from tests.integration.authorisation.policy import OWN
from tests.integration.authorisation.walk import REFUSED, Operation, Walker, asked, operations, undone
from tests.integration.authorisation.world import Principal

pytestmark = pytest.mark.django_db
ROLES = ("self_registered", "operator", "engineer", "site_admin", "admin", "write_key")
# What somebody would try who wants more than is meant for them.
WISHES: dict[str, Any] = {
    **dict.fromkeys(["is_staff", "is_superuser", "is_active", "email_verified", "email_verified_at", "latched"], True),
    **dict.fromkeys(
        ["id", "pk", "owner", "owner_id", "created_by", "created_by_id", "user", "user_id", "by"], 82_601_001
    ),
    **dict.fromkeys(["site", "site_id", "asset", "asset_id", "invited_by"], 82_600_001),
    **dict.fromkeys(
        ["created_at", "updated_at", "last_login", "date_joined", "acknowledged_at"], "2001-01-01T00:00:00Z"
    ),
    **dict.fromkeys(["version", "token_version", "revision", "occurrences", "failures"], 77),
    "role": "admin",
    "roles": [{"site": None, "role": "admin"}],
    "memberships": [],
    "groups": [1],
    "password": "tall-violet-otter-89",
    "scope": "write",
    "digest": "0" * 64,
    "prefix": "abcdefgh",
    "state": "normal",
    "user_permissions": [1],
    "_state": {},
    "__class__": "x",
    "automatic": True,
    "suppressed_by": "flood",
}
WRITES = ("POST", "PUT", "PATCH")
# A reading has a form of its own, see tests/integration/api/test_hostile_doors.py.
STRICT_ELSEWHERE = {"ingest"}
# A form has fields, and no members: see tests/integration/tasks/test_attachments.py.
FORMS = {"tasks_attachments_create"}
READINGS = {f"{door}_{action}" for door in ("data", "measurements") for action in ("create", "update", "merge")}
OPERATIONS = sorted(
    one.id
    for one in operations().values()
    if one.method in WRITES and isinstance(one.example.get("body"), dict) and "items" not in one.example["body"]
)


def documented(operation: Operation) -> set[str]:
    """The members that the document lets the body have."""
    found: set[str] = set()
    for told in operation.described["requestBody"]["content"].values():
        found |= _members(told["schema"])
    return found


def answered(operation: Operation) -> set[str]:
    """The members of the answer: whoever sends back what it was told is not refused."""
    told = [
        one.get("content", {}).values() for status, one in operation.described["responses"].items() if status[0] == "2"
    ]
    return set().union(*(_members(one["schema"]) for content in told for one in content))


def _route(operation: Operation) -> routes.Route:
    return next(one for one in routes.routes("/api/") if one.path == routes.shape(operation.path))


def _members(schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _members(_components()[schema["$ref"].rpartition("/")[2]])
    parts = [part for key in ("oneOf", "anyOf", "allOf") for part in schema.get(key, [])]
    return set(schema.get("properties", {})).union(*map(_members, parts))


def _components() -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415 - made once, when it is needed

    if not _MADE:
        _MADE.update(SchemaGenerator().get_schema(request=None, public=True)["components"]["schemas"])
    return _MADE


_MADE: dict[str, Any] = {}


def columns(operation: Operation) -> set[str]:
    """The columns of the model behind an operation."""
    model = getattr(getattr(_route(operation).view, "queryset", None), "model", None)
    named = model._meta.concrete_fields if model else []
    return {name for column in named for name in (column.name, column.attname)}


def extras(operation: Operation) -> dict[str, Any]:
    """What is sent besides."""
    names = (set(WISHES) | columns(operation)) - documented(operation)
    return {name: WISHES.get(name, 1) for name in sorted(names)}


@dataclass(frozen=True)
class Effect:
    """What came of a request with ``more`` in its body: what a refusal names, the database after a success."""

    more: list[str]
    status: int
    named: set[str]
    after: dict[str, str]


def effect(walker: Walker, who: Principal, operation: Operation, more: dict[str, Any]) -> Effect:
    """Send the example of an operation with ``more`` in it, and undo it."""
    path, body, query = operation.request(walker.world.names(who, OWN))
    with undone():
        _from_the_same_number()
        response = asked(who, operation.method, path, body | more, query)
        if response.status_code < REFUSED:
            return Effect(sorted(more), response.status_code, set(), tables.digests(without=RANDOM))
    problem = json.loads(response.content)
    named = {one["pointer"][1:] for one in problem["errors"] if one["code"] == "unknown_field"}
    return Effect(sorted(more), response.status_code, named, {})


RANDOM = re.compile("password|digest|prefix|sealed|salt|_session|refreshtoken|delivery|onetimesecret")


def _from_the_same_number() -> None:
    """New rows get the ids that the request before had: PostgreSQL does not take numbers back."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval(c.oid, 900000) FROM pg_class c WHERE c.relkind = 'S'")


def faults(walker: Walker, operation: Operation) -> Iterator[str]:
    """What one of the roles could write that it should not."""
    told = answered(operation)
    unknown = {name: value for name, value in extras(operation).items() if name not in told}
    known = {name: value for name, value in extras(operation).items() if name in told}
    for who in (walker.world.principals[name] for name in ROLES):
        send = partial(effect, walker, who, operation)
        plain = send({})
        if plain.status in operation.success:
            said = f"{operation.id} by {who.name}"
            passed = [one for one in tried(send, unknown) if one.status < REFUSED]
            yield from (f"{said}: passed over in silence: {one.more}" for one in passed)
            yield from _written(said, plain, passed + tried(send, known))
            # One of a reading names what it does not know one by one.
            unknown = unknown if operation.id not in READINGS else {}


def tried(send: Callable[[dict[str, Any]], Effect], more: dict[str, Any]) -> list[Effect]:
    """Send all of it, without what is refused by name; and one by one where something is refused for another reason."""
    if not more:
        return []
    whole = send(more)
    if whole.status < REFUSED:
        return [whole]
    if whole.named:
        return tried(send, {name: value for name, value in more.items() if name not in whole.named})
    return [send({name: more[name]}) for name in more] if len(more) > 1 else [whole]


def _written(said: str, plain: Effect, tried: list[Effect]) -> Iterator[str]:
    """Which tables are not as they are after the plain request."""
    for one in tried:
        if one.status >= REFUSED:
            if one.status not in {400, 403, 404, 409}:
                yield f"{said}: {one.more}: {one.status}"
        elif changed := sorted(table for table in one.after if one.after[table] != plain.after[table]):
            yield f"{said}: {one.more} is written ({one.status}): {changed}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_body_writes_only_what_the_document_says(name, walker):
    assert list(faults(walker, operations()[name])) == []


def test_every_row_that_writes_is_tried():
    written = {row.operation for row in policy.rows().values() if row.at.split()[0] in WRITES}
    bodies = {one.id for one in operations().values() if "requestBody" in one.described}
    assert {one for one in written & bodies if "bulk" not in one} - set(OPERATIONS) - STRICT_ELSEWHERE - FORMS == set()


def test_a_planted_assignment_is_found(walker, monkeypatch):
    def everything(view: Any, instance: Any, data: dict[str, Any], expected: int | None) -> Any:
        sent = {name: view.request.data[name] for name in ("date_joined",) if name in view.request.data}
        return before(view, instance, data, expected).change(expected=None, now=instance.updated_at, **sent)

    from techtrack.accounts.api.viewsets import PersonViewSet  # noqa: PLC0415 - the one that is broken here

    before = PersonViewSet.edit
    monkeypatch.setattr(PersonViewSet, "edit", everything)
    monkeypatch.setattr(viewsets, "refuse_unknown_fields", lambda *_: None)
    monkeypatch.setattr(fields, "refuse_unknown_fields", lambda *_: None)
    found = list(faults(walker, operations()["me_partial_update"]))
    assert any("is written" in told and "accounts_user" in told for told in found), found
