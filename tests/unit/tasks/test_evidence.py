"""What readings and alerts say for and against a repair."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.tasks.domain.evidence import Episode, Sightings, looks
from techtrack.tasks.domain.proving import Phase, Proof, Terms, Violation, follow

MINUTE = 60_000_000
DONE = 1_764_000_000_000_000
HOT = Violation("temperature", 91.5, 80.0)
TERMS = Terms(run=60 * MINUTE, patience=24 * 60 * MINUTE, longest_gap=5 * MINUTE)


def at(minute):
    return DONE + minute * MINUTE


def episode(start, end, number=7):
    return Episode(number, at(start), None if end is None else at(end), HOT)


def seen(minutes, *episodes, running=True):
    """An asset that was seen at these minutes after the work was done, running all the time unless it is said."""
    flags = running if isinstance(running, list) else [running] * len(minutes)
    return Sightings(np.array([at(minute) for minute in minutes], np.int64), np.array(flags, bool), episodes)


def judged(sightings, *, warned=0, settling=15):
    return looks(sightings, since=DONE, warned=warned, settling=settling * MINUTE, longest_gap=TERMS.longest_gap)


def proof(sightings, **terms):
    return follow(Proof(DONE), judged(sightings, **terms).looks, TERMS)


class TestLooks:
    def test_of_an_asset_that_runs_well_prove_the_repair(self):
        assert proof(seen(range(62))).phase is Phase.VERIFIED

    def test_of_one_that_stands_still_prove_nothing(self):
        assert proof(seen(range(62), running=False)).phase is Phase.WAITING

    def test_with_a_new_alert_refute_it(self):
        found = proof(seen(range(62), episode(30, 40)))
        assert (found.phase, found.ended, found.violation) == (Phase.REFUTED, at(30), HOT)

    def test_with_a_new_alert_while_it_stands_still_do_not(self):
        flags = [minute < 20 or minute > 50 for minute in range(120)]
        assert proof(seen(range(120), episode(30, 40), running=flags)).phase is Phase.VERIFIED

    def test_with_a_new_alert_that_is_still_there_when_it_runs_again_refute_it(self):
        flags = [minute < 20 or minute > 50 for minute in range(120)]
        found = proof(seen(range(120), episode(30, 60), running=flags))
        assert (found.phase, found.ended) == (Phase.REFUTED, at(51))

    def test_with_the_alert_of_before_do_not_count_as_running_well(self):
        # It returned after ten minutes: the hour begins then.
        found = proof(seen(range(75), episode(-30, 10)))
        assert (found.phase, found.ended) == (Phase.VERIFIED, at(70))

    def test_with_the_alert_of_before_that_never_returns_refute_it(self):
        found = proof(seen(range(62), episode(-30, None)))
        assert (found.phase, found.ended) == (Phase.REFUTED, at(16))

    def test_with_the_alert_of_before_while_it_stands_still_refute_nothing(self):
        found = judged(seen(range(62), episode(-30, None), running=False))
        assert (found.warned, {look.violation for look in found.looks}) == (0, {None})

    def test_count_what_was_warned_of_before_on(self):
        sightings = seen(range(5), episode(-30, None))
        assert judged(sightings, warned=10 * MINUTE).warned == 14 * MINUTE
        assert [look.violation for look in judged(sightings, warned=12 * MINUTE).looks][-1] == HOT

    def test_do_not_count_a_gap_as_running_with_the_alert(self):
        assert judged(seen([0, 60, 120], episode(-30, None))).warned == 0

    @pytest.mark.parametrize("settling", [1, 15])
    def test_of_nothing_are_none(self, settling):
        found = judged(seen([], episode(-30, None)), warned=3, settling=settling)
        assert (found.looks, found.warned) == ([], 3)
