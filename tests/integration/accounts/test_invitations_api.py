"""Asking people to join, and joining."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Invitation, Membership, User
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from tests.factories import make_site, make_user
from tests.integration.accounts.letters import only, post

NEW = "violet-otter-77"
DOOR = "/api/invitations/"


@pytest.fixture
def chief(plant):
    """Admin at the plant alone."""
    return make_user("chief", role=Role.ADMIN, site=plant)


@pytest.fixture
def invite(api):
    """``invite(chief, plant, "operator")``: the answer to an invitation of nina."""

    def invited(by, site, role="operator", email="nina@example.org"):
        roles = [{"site": site and site.pk, "role": role}]
        return api(by).post(DOOR, {"email": email, "roles": roles}, format="json")

    return invited


@pytest.fixture
def register(api):
    """``register(key, username="nina")``: somebody comes with an invitation."""

    def registered(key, **fields):
        body = {"username": "nina", "password": NEW, "invitation": key} | fields
        return api(None).post("/api/accounts/register/", body, format="json")

    return registered


def roles_of(user):
    return {row.site_id: row.role for row in Membership.objects.filter(user=user)}


class TestInvite:
    def test_sends_a_letter_by_which_somebody_joins_with_the_roles(self, chief, plant, invite, register):
        answer = invite(chief, plant)
        assert answer.status_code == 201
        assert answer["Location"].endswith(f"{DOOR}{answer.json()['id']}/")
        letter = only()
        assert letter.to == "nina@example.org"
        joined = register(letter.key)
        assert joined.status_code == 201
        user = joined.json()["user"]
        assert user["roles"] == [{"site": plant.pk, "role": "operator"}]
        assert user["email"] == "nina@example.org"
        # Whoever reads the letters to it has shown that by coming.
        assert user["email_verified_at"] is not None
        assert post() == []

    @pytest.mark.parametrize("mode", ["invite", "open"])
    def test_opens_the_door_where_it_is_not_closed(self, mode, chief, plant, invite, register, settings):
        settings.REGISTRATION = mode
        invite(chief, plant)
        assert register(only().key).status_code == 201

    def test_does_not_open_a_closed_one(self, chief, plant, invite, register, settings):
        settings.REGISTRATION = "closed"
        invite(chief, plant)
        answer = register(only().key)
        assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")

    def test_gives_only_what_the_inviter_has(self, chief, plant, other_site, invite):
        assert invite(chief, plant, "admin").status_code == 201
        assert invite(chief, None).status_code == 403
        # A site that the caller cannot see is not there.
        assert invite(chief, other_site).status_code == 400
        assert Invitation.objects.count() == 1

    @pytest.mark.parametrize("name", ["vera", "olga", "erik", "mallory"])
    def test_is_for_admins(self, name, vera, olga, erik, mallory, plant, invite, api):
        user = User.objects.get(username=name)
        assert invite(user, plant).status_code == 403
        assert api(user).post(DOOR, {}, format="json").status_code == 403
        assert api(user).get(DOOR).json()["count"] == 0

    def test_says_the_same_of_an_address_that_has_an_account(self, chief, plant, olga, invite):
        free, taken = invite(chief, plant), invite(chief, plant, email="olga@example.org")
        assert free.status_code == taken.status_code == 201
        assert free.json().keys() == taken.json().keys()

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"email": "nina"}, "/email", id="no address"),
            pytest.param({"email": ""}, "/email", id="an empty address"),
            pytest.param({"roles": []}, "/roles", id="no roles"),
            pytest.param({"roles": [{"role": "king"}]}, "/roles/0/role", id="an unknown role"),
            pytest.param({"roles": [{"role": "viewer"}, {"role": "admin"}]}, "/roles/1/site", id="a place twice"),
        ],
    )
    def test_names_what_is_wrong(self, body, pointer, adam, api):
        good = {"email": "nina@example.org", "roles": [{"role": "viewer"}]}
        answer = api(adam).post(DOOR, good | body, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert post() == []


class TestKey:
    def test_works_once(self, chief, plant, invite, register):
        invite(chief, plant)
        key = only().key
        assert register(key).status_code == 201
        answer = register(key, username="other")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/invitation"
        assert not User.objects.filter(username="other").exists()

    def test_of_a_weak_password_stays_good(self, chief, plant, invite, register):
        invite(chief, plant)
        key = only().key
        assert register(key, password="short").status_code == 400
        assert register(key).status_code == 201

    def test_ends_after_a_week(self, chief, plant, invite):
        invite(chief, plant)
        key = only().key
        with pytest.raises(services.LinkNotValid):
            services.read_invitation(key=key, now=clock.now() + timedelta(days=7, minutes=1))
        assert services.read_invitation(key=key, now=clock.now() + timedelta(days=6))

    @pytest.mark.parametrize("end", ["withdrawn", "demoted", "deactivated", "gone", "site gone"])
    def test_ends_with(self, end, adam, invite, register, api):
        site = make_site("Short-lived")
        boss = make_user("boss", role=Role.ADMIN, site=site)
        number = invite(boss, site).json()["id"]
        key = only().key
        ends = {
            "withdrawn": lambda: api(boss).delete(f"{DOOR}{number}/"),
            "demoted": lambda: api(adam).patch(f"/api/users/{boss.pk}/", {"roles": []}, format="json"),
            "deactivated": lambda: api(adam).patch(f"/api/users/{boss.pk}/", {"is_active": False}, format="json"),
            "gone": lambda: api(adam).delete(f"/api/users/{boss.pk}/"),
            "site gone": lambda: api(adam).delete(f"/api/sites/{site.pk}/"),
        }
        assert ends[end]().status_code in {200, 204}
        assert register(key).status_code == 400
        assert not User.objects.filter(username="nina").exists()

    def test_with_another_address_leaves_that_to_be_shown(self, chief, plant, invite, register):
        invite(chief, plant)
        user = register(only().key, email="private@example.org").json()["user"]
        assert (user["email"], user["email_verified_at"]) == ("private@example.org", None)
        assert only().to == "private@example.org"

    def test_to_somebodys_address_gives_it_to_nobody_else(self, chief, plant, olga, invite, register):
        invite(chief, plant, email="olga@example.org")
        user = register(only().key).json()["user"]
        assert user["email_verified_at"] is None


class TestAccept:
    def accept(self, client, key):
        return client.post("/api/accounts/invitations/accept/", {"key": key}, format="json")

    def test_adds_roles_to_the_account_that_one_has(self, adam, olga, plant, other_site, invite, api):
        invite(adam, other_site, "engineer", email="olga@example.org")
        answer = self.accept(api(olga), only().key)
        assert answer.status_code == 200
        assert roles_of(olga) == {plant.pk: "operator", other_site.pk: "engineer"}

    def test_makes_nothing_less(self, adam, erik, plant, invite, api):
        invite(adam, plant, "viewer", email="erik@example.org")
        assert self.accept(api(erik), only().key).status_code == 200
        assert roles_of(erik) == {plant.pk: "engineer"}

    def test_works_once(self, adam, olga, vera, other_site, invite, api):
        invite(adam, other_site)
        key = only().key
        assert self.accept(api(olga), key).status_code == 200
        assert self.accept(api(vera), key).status_code == 400
        assert other_site.pk not in roles_of(vera)

    def test_needs_somebody(self, adam, plant, invite, api):
        invite(adam, plant)
        assert self.accept(api(None), only().key).status_code == 401


class TestManage:
    def test_shows_each_admin_those_to_the_own_places(self, adam, chief, plant, other_site, invite, api):
        invite(adam, other_site, email="elsewhere@example.org")
        invite(adam, None, email="everywhere@example.org")
        both = [{"site": plant.pk, "role": "viewer"}, {"site": other_site.pk, "role": "viewer"}]
        api(adam).post(DOOR, {"email": "both@example.org", "roles": both}, format="json")
        mine = invite(chief, plant).json()["id"]
        assert [row["id"] for row in api(chief).get(DOOR).json()["results"]] == [mine]
        assert api(adam).get(DOOR).json()["count"] == 4
        hidden = Invitation.objects.exclude(pk=mine).values_list("pk", flat=True)
        assert {api(chief).get(f"{DOOR}{pk}/").status_code for pk in hidden} == {404}

    def test_sends_the_letter_again_with_another_week(self, chief, plant, invite, register, api):
        number = invite(chief, plant).json()["id"]
        post()
        Invitation.objects.update(expires_at=clock.now() - timedelta(days=1))
        answer = api(chief).post(f"{DOOR}{number}/resend/")
        assert answer.status_code == 200
        assert register(only().key).status_code == 201

    def test_to_another_address_ends_the_old_link(self, chief, plant, invite, register, api):
        path = f"{DOOR}{invite(chief, plant).json()['id']}/"
        old = only().key
        assert api(chief).patch(path, {"email": "nana@example.org"}, format="json").status_code == 200
        letter = only()
        assert letter.to == "nana@example.org"
        assert register(old).status_code == 400
        assert register(letter.key).status_code == 201

    def test_changes_roles_until_it_is_accepted(self, chief, plant, invite, register, api):
        path = f"{DOOR}{invite(chief, plant).json()['id']}/"
        key = only().key
        change = {"roles": [{"site": plant.pk, "role": "viewer"}]}
        assert api(chief).patch(path, change, format="json").json()["roles"] == change["roles"]
        assert register(key).json()["user"]["roles"] == change["roles"]
        assert api(chief).patch(path, change, format="json").status_code == 409
        assert api(chief).post(f"{path}resend/").status_code == 409
        assert api(chief).get(path).json()["accepted_by"] == User.objects.get(username="nina").pk

    def test_gives_nobody_more_than_the_changer_has(self, chief, plant, invite, api):
        path = f"{DOOR}{invite(chief, plant).json()['id']}/"
        answer = api(chief).patch(path, {"roles": [{"site": None, "role": "viewer"}]}, format="json")
        assert answer.status_code == 403

    def test_of_a_service_too(self, chief, plant, now):
        with pytest.raises(services.LinkNotValid):
            services.accept_as(key="x", by=access_of(chief), now=now)
