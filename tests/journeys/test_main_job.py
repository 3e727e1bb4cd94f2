"""The main job, end to end: a bearing fails, somebody is told, takes it, mends it. Real HTTP, WebSocket, SMTP."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from tests.plugins.platform import Platform, database_url
from tests.plugins.post import Mailbox

RECORDING = Path(__file__).resolve().parents[2] / "techtrack" / "demo" / "data"
LIMIT = 0.15  # g RMS: twice the healthy level of this bearing (0.075 g) in the recording
PASSWORD = "correct horse battery staple"


@pytest.fixture
def plant(tmp_path, mailbox, worker_id) -> Iterator[Platform]:
    """A platform of its own that sends its mail to the test."""
    settings = {"EMAIL_URL": mailbox.url}
    url = database_url(tmp_path, f"techtrack_journey_{worker_id}", new=True)
    running = Platform(tmp_path, database_url=url, settings=settings)
    running.start()
    running.make_admin()
    yield running
    running.stop()


def failing_bearing() -> list[float]:
    """RMS of bearing 1, every 10 minutes, of the last days of the run (measured 2004)."""
    with gzip.open(RECORDING / "ims_bearing_set2.csv.gz", "rt") as file:
        return [float(row["b1_rms"]) for row in csv.DictReader(file)]


def eventually(look: Any, *, within: float = 10.0) -> Any:
    """Return what ``look`` gives once it gives something; never is a failure."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} never gave anything"
        time.sleep(0.02)
    return found


def plain(message: Any) -> str:
    """The text of a mail, without its HTML."""
    [part] = [part for part in message.walk() if part.get_content_type() == "text/plain"]
    return str(part.get_payload(decode=True).decode())


def created(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def log_in(plant: Platform, username: str) -> dict[str, str]:
    answer = requests.post(f"{plant.url}/api/token/", json={"username": username, "password": PASSWORD}, timeout=10)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access']}"}


def frame_of(socket: Any, kind: str, **wanted: Any) -> dict[str, Any]:
    """Return the next frame of a kind with the given members."""
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=10))
        if frame["type"] == kind and all(frame.get(name) == value for name, value in wanted.items()):
            return frame


