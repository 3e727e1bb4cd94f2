"""Making one's own account."""

from __future__ import annotations

import pytest

from techtrack.accounts.models import User

GOOD = {"username": "nina", "email": "nina@example.org", "password": "violet-otter-77"}


def register(api, **changes):
    body = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return api(None).post("/api/accounts/register/", body, format="json")


class TestRegister:
    def test_makes_an_account_and_logs_it_in(self, api, bearer, plant):
        answer = register(api, first_name="Nina", password2=GOOD["password"])
        assert answer.status_code == 201
        body = answer.json()
        assert body["user"]["username"] == "nina"
        assert body["user"]["first_name"] == "Nina"
        assert body["user"]["roles"] == []
        client = bearer(body["access"])
        assert client.get("/api/accounts/me/").json()["id"] == body["user"]["id"]
        assert client.get("/api/sites/").json()["count"] == 0
        assert client.get("/api/users/").json()["count"] == 1
        assert User.objects.get().password.startswith("argon2$argon2id$")

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"password": "short"}, "/password", id="short"),
            pytest.param({"password": "password123"}, "/password", id="common"),
            pytest.param({"password": "918273645546"}, "/password", id="digits"),
            pytest.param({"password": "nina@example.org"}, "/password", id="like the address"),
            pytest.param({"username": "nina.the.first", "password": "nina.the.first"}, "/password", id="like the name"),
            pytest.param({"last_name": "Featherstone", "password": "featherstone1"}, "/password", id="like a name"),
            pytest.param({"password": ...}, "/password", id="no password"),
            pytest.param({"password": ""}, "/password", id="empty password"),
            pytest.param({"password2": "violet-otter-78"}, "/password2", id="the second differs"),
            pytest.param({"username": ...}, "/username", id="no name"),
            pytest.param({"username": ""}, "/username", id="empty name"),
            pytest.param({"username": "ni na"}, "/username", id="a blank in the name"),
            pytest.param({"username": "n" * 151}, "/username", id="name too long"),
            pytest.param({"username": "ﷺ" * 20}, "/username", id="name too long in normal form"),
            pytest.param({"username": {"a": 1}}, "/username", id="an object for a name"),
            pytest.param({"email": "nina"}, "/email", id="no address"),
            pytest.param({"email": ...}, "/email", id="address missing"),
            pytest.param({"email": ["a@b.org"]}, "/email", id="a list of addresses"),
            pytest.param({"first_name": "n" * 151}, "/first_name", id="first name too long"),
        ],
    )
    def test_names_what_is_wrong_and_stores_nothing(self, changes, pointer, db, api):
        answer = register(api, **changes)
        assert answer.status_code == 400
        assert pointer in {error["pointer"] for error in answer.json()["errors"]}
        assert not User.objects.exists()

    @pytest.mark.parametrize("name", ["olga", "Olga", "OLGA"])
    def test_refuses_a_user_name_that_somebody_has(self, name, olga, api):
        answer = register(api, username=name)
        assert answer.status_code == 409
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/username"]

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"email": "olga@example.org"}, id="the address"),
            pytest.param({"email": "OLGA@example.org"}, id="the address in another case"),
            pytest.param({"username": "olga@example.org"}, id="the address as a name"),
        ],
    )
    def test_answers_the_same_for_an_address_that_somebody_has_and_for_one_that_nobody_has(self, changes, olga, api):
        free = {name: value.lower().replace("olga", "nobody") for name, value in changes.items()}
        taken, other = register(api, **changes), register(api, **{"username": "other"} | free)
        assert taken.status_code == other.status_code == 201
        shapes = [sorted(answer.json()["user"]) for answer in (taken, other)]
        assert shapes[0] == shapes[1]
        assert taken.json()["user"]["email_verified_at"] is other.json()["user"]["email_verified_at"] is None

    def test_of_somebodys_address_leaves_the_owner_the_way_in(self, olga, api, log_in):
        register(api, email="olga@example.org")
        register(api, username="olga@example.org", email="squatter@example.org")
        assert log_in("olga@example.org")["user"]["id"] == olga.pk

    @pytest.mark.parametrize("power", [{"is_staff": True}, {"role": "admin"}, {"roles": [{"role": "admin"}]}])
    def test_refuses_a_body_that_asks_for_power(self, power, db, api):
        answer = register(api, **power)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "unknown_field"
        assert not User.objects.exists()

    @pytest.mark.parametrize("mode", ["invite", "closed"])
    def test_can_be_closed(self, mode, db, api, settings):
        settings.REGISTRATION = mode
        answer = register(api)
        assert answer.status_code == 403, answer.content
        assert answer.json()["code"] == "registration_closed"
        assert not User.objects.exists()
