"""Who is told when, end to end: one mail for a cascade, then a text message to a second person, until one takes it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from tests.journeys.test_main_job import PASSWORD, created, eventually, frame_of, log_in, plain
from tests.plugins.platform import Platform, database_url
from tests.plugins.post import Mailbox

SMS = 160


class Gateway:
    """An SMS gateway that keeps what it is given."""

    def __init__(self) -> None:
        texts: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.texts = texts
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/messages"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def plant(tmp_path, mailbox, worker_id) -> Iterator[Platform]:
    settings = {"EMAIL_URL": mailbox.url, "TECHTRACK_PRIVATE_DESTINATIONS": "127.0.0.1"}
    url = database_url(tmp_path, f"techtrack_telling_{worker_id}")
    running = Platform(tmp_path, database_url=url, settings=settings)
    running.start()
    running.make_admin()
    yield running
    running.stop()


def take(link: str) -> None:
    """Open the link of a mail, and press the button there."""
    browser = requests.Session()
    page = browser.get(link, timeout=10)
    assert page.status_code == 200, page.text
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    done = browser.post(link, data={"csrfmiddlewaretoken": token}, headers={"Referer": link}, timeout=10)
    assert done.status_code == 200, done.text


def comments(plant: Platform, alert: int, *, caller: dict[str, str] | None = None) -> list[str]:
    """What the history of an alert says of telling people."""
    url = f"{plant.url}/api/alerts/{alert}/events/"
    answer = requests.get(url, headers=caller, timeout=10) if caller else plant.call("GET", url[len(plant.url) :])
    return [row["comment"] for row in answer.json()["results"] if row["kind"] == "notified"]


def test_a_cascade_is_one_mail_and_a_second_person_gets_a_text_until_one_takes_and_mends_it(  # noqa: PLR0915 - one story
    plant: Platform, mailbox: Mailbox, gateway: Gateway
) -> None:
    site = created(plant.call("POST", "/api/sites/", json={"name": "Bearing test lab"}))
    rigs = [
        created(plant.call("POST", "/api/equipment/", json={"name": name, "type": "bearing", "site": site["id"]}))
        for name in ("Bearing 1", "Bearing 2", "Bearing 3")
    ]
    people = {}
    for name, role in (("olga", "operator"), ("tom", "operator"), ("vera", "viewer")):
        person = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        roles = [{"site": site["id"], "role": role}]
        people[name] = created(plant.call("POST", "/api/users/", json={**person, "roles": roles}))["id"]
    created(
        plant.call(
            "POST",
            "/api/rules/",
            json={
                "name": "Vibration",
                "scope": {"asset_type": "bearing"},
                "parameter": "vibration_rms",
                "conditions": [{"kind": "above", "limit": 0.15, "severity": "critical"}],
                "open_task": {"title": "Replace the bearing"},
            },
        )
    )
    # Of the third bearing everybody knows: each day it is worked on.
    silence = {
        "name": "Rebuilding bearing 3",
        "kind": "maintenance",
        "site": site["id"],
        "starts_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "rrule": "FREQ=DAILY",
        "duration": "PT6H",
        "timezone": "UTC",
        "matchers": {"assets": [rigs[2]["id"]]},
    }
    created(plant.call("POST", "/api/silences/", json=silence))

    # Tom has text messages sent to his phone; olga has said nothing, and gets e-mail.
    olga, tom, vera = log_in(plant, "olga"), log_in(plant, "tom"), log_in(plant, "vera")
    phone = {"to": ["+4915112345678"], "url": gateway.url}
    channel = {"name": "Phone", "kind": "sms_gateway", "config": phone, "personal": True}
    created(requests.post(f"{plant.url}/api/channels/", json=channel, headers=tom, timeout=10))
    created(
        plant.call(
            "POST",
            "/api/routes/",
            json={
                "name": "Bearings",
                "site": site["id"],
                "people": [people["olga"]],
                "group_by": ["site"],
                "group_wait": "PT2S",
                "group_interval": "PT1S",
                "escalation": [{"after": "PT3S", "people": [people["tom"]]}],
            },
        )
    )

    def measure(value: float) -> None:
        at = datetime.now(UTC).isoformat()
        items = [{"equipment": rig["id"], "timestamp": at, "values": {"vibration_rms": value}} for rig in rigs]
        assert plant.call("POST", "/api/data/", json={"items": items}).status_code == 201

    with connect(plant.ws_url, subprotocols=["techtrack.v1"], additional_headers=olga) as socket:
        socket.send(json.dumps({"type": "subscribe", "id": "a", "topics": [f"sites/{site['id']}/alerts"]}))
        assert frame_of(socket, "subscribed", id="a")["snapshot"]

        # All bearings fail at once: olga gets one mail, which names the two that nobody works on.
        measure(0.3)
        assert frame_of(socket, "alert", event="raised")["alert"]["value"] == 0.3
        [mail] = eventually(lambda: mailbox.messages, within=30)
        assert mail["To"] == "olga@example.org"
        assert "2 alerts" in plain(mail)
        assert "Bearing 1" in plain(mail)
        assert "Bearing 2" in plain(mail)
        assert "Bearing 3" not in plain(mail)

        # Nobody takes them: tom gets a text message, of one part.
        [text] = eventually(lambda: gateway.texts, within=30)
        assert text["to"] == "+4915112345678"
        assert "Vibration" in text["text"]
        assert len(text["text"]) <= SMS
        alerts = plant.call("GET", "/api/alerts/?active=true&state=unacknowledged").json()["results"]
        assert sorted(alert["equipment"] for alert in alerts) == [rig["id"] for rig in rigs[:2]]
        deliveries = plant.call("GET", f"/api/deliveries/?alert={alerts[0]['id']}").json()["results"]
        assert sorted((row["event"], row["person"], len(row["alerts"])) for row in deliveries) == [
            ("escalated", people["tom"], 2),
            ("raised", people["olga"], 2),
        ]

        # The history of each says who was told: by name to those who may know.
        for alert in alerts:
            told = eventually(lambda pk=alert["id"]: len(found := comments(plant, pk)) > 1 and found, within=30)
            assert sorted(told) == ["e-mail to olga: raised", "text message to tom: escalated"]
            assert sorted(comments(plant, alert["id"], caller=vera)) == ["e-mail: raised", "text message: escalated"]

        # Olga takes both with the link in her mail.
        [link] = re.findall(rf"{re.escape(plant.url)}/acknowledge/\S+", plain(mail))
        take(link)
        assert frame_of(socket, "alert", event="acknowledged")["alert"]["acknowledged_by_name"] == "olga"

        # The bearings run smoothly again: whoever was told hears that it is over, and nobody of the third.
        measure(0.05)
        assert frame_of(socket, "alert", event="returned")["alert"]["active"] is False
    eventually(lambda: len(gateway.texts) > 1 and len(mailbox.messages) > 1, within=30)
    assert "returned" in plain(mailbox.messages[1])
    assert "returned" in gateway.texts[1]["text"].lower()
    assert not any("Bearing 3" in plain(mail) for mail in mailbox.messages)

    # Mended: the tasks that the alerts opened are done.
    for alert in alerts:
        [task] = plant.call("GET", f"/api/tasks/?alert={alert['id']}").json()["results"]
        done = requests.patch(f"{plant.url}/api/tasks/{task['id']}/", json={"state": "done"}, headers=tom, timeout=10)
        assert done.status_code == 200, done.text
