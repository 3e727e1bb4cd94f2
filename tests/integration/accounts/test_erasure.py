"""What is stored about a person: all of it is handed out, and nothing of it stays."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role
from techtrack.accounts.events import PersonalDataAsked
from techtrack.accounts.models import Invitation, User
from techtrack.accounts.queries import access_of
from techtrack.alerts.services import Said, act_on_many
from techtrack.core import clock, events
from techtrack.live.models import LiveEvent
from techtrack.notifications.models import LETTER, Delivery, Preference
from tests import factories
from tests.factories import NOW, PASSWORD, STAMPS, make_user
from tests.integration.accounts.letters import post

# Each is nowhere else, so that where it is found, something of the person is left.
CANARY = {
    "username": "canarybird",
    "first_name": "Kanarina",
    "last_name": "Canarsson-Vogel",
    "email": "canary.mail@bird.example.org",
    "new_email": "canary.next@bird.example.org",
    "time_zone": "Atlantic/Canary",
}
MORE = {
    "device": "CanaryBrowser/7.7",
    "address": "192.0.2.177",
    "channel": "canary.channel@bird.example.org",
    "channel name": "Canary channel",
    "key name": "Canary key",
    "task": "Feed the canary tonight",
    "task before": "Fetch the canary seed",
    "category": "Canary drawer",
    "filter": "Canary filter",
    "searched": "canary yellow",
    "delivery": "Canary delivery body",
    "refusal": "550 canary.mail refused",
    "idempotency": "canary-idempotency-key",
    "invited": "canary.guest@bird.example.org",
}


def dump():
    """Every value of every row of every table of the database, by table."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of the database's
            found[table] = " ".join(_text(value) for row in cursor.fetchall() for value in row)
    return found


def _text(value):
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def left(words, *, but=()):
    """Which of ``words`` are somewhere in the database, and in which table."""
    return [
        (word, table)
        for table, text in dump().items()
        if table not in but
        for word in words
        if word.lower() in text.lower()
    ]


# Security of processing: from where something was done stays beside a number, for as long as the log is kept.
BUT = {MORE["address"], MORE["device"]}


@pytest.fixture
def canary(adam, plant, robot, api, log_in, bearer):
    """A person of whom something is stored in every place that keeps anything of people."""
    profile = {name: value for name, value in CANARY.items() if name not in {"email", "new_email"}}
    made = {"username": profile["username"], "email": CANARY["email"], "password": PASSWORD}
    roles = [{"site": plant.pk, "role": "engineer"}]
    headers = {"Idempotency-Key": "of adam"}
    answer = api(adam).post("/api/users/", made | {"roles": roles}, format="json", headers=headers)
    user = User.objects.get(pk=answer.json()["id"])
    here = bearer(log_in("canarybird")["access"])
    here.credentials(HTTP_USER_AGENT=MORE["device"], REMOTE_ADDR=MORE["address"])
    login = {"username": "canarybird", "password": PASSWORD}
    api(None).post(
        "/api/accounts/login/",
        login,
        format="json",
        REMOTE_ADDR=MORE["address"],
        headers={"User-Agent": MORE["device"]},
    )
    browser = Client()
    browser.force_login(user)
    mine = {"current_password": PASSWORD, "email": CANARY["new_email"], **profile}
    assert here.patch("/api/accounts/me/", mine, format="json").status_code == 200
    task = {"title": MORE["task"], "owners": [user.pk]}
    keyed = {"Idempotency-Key": MORE["idempotency"]}
    before = here.post("/api/tasks/", task | {"title": MORE["task before"]}, format="json", headers=keyed).json()
    assert here.patch(f"/api/tasks/{before['id']}/", task, format="json").status_code == 200
    saved = {"name": MORE["filter"], "query": {"search": MORE["searched"]}}
    assert here.post("/api/task-filters/", saved, format="json").status_code == 201
    assert here.post("/api/categories/", {"name": MORE["category"]}, format="json").status_code == 201
    channel = {"name": MORE["channel name"], "kind": "email", "config": {"to": [MORE["channel"]]}, "personal": True}
    made_channel = here.post("/api/channels/", channel, format="json").json()
    assert here.post("/api/keys/", {"name": MORE["key name"], "scope": "read"}, format="json").status_code == 201
    assert here.patch("/api/accounts/me/notifications/", {"minimum_severity": "high"}, format="json").status_code == 200
    Delivery.objects.create(
        channel_id=made_channel["id"],
        person=user,
        event="raised",
        subject="Alert",
        body=MORE["delivery"],
        error=MORE["refusal"],
        next_attempt_at=NOW,
        created_at=NOW,
    )
    alert = factories.make_alert(robot)
    act_on_many(action="acknowledge", items={alert.pk: None}, said=Said(""), by=access_of(user), now=clock.now())
    keyed = {"Idempotency-Key": "a list of adam's"}
    api(adam).post(f"/api/alerts/{alert.pk}/comment/", {"comment": "so"}, format="json", headers=keyed)
    services.ask_reset(name="canarybird", address="", now=clock.now())
    services.ask_reset(name=CANARY["email"], address="", now=clock.now())
    factories.make_air_report(
        plant, state="signed", signed_at=NOW, signed_by=user, signer="Kanarina Canarsson-Vogel", drawn_up_by=user
    )
    Invitation.objects.create(
        email=MORE["invited"], invited_by=user, expires_at=clock.now() + timedelta(days=1), **STAMPS
    )
    Invitation.objects.create(
        email=CANARY["email"], invited_by=adam, expires_at=clock.now() + timedelta(days=1), **STAMPS
    )
    about = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=adam, content_type=about, object_id=user.pk, object_repr="canarybird", action_flag=CHANGE
    )
    user.refresh_from_db()
    return user


