"""User management, and what people may do to themselves."""

from __future__ import annotations

import pytest
from django.test import Client

from techtrack.accounts.events import UserDeleting
from techtrack.accounts.models import ApiKey, Membership, Session, User
from techtrack.core import events
from tests.factories import NOW, PASSWORD, make_user

NEW = "violet-otter-77"


def roles_of(user):
    return {membership.site_id: membership.role for membership in Membership.objects.filter(user=user)}


class TestList:
    def test_shows_an_admin_everybody(self, adam, olga, vera, api):
        body = api(adam).get("/api/users/").json()
        assert [user["username"] for user in body["results"]] == ["adam", "olga", "vera"]

    @pytest.mark.parametrize("name", ["vera", "olga", "erik", "mallory"])
    def test_shows_others_only_themselves(self, name, adam, vera, olga, erik, mallory, api):
        client = api(User.objects.get(username=name))
        assert [user["username"] for user in client.get("/api/users/").json()["results"]] == [name]
        assert client.get(f"/api/users/{adam.pk}/").status_code == 404

    def test_shows_no_password(self, adam, api):
        user = api(adam).get(f"/api/users/{adam.pk}/").json()
        assert set(user) == {
            *("id", "username", "email", "first_name", "last_name", "is_active", "roles"),
            *("email_verified_at", "last_login", "date_joined", "version"),
        }
        assert user["roles"] == [{"site": None, "role": "admin"}]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("search=olg", ["olga"]),
            ("is_active=false", ["vera"]),
            ("role=operator", ["olga"]),
            ("ordering=-username", ["vera", "olga", "adam"]),
            ("page_size=1&page=2", ["olga"]),
        ],
    )
    def test_filters(self, query, names, adam, olga, vera, api):
        User.objects.filter(pk=vera.pk).update(is_active=False)
        body = api(adam).get(f"/api/users/?{query}").json()
        assert [user["username"] for user in body["results"]] == names

    @pytest.mark.parametrize(
        "query",
        ["is_active=perhaps", "role=king", "site=x", "site=1e400", "nonsense=1", "ordering=password", "page=0"],
    )
    def test_refuses_a_wrong_filter(self, query, adam, api):
        assert api(adam).get(f"/api/users/?{query}").status_code == 400

    def test_is_closed_to_strangers(self, db, api):
        answer = api(None).get("/api/users/")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("number", ["0", "x", "9" * 30, "9" * 5000, "\u0663"])
    def test_has_nobody_under_a_strange_id(self, number, adam, api):
        assert api(adam).get(f"/api/users/{number}/").status_code == 404


