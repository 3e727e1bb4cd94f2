"""What is good once is good once, and guesses are counted, when eight processes try at the same moment."""

from __future__ import annotations

from collections import Counter

import pytest

from techtrack.accounts import services
from techtrack.accounts.domain import codes
from techtrack.accounts.models import Lockout, RecoveryCode, RefreshToken, SecondFactor, Session
from techtrack.core.sealing import seal
from tests.campaigns.guarding import racers
from tests.campaigns.scale import scale
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

# 1,000 rounds with TECHTRACK_CAMPAIGN=10, and in CI as many as take a few seconds.
ROUNDS = 1000 if scale() >= 10 else 40
# A planted bug shows in one of the first rounds; only on a machine that lets nobody run beside others not.
PATIENCE = 100


def winners_of_refreshing(now, rounds, **race):
    """How many of eight processes got tokens for the same one, round by round."""
    user = make_user("olga")
    with racers("refresh", **race) as processes:
        for _ in range(rounds):
            token = services.start_session(user=user, address="", device="", now=now).refresh
            yield processes.round(token=token, now=now.isoformat()).count("done")


class TestRefreshToken:
    def test_is_spent_once_by_eight_processes(self, now):
        found = list(winners_of_refreshing(now, ROUNDS))
        print(f"refresh: exactly one winner in {found.count(1)} of {len(found)} rounds")
        assert Counter(found) == {1: ROUNDS}
        # Seven of each eight were reuse: every family was ended, and each token that was won has no successor.
        assert not Session.objects.filter(revoked_at=None).exists()
        assert RefreshToken.objects.count() == 2 * ROUNDS

    def test_that_is_looked_at_before_it_is_spent_is_caught(self, now):
        assert any(winners > 1 for winners in winners_of_refreshing(now, PATIENCE, planted=True))


def compared(now, names, **race):
    """What was said to 200 guesses of eight processes about each of the names, one after the other."""
    with racers("guess", **race) as processes:
        for number, name in enumerate(names):
            yield Counter(processes.round(username=name, address=f"192.0.2.{number}", times=25, now=now.isoformat()))


class TestLockout:
    @pytest.mark.parametrize("name", ["Olga", "nobody"])
    def test_compares_five_of_two_hundred_guesses_at_once(self, name, now):
        make_user("olga")
        [said] = compared(now, [name])
        assert said == {"wrong_credentials": 5, "locked_out": 195}
        row = Lockout.objects.get(address="")
        assert (row.failures, row.pending) == (5, 0)

    def test_that_looks_before_it_counts_is_caught(self, now):
        names = [f"name{number}" for number in range(PATIENCE)]
        assert any(said["wrong_credentials"] > 5 for said in compared(now, names, planted=True))


class TestAllowance:
    def test_is_spent_exactly(self, now):
        with racers("knock", TECHTRACK_LIMITS="login=30") as processes:
            said = Counter(processes.round(times=25, now=now.isoformat()))
        assert said == {"done": 30, "too_many_requests": 170}

    def test_that_is_looked_at_before_it_is_spent_is_caught(self, now):
        with racers("knock", planted=True, TECHTRACK_LIMITS="login=30") as processes:
            said = Counter(processes.round(times=25, now=now.isoformat()))
        assert said["done"] > 30


def winners_of_showing(now, rounds, **race):
    """How many of eight processes came in by the same code: of the app, and from the paper, in turn."""
    user, seed = make_user("olga"), codes.new_seed()
    factor = SecondFactor.objects.create(user=user, sealed=seal(seed), made_at=now, confirmed_at=now)
    with racers("show", **race) as processes:
        for number in range(rounds):
            code = codes.code_at(seed, now)
            if number % 2:
                code = services.second_factor.new_recovery_codes()[0]
                RecoveryCode.objects.create(user=user, digest=services.second_factor.hash_of(code))
            else:
                SecondFactor.objects.filter(pk=factor.pk).update(last_step=0)
            yield processes.round(user=user.pk, code=code, now=now.isoformat()).count("done")


class TestCode:
    def test_is_good_once(self, now):
        rounds = ROUNDS // 2
        assert Counter(winners_of_showing(now, rounds)) == {1: rounds}

    def test_that_is_looked_at_before_it_is_spent_is_caught(self, now):
        assert any(winners > 1 for winners in winners_of_showing(now, PATIENCE, planted=True))
