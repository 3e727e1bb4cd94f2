"""A campaign of generated requests against every operation of the OpenAPI document, in-process, as an admin."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rest_framework.response import Response
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup

from techtrack.config.wsgi import django as application
from techtrack.tasks.api.viewsets import CategoryViewSet
from tests import factories

# Long ones begin first, on one worker.
pytestmark = pytest.mark.xdist_group("long")
SEED = int(os.environ.get("TECHTRACK_SEED") or secrets.randbelow(2**32))
LEAST_CASES = 2_000
LONGEST = 170.0
CHECKED = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
# What would lock the campaign out is done and undone at once; everything else stays and can poison what follows.
UNDONE = re.compile(r"/api/(users|accounts|token|live)/")

load_all_checks()


class Campaign:
    """Runs cases until there were enough of every operation, and keeps what went wrong by operation."""

    def __init__(self, schema: Any, headers: dict[str, str], known: dict[str, str | int]) -> None:
        self._operations = [result.ok() for result in schema.get_all_operations()]
        self._headers = headers
        self._known = known
        self._checks = CHECKS.get_by_names(CHECKED)
        self._deadline = time.monotonic() + LONGEST
        self.statuses: Counter[int] = Counter()
        self.failures: dict[str, str] = {}
        self.reached: set[str] = set()

    def only(self, label: str) -> None:
        """Leave every operation but one alone."""
        self._operations = [operation for operation in self._operations if operation.label == label]

    def run(self) -> None:
        """Send at least LEAST_CASES, spread evenly, until the time is over."""
        left = list(self._operations)
        round_number = 0
        while sum(self.statuses.values()) < LEAST_CASES and time.monotonic() < self._deadline and left:
            for operation in left:
                self._attack(operation, round_number)
            left = [operation for operation in left if operation.label not in self.failures]
            round_number += 1

    def _attack(self, operation: Any, round_number: int) -> None:
        own = {
            name: self._known[operation.path.split("/")[2]]
            for name in re.findall(r"\{(\w+)\}", operation.path)
            if operation.path.split("/")[2] in self._known
        }
        strategies = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
        if own:
            strategies.append(operation.as_strategy(GenerationMode.POSITIVE, path_parameters=own))

        @seed(SEED + round_number)
        @settings(
            max_examples=24,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(*strategies))
        def send(case: Any) -> None:
            if time.monotonic() < self._deadline and operation.label not in self.failures:
                self._send(operation, case)

        send()

    def _send(self, operation: Any, case: Any) -> None:
        with transaction.atomic():
            response = case.call(headers=self._headers)
            if UNDONE.match(operation.path):
                transaction.set_rollback(True)
        self.statuses[response.status_code] += 1
        if response.status_code < 300:
            self.reached.add(operation.label)
        try:
            case.validate_response(response, checks=self._checks)
        except (Failure, FailureGroup) as failure:
            self.failures[operation.label] = f"{_told(failure)}\n{case.as_curl_command()}\n{response.content[:600]}"


def _told(failure: BaseException) -> str:
    inner = getattr(failure, "exceptions", [failure])
    return "; ".join(f"{type(one).__name__}: {str(one)[:600]}" for one in inner)


@pytest.fixture
def known(adam, plant, robot, station) -> dict[str, str | int]:
    """One object of each collection, so that not every path leads to 404."""
    task = factories.make_task(adam, owners=[adam], asset_id=robot.pk)
    alert = factories.make_alert(robot, rule=factories.make_rule(site=plant))
    channel = factories.make_channel(site=plant)
    factories.make_reading(robot, temperature=71.3)
    factories.make_reading(station, pm2_5=12.1)
    micros = int(factories.NOW.timestamp() * 1_000_000)
    return {
        "equipment": robot.pk,
        "sensors": station.pk,
        "sites": plant.pk,
        "asset-types": robot.type_id,
        "parameters": factories.make_parameter("torque").pk,
        "users": factories.make_user("ulrike").pk,
        "keys": factories.make_key(adam).pk,
        "alerts": alert.pk,
        "rules": alert.rule_id,
        "silences": factories.make_silence(site=plant).pk,
        "channels": channel.pk,
        "routes": factories.make_route(channel).pk,
        "deliveries": str(factories.make_delivery(channel, alert=alert, site=plant).pk),
        "tasks": task.pk,
        "categories": factories.make_category(adam).pk,
        "data": f"{robot.pk}-{micros}",
        "measurements": f"{station.pk}-{micros}",
    }


@pytest.fixture
def campaign(db, adam, api, known) -> Iterator[Campaign]:
    """A campaign that prints its seed; TECHTRACK_SEED repeats one."""
    body = {"username": "adam", "password": factories.PASSWORD}
    token = api(None).post("/api/token/", body, format="json").json()["access"]
    # As Django's own test client does: a request must not close the connection that holds the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)
    made = Campaign(schema, {"Authorization": f"Bearer {token}"}, known)
    yield made
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    print(f"\nschemathesis: {sum(made.statuses.values())} cases, TECHTRACK_SEED={SEED}, {dict(made.statuses)}")


@pytest.mark.slow
def test_no_request_breaks_the_server_or_its_document(campaign):
    campaign.run()
    told = "\n\n".join(f"{label}\n{text}" for label, text in sorted(campaign.failures.items()))
    assert not campaign.failures, f"TECHTRACK_SEED={SEED}\n{told}"
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
