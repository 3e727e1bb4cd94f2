"""A repair is proved by running time without a violation; nothing else moves the proof."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core import params
from techtrack.core.errors import Invalid
from techtrack.tasks.domain.proving import OVER, Look, Phase, Proof, Terms, Violation, follow, lapse

MINUTE = 60_000_000
DONE = 1_764_000_000_000_000
HOT = Violation("temperature", 91.5, 80.0)
# An hour of running within a day; data further apart than five minutes are a gap.
TERMS = Terms(run=60 * MINUTE, patience=24 * 60 * MINUTE, longest_gap=5 * MINUTE)


def look(minute, violation=None, *, running=True):
    return Look(DONE + round(minute * MINUTE), running, violation)


def every_minute(first, last, *, running=True):
    return [look(minute, running=running) for minute in range(first, last + 1)]


def proved(*looks, terms=TERMS):
    return follow(Proof(DONE), looks, terms)


def minutes(proof):
    return proof.ran / MINUTE


def ended(proof):
    return (proof.ended - DONE) / MINUTE


class TestFollow:
    def test_waits_until_the_asset_runs(self):
        assert proved(*every_minute(0, 90, running=False)).phase is Phase.WAITING
        assert proved(look(0, running=False), look(1)).phase is Phase.VERIFYING

    def test_verifies_after_an_hour_of_running(self):
        found = proved(*every_minute(0, 59))
        assert (found.phase, minutes(found)) == (Phase.VERIFYING, 59)
        found = proved(*every_minute(0, 60))
        assert (found.phase, ended(found)) == (Phase.VERIFIED, 60)

    def test_says_when_the_hour_was_full_and_not_when_somebody_looked(self):
        assert ended(proved(*every_minute(0, 58), look(62))) == 60

    def test_counts_running_time_only(self):
        stops = [*every_minute(0, 30), *every_minute(31, 300, running=False), *every_minute(301, 330)]
        assert minutes(proved(*stops)) == 59
        assert ended(proved(*stops, look(331))) == 331

    def test_does_not_count_what_lies_between_running_and_standing_still(self):
        assert minutes(proved(look(0), look(3, running=False), look(6))) == 0

    @pytest.mark.parametrize(
        ("apart", "counted"),
        [pytest.param(5, 5, id="as far apart as data may be"), pytest.param(5.001, 0, id="a gap")],
    )
    def test_does_not_count_a_gap(self, apart, counted):
        assert minutes(proved(look(0), look(apart))) == counted

    def test_goes_on_after_a_gap(self):
        assert minutes(proved(*every_minute(0, 10), *every_minute(40, 50))) == 20

    def test_is_refuted_with_the_evidence(self):
        found = proved(*every_minute(0, 9), look(10, HOT), *every_minute(11, 90))
        assert (found.phase, ended(found), found.violation) == (Phase.REFUTED, 10, HOT)

    def test_is_refuted_by_the_first_violation(self):
        later = Violation("temperature", 99.0, 80.0)
        assert proved(look(2, later), look(1, HOT)).violation == HOT

    def test_is_refuted_by_what_would_have_filled_the_hour(self):
        assert proved(*every_minute(0, 59), look(60, HOT)).phase is Phase.REFUTED

    @pytest.mark.parametrize(
        "violating",
        [
            pytest.param(look(10, HOT, running=False), id="while it stands still"),
            pytest.param(look(-1, HOT), id="before it was done"),
            pytest.param(look(61, HOT), id="after it was verified"),
        ],
    )
    def test_is_not_refuted_by_a_violation(self, violating):
        assert proved(*every_minute(11, 60), *every_minute(0, 9), look(60.5), violating).phase is not Phase.REFUTED

    def test_is_refuted_at_the_moment_it_was_done(self):
        assert proved(look(0, HOT)).phase is Phase.REFUTED

    def test_expires_where_the_asset_hardly_runs(self):
        found = proved(*every_minute(0, 30), look(24 * 60))
        assert (found.phase, ended(found), minutes(found)) == (Phase.EXPIRED, 24 * 60, 30)

    @pytest.mark.parametrize(
        ("last", "violation", "phase"),
        [
            pytest.param(1440, None, Phase.VERIFIED, id="full just in time"),
            pytest.param(1440, HOT, Phase.REFUTED, id="violates as patience ends"),
            pytest.param(1441, HOT, Phase.EXPIRED, id="violates when it is over"),
        ],
    )
    def test_is_judged_by_what_was_before_patience_ended(self, last, violation, phase):
        found = proved(*every_minute(1380, 1439), look(last, violation))
        assert found.phase is phase

    @pytest.mark.parametrize(
        "looks",
        [
            pytest.param(every_minute(1381, 1441), id="minute by minute"),
            pytest.param([*every_minute(1382, 1439), look(1444)], id="in a look across the end"),
        ],
    )
    def test_an_hour_that_is_full_too_late_is_not_full(self, looks):
        found = proved(*looks)
        assert (found.phase, ended(found)) == (Phase.EXPIRED, 1440)

    def test_a_long_look_that_ends_too_late_may_be_full_in_time(self):
        assert ended(proved(*every_minute(1379, 1438), look(1442))) == 1439

    def test_late_data_can_refute_but_add_no_time(self):
        proof = proved(*every_minute(0, 10))
        assert follow(proof, [look(5)], TERMS) == proof
        late = follow(proof, [look(5, HOT)], TERMS)
        assert (late.phase, ended(late)) == (Phase.REFUTED, 5)

    def test_of_one_instant_standing_still_counts(self):
        assert minutes(proved(look(0), look(1), look(1, running=False), look(2))) == 0


class TestLapse:
    def test_gives_up_when_patience_ends(self):
        proof = proved(*every_minute(0, 10))
        end = DONE + 24 * 60 * MINUTE
        assert lapse(proof, TERMS, now=end - 1) == proof
        found = lapse(proof, TERMS, now=end + 5)
        assert (found.phase, found.ended) == (Phase.EXPIRED, end)

    def test_leaves_what_is_over(self):
        proof = proved(look(1, HOT))
        assert lapse(proof, TERMS, now=DONE + 10**15) == proof


class TestTerms:
    @pytest.mark.parametrize(
        ("terms", "pointer"),
        [
            pytest.param((0, 9, 9), "/run", id="no time to run"),
            pytest.param((9, 0, 9), "/patience", id="no patience"),
            pytest.param((9, 9, -1), "/longest_gap", id="a gap below zero"),
            pytest.param((10, 9, 9), "/patience", id="never can be proved"),
        ],
    )
    def test_refuse_what_cannot_be(self, terms, pointer):
        with pytest.raises(Invalid) as caught:
            Terms(*terms)
        assert caught.value.faults[0].pointer == pointer


SHORT = Terms(run=20, patience=100, longest_gap=6)
looks = st.lists(
    st.builds(
        Look,
        st.integers(-5, 120),
        st.booleans() | st.just(True),  # noqa: FBT003
        st.none() | st.none() | st.none() | st.none() | st.none() | st.none() | st.just(HOT),
    ),
    max_size=60,
    unique_by=lambda look: look.at,
)


def counted(found):
    """What comes of looks (verdict, when, time that counted), instant by instant."""
    by_time = sorted((look for look in found if look.at >= 0), key=lambda look: look.at)
    proving = set()
    for one, then in pairwise(by_time):
        well = one.running and then.running and then.violation is None
        proving |= set(range(one.at + 1, then.at + 1)) if well and then.at - one.at <= SHORT.longest_gap else set()
    violated = {look.at for look in by_time if look.running and look.violation}
    ran = 0
    for instant in range(by_time[-1].at + 1 if by_time else 0):
        if instant in violated and instant <= SHORT.patience:
            return Phase.REFUTED, instant, ran
        ran += instant in proving
        if ran == SHORT.run:
            return Phase.VERIFIED, instant, ran
        if instant == SHORT.patience:
            # What it had run by then nobody asks for.
            return Phase.EXPIRED, instant, follow(Proof(0), found, SHORT).ran
    return None, None, ran


class TestFollowWhatever:
    @given(looks, st.randoms(use_true_random=False))
    def test_the_order_in_a_batch_does_not_matter(self, found, random):
        assert follow(Proof(0), random.sample(found, len(found)), SHORT) == follow(Proof(0), found, SHORT)

    @given(looks, st.integers(0, 60), st.integers(0, 60))
    def test_batches_are_as_good_as_one(self, found, first, second):
        ordered = sorted(found, key=lambda look: look.at)
        one, other = sorted((first, second))
        proof = Proof(0)
        for batch in (ordered[:one], ordered[one:other], ordered[other:]):
            proof = follow(proof, batch, SHORT)
        assert proof == follow(Proof(0), found, SHORT)

    @given(looks)
    def test_a_batch_again_changes_nothing(self, found):
        proof = follow(Proof(0), found, SHORT)
        assert follow(proof, found, SHORT) == proof

    @given(looks)
    def test_it_is_what_counting_instant_by_instant_finds(self, found):
        proof = follow(Proof(0), found, SHORT)
        assert (proof.phase if proof.phase in OVER else None, proof.ended, proof.ran) == counted(found)

    @given(looks)
    def test_it_survives_being_stored(self, found):
        proof = follow(Proof(0), found, SHORT)
        assert params.build(Proof, params.dump(proof)) == proof
