"""E-mail addresses: claimed, shown by a letter, replaced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from techtrack.accounts import services
from techtrack.accounts.models import User
from techtrack.core import clock
from techtrack.notifications.models import Channel
from techtrack.notifications.services import AddressBook
from tests.factories import PASSWORD, make_user
from tests.integration.accounts.letters import only, post

GOOD = {"username": "nina", "email": "nina@example.org", "password": "violet-otter-77"}
ME = "/api/accounts/me/"


def register(api, **changes):
    answer = api(None).post("/api/accounts/register/", GOOD | changes, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def verify(api, key):
    return api(None).post("/api/accounts/verify/", {"key": key}, format="json")


class TestVerify:
    def test_after_registration_shows_the_address(self, db, api, bearer):
        body = register(api)
        assert body["user"]["email_verified_at"] is None
        letter = only()
        assert letter.to == "nina@example.org"
        assert verify(api, letter.key).status_code == 200
        assert bearer(body["access"]).get(ME).json()["email_verified_at"] is not None

    def test_twice_is_answered_the_same(self, db, api):
        register(api)
        key = only().key
        assert [verify(api, key).status_code for _ in range(2)] == [200, 200]

    @pytest.mark.parametrize("key", ["x", "", "a:b:c", "." * 5000])
    def test_refuses_what_is_no_key(self, key, db, api):
        assert verify(api, key).status_code == 400

    def test_refuses_a_key_for_an_address_that_was_changed(self, db, api, bearer):
        body = register(api)
        key = only().key
        change = {"email": "new@example.org", "current_password": GOOD["password"]}
        assert bearer(body["access"]).patch(ME, change, format="json").status_code == 200
        assert verify(api, key).status_code == 400
        assert verify(api, only().key).status_code == 200
        assert User.objects.get().email == "new@example.org"

    def test_refuses_a_key_after_three_days(self, db, api):
        register(api)
        key = only().key
        with pytest.raises(services.LinkNotValid):
            services.verify(key=key, now=clock.now() + timedelta(days=3, minutes=1))

    def test_gives_an_address_to_one_of_those_who_claim_it(self, db, api):
        register(api)
        first = only().key
        register(api, username="twin")
        second = only().key
        assert verify(api, second).status_code == 200
        answer = verify(api, first)
        assert answer.status_code == 409
        assert answer.json()["code"] == "address_taken"
        assert User.objects.get(username="nina").email_verified_at is None

    def test_of_an_address_that_is_somebodys_tells_its_owner_alone(self, olga, api):
        register(api, email="Olga@example.org")
        letter = only()
        assert letter.to == "Olga@example.org"
        assert letter.subject == "You have an account already"
        assert letter.key == ""

    def test_is_unique_in_the_database_too(self, olga):
        twin = make_user("twin", email="OLGA@example.org", email_verified_at=None)
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=twin.pk).update(email_verified_at=clock.now())


class TestResend:
    def test_sends_another_letter(self, db, api, bearer):
        body = register(api)
        post()
        answer = bearer(body["access"]).post("/api/accounts/verify/resend/")
        assert (answer.status_code, answer.json()) == (202, {})
        assert verify(api, only().key).status_code == 200

    def test_has_nothing_to_send_to_a_verified_address(self, olga, api):
        answer = api(olga).post("/api/accounts/verify/resend/")
        assert answer.status_code == 400
        assert answer.json()["code"] == "nothing_to_verify"

    def test_has_a_limit(self, db, api, bearer, settings):
        settings.LIMITS = settings.LIMITS | {"letters": 2}
        client = bearer(register(api)["access"])
        answers = [client.post("/api/accounts/verify/resend/") for _ in range(3)]
        assert [one.status_code for one in answers] == [202, 202, 429]
        assert int(answers[-1]["Retry-After"]) > 0


class TestLetters:
    def test_to_one_address_have_a_limit_whoever_lets_them_be_sent(self, olga, api, settings):
        settings.LIMITS = settings.LIMITS | {"letters": 2}
        for taken in ("olga@example.org", "nobody@example.org"):
            bodies = [GOOD | {"username": f"n{taken[0]}{n}", "email": taken} for n in range(3)]
            answers = [api(None).post("/api/accounts/register/", body, format="json") for body in bodies]
            assert [one.status_code for one in answers] == [201, 201, 429]


class TestOwnChange:
    def change(self, client, **body):
        return client.patch(ME, {"current_password": PASSWORD} | body, format="json")

    def test_takes_effect_when_the_new_address_is_shown_and_tells_the_old_one(self, olga, api):
        body = self.change(api(olga), email="new@example.org").json()
        assert (body["email"], body["new_email"]) == ("olga@example.org", "new@example.org")
        letters = {letter.to: letter for letter in post()}
        assert set(letters) == {"olga@example.org", "new@example.org"}
        assert letters["olga@example.org"].key == ""
        assert verify(api, letters["new@example.org"].key).status_code == 200
        body = api(olga).get(ME).json()
        assert (body["email"], body["new_email"]) == ("new@example.org", "")

    @pytest.mark.parametrize("proof", [{"current_password": "wrong"}, {"current_password": None}])
    def test_needs_the_password(self, proof, olga, api):
        answer = self.change(api(olga), email="new@example.org", **proof)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/current_password"
        assert post() == []

    def test_to_somebodys_address_looks_like_any_other(self, olga, vera, api):
        taken = self.change(api(olga), email="vera@example.org")
        free = self.change(api(vera), email="free@example.org")
        assert taken.status_code == free.status_code == 200
        assert (taken.json()["new_email"], free.json()["new_email"]) == ("vera@example.org", "free@example.org")

    def test_leaves_out_what_it_does_not_say(self, olga, api):
        assert api(olga).put(ME, {"username": "olga"}, format="json").json()["email"] == "olga@example.org"

    def test_may_take_the_address_away(self, olga, api):
        body = self.change(api(olga), email="").json()
        assert (body["email"], body["email_verified_at"]) == ("", None)
        assert only().to == "olga@example.org"

    def test_back_to_what_it_is_changes_nothing(self, olga, api):
        body = api(olga).get(ME).json()
        answer = api(olga).put(ME, body, format="json")
        assert answer.status_code == 200
        assert answer.json()["email_verified_at"] == body["email_verified_at"]
        assert post() == []


class TestChangeByAnAdmin:
    def test_is_vouched_for_and_tells_the_old_one(self, adam, olga, api):
        answer = api(adam).patch(f"/api/users/{olga.pk}/", {"email": "new@example.org"}, format="json")
        assert answer.json()["email"] == "new@example.org"
        assert answer.json()["email_verified_at"] is not None
        assert only().to == "olga@example.org"

    def test_to_an_address_that_somebody_has_is_refused(self, adam, olga, vera, api):
        answer = api(adam).patch(f"/api/users/{olga.pk}/", {"email": "VERA@example.org"}, format="json")
        assert answer.status_code == 409
        answer = api(adam).post("/api/users/", {"username": "nina", "email": "vera@example.org"}, format="json")
        assert answer.status_code == 409


class TestAlerts:
    def test_go_to_no_address_that_is_only_claimed(self, olga, vera, now):
        User.objects.filter(pk=vera.pk).update(email_verified_at=None)
        reached = AddressBook(now).reach([], [olga.pk, vera.pk], [])
        assert [one.person.pk for one in reached.values()] == [olga.pk]
        assert not Channel.objects.filter(owner=vera).exists()
