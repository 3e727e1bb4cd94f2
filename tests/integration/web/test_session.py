"""Coming and going: log in, log out, the set-up link."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from techtrack.accounts import backends
from techtrack.accounts.models import User
from techtrack.accounts.services import issue_setup_secret
from techtrack.core import clock
from techtrack.web.views import session
from techtrack.web.views.session import WRONG
from tests.factories import PASSWORD

GOOD = {"username": "ada", "email": "ada@example.org", "password": PASSWORD, "repeated": PASSWORD}


def log_in(client, username, password, **more):
    """Send the login form."""
    return client.post("/login/", {"username": username, "password": password, **more})


class TestLogin:
    @pytest.mark.parametrize("name", ["vera", "VERA", "vera@example.org"])
    def test_takes_the_name_or_the_address(self, vera, name):
        client = Client()
        assert log_in(client, name, PASSWORD).url == "/"
        assert client.get("/").status_code == 200

    def test_says_the_same_whatever_is_wrong(self, vera):
        User.objects.create(username="gone", is_active=False)
        answers = {log_in(Client(), name, "wrong").content.decode().count(WRONG) for name in ("vera", "nobody", "gone")}
        assert answers == {1}

    def test_goes_where_one_wanted_to_go_but_never_elsewhere(self, vera):
        assert log_in(Client(), "vera", PASSWORD, next="/tasks/").url == "/tasks/"
        assert log_in(Client(), "vera", PASSWORD, next="https://evil.example/").url == "/"

    @pytest.mark.parametrize("name", ["\x00", "a" * 10_000, "\ud800".encode("utf-8", "surrogatepass")])
    def test_refuses_odd_names_in_words(self, db, name):
        assert log_in(Client(), name, "x").status_code == 200

    def test_says_so_when_too_many_log_in_at_once(self, vera, monkeypatch):
        def busy(*_, **__):
            raise backends.TooManyLogins("too many people are logging in at this moment; try again")

        monkeypatch.setattr(session, "prove_person", busy)
        assert b"Too many people are logging in" in log_in(Client(), "vera", PASSWORD).content


class TestLogout:
    def test_ends_the_session_by_post_alone(self, vera):
        client = Client()
        client.force_login(vera)
        assert client.get("/logout/").status_code == 405
        assert client.post("/logout/").url == "/login/"
        assert client.get("/").status_code == 302

    def test_has_the_browser_forget_what_it_was_shown(self, vera):
        client = Client()
        client.force_login(vera)
        assert client.post("/logout/").headers["Clear-Site-Data"] == '"cache", "storage"'

    @pytest.mark.parametrize("path", ["/", "/tasks/"])
    def test_is_offered_by_every_page(self, vera, path):
        client = Client()
        client.force_login(vera)
        assert 'action="/logout/"' in client.get(path).content.decode()


class TestFields:
    @pytest.mark.parametrize("path", ["/login/", "/accounts/password/change/", "/setup/{}/"])
    def test_of_passwords_are_masked_and_leave_managers_their_work(self, db, path):
        client = Client()
        if "change" in path:
            client.force_login(User.objects.create(username="ada"))
        secret = issue_setup_secret(now=clock.now()) if "setup" in path else ""
        page = client.get(path.format(secret)).content.decode()
        fields = [
            field for field in re.findall(r"<input[^>]*>", page) if re.search(r'name="[^"]*(password|repeated)', field)
        ]
        assert fields
        for field in fields:
            assert 'type="password"' in field, field
            assert re.search(r'autocomplete="(current|new)-password"', field), field
            assert "onpaste" not in field


class TestSetup:
    def test_makes_the_first_admin_and_logs_in(self, db):
        client = Client()
        link = f"/setup/{issue_setup_secret(now=clock.now())}/"
        assert client.get(link).status_code == 200
        assert client.post(link, GOOD).url == "/"
        assert client.get("/").status_code == 200
        assert User.objects.get().username == "ada"

    def test_works_once(self, db):
        link = f"/setup/{issue_setup_secret(now=clock.now())}/"
        Client().post(link, GOOD)
        response = Client().post(link, GOOD | {"username": "eve", "email": "eve@example.org"})
        assert b"not valid any more" in response.content
        assert not User.objects.filter(username="eve").exists()

    def test_does_not_open_with_another_secret(self, db):
        issue_setup_secret(now=clock.now())
        assert b"not valid any more" in Client().post("/setup/guess/", GOOD).content
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            pytest.param({"repeated": "another"}, b"The two passwords differ", id="typing slip"),
            pytest.param({"password": "short", "repeated": "short"}, b"too short", id="weak"),
            pytest.param({"email": "ada"}, b"valid email address", id="no address"),
            pytest.param({"username": ""}, b"This field is required", id="nothing"),
        ],
    )
    def test_says_what_is_wrong_and_stays_good(self, db, wrong, words):
        link = f"/setup/{issue_setup_secret(now=clock.now())}/"
        assert words in Client().post(link, GOOD | wrong).content
        assert Client().post(link, GOOD).status_code == 302
