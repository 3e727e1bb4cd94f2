"""Keys of letters under many hands at once: each opens its thing for one of them, on both databases.

``TECHTRACK_CAMPAIGN=10`` plays a thousand rounds; without it fifty are played.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Invitation, Membership, Session, User
from techtrack.accounts.queries import access_of
from techtrack.accounts.services import links
from techtrack.core import clock
from techtrack.core.errors import TechTrackError
from tests.factories import make_site, make_user

ROUNDS = 1000 if int(os.environ.get("TECHTRACK_CAMPAIGN", "1")) >= 10 else 50
HANDS = 4


@pytest.fixture
def pool():
    """Hands that stay: a connection each, for all rounds."""
    with ThreadPoolExecutor(HANDS) as hands:
        yield hands
        start = Barrier(HANDS)
        list(hands.map(lambda _: (start.wait(), connection.close()), range(HANDS)))


def winners(pool, works):
    """Do the works at the same moment; return how many of them succeeded."""
    start = Barrier(len(works))

    def run(work):
        start.wait()
        try:
            work()
        except (TechTrackError, IntegrityError):
            return 0
        return 1

    return sum(pool.map(run, works))


def reset_key(user):
    """The key as it stands in a letter of now."""
    facts = {"user": user.pk, "state": links.state_of(User.objects.get(pk=user.pk))}
    return links.written(links.RESET, facts, until=clock.now() + links.RESET_FOR)


def confirmations(key, round_):
    return [
        lambda hand=hand: services.confirm_reset(key=key, password=f"violet-otter-{round_}-{hand}", now=clock.now())
        for hand in range(HANDS)
    ]


@pytest.mark.django_db(transaction=True)
class TestOneKey:
    def test_of_a_forgotten_password_sets_one(self, pool):
        olga = make_user("olga")
        won = [winners(pool, confirmations(reset_key(olga), round_)) for round_ in range(ROUNDS)]
        assert won == [1] * ROUNDS

    def test_of_an_invitation_makes_one_account(self, pool):
        plant = make_site("Plant")
        by = access_of(make_user("adam", role=Role.ADMIN))
        for round_ in range(ROUNDS):
            email = f"guest{round_}@example.org"
            made = services.invite(by=by, email=email, roles={plant.pk: Role.VIEWER}, now=clock.now())
            key = links.written(
                links.INVITE, {"invitation": made.pk, "to": links.mark_of(email)}, until=made.expires_at
            )
            works = [
                lambda hand=hand, key=key, round_=round_: services.make_account(
                    profile={"username": f"guest-{round_}-{hand}"},
                    password="violet-otter-77",
                    invitation=key,
                    now=clock.now(),
                )
                for hand in range(HANDS)
            ]
            assert winners(pool, works) == 1
        assert User.objects.filter(username__startswith="guest").count() == ROUNDS
        assert Membership.objects.filter(site=plant).count() == ROUNDS
        assert Invitation.objects.filter(accepted_by=None).count() == 0

    def test_gives_one_address_to_one_of_those_who_claim_it(self, pool):
        for round_ in range(ROUNDS // 10):
            email = f"many{round_}@example.org"
            claims = [make_user(f"claim-{round_}-{n}", email=email, email_verified_at=None) for n in range(HANDS)]
            until = clock.now() + links.VERIFY_FOR
            keys = [
                links.written(links.VERIFY, {"user": user.pk, "to": links.mark_of(email)}, until=until)
                for user in claims
            ]
            works = [lambda key=key: services.verify(key=key, now=clock.now()) for key in keys]
            assert winners(pool, works) == 1
            assert User.objects.filter(email=email, email_verified_at__isnull=False).count() == 1


@pytest.mark.django_db(transaction=True)
class TestTheseRounds:
    def test_catch_a_key_that_is_not_used_up_in_one_statement(self, pool, monkeypatch):
        olga, change = make_user("olga"), User.change

        def careless(self, *, expected, now, **changes):
            return change(self, expected=None, now=now, **changes)

        monkeypatch.setattr(User, "change", careless)
        won = [winners(pool, confirmations(reset_key(olga), round_)) for round_ in range(20)]
        assert max(won) > 1

    def test_leave_no_session_of_before(self, pool):
        olga = make_user("olga")
        services.start_session(user=olga, address="", device="", now=clock.now())
        winners(pool, confirmations(reset_key(olga), 0))
        assert not Session.objects.filter(user=olga, revoked_at=None).exists()
