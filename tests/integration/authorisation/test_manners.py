"""What every write of the API promises: a key makes it happen once, and a version lets nobody overwrite what is new.

This walks the schema: an operation that is added is asked as well, and one that keeps no promise is named here, with
the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from techtrack.core.api import concurrency, idempotency
from tests.forms import JSON, encoded
from tests.integration.authorisation import policy, tables
from tests.integration.authorisation.matrix import OTHER
from tests.integration.authorisation.policy import OWN
from tests.integration.authorisation.walk import Operation, Walker, operations, stranger, undone
from tests.integration.authorisation.world import Principal

# Inside the transaction of the world (conftest.py), so that each test is undone to it.
pytestmark = pytest.mark.django_db
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
KEY, VERSION = "Idempotency-Key", "If-Match"
SECRET = "what it takes or hands out must not lie in a table"
BY_ITSELF = "sent again, it changes nothing"
COUNTED = "a wrong password is counted although its request fails, so that it shares no transaction with a key"
GONE_OUT = "a message that has gone out is not taken back with a transaction"
# Whose operations take no key, by the beginning of their path; the longest counts.
NO_KEY = {
    "/api/token/": SECRET,
    "/api/accounts/": SECRET,
    "/api/keys/": SECRET,
    "/api/live/": SECRET,
    "/api/data/": BY_ITSELF,
    "/api/measurements/": BY_ITSELF,
    "/api/ingest/": BY_ITSELF,
    "/api/tasks/{task_id}/links/": SECRET,
    "/api/calendar-feeds/": SECRET,
    "/api/channels/{id}/test/": GONE_OUT,
}
NO_KEY_FOR_CHANGES = {"/api/users/": COUNTED, "/api/lockouts/": BY_ITSELF, "/api/rules/previews/": BY_ITSELF}
# Which changes and removals ask for no version.
NO_VERSION = {
    "/api/accounts/me/notifications/": "wishes are written whole, and by one person",
    "/api/accounts/sessions/": BY_ITSELF,
    "/api/accounts/second-factor/": BY_ITSELF,
    "/api/users/{id}/second-factor/": BY_ITSELF,
    "/api/lockouts/": BY_ITSELF,
    "/api/rules/previews/": BY_ITSELF,
}
# Of themselves people could not do it twice.
OF_OTHERS = {"users_end_sessions"}
# What their example asks for is not kept: nothing could be made twice.
NOTHING_MADE = {"rules_preview"}
STALE = '"999999"'
REPLAYED, REUSED, STALE_STATUS = "Idempotency-Replayed", 422, 412
ASKERS = ("admin", "engineer", "operator", "viewer", "far_engineer")


def written() -> dict[str, Operation]:
    """Every operation that writes."""
    return {name: one for name, one in operations().items() if one.method in WRITES}


def takes(operation: Operation, header: str) -> bool:
    """Tell whether the schema says so."""
    return any(one["in"] == "header" and one["name"] == header for one in operation.described.get("parameters", []))


def excused(operation: Operation, header: str) -> bool:
    """Tell whether it is named here as one that does not."""
    reasons = NO_VERSION if header == VERSION else NO_KEY
    if header == KEY and operation.method != "POST":
        reasons = reasons | NO_KEY_FOR_CHANGES
    return any(operation.path.startswith(path) for path in reasons)


def ask(operation: Operation, who: Principal, walker: Walker, *, space: str = "", **headers: str) -> Any:
    """Send the example of an operation; ``space`` makes another body of it that says the same."""
    place = OTHER if operation.id in OF_OTHERS else OWN
    path, body, query = operation.request(walker.world.names(who, place))
    text, kind = (b"", JSON) if operation.method == "DELETE" and body is None else encoded(body or {})
    return stranger().generic(
        operation.method,
        path,
        text + space.encode(),
        kind,
        query_params=query,
        headers=who.headers | {name.replace("_", "-"): value for name, value in headers.items()},
    )


def asker(operation: Operation, walker: Walker) -> Principal | None:
    """Somebody who can do it."""
    for who in (walker.world.principals[name] for name in ASKERS):
        with undone():
            if ask(operation, who, walker).status_code in operation.success:
                return who
    return None


def said(response: Any) -> tuple[int, bytes, str | None]:
    """What the caller is told."""
    return response.status_code, response.content, response.get("ETag")


def faults_of_key(operation: Operation, who: Principal, walker: Walker) -> Iterator[str]:
    """What is wrong where the same key comes twice, and then with another body."""
    with undone():
        first = ask(operation, who, walker, Idempotency_Key="monday")
        before = tables.digests()
        again = ask(operation, who, walker, Idempotency_Key="monday")
        if again.get(REPLAYED) != "true" or before != tables.digests():
            yield "it is done twice"
        if (again.status_code, again.content, again.get("ETag")) != (
            first.status_code,
            first.content,
            first.get("ETag"),
        ):
            yield f"the answers differ: {first.status_code} {first.content!r}, {again.status_code} {again.content!r}"
        other = ask(operation, who, walker, space=" ", Idempotency_Key="monday")
        if other.status_code != REUSED or before != tables.digests():
            yield f"another body under the same key is answered by {other.status_code}"


def faults_of_version(operation: Operation, who: Principal, walker: Walker) -> Iterator[str]:
    """What is wrong where somebody has seen an old version."""
    with undone():
        before = tables.digests()
        stale = ask(operation, who, walker, If_Match=STALE)
        if stale.status_code != STALE_STATUS or before != tables.digests():
            yield f"an old version is answered by {stale.status_code}"
        elif operation.method != "DELETE" and "current" not in stale.json():
            yield "it is not told what there is now"
    with undone():
        if (any_will_do := ask(operation, who, walker, If_Match="*")).status_code not in operation.success:
            yield f"whatever version it has is answered by {any_will_do.status_code}"


CHECKS = {KEY: faults_of_key, VERSION: faults_of_version}


def faults(name: str, header: str, walker: Walker) -> list[str]:
    """What is wrong with what an operation does with a header."""
    operation = operations()[name]
    who = asker(operation, walker)
    if who is None:
        return [] if policy.rows()[name].gives else ["nobody could do it: give it an example that works"]
    return list(CHECKS[header](operation, who, walker))


def promising(header: str) -> list[str]:
    """The operations of which the schema says that they take a header."""
    return sorted(name for name, one in written().items() if takes(one, header) and name not in NOTHING_MADE)


class TestPromise:
    @pytest.mark.parametrize("name", promising(KEY))
    def test_of_doing_it_once_is_kept(self, name, walker):
        assert faults(name, KEY, walker) == []

    @pytest.mark.parametrize("name", promising(VERSION))
    def test_of_overwriting_nothing_new_is_kept(self, name, walker):
        assert faults(name, VERSION, walker) == []

    def test_is_made_by_every_write_or_there_is_a_reason(self):
        silent = {
            (name, header)
            for name, one in written().items()
            for header in (KEY, VERSION)
            if not takes(one, header) and not excused(one, header) and (header == KEY or one.method != "POST")
        }
        assert silent == set()

    def test_is_not_made_where_there_is_a_reason_not_to(self):
        doubtful = {name for name, one in written().items() if takes(one, KEY) and excused(one, KEY)}
        assert doubtful == set()
        paths = {one.path for one in written().values()}
        reasons = {**NO_KEY, **NO_KEY_FOR_CHANGES, **NO_VERSION}
        assert {path for path in reasons if not any(one.startswith(path) for one in paths)} == set()


class TestPlantedBug:
    @pytest.mark.parametrize("name", ["equipment_create", "tasks_update", "sites_bulk_create", "invitations_resend"])
    def test_of_a_key_that_nobody_looks_at_is_found(self, name, walker, monkeypatch):
        monkeypatch.setattr(idempotency, "once", lambda _, work: work())
        assert "it is done twice" in faults(name, KEY, walker)

    @pytest.mark.parametrize("name", ["equipment_update", "tasks_update", "keys_destroy"])
    def test_of_a_version_that_nobody_compares_is_found(self, name, walker, monkeypatch):
        monkeypatch.setattr(concurrency, "expected_version", lambda *_: None)
        assert faults(name, VERSION, walker)

    def test_of_a_version_that_nobody_merges_with_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(concurrency, "read_version", lambda *_: None)
        assert faults("tasks_partial_update", VERSION, walker)
