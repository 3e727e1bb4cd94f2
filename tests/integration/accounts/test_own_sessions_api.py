"""Where one is logged in, ending that, and administrators who do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from techtrack.accounts.models import AuditEntry, Session
from techtrack.core import clock
from tests.factories import PASSWORD

DOOR = "/api/accounts/sessions/"


@pytest.fixture
def client(log_in, bearer):
    """``client("olga")``: somebody who has just logged in, on a device of its own."""

    def logged_in(name):
        return bearer(log_in(name)["access"])

    return logged_in


class TestList:
    def test_tells_where_one_is_logged_in(self, olga, vera, client):
        body = {"username": "olga", "password": PASSWORD}
        there = APIClient(headers={"User-Agent": "Gauge/1"})
        there.post("/api/accounts/login/", body, format="json", REMOTE_ADDR="192.0.2.7")
        client("vera")
        rows = client("olga").get(DOOR).json()["results"]
        assert [set(row) for row in rows] == [{"id", "device", "address", "started_at", "last_seen", "current"}] * 2
        assert [(row["device"], row["address"]) for row in rows if not row["current"]] == [("Gauge/1", "192.0.2.7")]
        assert sum(row["current"] for row in rows) == 1

    def test_leaves_out_what_is_over(self, olga, client, now):
        here = client("olga")
        client("olga")
        Session.objects.filter(pk=here.get(DOOR).json()["results"][0]["id"]).update(revoked_at=now)
        over = Session.objects.filter(user=olga, revoked_at=None).first()
        rows = client("olga").get(DOOR).json()["results"]
        assert over is not None
        assert len(rows) == 2
        Session.objects.filter(pk=over.pk).update(started_at=now - timedelta(days=60))
        assert len(client("olga").get(DOOR).json()["results"]) == 2

    def test_shows_one(self, olga, vera, client):
        here = client("olga")
        [row] = here.get(DOOR).json()["results"]
        assert here.get(f"{DOOR}{row['id']}/").json() | {"last_seen": None} == row | {"last_seen": None}
        assert client("vera").get(f"{DOOR}{row['id']}/").status_code == 404

    def test_is_for_people(self, olga, api, client):
        assert api(None).get(DOOR).status_code == 401
        key = client("olga").post("/api/keys/", {"name": "k", "scope": "read"}, format="json").json()["key"]
        machine = APIClient(headers={"X-API-Key": key})
        assert {machine.get(DOOR).status_code, machine.delete(DOOR).status_code} == {403}


class TestEnd:
    def test_one_leaves_the_others(self, olga, client):
        here, there = client("olga"), client("olga")
        other = next(row["id"] for row in here.get(DOOR).json()["results"] if not row["current"])
        assert here.delete(f"{DOOR}{other}/").status_code == 204
        assert there.get(DOOR).status_code == 401
        assert here.get(DOOR).status_code == 200
        assert here.delete(f"{DOOR}{other}/").status_code == 404

    def test_the_own_one_logs_out(self, olga, client):
        here = client("olga")
        own = next(row["id"] for row in here.get(DOOR).json()["results"] if row["current"])
        assert here.delete(f"{DOOR}{own}/").status_code == 204
        assert here.get(DOOR).status_code == 401

    def test_all_others_keeps_the_one_in_hand(self, olga, vera, client):
        here, there, hers = client("olga"), client("olga"), client("vera")
        assert here.delete(DOOR).status_code == 204
        assert [one.get(DOOR).status_code for one in (here, there, hers)] == [200, 401, 200]

    def test_of_somebody_else_is_not_there(self, olga, vera, client):
        hers = client("vera")
        number = hers.get(DOOR).json()["results"][0]["id"]
        here = client("olga")
        assert here.delete(f"{DOOR}{number}/").status_code == 404
        assert hers.get(DOOR).status_code == 200

    @pytest.mark.parametrize("number", ["x", "0", "0198c0de-0000-4000-8000-000000000000", "9" * 100])
    def test_of_nothing_is_not_there(self, number, olga, client):
        assert client("olga").delete(f"{DOOR}{number}/").status_code == 404


class TestBrowser:
    def test_is_told_like_any_other_device(self, olga, client):
        browser = Client(headers={"User-Agent": "Lynx"})
        browser.post("/login/", {"username": "olga", "password": PASSWORD})
        client("olga")
        rows = browser.get(DOOR).json()["results"]
        assert [row["device"] for row in rows if row["current"]] == ["Lynx"]
        assert len(rows) == 2

    def test_is_logged_out_from_elsewhere(self, olga, client):
        browser, here = Client(), client("olga")
        browser.force_login(olga)
        other = next(row["id"] for row in here.get(DOOR).json()["results"] if not row["current"])
        assert here.delete(f"{DOOR}{other}/").status_code == 204
        assert browser.get(DOOR).status_code == 401
        assert browser.get("/").url == "/login/?next=/"

    def test_keeps_itself_when_it_ends_all_others(self, olga, client):
        browser, there = Client(), client("olga")
        browser.force_login(olga)
        assert browser.delete(DOOR).status_code == 204
        assert [one.get(DOOR).status_code for one in (browser, there)] == [200, 401]

    def test_is_over_when_it_logs_out_or_in_again(self, olga, client):
        browser = Client()
        for _ in range(2):
            browser.force_login(olga)
        assert len(client("olga").get(DOOR).json()["results"]) == 2
        browser.post("/logout/")
        assert len(client("olga").get(DOOR).json()["results"]) == 2
        assert Session.objects.exclude(revoked_at=None).count() == 2

    def test_is_in_use_once_a_minute(self, olga, now):
        browser = Client()
        browser.force_login(olga)
        Session.objects.update(last_seen=now)
        browser.get("/")
        assert Session.objects.get().last_seen > now

    def test_does_not_come_back_with_an_account_that_is_active_again(self, adam, olga, api):
        browser = Client()
        browser.force_login(olga)
        for active in (False, True):
            assert api(adam).patch(f"/api/users/{olga.pk}/", {"is_active": active}, format="json").status_code == 200
        assert browser.get(DOOR).status_code == 401

    def test_ends_with_its_days(self, olga, now):
        browser = Client()
        browser.force_login(olga)
        Session.objects.update(started_at=clock.now() - timedelta(days=30, seconds=1))
        assert browser.get(DOOR).status_code == 401


class TestAdmin:
    def test_ends_every_session_of_a_person(self, adam, olga, vera, api, client):
        hers, others = client("olga"), client("vera")
        assert api(adam).post(f"/api/users/{olga.pk}/end-sessions/").status_code == 204
        assert AuditEntry.objects.filter(action="session.ended", person_id=olga.pk).exists()
        assert [one.get(DOOR).status_code for one in (hers, others)] == [401, 200]

    def test_alone_does(self, adam, olga, erik, api):
        assert api(erik).post(f"/api/users/{olga.pk}/end-sessions/").status_code == 404
        assert api(olga).post(f"/api/users/{olga.pk}/end-sessions/").status_code == 403