class TestCreate:
    def test_makes_a_user_with_roles(self, adam, plant, other_site, api, log_in):
        roles = [{"site": plant.pk, "role": "engineer"}, {"site": other_site.pk, "role": "viewer"}]
        body = {"username": "nina", "password": NEW, "roles": roles}
        answer = api(adam).post("/api/users/", body, format="json")
        assert answer.status_code == 201
        assert answer["ETag"] == '"1"'
        assert answer["Location"].endswith(f"/api/users/{answer.json()['id']}/")
        assert sorted(answer.json()["roles"], key=lambda role: role["site"]) == roles
        assert log_in("nina", NEW)["user"]["username"] == "nina"

    @pytest.mark.parametrize("body", [{"role": "viewer"}, {"roles": [{"role": "viewer"}]}])
    def test_takes_a_role_alone_for_all_sites(self, body, adam, api):
        answer = api(adam).post("/api/users/", {"username": "nina", **body}, format="json")
        assert answer.json()["roles"] == [{"site": None, "role": "viewer"}]

    def test_without_a_password_lets_nobody_in(self, adam, api):
        assert api(adam).post("/api/users/", {"username": "nina"}, format="json").status_code == 201
        assert not User.objects.get(username="nina").has_usable_password()

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"username": None}, "/username", id="null name"),
            pytest.param({"password": "short"}, "/password", id="short password"),
            pytest.param({"password": 7}, "/password", id="number for a password"),
            pytest.param({"role": "king"}, "/role", id="unknown role"),
            pytest.param({"role": ["admin"]}, "/role", id="list for a role"),
            pytest.param({"role": "viewer", "roles": []}, "/role", id="role and roles"),
            pytest.param({"roles": "admin"}, "/roles", id="text for roles"),
            pytest.param({"roles": {"role": "admin"}}, "/roles", id="object for roles"),
            pytest.param({"roles": ["admin"]}, "/roles/0", id="text for a role of roles"),
            pytest.param({"roles": [{"site": None}]}, "/roles/0/role", id="role without a role"),
            pytest.param({"roles": [{"site": 10**30, "role": "viewer"}]}, "/roles/0/site", id="huge site"),
            pytest.param({"roles": [{"site": True, "role": "viewer"}]}, "/roles/0/site", id="true for a site"),
            pytest.param({"roles": [{"role": "viewer"}, {"role": "admin"}]}, "/roles/1/site", id="twice for all"),
            pytest.param({"is_active": "perhaps"}, "/is_active", id="neither true nor false"),
        ],
    )
    def test_names_what_is_wrong(self, changes, pointer, adam, api):
        answer = api(adam).post("/api/users/", {"username": "nina"} | changes, format="json")
        assert answer.status_code == 400
        assert pointer in {error["pointer"] for error in answer.json()["errors"]}
        assert not User.objects.filter(username="nina").exists()

    def test_refuses_a_site_that_is_infinite(self, adam, api):
        text = '{"username": "nina", "roles": [{"site": 1e400, "role": "viewer"}]}'
        answer = api(adam).post("/api/users/", text, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/roles/0/site"

    def test_refuses_a_name_that_is_taken(self, adam, olga, api):
        answer = api(adam).post("/api/users/", {"username": "OLGA"}, format="json")
        assert answer.status_code == 409

    @pytest.mark.parametrize("name", ["vera", "olga", "erik", "mallory"])
    def test_is_for_admins_and_tells_others_not_even_who_is_here(self, name, vera, olga, erik, mallory, api):
        client = api(User.objects.get(username=name))
        for body in ({"username": "nina"}, {"username": "vera"}, {}):
            assert client.post("/api/users/", body, format="json").status_code == 403


class TestUpdate:
    def test_by_an_admin_changes_roles_and_profile(self, adam, olga, plant, other_site, api):
        body = {"first_name": "Olga", "roles": [{"site": other_site.pk, "role": "engineer"}]}
        answer = api(adam).patch(f"/api/users/{olga.pk}/", body, format="json")
        assert answer.status_code == 200
        assert answer.json()["roles"] == body["roles"]
        assert answer["ETag"] == '"2"'
        assert roles_of(olga) == {other_site.pk: "engineer"}

    def test_leaves_roles_that_the_body_leaves_out(self, adam, olga, plant, api):
        path = f"/api/users/{olga.pk}/"
        api(adam).put(path, {"username": "olga", "last_name": "Orlova"}, format="json")
        assert roles_of(olga) == {plant.pk: "operator"}
        olga.refresh_from_db()
        assert (olga.last_name, olga.email) == ("Orlova", "")

    def test_takes_back_what_it_has_given(self, olga, api):
        path = f"/api/users/{olga.pk}/"
        body = api(olga).get(path).json()
        assert api(olga).put(path, body, format="json").status_code == 200

    def test_lets_a_person_write_the_own_profile_and_no_more(self, olga, vera, plant, api):
        own = f"/api/users/{olga.pk}/"
        assert api(olga).patch(own, {"first_name": "Olga"}, format="json").status_code == 200
        for body in ({"role": "admin"}, {"roles": []}, {"is_active": False}):
            assert api(olga).patch(own, body, format="json").status_code == 403
        assert api(olga).patch(f"/api/users/{vera.pk}/", {"first_name": "V"}, format="json").status_code == 404
        assert roles_of(olga) == {plant.pk: "operator"}

    def test_keeps_names_apart_in_any_case(self, adam, olga, vera, api):
        path = f"/api/users/{olga.pk}/"
        assert api(adam).patch(path, {"username": "VERA"}, format="json").status_code == 409
        assert api(adam).patch(path, {"username": "Olga"}, format="json").status_code == 200

    def test_with_a_stale_version_is_412_with_what_is_there(self, adam, olga, api):
        path = f"/api/users/{olga.pk}/"
        api(adam).patch(path, {"first_name": "First"}, format="json")
        stale = {"If-Match": '"1"'}
        answer = api(adam).patch(path, {"role": "admin"}, format="json", headers=stale)
        assert answer.status_code == 412
        assert answer.json()["current"]["first_name"] == "First"
        assert answer["ETag"] == '"2"'
        assert api(adam).delete(path, headers=stale).status_code == 412
        assert User.objects.filter(pk=olga.pk).exists()


class TestPassword:
    def test_set_by_an_admin_ends_every_session(self, adam, olga, api, log_in, bearer):
        session = bearer(log_in("olga")["access"])
        answer = api(adam).patch(f"/api/users/{olga.pk}/", {"password": NEW}, format="json")
        assert answer.status_code == 200
        assert session.get("/api/accounts/me/").status_code == 401
        log_in("olga", NEW)

    @pytest.mark.parametrize("path", ["/api/accounts/me/", "/api/users/{id}/"])
    def test_changed_by_its_owner_ends_the_other_sessions(self, path, olga, log_in, bearer):
        mine, other = bearer(log_in("olga")["access"]), bearer(log_in("olga")["access"])
        body = {"password": NEW, "current_password": PASSWORD}
        assert mine.patch(path.format(id=olga.pk), body, format="json").status_code == 200
        assert mine.get("/api/accounts/me/").status_code == 200
        assert other.get("/api/accounts/me/").status_code == 401
        log_in("olga", NEW)

    @pytest.mark.parametrize("proof", [{}, {"current_password": "wrong"}, {"current_password": None}])
    def test_is_not_changed_without_the_present_one(self, proof, olga, api, log_in):
        answer = api(olga).patch("/api/accounts/me/", {"password": NEW, **proof}, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/current_password"
        log_in("olga", PASSWORD)

    def test_is_compared_with_the_person_it_will_belong_to(self, olga, api):
        body = {"password": "wintergarden1", "current_password": PASSWORD, "last_name": "Wintergarden"}
        answer = api(olga).patch("/api/accounts/me/", body, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/password"

    def test_changed_in_a_browser_keeps_that_browser(self, olga):
        here, there = Client(), Client()
        here.force_login(olga)
        there.force_login(olga)
        body = {"password": NEW, "current_password": PASSWORD}
        assert here.patch("/api/accounts/me/", body, content_type="application/json").status_code == 200
        assert here.get("/api/accounts/me/").status_code == 200
        assert there.get("/api/accounts/me/").status_code == 401


class TestDeactivation:
    def test_ends_every_session_at_once(self, adam, olga, api, log_in, bearer):
        session = bearer(log_in("olga")["access"])
        api(adam).patch(f"/api/users/{olga.pk}/", {"is_active": False}, format="json")
        assert session.get("/api/accounts/me/").status_code == 401
        assert not Session.objects.filter(user=olga, revoked_at=None).exists()


class TestLastAdmin:
    @pytest.mark.parametrize("body", [{"role": "viewer"}, {"roles": []}, {"is_active": False}])
    def test_is_neither_demoted_nor_deactivated(self, body, adam, olga, api):
        answer = api(adam).patch(f"/api/users/{adam.pk}/", body, format="json")
        assert answer.status_code == 409
        assert answer.json()["code"] == "last_admin"
        adam.refresh_from_db()
        assert adam.is_active
        assert adam.version == 1
        assert roles_of(adam) == {None: "admin"}

    def test_is_not_removed_by_either_door(self, adam, api):
        assert api(adam).delete(f"/api/users/{adam.pk}/").status_code == 409
        answer = api(adam).delete("/api/accounts/me/", {"password": PASSWORD}, format="json")
        assert answer.status_code == 409
        assert User.objects.filter(pk=adam.pk).exists()

    def test_counts_only_active_ones(self, adam, api):
        make_user("eve", role="admin", is_active=False)
        assert api(adam).patch(f"/api/users/{adam.pk}/", {"role": "viewer"}, format="json").status_code == 409

    def test_may_go_when_there_is_another(self, adam, api):
        make_user("eve", role="admin")
        assert api(adam).patch(f"/api/users/{adam.pk}/", {"role": "viewer"}, format="json").status_code == 200

    def test_of_a_site_is_not_the_last_of_all(self, adam, plant, api):
        chief = make_user("chief", role="admin", site=plant)
        assert api(adam).delete(f"/api/users/{chief.pk}/").status_code == 204


class TestDelete:
    def test_is_for_admins(self, adam, olga, vera, api):
        assert api(vera).delete(f"/api/users/{olga.pk}/").status_code == 404
        assert api(vera).delete(f"/api/users/{vera.pk}/").status_code == 403
        assert api(adam).delete(f"/api/users/{vera.pk}/").status_code == 204
        assert api(adam).get(f"/api/users/{vera.pk}/").status_code == 404

    def test_takes_sessions_roles_and_keys_along(self, adam, olga, api, log_in, bearer):
        access = log_in("olga")["access"]
        stamps = {"created_at": NOW, "updated_at": NOW}
        ApiKey.objects.create(name="k", prefix="aaaaaaaa", digest="d", scope="read", created_by=olga, **stamps)
        assert api(adam).delete(f"/api/users/{olga.pk}/").status_code == 204
        assert not ApiKey.objects.exists()
        assert bearer(access).get("/api/accounts/me/").status_code == 401

    def test_is_announced_before_it_happens(self, adam, olga, api, monkeypatch):
        heard = []

        def hear(fact):
            heard.append((fact, User.objects.filter(pk=fact.user_id).exists()))

        monkeypatch.setitem(events._together, UserDeleting, [hear])
        stale = {"If-Match": '"7"'}
        assert api(adam).delete(f"/api/users/{olga.pk}/", headers=stale).status_code == 412
        assert api(adam).delete(f"/api/users/{olga.pk}/").status_code == 204
        assert heard[-1] == (UserDeleting(olga.pk), True)


class TestMe:
    def test_shows_the_own_account(self, olga, plant, api):
        answer = api(olga).get("/api/accounts/me/")
        assert answer["ETag"].startswith('"1-')
        assert answer.json()["time_zone"] == "UTC"
        assert answer.json()["roles"] == [{"site": plant.pk, "role": "operator"}]

    def test_changes_profile_and_time_zone(self, olga, api):
        body = {"time_zone": "Europe/Lisbon", "last_name": "Orlova"}
        answer = api(olga).patch("/api/accounts/me/", body, format="json")
        assert answer.status_code == 200
        assert answer.json()["time_zone"] == "Europe/Lisbon"
        answer = api(olga).put("/api/accounts/me/", {"username": "olga"}, format="json")
        assert (answer.json()["last_name"], answer.json()["time_zone"]) == ("", "UTC")

    def test_gives_nobody_power(self, olga, plant, api):
        for name, value in {"roles": [{"role": "admin"}], "role": "admin", "is_active": False}.items():
            assert api(olga).patch("/api/accounts/me/", {name: value}, format="json").status_code in {200, 400}
        assert api(olga).patch("/api/accounts/me/", {"is_superuser": True}, format="json").status_code == 400
        olga.refresh_from_db()
        assert olga.is_active
        assert not olga.is_superuser
        assert roles_of(olga) == {plant.pk: "operator"}

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"time_zone": "Mars/Olympus"}, "/time_zone", id="no such zone"),
            pytest.param({"time_zone": "../../etc/passwd"}, "/time_zone", id="a path for a zone"),
            pytest.param({"time_zone": 1}, "/time_zone", id="a number for a zone"),
            pytest.param({"email": "x"}, "/email", id="no address"),
            pytest.param({"username": ""}, "/username", id="no name"),
        ],
    )
    def test_names_what_is_wrong(self, body, pointer, olga, api):
        answer = api(olga).patch("/api/accounts/me/", body, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_is_erased_with_the_password(self, olga, api):
        for body in ({}, {"password": "wrong"}, {"password": None}, {"password": []}):
            answer = api(olga).delete("/api/accounts/me/", body, format="json")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "/password"
        assert api(olga).delete("/api/accounts/me/").status_code == 400
        stale = {"If-Match": '"7"'}
        body = {"password": PASSWORD}
        assert api(olga).delete("/api/accounts/me/", body, format="json", headers=stale).status_code == 412
        assert api(olga).delete("/api/accounts/me/", body, format="json").status_code == 204
        assert not User.objects.filter(pk=olga.pk).exists()

    def test_is_served_without_the_slash(self, olga, api):
        assert api(olga).get("/api/accounts/me").status_code == 200

    def test_refuses_post(self, olga, api):
        assert api(olga).post("/api/accounts/me/", {}, format="json").status_code == 405