def test_a_failing_bearing_is_found_told_taken_and_mended(  # noqa: PLR0915 - one story, told in one go
    plant: Platform, mailbox: Mailbox
) -> None:
    values = failing_bearing()
    first_bad = next(index for index, value in enumerate(values) if value > LIMIT)
    now = datetime.now(UTC)

    def when(index: int) -> str:
        return (now + timedelta(seconds=index - first_bad)).isoformat()

    # The plant: a test rig, who works there, what is watched, who is told.
    site = created(plant.call("POST", "/api/sites/", json={"name": "Bearing test lab"}))
    rig = created(
        plant.call(
            "POST",
            "/api/equipment/",
            json={"name": "Bearing 1", "key": "rig-b1", "type": "bearing", "site": site["id"]},
        )
    )
    for name in ("olga", "tom"):
        person = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        created(plant.call("POST", "/api/users/", json={**person, "roles": [{"site": site["id"], "role": "operator"}]}))
    created(
        plant.call(
            "POST",
            "/api/rules/",
            json={
                "name": "Vibration",
                "scope": {"asset_type": "bearing"},
                "parameter": "vibration_rms",
                "conditions": [{"kind": "above", "limit": LIMIT, "severity": "critical"}],
                "deadband": 0.01,
                "on_delay": "PT1S",
                "off_delay": "PT1S",
                "open_task": {"title": "Replace the bearing"},
            },
        )
    )
    mail = {"name": "Shift", "kind": "email", "config": {"to": ["shift@example.org"]}, "site": site["id"]}
    channel = created(plant.call("POST", "/api/channels/", json=mail))
    created(plant.call("POST", "/api/routes/", json={"name": "All", "site": site["id"], "channels": [channel["id"]]}))
    key = created(
        plant.call(
            "POST", "/api/keys/", json={"name": "gateway", "scope": "ingest", "asset": rig["id"], "site": site["id"]}
        )
    )["key"]

    def send(*samples: tuple[int, float]) -> None:
        items = [{"asset": "rig-b1", "timestamp": when(i), "values": {"vibration_rms": v}} for i, v in samples]
        headers = {"Authorization": f"Api-Key {key}"}
        answer = requests.post(f"{plant.url}/api/ingest/", json={"items": items}, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == len(samples)

    olga, tom = log_in(plant, "olga"), log_in(plant, "tom")
    with connect(plant.ws_url, subprotocols=["techtrack.v1"], additional_headers=olga) as socket:
        topics = [f"sites/{site['id']}/alerts", f"assets/{rig['id']}/readings"]
        socket.send(json.dumps({"type": "subscribe", "id": "a", "topics": topics}))
        assert frame_of(socket, "subscribed", id="a")["snapshot"]

        # Vibration climbs: every value up to the limit is quiet; the first above it raises the alert once the delay
        # has run, by the clock, for nothing more arrives.
        start = max(0, first_bad - 50)
        send(*[(index, values[index]) for index in range(start, first_bad)])
        assert frame_of(socket, "reading", asset=rig["id"])["values"]["vibration_rms"] == values[first_bad - 1]
        sent = time.monotonic()
        send((first_bad, values[first_bad]))
        raised = frame_of(socket, "alert", event="raised")["alert"]
        print(f"reading sent -> alert frame received: {(time.monotonic() - sent) * 1000:.0f} ms")
        assert (raised["value"], raised["limit"]) == (values[first_bad], LIMIT)
        assert raised["raised_at"] == (now + timedelta(seconds=1)).isoformat(timespec="microseconds").replace(
            "+00:00", "Z"
        )

        # Told: what is to be told was committed with the alert, and the mail says what, where, value, limit, link.
        path = f"/api/alerts/{raised['id']}/"
        deliveries = f"/api/deliveries/?alert={raised['id']}"
        [delivery] = eventually(lambda: plant.call("GET", deliveries).json()["results"])
        [message] = eventually(lambda: mailbox.messages)
        text = f"{message['Subject']}\n{plain(message)}"
        for said in ("Bearing 1", "Bearing test lab", "vibration_rms", str(values[first_bad]), str(LIMIT)):
            assert said in text
        assert f"{plant.url}/alerts/{raised['id']}/" in text
        assert message["To"] == "shift@example.org"
        sent_state = f"/api/deliveries/{delivery['id']}/"
        eventually(lambda: plant.call("GET", sent_state).json()["state"] == "sent")

        # A task is open; one operator takes the alert, the other learns who did.
        [task] = plant.call("GET", f"/api/tasks/?alert={raised['id']}").json()["results"]
        assert (task["title"], task["state"], task["equipment"]) == ("Replace the bearing", "open", rig["id"])
        assert requests.post(f"{plant.url}{path}acknowledge/", json={}, headers=olga, timeout=10).status_code == 200
        second = requests.post(f"{plant.url}{path}acknowledge/", json={}, headers=tom, timeout=10)
        assert second.status_code == 409
        assert second.json()["code"] == "alert_already_acknowledged"
        assert "olga" in second.json()["detail"]
        assert frame_of(socket, "alert", event="acknowledged")["alert"]["id"] == raised["id"]

        # A value that rests on the limit lets nothing go: it is within the deadband.
        send((first_bad + 1, LIMIT - 0.005))
        assert frame_of(socket, "reading", asset=rig["id"])["values"]["vibration_rms"] == LIMIT - 0.005
        # The new bearing runs as the old one did when it was healthy: the alert returns, after its delay.
        send((first_bad + 2, values[0]))
        returned = frame_of(socket, "alert", event="returned")["alert"]
        assert (returned["id"], returned["active"], returned["state"]) == (raised["id"], False, "normal")
        kinds = [event["kind"] for event in plant.call("GET", f"{path}events/").json()["results"]]
        # The mail of the return may have gone out by now, or not.
        assert [kind for kind in kinds if kind != "notified"] == ["raised", "acknowledged", "returned"]
        assert kinds[1] == "notified"

        # Mended: the task is done.
        done = requests.patch(f"{plant.url}/api/tasks/{task['id']}/", json={"state": "done"}, headers=tom, timeout=10)
        assert done.status_code == 200, done.text
        assert done.json()["completed_at"]
    back = eventually(lambda: mailbox.messages[1:])
    assert "returned" in f"{back[0]['Subject']}{plain(back[0])}".lower()
