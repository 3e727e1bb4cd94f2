"""Rules of a threshold and a delay fire when the same rules of Prometheus do, on its grid."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import MISSING
from tests.unit.alerts import prometheus
from tests.unit.alerts.prometheus import LONGEST_SILENCE, STEP, Asked

# The package is 100 MB for one program: CI compares with what it said when it was last asked.
live = pytest.mark.skipif(
    prometheus.installed() is None,
    reason=f"{MISSING}promtool (apt-get install prometheus); its remembered answers were compared",
)
VALUES = st.sampled_from([0, 1, 2, 2.5, 3, 4, 5])
LIMITS = st.sampled_from([1, 2, 3, 4])
CONDITIONS = st.one_of(
    st.builds(lambda kind, limit: {"kind": kind, "limit": limit}, st.sampled_from(["above", "below"]), LIMITS),
    st.builds(
        lambda kind, low, width: {"kind": kind, "low": low, "high": low + width},
        st.sampled_from(["outside", "inside"]),
        LIMITS,
        st.sampled_from([1, 2]),
    ),
)
RUNS = st.tuples(VALUES, st.integers(1, 12), st.integers(0, LONGEST_SILENCE))
ASKED = st.builds(
    lambda condition, delay, runs: Asked(
        condition, delay, [one for value, times, silence in runs for one in [value] * times + [None] * silence]
    ),
    CONDITIONS,
    st.sampled_from([0, 1, 5, 10, 15, 20, 60, 300]),
    st.lists(RUNS, min_size=1, max_size=8),
)


class TestGolden:
    def test_fires_when_promtool_said(self):
        remembered = prometheus.remembered()
        assert [prometheus.ours(asked) for asked, _ in remembered] == [firing for _, firing in remembered]

    def test_has_cases_of_all_kinds(self):
        remembered = prometheus.remembered()
        assert len(remembered) == 300
        assert {asked.condition["kind"] for asked, _ in remembered} == set(prometheus.EXPRESSIONS)
        assert sum(bool(firing) for _, firing in remembered) > 100
        assert sum(None in asked.values for asked, _ in remembered) > 100

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(lambda one: one._replace(delay=one.delay + 1), id="a second too late"),
            pytest.param(lambda one: one._replace(delay=max(0, one.delay - STEP)), id="an evaluation too early"),
            pytest.param(lambda one: one._replace(values=one.values[1:]), id="a sample is lost"),
        ],
    )
    def test_a_planted_fault_is_caught(self, fault):
        remembered = prometheus.remembered()
        assert any(prometheus.ours(fault(asked)) != firing for asked, firing in remembered)


@live
class TestPromtool:
    @settings(max_examples=15, deadline=None)
    @given(st.lists(ASKED, min_size=1, max_size=20))
    def test_fires_when_promtool_says(self, asked):
        assert [prometheus.ours(one) for one in asked] == prometheus.theirs(asked)

    def test_says_what_it_said(self):
        remembered = prometheus.remembered()[:50]
        assert prometheus.theirs([asked for asked, _ in remembered]) == [firing for _, firing in remembered]

    def test_tells_a_rule_from_another(self):
        # The comparison has teeth: 30 s of 85 fire with 20 s of patience and not with 40.
        asked = [Asked({"kind": "above", "limit": 80}, delay, [70, 85, 85, 85, 85, 70]) for delay in (20, 40)]
        assert prometheus.theirs(asked) == [[3 * STEP, 4 * STEP], []]
