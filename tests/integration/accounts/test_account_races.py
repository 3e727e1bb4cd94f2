"""What must hold when many do it at once; SQLite lets one writer in, PostgreSQL lets them race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from techtrack.accounts import backends, services
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Membership, RefreshToken, Session, User
from techtrack.accounts.queries import access_of
from techtrack.core.errors import TechTrackError
from tests.factories import make_user


def race(*works):
    """Run the works at the same moment, each in a thread; return their results or errors."""
    start = Barrier(len(works))

    def run(work):
        start.wait()
        try:
            return work()
        except TechTrackError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def winners(results):
    return [result for result in results if not isinstance(result, TechTrackError)]


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_for_one_refresh_token_has_one_winner(self, now):
        user = make_user("olga")
        token = services.start_session(user=user, address="", device="", now=now).refresh
        results = race(*[lambda: services.refresh(token=token, now=now)] * 8)
        assert len(winners(results)) == 1
        assert RefreshToken.objects.count() == 2

    @pytest.mark.parametrize(
        "changes",
        [{"roles": {}}, {"is_active": False}, {"roles": {None: Role.VIEWER}}],
        ids=["none", "inactive", "demoted"],
    )
    def test_of_two_admins_against_each_other_leaves_one(self, changes, now):
        for _ in range(5):
            User.objects.all().delete()
            adam, eve = (make_user(name, role=Role.ADMIN) for name in ("adam", "eve"))

            def demote(victim, by):
                access = access_of(by)
                return lambda: services.update_user(user=victim, by=access, changes=changes, expected=None, now=now)

            results = race(demote(eve, adam), demote(adam, eve))
            assert len(winners(results)) == 1
            assert Membership.objects.filter(role=Role.ADMIN, site=None, user__is_active=True).count() == 1

    def test_of_two_admins_removing_each_other_leaves_one(self, db, now):
        adam, eve = (make_user(name, role=Role.ADMIN) for name in ("adam", "eve"))

        def remove(victim, by):
            access = access_of(by)
            return lambda: services.delete_user(user=victim, by=access, expected=None, now=now)

        race(remove(eve, adam), remove(adam, eve))
        assert User.objects.count() == 1

    def test_for_the_first_admin_has_one_winner(self, now):
        secret = services.issue_setup_secret(now=now)

        def complete(number):
            fields = {"username": f"root{number}", "email": f"root{number}@example.org", "password": "violet-otter-77"}
            return lambda: services.complete_setup(secret=secret, now=now, **fields)

        assert len(winners(race(*[complete(number) for number in range(4)]))) == 1
        assert User.objects.count() == 1

    def test_for_one_ticket_has_one_winner(self, now):
        ticket = services.issue_ticket(by=access_of(make_user("olga")), now=now)
        assert len(winners(race(*[lambda: services.redeem_ticket(ticket=ticket, now=now)] * 4))) == 1

    def test_of_a_login_and_a_new_password_leaves_no_session_of_the_old_one(self, now):
        known = make_user("olga")
        services.set_password(user=User.objects.get(pk=known.pk), password="violet-otter-77", now=now)
        # The old password was compared before the new one was written.
        with pytest.raises(services.WrongCredentials):
            services.start_session(user=known, address="", device="", now=now)
        assert not Session.objects.exists()


class TestHashing:
    def test_waits_for_a_slot_and_then_says_busy(self, monkeypatch):
        monkeypatch.setattr(backends, "LONGEST_WAIT", 0.05)
        hasher = backends.Argon2Hasher()
        with backends._Slot(), backends._Slot(), pytest.raises(backends.TooManyLogins):
            hasher.encode("secret", hasher.salt())
        assert hasher.encode("secret", hasher.salt())
