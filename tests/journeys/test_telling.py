"""Who is told when, end to end: one mail for a cascade, then a text message to a second person, until one takes it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.journeys.test_main_job import PASSWORD, Mailbox, created, eventually, log_in, plain
from tests.mail import MailServer
from tests.plugins.platform import Platform, database_url, free_port

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
def box() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = MailServer(box, port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def plant(tmp_path, box, worker_id) -> Iterator[Platform]:
    settings = {"EMAIL_URL": f"smtp://127.0.0.1:{box[1]}", "TECHTRACK_PRIVATE_DESTINATIONS": "127.0.0.1"}
    url = database_url(tmp_path, f"techtrack_telling_{worker_id}")
    running = Platform(tmp_path, database_url=url, settings=settings)
    running.start()
    running.make_admin()
    yield running
    running.stop()


def test_a_cascade_is_one_mail_and_a_second_person_gets_a_text(
    plant: Platform, box: tuple[Mailbox, int], gateway: Gateway
) -> None:
    site = created(plant.call("POST", "/api/sites/", json={"name": "Bearing test lab"}))
    rigs = [
        created(plant.call("POST", "/api/equipment/", json={"name": name, "type": "bearing", "site": site["id"]}))
        for name in ("Bearing 1", "Bearing 2")
    ]
    people = {}
    for name in ("olga", "tom"):
        person = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        roles = [{"site": site["id"], "role": "operator"}]
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
            },
        )
    )

    # Tom has text messages sent to his phone; olga has said nothing, and gets e-mail.
    olga, tom = log_in(plant, "olga"), log_in(plant, "tom")
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

    # Both bearings fail at once: olga gets one mail, which names both.
    measure(0.3)
    [mail] = eventually(lambda: box[0].messages, within=30)
    assert mail["To"] == "olga@example.org"
    assert "2 alerts" in plain(mail)
    assert "Bearing 1" in plain(mail)
    assert "Bearing 2" in plain(mail)

    # Nobody takes them: tom gets a text message, of one part.
    [text] = eventually(lambda: gateway.texts, within=30)
    assert text["to"] == "+4915112345678"
    assert "Vibration" in text["text"]
    assert len(text["text"]) <= SMS
    alerts = plant.call("GET", "/api/alerts/?active=true").json()["results"]
    deliveries = plant.call("GET", f"/api/deliveries/?alert={alerts[0]['id']}").json()["results"]
    assert sorted((row["event"], row["person"], len(row["alerts"])) for row in deliveries) == [
        ("escalated", people["tom"], 2),
        ("raised", people["olga"], 2),
    ]

    # Olga takes them, the bearings run smoothly again: whoever was told hears that it is over.
    items = [{"id": alert["id"]} for alert in alerts]
    body = {"action": "acknowledge", "items": items}
    assert requests.post(f"{plant.url}/api/alerts/actions/", json=body, headers=olga, timeout=10).status_code == 200
    measure(0.05)
    eventually(lambda: len(gateway.texts) > 1 and len(box[0].messages) > 1, within=30)
    assert "returned" in plain(box[0].messages[1])
    assert "returned" in gateway.texts[1]["text"].lower()
