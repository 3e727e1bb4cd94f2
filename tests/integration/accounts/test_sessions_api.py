"""Logging in, renewing, verifying, logging out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import hashers
from rest_framework.test import APIClient

from techtrack.accounts import services
from techtrack.accounts.models import RefreshToken, Session, User
from techtrack.core import clock
from tests.factories import PASSWORD, make_user

DOORS = ["/api/token/", "/api/accounts/login/"]


def post(api, path, body, **options):
    return api(None).post(path, body, format="json", **options)


@pytest.mark.parametrize("door", DOORS)
class TestLogIn:
    @pytest.mark.parametrize("name", ["olga", "OLGA", "olga@example.org", "Olga@Example.ORG"])
    def test_takes_the_user_name_or_the_address_in_any_case(self, door, name, olga, api):
        answer = post(api, door, {"username": name, "password": PASSWORD})
        assert answer.status_code == 200
        assert {"access", "refresh"} <= answer.json().keys()
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            pytest.param({}, {"/username", "/password"}, id="nothing"),
            pytest.param({"username": "olga"}, {"/password"}, id="no password"),
            pytest.param({"password": "x"}, {"/username"}, id="no name"),
            pytest.param({"username": ["olga"], "password": {}}, {"/username", "/password"}, id="wrong types"),
            pytest.param({"username": True, "password": None}, {"/username", "/password"}, id="true and null"),
            pytest.param({"username": "olga", "password": "x" * 1025}, {"/password"}, id="a novel for a password"),
            pytest.param([], {""}, id="a list"),
            pytest.param({"username": "ol\x00ga", "password": "x"}, {"/username"}, id="NUL"),
        ],
    )
    def test_names_the_fields_that_are_missing_or_wrong(self, door, body, pointers, olga, api):
        answer = post(api, door, body)
        assert answer.status_code == 400
        assert {error["pointer"] for error in answer.json()["errors"]} == pointers

    def test_answers_the_same_for_a_wrong_password_an_unknown_and_an_inactive_user(self, door, olga, vera, api):
        User.objects.filter(pk=vera.pk).update(is_active=False)
        tries = [("olga", "wrong"), ("nobody", PASSWORD), ("vera", PASSWORD)]
        answers = [post(api, door, {"username": name, "password": word}) for name, word in tries]
        assert [answer.status_code for answer in answers] == [401] * 3
        bodies = [answer.json() | {"request_id": ""} for answer in answers]
        assert bodies[0] == bodies[1] == bodies[2]
        assert answers[0]["WWW-Authenticate"]

    @pytest.mark.parametrize("name", ["olga", "nobody"])
    def test_costs_one_hash_for_a_known_and_for_an_unknown_user(self, door, name, olga, api, monkeypatch):
        hashed = []
        for method in ("encode", "verify"):
            original = getattr(hashers.get_hasher(), method)
            monkeypatch.setattr(
                type(hashers.get_hasher()), method, lambda _, *args, o=original: (hashed.append(1), o(*args))[1]
            )
        assert post(api, door, {"username": name, "password": "wrong"}).status_code == 401
        assert len(hashed) == 1

    def test_is_not_hindered_by_a_stale_token(self, door, olga, api):
        body = {"username": "olga", "password": PASSWORD}
        assert post(api, door, body, headers={"Authorization": "Bearer stale"}).status_code == 200

    def test_refuses_a_query_parameter_and_a_form(self, door, olga, api):
        body = {"username": "olga", "password": PASSWORD}
        assert post(api, f"{door}?next=/", body).status_code == 400
        assert api(None).post(door, body, format="multipart").status_code == 415

    def test_remembers_when_and_from_where(self, door, olga, api):
        body = {"username": "olga", "password": PASSWORD}
        post(api, door, body, headers={"User-Agent": "Gauge/1\x07.0"}, REMOTE_ADDR="192.0.2.7")
        session = Session.objects.get(user=olga)
        assert (session.address, session.device) == ("192.0.2.7", "Gauge/1.0")
        olga.refresh_from_db()
        assert olga.last_login is not None


class TestBody:
    @pytest.mark.parametrize(
        "path",
        [
            *(*DOORS, "/api/token/refresh/", "/api/token/verify/", "/api/accounts/register/", "/api/accounts/logout/"),
            *(f"/api/accounts/password/{what}/" for what in ("change", "reset", "reset/confirm")),
            *(f"/api/accounts/{what}/" for what in ("verify", "reauthenticate", "second-factor")),
            *("/api/accounts/second-factor/confirm/", "/api/accounts/invitations/accept/"),
        ],
    )
    def test_is_read_to_the_last_member(self, path, olga, api):
        answer = api(olga).post(path, {"remember": True}, format="json")
        assert answer.status_code == 400
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/remember", "unknown_field")

    def test_of_erasing_oneself_is_so_too(self, olga, api):
        answer = api(olga).delete("/api/accounts/me/", {"password": PASSWORD, "sure": True}, format="json")
        assert answer.json()["errors"][0]["code"] == "unknown_field"
        assert User.objects.filter(pk=olga.pk).exists()


class TestLoginAnswer:
    def test_says_who_it_is_and_which_roles(self, olga, plant, log_in):
        user = log_in("olga")["user"]
        assert user["username"] == "olga"
        assert user["roles"] == [{"site": plant.pk, "role": "operator"}]
        assert "password" not in user

    def test_an_address_that_was_shown_to_be_hers_goes_before_a_user_name_that_looks_like_it(self, olga, log_in):
        squatter = make_user("olga@example.org")
        assert log_in("olga@example.org")["user"]["id"] == olga.pk
        User.objects.filter(pk=olga.pk).update(email_verified_at=None)
        assert log_in("olga@example.org")["user"]["id"] == squatter.pk


class TestRefresh:
    def test_gives_a_new_pair_that_works(self, olga, log_in, bearer, api):
        old = log_in("olga")
        answer = post(api, "/api/token/refresh/", {"refresh": old["refresh"]})
        assert answer.status_code == 200
        new = answer.json()
        assert new["refresh"] != old["refresh"]
        assert bearer(new["access"]).get("/api/accounts/me/").status_code == 200
        assert post(api, "/api/token/refresh/", {"refresh": new["refresh"]}).status_code == 200

    def test_twice_with_the_same_token_ends_the_session(self, olga, log_in, bearer, api):
        old = log_in("olga")
        new = post(api, "/api/token/refresh/", {"refresh": old["refresh"]}).json()
        assert post(api, "/api/token/refresh/", {"refresh": old["refresh"]}).status_code == 401
        assert bearer(new["access"]).get("/api/accounts/me/").status_code == 401
        assert post(api, "/api/token/refresh/", {"refresh": new["refresh"]}).status_code == 401

    def test_leaves_the_other_sessions_alone(self, olga, log_in, bearer, api):
        stolen, other = log_in("olga"), log_in("olga")
        for _ in range(2):
            post(api, "/api/token/refresh/", {"refresh": stolen["refresh"]})
        assert bearer(other["access"]).get("/api/accounts/me/").status_code == 200

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            pytest.param({}, 400, id="missing"),
            pytest.param({"refresh": 5.5e3}, 401, id="a number"),
            pytest.param({"refresh": ["a"]}, 400, id="a list"),
            pytest.param({"refresh": "unknown"}, 401, id="unknown"),
            pytest.param({"refresh": "x" * 5000}, 400, id="too long"),
        ],
    )
    def test_refuses(self, body, status, db, api):
        assert post(api, "/api/token/refresh/", body).status_code == status

    def test_refuses_an_access_token(self, olga, log_in, api):
        assert post(api, "/api/token/refresh/", {"refresh": log_in("olga")["access"]}).status_code == 401

    def test_ends_after_30_days_however_often_it_was_renewed(self, olga, now):
        tokens = services.start_session(user=olga, address="", device="", now=now)
        for day in range(5, 30, 5):
            tokens = services.refresh(token=tokens.refresh, now=now + timedelta(days=day))
        with pytest.raises(services.BadRefreshToken):
            services.refresh(token=tokens.refresh, now=now + timedelta(days=30))

    def test_ends_after_seven_days_without_a_word(self, olga, now):
        tokens = services.start_session(user=olga, address="", device="", now=now)
        with pytest.raises(services.BadRefreshToken):
            services.refresh(token=tokens.refresh, now=now + timedelta(days=7))

    def test_keeps_when_the_person_proved_who_they_are(self, olga, now):
        tokens = services.start_session(user=olga, address="", device="", now=now)
        services.refresh(token=tokens.refresh, now=now + timedelta(days=1))
        assert Session.objects.get().auth_time == now

    def test_leaves_no_spent_token_for_ever(self, olga, now):
        tokens = services.start_session(user=olga, address="", device="", now=now)
        services.refresh(token=tokens.refresh, now=now + timedelta(days=1))
        assert services.forget_sessions(now=now + timedelta(days=6)) == 0
        assert services.forget_sessions(now=now + timedelta(days=7, hours=1)) == 1

    def test_goes_with_its_session_when_that_is_too_old(self, olga, now):
        services.start_session(user=olga, address="", device="", now=now)
        services.forget_sessions(now=now + timedelta(days=30))
        assert not Session.objects.exists()

    def test_ends_with_the_activity_of_the_user(self, olga, log_in, api):
        refresh = log_in("olga")["refresh"]
        User.objects.filter(pk=olga.pk).update(is_active=False)
        assert post(api, "/api/token/refresh/", {"refresh": refresh}).status_code == 401

    def test_is_stored_as_a_hash(self, olga, log_in):
        refresh = log_in("olga")["refresh"]
        assert refresh not in list(RefreshToken.objects.values_list("digest", flat=True))


class TestVerify:
    def test_accepts_a_good_access_token(self, olga, log_in, api):
        answer = post(api, "/api/token/verify/", {"token": log_in("olga")["access"]})
        assert (answer.status_code, answer.json()) == (200, {})

    def test_refuses_others_with_401_and_none_with_400(self, olga, log_in, api):
        assert post(api, "/api/token/verify/", {"token": log_in("olga")["refresh"]}).status_code == 401
        assert post(api, "/api/token/verify/", {"token": "x.y.z"}).status_code == 401
        assert post(api, "/api/token/verify/", {}).status_code == 400


class TestLogOut:
    def test_ends_the_session_at_once(self, olga, log_in, bearer, api):
        mine, other = log_in("olga"), log_in("olga")
        answer = bearer(mine["access"]).post("/api/accounts/logout/", {"refresh": mine["refresh"]}, format="json")
        assert (answer.status_code, answer.content) == (205, b"")
        assert bearer(mine["access"]).get("/api/accounts/me/").status_code == 401
        assert post(api, "/api/token/refresh/", {"refresh": mine["refresh"]}).status_code == 401
        assert post(api, "/api/token/verify/", {"token": mine["access"]}).status_code == 401
        assert bearer(other["access"]).get("/api/accounts/me/").status_code == 200

    def test_needs_a_caller_and_a_token_of_its_own(self, olga, vera, log_in, bearer, api):
        mine, hers = log_in("olga"), log_in("vera")
        assert post(api, "/api/accounts/logout/", {"refresh": mine["refresh"]}).status_code == 401
        for body in ({}, {"refresh": "unknown"}, {"refresh": hers["refresh"]}):
            answer = bearer(mine["access"]).post("/api/accounts/logout/", body, format="json")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "/refresh"
        assert bearer(hers["access"]).get("/api/accounts/me/").status_code == 200


class TestSession:
    def test_use_is_written_once_a_minute(self, olga, now):
        services.start_session(user=olga, address="", device="", now=now)
        session = Session.objects.get(user=olga)
        services.note_session(session=session, now=now + timedelta(seconds=59))
        session.refresh_from_db()
        assert session.last_seen == now
        services.note_session(session=session, now=now + timedelta(seconds=61))
        session.refresh_from_db()
        assert session.last_seen == now + timedelta(seconds=61)

    def test_of_a_browser_opens_the_api_and_writes_need_the_csrf_token(self, olga):
        client = APIClient(enforce_csrf_checks=True)
        client.force_login(olga)
        assert client.get("/api/accounts/me/").json()["username"] == "olga"
        answer = client.patch("/api/accounts/me/", {"first_name": "Olga"}, format="json")
        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"
        client.cookies["csrftoken"] = "a" * 32
        token = {"X-CSRFToken": "a" * 32}
        answer = client.patch("/api/accounts/me/", {"first_name": "Olga"}, format="json", headers=token)
        assert answer.status_code == 200

    def test_last_seen_moves_with_requests(self, olga, log_in, bearer):
        access = log_in("olga")["access"]
        earlier = clock.now() - timedelta(minutes=5)
        Session.objects.filter(user=olga).update(last_seen=earlier)
        bearer(access).get("/api/accounts/me/")
        assert Session.objects.get(user=olga).last_seen > earlier