class TestErasure:
    def test_leaves_nothing_of_the_person_anywhere(self, canary, api):
        words = [*CANARY.values(), *MORE.values()]
        found = {word for word, _ in left(words)}
        # The planted self-test: each of them lies in the database before, so that its absence says something.
        assert found == set(words) - {MORE["idempotency"]} | ({MORE["idempotency"]} & found)
        assert MORE["idempotency"] in dump()["core_idempotencyrecord"]
        answer = api(canary).delete("/api/accounts/me/", {"password": PASSWORD}, format="json")
        assert answer.status_code == 204, answer.content
        assert left([word for word in words if word not in BUT]) == []
        # Who knocks how often is counted by address, for minutes, whoever it is.
        assert left(BUT, but={"accounts_auditentry", "accounts_allowance", "accounts_lockout"}) == []

    def test_by_an_admin_leaves_nothing_either(self, adam, canary, api):
        assert api(adam).delete(f"/api/users/{canary.pk}/").status_code == 204
        assert left([word for word in [*CANARY.values(), *MORE.values()] if word not in BUT]) == []

    def test_leaves_what_others_need_without_the_name(self, adam, canary, robot, api):
        api(adam).delete(f"/api/users/{canary.pk}/")
        alert = api(adam).get("/api/alerts/").json()["results"][0]
        assert alert["acknowledged_at"] is not None
        assert alert["acknowledged_by"] is None
        shown = [event.payload["alert"] for event in LiveEvent.objects.all() if "alert" in event.payload]
        assert shown
        assert not any(one["acknowledged_by_name"] for one in shown)

    def test_ends_letters_that_wait(self, canary, adam, api):
        assert Delivery.objects.filter(event=LETTER, person=canary).exists()
        api(adam).delete(f"/api/users/{canary.pk}/")
        # Those that were asked for by a name stay, sealed, and find nobody.
        assert post() == []

    def test_leaves_others_alone(self, adam, canary, olga, api):
        api(adam).delete(f"/api/users/{canary.pk}/")
        assert left(["olga"])
        assert User.objects.filter(pk=olga.pk).exists()


class TestExport:
    def read(self, client):
        answer = client.get("/api/accounts/export/")
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "private, no-store"
        assert answer.streaming
        return json.loads(b"".join(answer.streaming_content))

    def test_hands_out_everything_that_is_stored(self, canary, api):
        body = self.read(api(canary))
        text = json.dumps(body, ensure_ascii=False)
        kept_by_others = {MORE["idempotency"]}
        assert [word for word in {*CANARY.values(), *MORE.values()} - kept_by_others if word not in text] == []
        tables = body["tables"]
        assert tables["accounts.membership"][0]["role"] == "engineer"
        assert [row["kind"] for row in tables["alerts.alertevent"]] == ["acknowledged"]
        assert tables["audit"]

    def test_hands_out_no_secret(self, canary, api):
        body = self.read(api(canary))
        text = json.dumps(body)
        assert "argon2" not in text
        assert all("digest" not in row for row in body["tables"]["accounts.apikey"] + body["tables"]["accounts.user"])
        letters = [row for row in body["tables"]["notifications.delivery"] if row["event"] == LETTER]
        assert letters
        assert all(row["body"] == "" for row in letters)

    def test_hands_out_nothing_of_others(self, canary, vera, api):
        body = self.read(api(vera))
        assert left(["canary"])
        assert "anary" not in json.dumps(body["tables"])
        assert [row["username"] for row in body["tables"]["accounts.user"]] == ["vera"]

    def test_has_a_section_for_every_table_that_names_people(self, olga):
        told = {name for name, _ in services.personal_data(by=access_of(olga), now=NOW)}
        known = {
            model._meta.label_lower
            for model in apps.get_models()
            if any(field.related_model is User for field in model._meta.concrete_fields)
        }
        # Django's own tables of groups are not used.
        assert known - {"accounts.user_groups", "accounts.user_user_permissions"} <= told

    def test_would_miss_a_table_that_nobody_answers_for(self, olga, monkeypatch):
        monkeypatch.setitem(events._answers, PersonalDataAsked, [])
        told = {name for name, _ in services.personal_data(by=access_of(olga), now=NOW)}
        assert Preference._meta.label_lower not in told

    def test_is_the_callers_own(self, olga, api):
        assert api(None).get("/api/accounts/export/").status_code == 401
        assert make_user("boss", role=Role.ADMIN).pk != olga.pk
