"""Wrong guesses: what they bring, to whom, for how long, and who may look and clear."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from techtrack.accounts import services
from techtrack.accounts.domain.lockout import about_name, from_address, network_of, wait_after
from techtrack.accounts.models import Allowance, Lockout
from techtrack.accounts.services import lockout
from techtrack.accounts.services.lockout import Busy, Locked
from techtrack.accounts.services.proving import WrongCredentials
from techtrack.core.errors import TooMany
from tests.factories import PASSWORD

HOME = "192.0.2.1"


def guess(now, username="olga", password="", address=HOME):
    return services.prove_person(username=username, password=password or "wrong", otp="", address=address, now=now)


def fail(now, times, **changes):
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            guess(now, **changes)


def log_in(username="olga", password=PASSWORD, **headers):
    body = {"username": username, "password": password}
    return APIClient(headers=headers).post("/api/accounts/login/", body, format="json")


class TestWait:
    @pytest.mark.parametrize(
        ("failures", "minutes"), [(4, None), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (12, 60), (5000, 60)]
    )
    def test_doubles_up_to_an_hour(self, failures, minutes):
        assert wait_after(failures, 5) == (minutes and timedelta(minutes=minutes))


class TestSubject:
    @pytest.mark.parametrize("name", ["OLGA", "Olga", "\uff4flga", "olga"])
    def test_is_the_same_however_a_database_might_find_the_name(self, name):
        assert about_name(name, 1).key == about_name("olga", None).key

    @pytest.mark.parametrize(
        ("address", "place"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("", ""),
            ("nonsense" * 20, ("nonsense" * 20)[:64]),
        ],
    )
    def test_of_an_address_is_what_one_subscriber_has(self, address, place):
        assert network_of(address) == place
        assert from_address(address).address == place


class TestLockout:
    def test_refuses_even_the_right_password_after_five_wrong_ones(self, olga, now):
        fail(now, 5)
        with pytest.raises(Locked) as caught:
            guess(now, password=PASSWORD)
        assert caught.value.retry_after == 60

    def test_ends_and_grows_with_each_further_guess(self, olga, now):
        fail(now, 5)
        moment = now + timedelta(seconds=61)
        fail(moment, 1)
        with pytest.raises(Locked) as caught:
            guess(moment, password=PASSWORD)
        assert caught.value.retry_after == 120
        assert guess(moment + timedelta(seconds=121), password=PASSWORD) == olga
        assert not Lockout.objects.filter(address="").exists()

    def test_is_the_same_for_a_name_that_is_nobodys(self, olga):
        answers = {}
        for name in ("olga", "nobody"):
            found = [log_in(name, "wrong") for _ in range(7)]
            answers[name] = [
                (one.status_code, one.json()["detail"], one.json()["code"], sorted(one.headers)) for one in found
            ]
            assert [one.status_code for one in found] == [401] * 5 + [429] * 2
            assert 0 < int(found[-1]["Retry-After"]) <= 60
        assert answers["olga"] == answers["nobody"]

    def test_of_a_user_name_does_not_tell_whose_an_address_is(self, olga, now):
        fail(now, 5)
        with pytest.raises(WrongCredentials):
            guess(now, username="olga@example.org")

    def test_is_forgotten_with_the_right_password(self, olga, now):
        fail(now, 4)
        fail(now, 2, username="olga@example.org")
        guess(now, password=PASSWORD)
        fail(now, 4)
        fail(now, 4, username="olga@example.org")

    def test_is_forgotten_after_a_day(self, olga, now):
        fail(now, 4)
        fail(now + timedelta(days=1, seconds=1), 4)
        assert services.forget_failures(now=now + timedelta(days=3)) > 0
        assert not Lockout.objects.exists()

    def test_of_an_address_stops_who_tries_many_names(self, olga, now, settings):
        settings.LIMITS = settings.LIMITS | {"login": 0}
        for number in range(50):
            fail(now, 1, username=f"name{number}")
        with pytest.raises(Locked):
            guess(now, password=PASSWORD)
        assert guess(now, password=PASSWORD, address="192.0.2.2") == olga

    def test_of_an_address_is_not_lifted_by_an_account_of_ones_own(self, olga, mallory, now):
        fail(now, 3)
        guess(now, username="mallory", password=PASSWORD)
        assert Lockout.objects.get(address=HOME).failures == 3

    def test_keeps_no_name_that_was_typed(self, db, now):
        fail(now, 1, username="correct horse battery")
        assert "horse" not in str(list(Lockout.objects.values()))

    def test_lets_nobody_wait_for_ever(self, olga, now, monkeypatch):
        monkeypatch.setattr(lockout, "LONGEST_QUEUE", 0.0)
        Lockout.objects.create(key=about_name("olga", None).key, user=olga, pending=5, tried_at=now)
        with pytest.raises(Busy):
            guess(now, password=PASSWORD)
        # Whoever was comparing then is dead by now.
        assert guess(now + timedelta(seconds=31), password=PASSWORD) == olga

    def test_holds_in_the_browser_too(self, olga):
        for _ in range(5):
            Client().post("/login/", {"username": "olga", "password": "wrong"})
        page = Client().post("/login/", {"username": "olga", "password": PASSWORD})
        assert "too many wrong guesses" in page.content.decode()
        assert log_in().status_code == 429


class TestLimit:
    def test_refuses_the_thirty_first_wrong_login_a_minute(self, db, now):
        for number in range(30):
            fail(now, 1, username=f"name{number}")
        with pytest.raises(TooMany) as caught:
            guess(now, username="another")
        assert caught.value.policy == ("login", 30, 60)
        fail(now + timedelta(seconds=2), 1, username="another")

    def test_is_told_in_headers(self, db, settings):
        settings.LIMITS = settings.LIMITS | {"login": 1}
        log_in("nobody", "wrong")
        answer = log_in("somebody", "wrong")
        assert answer.status_code == 429
        assert answer.json()["code"] == "too_many_requests"
        assert 55 <= int(answer["Retry-After"]) <= 60
        assert answer["RateLimit-Policy"] == '"login";q=1;w=60'
        assert answer["RateLimit"].startswith('"login";r=0;t=')

    def test_does_not_hold_up_who_is_right(self, olga, settings):
        settings.LIMITS = settings.LIMITS | {"login": 2}
        assert {log_in().status_code for _ in range(10)} == {200}

    def test_is_not_escaped_by_a_header_that_anybody_can_write(self, db, settings):
        settings.LIMITS = settings.LIMITS | {"login": 3}
        answers = [log_in(f"n{n}", "wrong", **{"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in range(6)]
        assert answers == [401] * 3 + [429] * 3
        settings.BEHIND_PROXY = True
        assert log_in("n9", "wrong", **{"X-Forwarded-For": "203.0.113.1, 192.0.2.99"}).status_code == 401

    def test_is_forgotten_when_it_is_full_again(self, db, now):
        fail(now, 1)
        assert services.forget_full(now=now) == 0
        assert services.forget_full(now=now + timedelta(seconds=3)) == 1
        assert not Allowance.objects.exists()


class TestList:
    @pytest.fixture
    def locked(self, olga, now):
        fail(now, 5)
        fail(now, 2, username="nobody")

    def test_shows_administrators_who_is_locked_out(self, locked, olga, adam, api):
        rows = api(adam).get("/api/lockouts/").json()["results"]
        assert {(row["username"], row["address"], row["failures"]) for row in rows} == {
            ("olga", None, 5),
            (None, None, 2),
            (None, HOME, 7),
        }
        row = api(adam).get(f"/api/lockouts/?user={olga.pk}").json()["results"][0]
        assert api(adam).get(f"/api/lockouts/{row['id']}/").json() == row

    def test_says_who_is_locked_at_this_moment(self, olga, adam, api):
        for _ in range(5):
            log_in("olga", "wrong")
        found = {flag: api(adam).get(f"/api/lockouts/?locked={flag}").json()["results"] for flag in ("true", "false")}
        assert [(row["username"], row["locked"]) for row in found["true"]] == [("olga", True)]
        assert [(row["username"], row["locked"]) for row in found["false"]] == [(None, False)]

    def test_is_cleared_by_administrators(self, olga, adam, api):
        for _ in range(5):
            log_in("olga", "wrong")
        assert log_in().status_code == 429
        row = api(adam).get("/api/lockouts/?locked=true").json()["results"][0]
        assert api(adam).delete(f"/api/lockouts/{row['id']}/").status_code == 204
        assert log_in().status_code == 200
        assert api(adam).delete(f"/api/lockouts/{row['id']}/").status_code == 404

    def test_is_closed_to_others(self, locked, erik, api):
        number = Lockout.objects.filter(address="").first().pk
        for method, path in [("get", ""), ("get", f"{number}/"), ("delete", f"{number}/")]:
            assert getattr(api(erik), method)(f"/api/lockouts/{path}").status_code == 403
            assert getattr(api(None), method)(f"/api/lockouts/{path}").status_code == 401
