"""A machine is worked on and silenced: nobody is told meanwhile, and everybody afterwards. A platform of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.plugins.platform import Platform


def eventually(look: Callable[[], Any], *, within: float = 20.0) -> Any:
    """Return what ``look`` gives once it gives something; never is a failure."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, "never"
        time.sleep(0.05)
    return found


@pytest.fixture
def make(platform: Platform) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """``make("sites", {...})``: POST what must succeed."""

    def made(what: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = platform.call("POST", f"/api/{what}/", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return made


def test_people_are_told_of_nothing_that_is_explained_and_of_all_that_stays(platform, make):
    site = make("sites", {"name": f"Hall {time.time_ns()}", "timezone": "Europe/Berlin"})["id"]
    press = make("equipment", {"name": "Press", "site": site})["id"]
    scope = {"site": site, "assets": [press]}
    above = [{"kind": "above", "limit": 80.0, "severity": "high"}]
    make("rules", {"name": "Hot", "scope": scope, "parameter": "temperature", "conditions": above})
    mail = make("channels", {"name": "Shift", "kind": "email", "config": {"to": ["x@example.org"]}, "site": site})
    make("routes", {"name": "All", "site": site, "channels": [mail["id"]]})
    now = datetime.now(UTC)
    silence = make(
        "silences",
        {
            "name": "Test run",
            "site": site,
            "starts_at": now.isoformat(),
            "ends_at": (now + timedelta(hours=1)).isoformat(),
        },
    )

    def alert() -> dict[str, Any]:
        found = platform.call("GET", f"/api/alerts/?equipment={press}").json()["results"]
        return found[0] if found else {}

    def told() -> int:
        return platform.call("GET", f"/api/deliveries/?alert={alert()['id']}").json()["count"]

    def history() -> list[str]:
        events = platform.call("GET", f"/api/alerts/{alert()['id']}/events/").json()["results"]
        return [event["kind"] for event in events if event["kind"] != "notified"]

    # Raised in a silence.
    platform.post_reading(press, {"temperature": 91.0})
    assert eventually(alert)["state"] == "suppressed"
    assert told() == 0
    # The silence is taken back: it is still hot.
    assert platform.call("DELETE", f"/api/silences/{silence['id']}/").status_code == 204
    eventually(lambda: alert()["state"] == "unacknowledged")
    eventually(lambda: told() == 1)
    # Somebody works on it; what the work does to the machine pages nobody.
    body = {"title": "Mend", "equipment": press, "alert": alert()["id"], "state": "in_progress"}
    task = make("tasks", body)["id"]
    eventually(lambda: alert()["state"] == "suppressed")
    platform.post_reading(press, {"temperature": 20.0})
    platform.post_reading(press, {"temperature": 95.0})
    eventually(lambda: alert()["occurrences"] == 2)
    assert (alert()["state"], told()) == ("suppressed", 1)
    # Done, and as hot as before.
    assert platform.call("PATCH", f"/api/tasks/{task}/", json={"state": "done"}).status_code == 200
    eventually(lambda: alert()["state"] == "unacknowledged")
    eventually(lambda: told() == 2)
    # A window begins and ends by itself.
    now = datetime.now(UTC)
    window = {
        "starts_at": (now + timedelta(seconds=1)).isoformat(),
        "ends_at": (now + timedelta(seconds=6)).isoformat(),
    }
    make("silences", {"name": "Crane", "site": site, "kind": "maintenance", **window})
    eventually(lambda: alert()["state"] == "suppressed")
    eventually(lambda: alert()["state"] == "unacknowledged")
    eventually(lambda: told() == 3)
    kinds = ["raised", "suppressed", "unsuppressed", "suppressed", "returned", "raised", "unsuppressed"]
    assert history() == [*kinds, "suppressed", "unsuppressed"]
