"""Maintenance figures: vectors by hand, and what must hold whatever went wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.kpi import (
    Compliance,
    Downtime,
    Overdue,
    Planned,
    Reliability,
    common,
    compliance,
    merged,
    overdue,
    reliability,
    without,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
REACH = 40


def at(hours):
    return START + hours * HOUR


def failed(start, end, *, planned=False):
    return Downtime(at(start), None if end is None else at(end), planned)


def serviced(start, end):
    return failed(start, end, planned=True)


def measured(*downtimes, start=0, end=720, now=10_000, operating=None):
    spans = None if operating is None else [(at(begins), at(ends)) for begins, ends in operating]
    return reliability(downtimes, start=at(start), end=at(end), now=at(now), operating=spans)


class TestReliability:
    def test_of_three_failures_in_a_month(self):
        # By hand: 720 h less 4 + 2 + 6 h down. The mean gap between failures would be 240 h, which is another thing.
        found = measured(failed(100, 104), failed(300, 302), failed(600, 606))
        assert (found.up, found.operating, found.failures) == (708 * HOUR, 708 * HOUR, 3)
        assert (found.mtbf, found.mttr, found.mtbf_at_least) == (236 * HOUR, 4 * HOUR, None)
        assert found.availability == pytest.approx(0.98333, abs=5e-6)

    def test_of_one_failure_is_not_zero(self):
        assert measured(failed(100, 104)).mtbf == 716 * HOUR

    def test_of_none_is_unknown_but_bounded_from_below(self):
        found = measured(serviced(10, 20))
        assert (found.mtbf, found.mttr, found.mtbf_at_least, found.availability) == (None, None, 710 * HOUR, 1.0)

    def test_leaves_out_what_was_planned(self):
        found = measured(failed(100, 104), serviced(200, 220))
        assert (found.mtbf, found.mttr, found.planned) == (696 * HOUR, 4 * HOUR, 20 * HOUR)
        assert found.availability == 696 / 700

    @pytest.mark.parametrize(
        ("downtimes", "corrective", "planned", "failures"),
        [
            pytest.param([failed(10, 14), failed(12, 16)], 6, 0, 1, id="two reports of one breakdown"),
            pytest.param([failed(10, 14), failed(14, 16)], 6, 0, 1, id="handed over to the next shift"),
            pytest.param([failed(10, 14), failed(15, 16)], 5, 0, 2, id="failed again after an hour"),
            pytest.param([serviced(10, 14), failed(12, 16)], 4, 2, 1, id="found broken during service"),
            pytest.param([failed(10, 14), serviced(12, 16)], 4, 2, 1, id="service since it stood still anyway"),
            pytest.param([failed(10, 20), serviced(12, 14)], 10, 0, 1, id="service during a repair"),
            pytest.param([serviced(10, 20), failed(12, 14)], 2, 8, 1, id="a window laid over a breakdown"),
            pytest.param([failed(10, 12), serviced(12, 13), failed(13, 14)], 3, 1, 2, id="service between failures"),
            pytest.param([failed(10, 10)], 0, 0, 0, id="over as it began"),
            pytest.param([failed(14, 10)], 0, 0, 0, id="ends before it begins"),
            pytest.param([failed(-5, 5)], 5, 0, 0, id="began before the range"),
            pytest.param([failed(715, 730)], 5, 0, 1, id="lasts beyond the range"),
            pytest.param([failed(-5, 730)], 720, 0, 0, id="lasts throughout"),
            pytest.param([failed(720, 730)], 0, 0, 0, id="begins as the range ends"),
            pytest.param([failed(-5, 0)], 0, 0, 0, id="ends as the range begins"),
        ],
    )
    def test_counts_every_instant_once(self, downtimes, corrective, planned, failures):
        found = measured(*downtimes)
        assert (found.corrective, found.planned, found.failures) == (corrective * HOUR, planned * HOUR, failures)
        assert found.up == (720 - corrective - planned) * HOUR

    def test_counts_what_is_open_to_now(self):
        found = measured(failed(100, None), now=110)
        assert (found.up, found.corrective, found.mttr) == (100 * HOUR, 10 * HOUR, 10 * HOUR)

    def test_counts_what_is_open_to_the_end_of_a_range_of_the_past(self):
        assert measured(failed(700, None), now=1000).corrective == 20 * HOUR

    def test_passes_over_what_begins_in_the_future(self):
        assert measured(failed(200, None), serviced(300, 310), now=150) == measured(now=150)

    @pytest.mark.parametrize("now", [pytest.param(0, id="as it begins"), pytest.param(-9, id="all to come")])
    def test_knows_nothing_of_a_range_that_is_to_come(self, now):
        found = measured(failed(1, 2), now=now)
        assert found == Reliability()
        assert (found.availability, found.mtbf, found.mtbf_at_least) == (None, None, timedelta(0))

    def test_an_asset_that_was_always_down_was_never_available(self):
        found = measured(failed(0, 720))
        assert (found.availability, found.mtbf, found.mttr) == (0.0, timedelta(0), 720 * HOUR)

    def test_an_asset_in_service_throughout_was_not_wanted(self):
        assert measured(serviced(0, 720)).availability is None

    def test_takes_operation_from_telemetry_but_not_during_downtime(self):
        # Standby (200 to 300) is up and no operation; the test run (102 to 104) is neither.
        found = measured(failed(100, 104), operating=[(0, 101), (102, 200), (300, 400), (700, 800)])
        assert found.operating == (100 + 96 + 100 + 20) * HOUR
        assert (found.up, found.mtbf) == (716 * HOUR, 316 * HOUR)

    def test_what_never_ran_could_not_fail(self):
        assert measured(operating=[]).mtbf_at_least == timedelta(0)

    def test_of_several_assets_is_that_of_their_time_together(self):
        # A fleet's MTBF is all operating time by all failures: (716 + 720) / 1, not the mean of means.
        fleet = measured(failed(100, 104)) + measured()
        assert (fleet.mtbf, fleet.failures) == (1436 * HOUR, 1)


spans = st.tuples(st.integers(-5, REACH), st.integers(1, 12)).map(lambda found: (found[0], found[0] + found[1]))
downs = st.lists(
    st.tuples(spans, st.booleans(), st.booleans()).map(
        lambda found: failed(found[0][0], None if found[2] else found[0][1], planned=found[1])
    ),
    max_size=8,
)
runs = st.none() | st.lists(spans, max_size=6)


class TestReliabilityWhatever:
    @given(downs, runs, st.integers(0, REACH), st.integers(-3, REACH + 9))
    def test_ranges_add_up(self, downtimes, operating, middle, now):
        def part(start, end):
            return measured(*downtimes, start=start, end=end, now=now, operating=operating)

        assert part(0, middle) + part(middle, REACH) == part(0, REACH)

    @given(downs, runs, st.randoms(use_true_random=False))
    def test_the_order_of_reports_does_not_matter(self, downtimes, operating, random):
        shuffled = random.sample(downtimes, len(downtimes))
        assert measured(*shuffled, operating=operating) == measured(*downtimes, operating=operating)

    @given(downs, st.data())
    def test_a_downtime_in_two_parts_is_the_same_downtime(self, downtimes, data):
        parts = []
        for one in downtimes:
            end = one.end or at(REACH)
            cut = one.start + (end - one.start) * data.draw(st.floats(0, 1))
            parts += [Downtime(one.start, cut, one.planned), Downtime(cut, one.end, one.planned)]
        assert measured(*parts, now=REACH) == measured(*downtimes, now=REACH)

    @given(downs, st.integers(-3, REACH))
    def test_every_hour_is_in_one_state(self, downtimes, now):
        found = measured(*downtimes, end=REACH, now=now)
        assert found.up + found.corrective + found.planned == max(now, 0) * HOUR

    @given(downs, runs)
    def test_it_is_what_counting_hour_by_hour_finds(self, downtimes, operating):
        now, up, worked, corrective, planned = REACH, 0, 0, 0, 0
        for hour in range(REACH):
            here = [one for one in downtimes if one.start <= at(hour) < (one.end or at(now))]
            ran = operating is None or any(begins <= hour < ends for begins, ends in operating)
            corrective += any(not one.planned for one in here)
            planned += bool(here) and all(one.planned for one in here)
            up += not here
            worked += not here and ran
        found = measured(*downtimes, end=REACH, now=now, operating=operating)
        told = (found.up, found.operating, found.corrective, found.planned)
        assert told == tuple(hours * HOUR for hours in (up, worked, corrective, planned))

    @given(st.lists(spans, max_size=8), st.lists(spans, max_size=8))
    def test_stretches_are_sets_of_instants(self, ones, others):
        def instants(found):
            return {hour for begins, ends in found for hour in range(begins, ends)}

        ones, others = merged(ones), merged(others)
        assert instants(common(ones, others)) == instants(ones) & instants(others)
        assert instants(without(ones, others)) == instants(ones) - instants(others)


class TestOverdue:
    def test_counts_what_should_be_done(self):
        work = [("open", at(-3)), ("on_hold", at(-9)), ("open", at(0)), ("in_progress", at(5)), ("open", None)]
        assert overdue(work, now=at(0)) == Overdue(5, 2, 9 * HOUR)

    def test_of_nothing(self):
        assert overdue([], now=at(0)) == Overdue(0, 0, None)


class TestCompliance:
    @pytest.mark.parametrize(
        ("work", "expected"),
        [
            pytest.param(Planned(at(5), at(5)), Compliance(1, 0, 0, 0), id="done when due"),
            pytest.param(Planned(at(5), at(-90)), Compliance(1, 0, 0, 0), id="done early"),
            pytest.param(Planned(at(5), at(6), HOUR), Compliance(1, 0, 0, 0), id="done as its grace ended"),
            pytest.param(Planned(at(5), at(6.1), HOUR), Compliance(0, 1, 0, 0), id="done after its grace"),
            pytest.param(Planned(at(5), None), Compliance(0, 0, 1, 0), id="not done"),
            pytest.param(Planned(at(9.5), None, HOUR), Compliance(0, 0, 0, 1), id="its grace still runs"),
            pytest.param(Planned(at(9), None, HOUR), Compliance(0, 0, 0, 1), id="its grace ends now"),
            pytest.param(Planned(at(-1), None), Compliance(0, 0, 0, 0), id="due before the range"),
            pytest.param(Planned(at(20), at(3)), Compliance(0, 0, 0, 0), id="due as the range ends"),
        ],
    )
    def test_judges_what_was_due(self, work, expected):
        assert compliance([work], start=at(0), end=at(20), now=at(10)) == expected

    def test_is_the_share_done_in_time_of_what_is_judged(self):
        assert (Compliance(3, 1, 1, 9).ratio, Compliance(0, 0, 0, 9).ratio) == (0.6, None)
