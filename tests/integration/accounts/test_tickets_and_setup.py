"""Secrets that open one thing once: a WebSocket, and the first set-up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Membership, OneTimeSecret, Session, User
from techtrack.accounts.queries import access_of, current_access, is_alive, session_access
from techtrack.accounts.services.passwords import WeakPassword
from techtrack.accounts.services.setup import SetupLinkSpent
from techtrack.accounts.services.tickets import BadTicket
from techtrack.core import clock
from techtrack.core.errors import Unauthenticated

GOOD = {"username": "root", "email": "root@example.org", "password": "violet-otter-77"}


class TestTicket:
    def test_opens_the_session_it_was_made_in_once(self, olga, plant, log_in, bearer):
        answer = bearer(log_in("olga")["access"]).post("/api/live/ticket/")
        assert answer.status_code == 201
        assert answer.json()["expires_in"] == 30
        assert answer["Cache-Control"] == "no-store"
        access = services.redeem_ticket(ticket=answer.json()["ticket"], now=clock.now())
        assert access.allows(Role.OPERATOR, plant.pk)
        assert access.session_id == str(Session.objects.get(user=olga).pk)
        with pytest.raises(BadTicket):
            services.redeem_ticket(ticket=answer.json()["ticket"], now=clock.now())

    def test_is_given_to_a_browser_and_ends_with_its_session(self, olga):
        client = Client()
        client.force_login(olga)
        ticket = client.post("/api/live/ticket/").json()["ticket"]
        access = services.redeem_ticket(ticket=ticket, now=clock.now())
        assert is_alive(access, clock.now())
        client.logout()
        assert not is_alive(access, clock.now())

    def test_is_too_old_after_30_seconds(self, olga, now):
        ticket = services.issue_ticket(by=access_of(olga), now=now)
        with pytest.raises(BadTicket):
            services.redeem_ticket(ticket=ticket, now=now + timedelta(seconds=30))

    def test_of_an_ended_session_opens_nothing(self, olga, now):
        tokens = services.start_session(user=olga, address="", device="", now=now)
        ticket = services.issue_ticket(by=session_access(tokens.access, now), now=now)
        Session.objects.update(revoked_at=now)
        with pytest.raises(BadTicket):
            services.redeem_ticket(ticket=ticket, now=now)

    def test_does_not_outlive_its_use_in_the_table(self, olga, now):
        services.issue_ticket(by=access_of(olga), now=now)
        services.issue_ticket(by=access_of(olga), now=now + timedelta(minutes=1))
        assert OneTimeSecret.objects.count() == 1

    @pytest.mark.parametrize("text", ["", "unknown", "\ud800", "\x00"])
    def test_that_is_none_opens_nothing(self, text, db, now):
        with pytest.raises(BadTicket):
            services.redeem_ticket(ticket=text, now=now)

    def test_needs_a_caller(self, db, api):
        assert api(None).post("/api/live/ticket/").status_code == 401


class TestCurrentAccess:
    @pytest.fixture
    def access(self, olga, now):
        return session_access(services.start_session(user=olga, address="", device="", now=now).access, now)

    def test_has_the_roles_of_this_moment(self, access, olga, plant, now):
        Membership.objects.filter(user=olga).update(role=Role.ENGINEER)
        assert current_access(access, now).allows(Role.ENGINEER, plant.pk)

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(lambda _user, now: Session.objects.update(revoked_at=now), id="logged out"),
            pytest.param(lambda _user, _now: Session.objects.all().delete(), id="session removed"),
            pytest.param(lambda _user, _now: User.objects.update(is_active=False), id="user inactive"),
            pytest.param(lambda user, _now: user.delete(), id="user removed"),
            pytest.param(lambda _user, now: Session.objects.update(started_at=now - timedelta(days=30)), id="30 days"),
        ],
    )
    def test_is_none_when_the_session_is_over(self, end, access, olga, now):
        assert is_alive(access, now)
        end(olga, now)
        assert not is_alive(access, now)

    def test_costs_two_queries(self, access, now, django_assert_num_queries):
        with django_assert_num_queries(2):
            is_alive(access, now)

    def test_of_a_token_costs_one_query(self, olga, now, django_assert_num_queries):
        token = services.start_session(user=olga, address="", device="", now=now).access
        with django_assert_num_queries(1):
            session_access(token, now)

    def test_of_a_browser_ends_with_the_password(self, olga, now):
        client = Client()
        client.force_login(olga)
        access = replace(access_of(olga), session_id=client.session["session"])
        assert is_alive(access, now)
        services.set_password(user=olga, password="violet-otter-77", now=now)
        assert not is_alive(access, now)

    def test_of_a_stranger_to_the_cookie_is_none(self, olga, vera, now):
        client = Client()
        client.force_login(olga)
        assert not is_alive(replace(access_of(vera), session_id=client.session["session"]), now)

    def test_of_an_inactive_user_has_no_role(self, olga):
        olga.is_active = False
        assert access_of(olga).sites() == frozenset()


class TestSetup:
    def test_makes_the_first_admin_once(self, db, now):
        secret = services.issue_setup_secret(now=now)
        user = services.complete_setup(secret=secret, now=now, **GOOD)
        assert user.is_staff
        assert user.is_superuser
        assert access_of(user).allows(Role.ADMIN, None)
        for again in (secret, "unknown"):
            with pytest.raises(SetupLinkSpent):
                services.complete_setup(secret=again, now=now, **GOOD | {"username": "second"})
        assert services.issue_setup_secret(now=now) is None

    def test_replaces_an_older_link(self, db, now):
        old, new = services.issue_setup_secret(now=now), services.issue_setup_secret(now=now)
        with pytest.raises(SetupLinkSpent):
            services.complete_setup(secret=old, now=now, **GOOD)
        services.complete_setup(secret=new, now=now, **GOOD)

    def test_ends_after_15_minutes(self, db, now):
        secret = services.issue_setup_secret(now=now)
        with pytest.raises(SetupLinkSpent):
            services.complete_setup(secret=secret, now=now + timedelta(minutes=15), **GOOD)

    def test_with_a_weak_password_leaves_the_link_good(self, db, now):
        secret = services.issue_setup_secret(now=now)
        with pytest.raises(WeakPassword):
            services.complete_setup(secret=secret, now=now, **GOOD | {"password": "short"})
        services.complete_setup(secret=secret, now=now, **GOOD)

    def test_is_refused_where_people_are(self, db, now, adam):
        assert services.issue_setup_secret(now=now) is None

    def test_is_refused_where_people_came_meanwhile(self, db, now):
        secret = services.issue_setup_secret(now=now)
        User.objects.create_superuser("sue", "sue@example.org", "violet-otter-77")
        with pytest.raises(SetupLinkSpent):
            services.complete_setup(secret=secret, now=now, **GOOD)

    def test_secret_is_no_ticket(self, db, now):
        with pytest.raises(Unauthenticated):
            services.redeem_ticket(ticket=services.issue_setup_secret(now=now), now=now)
