"""Forgotten and changed passwords."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from techtrack.accounts import services
from techtrack.accounts.models import Lockout, Session, User
from techtrack.core import clock
from techtrack.notifications.models import LETTER, Delivery, DeliveryState
from tests.factories import PASSWORD, make_user
from tests.integration.accounts.letters import only, post

NEW = "violet-otter-77"
RESET, CONFIRM = "/api/accounts/password/reset/", "/api/accounts/password/reset/confirm/"


@pytest.fixture
def ask(api):
    """``ask(email=…)`` or ``ask(username=…)``: somebody has forgotten a password."""

    def asked(**name):
        return api(None).post(RESET, name, format="json")

    return asked


@pytest.fixture
def confirm(api):
    """``confirm(key)``: the answer to the key of a letter with a new password."""

    def confirmed(key, password=NEW):
        return api(None).post(CONFIRM, {"key": key, "password": password}, format="json")

    return confirmed


class TestReset:
    @pytest.mark.parametrize("name", [{"email": "olga@example.org"}, {"username": "OLGA"}, {"username": "olga"}])
    def test_sends_a_letter_whose_link_sets_a_new_password(self, name, olga, ask, confirm, log_in, bearer):
        session = bearer(log_in("olga")["access"])
        answer = ask(**name)
        assert (answer.status_code, answer.json()) == (202, {})
        letter = only()
        assert letter.to == "olga@example.org"
        assert confirm(letter.key).status_code == 204
        assert session.get("/api/accounts/me/").status_code == 401
        assert not Session.objects.filter(user=olga, revoked_at=None).exists()
        assert log_in("olga", NEW)["user"]["id"] == olga.pk
        assert only().subject == "Your password was changed"

    def test_answers_the_same_whether_anybody_gets_a_letter(self, olga, vera, ask):
        User.objects.filter(pk=vera.pk).update(is_active=False)
        names = ["olga@example.org", "nobody@example.org", "vera@example.org", "no address at all"]
        answers, statements = [], []
        for name in names:
            with CaptureQueriesContext(connection) as asked:
                answers.append(ask(email=name))
            statements.append([one["sql"].split()[:3] for one in asked if "SAVEPOINT" not in one["sql"]])
        assert {(one.status_code, one.content) for one in answers} == {(202, b"{}")}
        # The same work, so that the time does not tell; the first of all has the line of letters to make.
        assert statements[1] == statements[2] == statements[3]
        ask(email=names[0])
        assert [one.to for one in post()] == ["olga@example.org"] * 2

    def test_is_found_out_when_the_letter_is_sent(self, olga, ask):
        with CaptureQueriesContext(connection) as asked:
            ask(email="olga@example.org")
        assert not [one for one in asked if "accounts_user" in one["sql"] and "SELECT" in one["sql"]]

    def test_goes_to_no_address_that_is_only_claimed(self, ask):
        make_user("nina", email_verified_at=None)
        assert ask(email="nina@example.org").status_code == 202
        assert ask(username="nina").status_code == 202
        assert post() == []

    def test_of_a_claimed_address_is_its_owners(self, olga, ask):
        make_user("squatter", email="olga@example.org", email_verified_at=None)
        ask(email="olga@example.org")
        assert "“olga”" in only().text

    @pytest.mark.parametrize("name", ["olga@example.org", "nobody@example.org"])
    def test_has_a_limit_for_each_name_too(self, name, olga, ask, settings):
        settings.LIMITS = settings.LIMITS | {"letters": 2}
        assert [ask(email=one).status_code for one in (name, name.upper(), name)] == [202, 202, 429]
        assert ask(email="other@example.org").status_code == 202

    def test_names_what_is_wrong(self, db, ask):
        for body in ({}, {"email": "a@b.org", "username": "a"}):
            assert ask(**body).status_code == 400

    def test_leaves_nothing_readable_in_the_database(self, olga, ask):
        ask(email="olga@example.org")
        delivery = Delivery.objects.get(event=LETTER)
        assert "olga" not in f"{delivery.body}{delivery.subject}{delivery.facts}"
        key = only().key
        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.SENT
        assert key not in "".join(str(value) for value in vars(delivery).values())


class TestConfirm:
    def test_takes_a_key_once(self, olga, ask, confirm):
        ask(email="olga@example.org")
        key = only().key
        assert confirm(key).status_code == 204
        again = confirm(key, "amber-walrus-88")
        assert again.status_code == 400
        assert again.json()["errors"][0] == {
            "pointer": "/key",
            "code": "link_not_valid",
            "detail": "this link is not valid any more; ask for a new one",
        }

    def test_of_a_weak_password_leaves_the_key_good(self, olga, ask, confirm):
        ask(email="olga@example.org")
        key = only().key
        answer = confirm(key, "olga@example.org")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/password"
        assert confirm(key).status_code == 204

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"email": "other@example.org"}, id="another address"),
            pytest.param({"is_active": False}, id="deactivated"),
            pytest.param({"password": "x"}, id="another password"),
        ],
    )
    def test_refuses_a_key_after(self, change, olga, ask, confirm):
        ask(email="olga@example.org")
        key = only().key
        User.objects.filter(pk=olga.pk).update(**change)
        assert confirm(key).status_code == 400

    def test_refuses_a_key_after_an_hour(self, olga, ask):
        ask(email="olga@example.org")
        key, later = only().key, clock.now() + timedelta(minutes=61)
        with pytest.raises(services.LinkNotValid):
            services.confirm_reset(key=key, password=NEW, now=later)

    @pytest.mark.parametrize("key", ["x", "", "a:b:c", "\u2603", "." * 5000])
    def test_refuses_what_is_no_key(self, key, db, confirm):
        assert confirm(key).status_code == 400

    def test_refuses_a_key_of_another_kind(self, api, confirm):
        make_user("nina", email_verified_at=None)
        user = User.objects.get()
        services.ask_to_verify(user=user, now=clock.now())
        assert confirm(only().key).status_code == 400

    def test_lets_in_who_was_locked_out_by_the_guesses_of_others(self, olga, ask, confirm, now):
        later = clock.now() + timedelta(hours=1)
        Lockout.objects.create(key="x", user=olga, failures=9, tried_at=now, failed_at=now, locked_until=later)
        ask(email="olga@example.org")
        assert confirm(only().key).status_code == 204
        assert not Lockout.objects.filter(user=olga).exists()

    def test_unhinges_browsers(self, olga, ask, confirm):
        browser = Client()
        browser.force_login(olga)
        ask(email="olga@example.org")
        assert confirm(only().key).status_code == 204
        assert browser.get("/api/accounts/me/").status_code == 401


class TestPasswordLinkOfAnAdmin:
    def test_lets_somebody_set_the_first_password_and_shows_the_address(self, adam, api, confirm, log_in):
        made = api(adam).post("/api/users/", {"username": "nina", "email": "nina@example.org"}, format="json").json()
        User.objects.filter(pk=made["id"]).update(email_verified_at=None)
        assert api(adam).post(f"/api/users/{made['id']}/send-password-link/").status_code == 202
        assert confirm(only().key).status_code == 204
        assert log_in("nina", NEW)["user"]["email_verified_at"] is not None

    def test_is_for_admins(self, adam, erik, vera, api):
        assert api(erik).post(f"/api/users/{erik.pk}/send-password-link/").status_code == 403
        assert api(erik).post(f"/api/users/{vera.pk}/send-password-link/").status_code == 404

    def test_needs_an_address(self, adam, api):
        nina = make_user("nina", email="")
        assert api(adam).post(f"/api/users/{nina.pk}/send-password-link/").status_code == 400


class TestChange:
    def change(self, client, **body):
        return client.post("/api/accounts/password/change/", body, format="json")

    def test_ends_the_other_sessions(self, olga, log_in, bearer):
        mine, other = bearer(log_in("olga")["access"]), bearer(log_in("olga")["access"])
        assert self.change(mine, current_password=PASSWORD, password=NEW).status_code == 204
        assert mine.get("/api/accounts/me/").status_code == 200
        assert other.get("/api/accounts/me/").status_code == 401
        log_in("olga", NEW)
        assert only().to == "olga@example.org"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"password": NEW}, "/current_password", id="without the old one"),
            pytest.param({"current_password": "wrong", "password": NEW}, "/current_password", id="a wrong one"),
            pytest.param({"current_password": PASSWORD}, "/password", id="without a new one"),
            pytest.param({"current_password": PASSWORD, "password": "short"}, "/password", id="a weak one"),
        ],
    )
    def test_names_what_is_wrong(self, body, pointer, olga, api, log_in):
        answer = self.change(api(olga), **body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == pointer
        log_in("olga")

    def test_in_a_browser_keeps_that_browser(self, olga):
        here, there = Client(), Client()
        for client in (here, there):
            client.force_login(olga)
        body = {"current_password": PASSWORD, "password": NEW}
        answer = here.post("/api/accounts/password/change/", body, content_type="application/json")
        assert answer.status_code == 204
        assert here.get("/api/accounts/me/").status_code == 200
        assert there.get("/api/accounts/me/").status_code == 401

    def test_is_for_people_who_are_logged_in(self, olga, api):
        assert self.change(api(None), current_password=PASSWORD, password=NEW).status_code == 401

    def test_at_the_console_ends_every_session(self, olga, log_in, bearer, monkeypatch):
        phone, browser = bearer(log_in("olga")["access"]), Client()
        browser.force_login(olga)
        monkeypatch.setattr("getpass.getpass", lambda **_: NEW)
        call_command("changepassword", "olga", stdout=StringIO())
        assert [one.get("/api/accounts/me/").status_code for one in (phone, browser)] == [401, 401]
        log_in("olga", NEW)
