"""Where the index of a pollutant passes a limit: from both sides, by the standard's own tables."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from techtrack.airquality.hours import LARGEST, Hours
from techtrack.airquality.indexing import Indexed
from techtrack.airquality.passing import highest_within, scales_of
from techtrack.airquality.standard import standards
from techtrack.airquality.tables import Bands
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import AT, examples

NEWEST = {
    f"{name} {method} {scale.parameter} {scale.period.label}": scale
    for name in standards.names()
    if isinstance(standard := standards.get(name), Indexed)
    for method in standard.methods
    for parameter in standard.parameters
    for scale in scales_of(standard, parameter, method=method)
}


def index(scale, amount):
    """The index of a concentration; below all limits where the table says nothing."""
    found = scale.table.exact(amount)
    return -math.inf if found is None else found


def turns(table):
    """The indices at which a table changes, and those beside."""
    if isinstance(table, Bands):
        return range(len(table.limits) + 3)
    ends = {end for one in table.segments for end in (one.index_low, one.index_high)}
    return sorted({end + beside for end in ends for beside in (-1, 0, 1)})


def parts_at(scale, limit):
    """Assert that the highest concentration within a limit is within it, and the next step is not."""
    end, step = highest_within(scale, limit), scale.rounding.step
    if end is None:
        assert index(scale, Decimal(LARGEST)) <= limit
        return
    assert scale.rounding.exact(end) == end
    assert end < 0 or index(scale, end) <= limit
    assert index(scale, end + step) > limit


@pytest.mark.parametrize("scale", NEWEST.values(), ids=NEWEST)
class TestTheHighestConcentrationWithin:
    def test_parts_indices_at_every_breakpoint(self, scale):
        for limit in turns(scale.table):
            parts_at(scale, limit)

    @examples
    @given(limit=st.floats(-10, 1000))
    @example(limit=149.5)
    def test_parts_any_limit(self, scale, limit):
        parts_at(scale, limit)


class TestTheUSTables:
    @pytest.mark.parametrize(
        ("parameter", "limit", "ends"),
        [
            pytest.param("pm2_5", 150, ["55.4"], id="a breakpoint of the table of 2024"),
            pytest.param("pm2_5", 50, ["9.0"], id="its first"),
            pytest.param("o3", 150, ["0.085", "0.164"], id="eight hours and the hour"),
            pytest.param("o3", 300, [None, "0.404"], id="eight hours say nothing above 300"),
            pytest.param("so2", 200, [None, "304"], id="of days alone above 200"),
        ],
    )
    def test_are_passed_behind_their_breakpoints(self, parameter, limit, ends):
        found = [highest_within(one, limit) for one in scales_of(standards.get("us_epa"), parameter)]
        assert found == [None if end is None else Decimal(end) for end in ends]

    @pytest.mark.parametrize(("mean", "index"), [(55.4, 150), (55.499, 150), (55.5, 151)])
    def test_are_those_by_which_the_standard_judges(self, mean, index):
        hours = {"pm2_5": Hours(AT - timedelta(hours=11), np.full(12, mean), "ug/m3")}
        assert standards.get("us_epa").judge(hours, at=AT).index == index


class TestScalesOf:
    def test_a_sum_over_pollutants_has_none(self):
        with pytest.raises(Invalid, match="ca_aqhi adds pollutants up: none has an index of its own"):
            scales_of(standards.get("ca_aqhi"), "no2")

    def test_a_pollutant_that_is_not_known_has_none(self):
        assert scales_of(standards.get("us_epa"), "nh3") == ()

    def test_are_those_of_the_method(self):
        hourly = scales_of(standards.get("cn_hj633"), "no2", method="hourly")
        assert [one.period.label for one in hourly] == ["1 h"]

    def test_refuse_a_method_that_the_standard_has_not(self):
        with pytest.raises(Invalid, match="is no method of this standard"):
            scales_of(standards.get("us_epa"), "no2", method="hourly")
