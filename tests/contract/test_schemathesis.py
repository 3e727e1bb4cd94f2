"""A campaign of generated requests against every operation of the OpenAPI document, in-process, as an admin.

Every operation is first sent one request that is good (tests/campaigns/hostile_world.py), so that each of them is known
to answer with success; then what the document allows and what it forbids, made from the seed. All checks look at all
answers, but for those that contradict the house; why is said beside their names.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rest_framework.response import Response
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core import NOT_SET
from schemathesis.core.failures import Failure, FailureGroup

from techtrack.config.wsgi import django as application
from techtrack.tasks.api.categories import CategoryViewSet
from tests import factories
from tests.campaigns.hostile_world import World
from tests.forms import Form, encoded

SEED = int(os.environ.get("TECHTRACK_SEED") or secrets.randbelow(2**32))
LONGER = int(os.environ.get("TECHTRACK_CAMPAIGN") or 1)
# In halves that two workers run side by side: 5,200 in CI, most of them on SQLite, where they are cheap.
HALVES = 2
ON_POSTGRES = os.environ.get("TECHTRACK_TEST_DATABASE") == "postgres"
LEAST_CASES = (400 if ON_POSTGRES else 2_200) * LONGER
IN_A_ROUND = 3 if ON_POSTGRES else 10
LONGEST = 200.0 * LONGER
LEFT_OUT = {
    # A site may be bound to a parent that is not there, a name may be taken: what is of the right form may be refused.
    "positive_data_acceptance",
    # The strict parser takes what JSON Schema cannot forbid, such as 1.0 for a whole number.
    "negative_data_rejection",
}
# What would lock the campaign out is done and undone at once; everything else stays and can poison what follows.
UNDONE = re.compile(r"/api/(users|accounts|token|live)/")

load_all_checks()


def served(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """As a server does, close each answer behind its last piece: an open file is a warning, which is an error."""
    answer = application(environ, start_response)
    with closing(answer):
        yield from answer


class Campaign:
    """Runs cases until there were enough of every operation, and keeps what went wrong by operation."""

    def __init__(self, schema: Any, headers: dict[str, str], world: World) -> None:
        self._operations = [result.ok() for result in schema.get_all_operations()]
        self._headers = headers
        self._world = world
        self._checks = CHECKS.get_by_names([name for name in CHECKS.get_all_names() if name not in LEFT_OUT])
        self._deadline = time.monotonic() + LONGEST
        self.statuses: Counter[int] = Counter()
        self.failures: dict[str, str] = {}
        self.reached: set[str] = set()

    @property
    def labels(self) -> set[str]:
        """The operations of this campaign."""
        return {operation.label for operation in self._operations}

    def only(self, *labels: str) -> None:
        """Leave every other operation alone."""
        self._operations = [operation for operation in self._operations if operation.label in labels]

    def half(self, number: int) -> None:
        """Leave the operations of the other halves alone."""
        self._operations = self._operations[number::HALVES]

    def run(self) -> None:
        """Send what is good, then at least LEAST_CASES, spread evenly, until the time is over."""
        for operation in self._operations:
            self._send_good(operation)
        left = [operation for operation in self._operations if operation.label not in self.failures]
        round_number = 0
        while sum(self.statuses.values()) < LEAST_CASES and time.monotonic() < self._deadline and left:
            for operation in left:
                self._attack(operation, round_number)
            left = [operation for operation in left if operation.label not in self.failures]
            round_number += 1

    def _send_good(self, operation: Any) -> None:
        """One request that is good, in the state of things that it is made for; it leaves no trace."""
        before = dict(self._world.ids)
        with transaction.atomic():
            body = self._world.good(operation.label)
            case = operation.Case(
                path_parameters=self._world.path_parameters(operation.path),
                query=self._world.query_of(operation.label),
                body=NOT_SET if body is None or isinstance(body, Form) else body,
                media_type=None if body is None or isinstance(body, Form) else "application/json",
            )
            self._call(operation, case, undo=True, form=body if isinstance(body, Form) else None)
        self._world.ids = before

    def _attack(self, operation: Any, round_number: int) -> None:
        own = self._world.path_parameters(operation.path)
        strategies = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
        if own:
            strategies.append(operation.as_strategy(GenerationMode.POSITIVE, path_parameters=own))

        @seed(SEED + round_number)
        @settings(
            max_examples=IN_A_ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(*strategies))
        def send(case: Any) -> None:
            if time.monotonic() < self._deadline and operation.label not in self.failures:
                with transaction.atomic():
                    self._call(operation, case, undo=bool(UNDONE.match(operation.path)))

        send()

    def _call(self, operation: Any, case: Any, *, undo: bool, form: Form | None = None) -> None:
        cache.clear()
        if form is None:
            response = case.call(headers=self._headers)
        else:
            body, kind = encoded(form)
            response = case.call(headers=self._headers | {"Content-Type": kind}, data=body)
        self.statuses[response.status_code] += 1
        if response.status_code < 300:
            self.reached.add(operation.label)
        try:
            case.validate_response(response, checks=self._checks, headers=self._headers)
        except (Failure, FailureGroup) as failure:
            self.failures[operation.label] = f"{_told(failure)}\n{case.as_curl_command()}\n{response.content[:600]}"
        if undo:
            transaction.set_rollback(True)


def _told(failure: BaseException) -> str:
    inner = getattr(failure, "exceptions", [failure])
    return "; ".join(f"{type(one).__name__}: {str(one)[:600]}" for one in inner)


@pytest.fixture
def campaign(db, adam, api, plant, robot, station) -> Iterator[Campaign]:
    """A campaign that prints its seed; TECHTRACK_SEED repeats one."""
    world = World(adam, plant, robot, station)
    body = {"username": "adam", "password": factories.PASSWORD}
    token = api(None).post("/api/token/", body, format="json").json()["access"]
    # As Django's own test client does: a request must not close the connection that holds the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", served)
    made = Campaign(schema, {"Authorization": f"Bearer {token}"}, world)
    yield made
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    print(f"\nschemathesis: {sum(made.statuses.values())} cases, TECHTRACK_SEED={SEED}, {dict(made.statuses)}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=pytest.mark.xdist_group(f"long{number}")) for number in range(HALVES)]
)
def test_no_request_breaks_the_server_or_its_document(campaign, number):
    campaign.half(number)
    campaign.run()
    told = "\n\n".join(f"{label}\n{text}" for label, text in sorted(campaign.failures.items()))
    assert not campaign.failures, f"TECHTRACK_SEED={SEED}\n{told}"
    assert campaign.labels - campaign.reached == set(), "these never answered with success"
    assert sum(campaign.statuses.values()) >= LEAST_CASES, campaign.statuses
    assert not {status for status in campaign.statuses if status >= 500}, campaign.statuses


def test_a_planted_server_error_is_caught(campaign, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(CategoryViewSet, "add", broken)
    campaign.only("POST /api/categories/")
    campaign.run()
    assert "ServerError" in campaign.failures["POST /api/categories/"]


def test_a_planted_answer_that_the_document_does_not_know_is_caught(campaign, monkeypatch):
    def undocumented(*_: object, **__: object) -> Response:
        return Response({"count": "many"})

    monkeypatch.setattr(CategoryViewSet, "list", undocumented)
    campaign.only("GET /api/categories/")
    campaign.run()
    assert "JsonSchemaError" in campaign.failures["GET /api/categories/"]


def test_a_planted_door_that_asks_nobody_who_is_calling_is_caught(campaign, monkeypatch):
    monkeypatch.setattr(CategoryViewSet, "permission_classes", [])
    monkeypatch.setattr(CategoryViewSet, "get_queryset", lambda view: view.queryset.none())
    campaign.only("GET /api/categories/")
    campaign.run()
    assert "IgnoredAuth" in campaign.failures["GET /api/categories/"]
