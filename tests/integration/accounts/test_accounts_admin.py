"""Django's admin for people, sites and keys."""

from __future__ import annotations

import pytest
from django.test import Client

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.models import Membership, Session, Site, User
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from tests.factories import make_task, make_user

NEW = "violet-otter-77"


@pytest.fixture
def desk(adam):
    User.objects.filter(pk=adam.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(User.objects.get(pk=adam.pk))
    return client


def user_form(user, *memberships, **changes):
    rows = {}
    for index, (pk, site, role) in enumerate(memberships):
        row = {"id": pk, "user": user.pk, "site": site, "role": role}
        rows |= {f"memberships-{index}-{name}": value for name, value in row.items()}
    initial = sum(1 for pk, *_ in memberships if pk)
    form = {"username": user.username, "email": user.email, "time_zone": "UTC", "is_active": "on"} | changes
    counts = {"memberships-TOTAL_FORMS": len(memberships), "memberships-INITIAL_FORMS": initial}
    return {name: value for name, value in (form | counts | rows).items() if value is not None}


class TestPages:
    @pytest.mark.parametrize("model", ["user", "site", "membership", "apikey"])
    def test_are_shown(self, model, desk, olga, plant, now):
        key, text = services.create_key(
            by=access_of(olga), name="k", scope=Scope.READ, site=plant, asset_id=None, expires_at=None,
            allowed_addresses=[], now=now,
        )  # fmt: skip
        pages = [f"/admin/accounts/{model}/", f"/admin/accounts/{model}/?q=x"]
        row = {"user": olga, "site": plant, "membership": olga.memberships.get(), "apikey": key}[model]
        for page in [pages[0], f"/admin/accounts/{model}/{row.pk}/change/"]:
            answer = desk.get(page)
            assert answer.status_code == 200
            assert key.digest not in answer.content.decode()
            assert text not in answer.content.decode()

    @pytest.mark.parametrize("model", ["membership", "apikey"])
    def test_of_what_is_made_elsewhere_have_no_add(self, model, desk):
        assert desk.get(f"/admin/accounts/{model}/add/").status_code == 403

    def test_are_closed_to_others(self, olga):
        client = Client()
        client.force_login(olga)
        assert client.get("/admin/accounts/user/").status_code == 302


class TestUserPage:
    def test_makes_a_user_with_a_password(self, desk):
        body = {
            "username": "nina", "password1": NEW, "password2": NEW, "usable_password": "true",
            "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0,
        }  # fmt: skip
        assert desk.post("/admin/accounts/user/add/", body).status_code == 302
        assert User.objects.get(username="nina").check_password(NEW)

    def test_gives_a_role_for_all_sites(self, desk, mallory):
        form = user_form(mallory, ("", "", "viewer"))
        assert desk.post(f"/admin/accounts/user/{mallory.pk}/change/", form).status_code == 302
        assert Membership.objects.get(user=mallory).site is None

    def test_vouches_for_the_address_that_it_writes(self, desk, mallory):
        User.objects.filter(pk=mallory.pk).update(email_verified_at=None, new_email="waiting@example.org")
        desk.post(f"/admin/accounts/user/{mallory.pk}/change/", user_form(mallory, email="new@example.org"))
        mallory.refresh_from_db()
        assert (mallory.email, mallory.new_email) == ("new@example.org", "")
        assert mallory.email_verified_at is not None

    def test_ends_the_sessions_of_whom_it_deactivates(self, desk, mallory, now):
        services.start_session(user=mallory, address="", device="", now=now)
        desk.post(f"/admin/accounts/user/{mallory.pk}/change/", user_form(mallory, is_active=None))
        assert not User.objects.get(pk=mallory.pk).is_active
        assert not Session.objects.filter(user=mallory, revoked_at=None).exists()

    @pytest.mark.parametrize("changes", [{"is_active": None}, {"memberships-0-role": "viewer"}])
    def test_keeps_the_last_admin(self, changes, desk, adam):
        own = adam.memberships.get()
        form = user_form(adam, (own.pk, "", "admin"), is_staff="on", is_superuser="on") | changes
        form = {name: value for name, value in form.items() if value is not None}
        answer = desk.post(f"/admin/accounts/user/{adam.pk}/change/", form, follow=True)
        assert "last administrator" in answer.content.decode()
        adam.refresh_from_db()
        assert adam.is_active
        assert adam.memberships.get().role == "admin"

    def test_removes_users_but_not_the_last_admin(self, desk, adam, olga):
        assert desk.post(f"/admin/accounts/user/{olga.pk}/delete/", {"post": "yes"}).status_code == 302
        answer = desk.post(f"/admin/accounts/user/{adam.pk}/delete/", {"post": "yes"}, follow=True)
        assert "last administrator" in answer.content.decode()
        body = {"action": "delete_selected", "_selected_action": [adam.pk], "post": "yes"}
        answer = desk.post("/admin/accounts/user/", body, follow=True)
        assert "last administrator" in answer.content.decode()
        assert list(User.objects.all()) == [adam]

    def test_leaves_the_work_of_others_behind_whom_it_removes(self, desk, olga, vera):
        task = make_task(olga, owners=[vera])
        assert desk.post(f"/admin/accounts/user/{olga.pk}/delete/", {"post": "yes"}).status_code == 302
        task.refresh_from_db()
        assert (task.created_by, task.owners) == (None, [vera.pk])

    def test_removes_all_that_were_chosen_or_none(self, desk, adam, olga):
        body = {"action": "delete_selected", "_selected_action": [olga.pk, adam.pk], "post": "yes"}
        assert "last administrator" in desk.post("/admin/accounts/user/", body, follow=True).content.decode()
        assert set(User.objects.all()) == {adam, olga}

    def test_ends_the_sessions_of_who_gets_a_new_password(self, desk, olga, now):
        services.start_session(user=olga, address="", device="", now=now)
        body = {"password1": NEW, "password2": NEW, "usable_password": "true"}
        assert desk.post(f"/admin/accounts/user/{olga.pk}/password/", body).status_code == 302
        assert not Session.objects.filter(user=olga, revoked_at=None).exists()
        olga.refresh_from_db()
        assert olga.check_password(NEW)

    def test_is_closed_to_an_administrator_who_was_demoted(self, desk, adam):
        second = access_of(make_user("eve", role=Role.ADMIN))
        now_viewer = {"roles": {None: Role.VIEWER}}
        services.update_user(user=adam, by=second, changes=now_viewer, expected=None, now=clock.now())
        assert desk.get("/admin/accounts/user/").status_code == 302


class TestSitePage:
    def test_makes_changes_and_removes_a_site(self, desk):
        body = {"name": "Harbour", "timezone": "Europe/Lisbon", "address": ""}
        assert desk.post("/admin/accounts/site/add/", body).status_code == 302
        site = Site.objects.get()
        path = f"/admin/accounts/site/{site.pk}"
        assert desk.post(f"{path}/change/", body | {"address": "Quay 4"}).status_code == 302
        site.refresh_from_db()
        assert (site.address, site.version) == ("Quay 4", 2)
        assert desk.post(f"{path}/delete/", {"post": "yes"}).status_code == 302
        assert not Site.objects.exists()

    def test_tells_what_the_service_refuses(self, desk, plant):
        body = {"name": "Plant", "timezone": "Mars/Olympus", "address": ""}
        answer = desk.post(f"/admin/accounts/site/{plant.pk}/change/", body, follow=True)
        assert "Europe/Berlin is expected" in answer.content.decode()


class TestKeyPage:
    def test_revokes(self, desk, olga, plant, now):
        key, _ = services.create_key(
            by=access_of(olga), name="k", scope=Scope.READ, site=plant, asset_id=None, expires_at=None,
            allowed_addresses=[], now=now,
        )  # fmt: skip
        assert desk.post(f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not type(key).objects.exists()


class TestSuperuser:
    def test_made_by_djangos_command_is_an_admin(self, db):
        user = User.objects.create_superuser("root", "root@example.org", NEW)
        assert access_of(user).everywhere is Role.ADMIN
        assert make_user("plain").memberships.count() == 0
