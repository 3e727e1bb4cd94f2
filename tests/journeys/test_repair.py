"""The repair: an alert becomes work, somebody does it, and telemetry says whether that has helped."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.journeys.test_main_job import created, eventually

VERIFY = {"run": "PT2S", "within": "PT1H"}
_numbers = count(1)


@pytest.fixture
def press(platform) -> int:
    """A press that runs while it turns, and is too hot above 80."""
    number = next(_numbers)
    kind = {"slug": f"repair-press-{number}", "name": "Press", "expected_interval": "PT1S"}
    make(platform, "/api/asset-types/", kind | {"running": {"parameter": "speed", "above": 100}})
    site = make(platform, "/api/sites/", {"name": f"Repair hall {number}"})["id"]
    equipment = make(platform, "/api/equipment/", {"name": "Press 7", "type": kind["slug"], "site": site})["id"]
    rule = {
        "name": "Press is too hot",
        "parameter": "temperature",
        "scope": {"site": site},
        "conditions": [{"kind": "above", "limit": 80, "severity": "high"}],
        "open_task": {"title": "Cool the press", "verify": VERIFY},
    }
    make(platform, "/api/rules/", rule)
    return int(equipment)


def make(platform, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return created(platform.call("POST", path, json=body))


def send(platform, press: int, temperature: float, *, speed: float = 1500) -> None:
    platform.post_reading(press, {"temperature": temperature, "speed": speed})


def the(platform, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = platform.call("GET", path, params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def change(platform, task: int, **body: Any) -> dict[str, Any]:
    answer = platform.call("PATCH", f"/api/tasks/{task}/", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def verification(platform, task: int) -> dict[str, Any]:
    return dict(platform.call("GET", f"/api/tasks/{task}/verification/").json())


def test_alert_task_repair_verified(platform, press):
    # An alert opens a task.
    send(platform, press, 95)
    [task] = eventually(lambda: the(platform, f"/api/equipment/{press}/tasks/", state="open"))
    assert (task["title"], task["equipment"]) == ("Cool the press", press)
    # While somebody works on it, what else the press reports pages nobody.
    change(platform, task["id"], state="in_progress")
    eventually(lambda: the(platform, "/api/alerts/", equipment=press)[0]["suppressed_by"] == f"task:{task['id']}")
    down = make(platform, "/api/downtimes/", {"equipment": press, "reason": "Fan broken", "task": task["id"]})
    # It is mended: the alert returns, the press is up, the task is done.
    send(platform, press, 60, speed=0)
    eventually(lambda: not the(platform, "/api/alerts/", equipment=press)[0]["active"])
    assert platform.call("POST", f"/api/downtimes/{down['id']}/end/").status_code == 200
    assert change(platform, task["id"], state="done")["verification"] == "waiting"
    # Telemetry proves it, while the press runs.

    def proved() -> bool:
        send(platform, press, 61)
        return bool(verification(platform, task["id"])["phase"] == "verified")

    eventually(proved, within=60)
    told = verification(platform, task["id"])
    assert (told["attempt"], told["evidence"], told["ran"]) == (1, None, "PT2S")
    history = the(platform, f"/api/tasks/{task['id']}/history/")
    told = [one["after"] for edit in history for one in edit["changes"] if one["field"] == "verification"]
    # The newest first.
    assert (told[0], told[-1]) == ("verified", "waiting")
    # And the figures know of it.
    figures = platform.call("GET", "/api/tasks/kpi/", params={"equipment": press}).json()["reliability"]
    assert figures["failures"] == 1
    assert figures["mttr"] is not None


def test_what_has_not_helped_is_open_again(platform, press):
    send(platform, press, 95)
    [task] = eventually(lambda: the(platform, f"/api/equipment/{press}/tasks/", state="open"))
    send(platform, press, 60)
    eventually(lambda: not the(platform, "/api/alerts/", equipment=press)[0]["active"])
    change(platform, task["id"], state="done")
    send(platform, press, 62)
    send(platform, press, 97)
    # The very task, with what speaks against it; and no second one.
    eventually(lambda: verification(platform, task["id"])["phase"] == "refuted", within=60)
    [again] = the(platform, f"/api/equipment/{press}/tasks/", state="open")
    assert (again["id"], again["completed_at"]) == (task["id"], None)
    evidence = verification(platform, task["id"])["evidence"]
    assert (evidence["parameter"], evidence["value"], evidence["limit"]) == ("temperature", 97.0, 80.0)
