"""The hostile list at the doors that are no REST resource: readings, the live socket, files, forms."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from techtrack.accounts import services as accounts
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.core.errors import TechTrackError
from techtrack.integrations import services as integrations
from techtrack.integrations.codecs.csv_table import Layout
from techtrack.integrations.services import ImportPlan
from techtrack.live.hub import hub
from techtrack.live.socket import LiveSocket, Pace
from techtrack.live.threads import in_thread
from techtrack.telemetry.domain import items as reading
from techtrack.telemetry.ingest.gateway import Limits
from tests.campaigns import hostile_inputs as inputs
from tests.campaigns import hostile_ledger
from tests.campaigns import hostile_messages as messages
from tests.campaigns.hostile_ledger import Ledger
from tests.campaigns.hostile_world import Caller
from tests.integration.live.asgi import Client as Socket
from tests.integration.live.asgi import Closed
from tests.integration.telemetry.test_gateway import Door, made_key

BODIES = {
    f"body: {name}": body.encode() if isinstance(body, str) else body for name, body in inputs.BODIES.items()
} | messages.READINGS
PACE = Pace(patience=5.0, heartbeat=60.0, goodbye=1.0)
# As large as the door behind Django: nothing here is refused for its size alone.
ROOMY = Limits(body=2**25, waiting_bytes=2**26, waiting_readings=10_000, patience=5)
# HTTP statuses are the language of the table: a close code 4401 stands there as 401, an error frame as 400.
FRAME, CLOSES = 400, 4000


@pytest.mark.django_db(transaction=True)
class TestReadings:
    async def test_the_fast_door_refuses_them_all(self, olga, robot):
        ledger = Ledger("readings", usual=400)
        key = await in_thread(made_key, olga)
        door = Door(ROOMY)
        try:
            for name, body in BODIES.items():
                answer = await door.post(body, key)
                ledger.note("POST /api/ingest/", "(fast door)", name, answer.status)
                if answer.status >= 400 and answer.headers["content-type"] != "application/problem+json":
                    ledger.blame("POST /api/ingest/", "(fast door)", name, "no problem+json")
        finally:
            door.gateway.close()
        ledger.close()

    def test_the_door_behind_django_answers_the_same(self, olga, robot):
        ledger = Ledger("readings", usual=400)
        client = Caller(olga)
        for name, body in BODIES.items():
            with transaction.atomic():
                answer = client.send("POST", "/api/ingest/", body)
                transaction.set_rollback(True)
            # The same table: what one door refuses, the other refuses.
            ledger.note("POST /api/ingest/", "(fast door)", name, answer.status_code)
        ledger.close()

    def test_a_door_that_takes_text_for_numbers_is_caught(self, olga, robot, monkeypatch):
        """Planted: the careful look lets a value through that is none."""
        monkeypatch.setattr(hostile_ledger, "RECORDS", False)
        monkeypatch.setattr(reading, "CODE", re.compile(r".*", re.DOTALL))
        with pytest.raises(AssertionError, match="a code"):
            self.test_the_door_behind_django_answers_the_same(olga, robot)


@pytest.mark.django_db(transaction=True)
class TestSocket:
    def session(self, user: Any) -> str:
        return accounts.start_session(user=user, address="127.0.0.1", device="test", now=clock.now()).access

    async def test_answers_each_message_and_lives_on(self, olga):
        ledger = Ledger("socket", usual=FRAME)
        token = (await in_thread(self.session, olga)).encode()
        application = LiveSocket(hub, PACE)
        for name, message in messages.MESSAGES.items():
            async with Socket(application, (b"authorization", b"Bearer " + token)) as socket:
                status, code = await said(socket, message)
                ledger.note("/ws/live/", "(message)", name, status)
                if status == FRAME and code == "internal":
                    ledger.blame("/ws/live/", "(message)", name, "the server broke")
                if status < 1000 and (await socket.ask(type="ping", id="after"))["type"] != "pong":
                    ledger.blame("/ws/live/", "(message)", name, "the socket is dumb afterwards")
        ledger.close()

    async def test_lets_nobody_in_by_a_bad_introduction(self, db):
        ledger = Ledger("socket", usual=401)
        application = LiveSocket(hub, PACE)
        for name, message in messages.INTRODUCTIONS.items():
            async with Socket(application) as socket:
                say(socket, message)
                ledger.note("/ws/live/", "(introduction)", name, await socket.closing() - CLOSES)
        ledger.close()


def say(socket: Socket, message: str | bytes) -> None:
    """Send text as text, bytes as bytes."""
    if isinstance(message, bytes):
        socket.say_bytes(message)
    else:
        socket.say(message or " ")


async def said(socket: Socket, message: str | bytes) -> tuple[int, str]:
    """Send a message; 200 for a good answer, 400 and its code for an error frame, else the close code."""
    say(socket, message)
    try:
        answer = await socket.hear()
    except Closed as closed:
        return closed.code, ""
    return (FRAME, answer["code"]) if answer["type"] == "error" else (200, "")


@pytest.mark.django_db
def test_files_are_refused_with_a_sentence_or_read(tmp_path, robot, olga, now):
    ledger = Ledger("files", usual=400)
    for name, (file, content) in messages.FILES.items():
        path = tmp_path / file
        path.write_bytes(content)
        with transaction.atomic():
            ledger.note("techtrack import", "(file)", name, loaded(path, olga, now))
            transaction.set_rollback(True)
    ledger.close()


def loaded(path: Any, by: Any, now: Any) -> int:
    """200 for a file that was read, 400 for one that was refused; anything else breaks."""
    plan = ImportPlan(Layout(), asset="robot-1")
    try:
        integrations.import_file(path=path, plan=plan, by=access_of(by), now=now, progress=lambda _: None)
    except TechTrackError as error:
        return 400 if error.detail else 500
    except Exception:  # noqa: BLE001 - whatever else it is, a person at a console would see a traceback
        return 500
    return 200


@pytest.mark.django_db
class TestForms:
    def test_are_answered_by_a_page(self, admin):
        ledger = Ledger("forms", usual=200)
        admin.raise_request_exception = False
        for client, who in ((admin, "(admin)"), (Client(raise_request_exception=False), "(stranger)")):
            for name, (path, kind, body) in messages.FORMS.items():
                cache.clear()
                with transaction.atomic():
                    answer = client.generic("POST", path, body, content_type=kind)
                    transaction.set_rollback(True)
                ledger.note("pages", who, name, answer.status_code)
                where = answer.headers.get("Location", "/")
                if urlsplit(where).netloc or urlsplit(where).scheme or where.startswith("//"):
                    ledger.blame("pages", who, name, f"it leads to {where}")
                if b"<script>alert(1)" in answer.content:
                    ledger.blame("pages", who, name, "it repeats a script")
        ledger.close()


def test_each_table_has_names_of_its_own():
    tables = [messages.READINGS, messages.MESSAGES, messages.INTRODUCTIONS, messages.FILES, messages.FORMS]
    assert sum(map(len, tables)) >= 250
    assert json.dumps([sorted(table) for table in tables])
