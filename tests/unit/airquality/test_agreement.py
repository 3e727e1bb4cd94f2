"""The two ways to an index agree: decimals for a moment, whole numbers for a history; and what holds of all tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.hours import MILLION, Hours
from techtrack.airquality.indexing import Indexed
from techtrack.airquality.standard import category_of, standards
from techtrack.airquality.tables import NONE, Bands, How, Lines, Rounding, whole
from techtrack.airquality.units import Reference
from tests.unit.airquality.air import AT, HOUR, examples, verdict

INDEXED = [name for name in standards.names() if isinstance(standards.get(name), Indexed)]
METHODS = [(name, method) for name in standards.names() for method in standards.get(name).methods]
# Each table once, however many periods and editions look it up; the name is that of the last.
_BY_TABLE = {
    (scale.table, scale.rounding): (f"{name} {edition.name} {scale.parameter} {scale.period.label}", scale)
    for name in INDEXED
    for edition in standards.get(name).editions
    for scales in edition.scales.values()
    for scale in scales
}
SCALES = dict(_BY_TABLE.values())


def edges(table):
    """The concentrations at which a table changes, in whole millionths."""
    if isinstance(table, Bands):
        return [whole(limit) for limit in table.limits]
    return [whole(end) for one in table.segments for end in (one.low, one.high)]


def agree(scale, amounts):
    """Whether both forms of a scale's rounding and table say the same of amounts in whole millionths."""
    fast = scale.table.fast(scale.rounding.fast(np.array(amounts)))
    exact = [scale.table.exact(scale.rounding.exact(Decimal(amount) / MILLION)) for amount in amounts]
    return fast.tolist() == [NONE if one is None else one for one in exact]


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
class TestTheScale:
    def test_agrees_around_every_edge(self, scale):
        steps = [0, 1, 999, 1_000, 50_000, 99_999, 100_000, 499_999, 500_000, 999_999, MILLION]
        amounts = [edge + sign * step for edge in edges(scale.table) for step in steps for sign in (1, -1)]
        assert agree(scale, [amount for amount in amounts if amount >= 0])

    @examples
    @given(amounts=st.lists(st.integers(0, 4000 * MILLION), min_size=1))
    def test_agrees_everywhere(self, scale, amounts):
        assert agree(scale, amounts)

    @examples
    @given(amounts=st.lists(st.integers(0, 4000 * MILLION), min_size=2))
    def test_is_monotone(self, scale, amounts):
        found = scale.table.fast(scale.rounding.fast(np.sort(np.array(amounts))))
        assert np.all(np.diff(found) >= 0)

    def test_is_contiguous(self, scale):
        if isinstance(scale.table, Lines):
            step = scale.rounding.step if scale.rounding.step >= Decimal("0.001") else Decimal(0)
            for before, after in pairwise(scale.table.segments):
                assert after.low - before.high == step
                # Where a standard truncates the bands of the index leave a gap of one as well.
                assert after.index_low - before.index_high == (1 if step else 0)
                # However near the edge, the number on its other side is the next one.
                upper = scale.table.exact(scale.rounding.exact(after.low + Decimal("0.000001")))
                assert 0 <= upper - scale.table.exact(before.high) <= 1


# Around where things change and where binary fractions are not what they seem; noise below zero; gaps.
AMOUNTS = st.one_of(
    st.none(),
    st.sampled_from([0.0, 5.0, 9.0, 9.05, 9.1, 9.09, 11.5, 35.4, 35.5, 54.0, 55.0, 160.0, 208.0, 304.0, 305.0, -0.4]),
    st.integers(0, 20).map(lambda tenths: tenths / 10),
    st.floats(-5, 900, allow_subnormal=False),
)
STARTS = st.sampled_from(
    [
        AT,
        # Just before one edition of the US gives way to the next, and on no full hour of UTC.
        datetime(2015, 12, 27, 18, tzinfo=UTC),
        datetime(2024, 5, 5, 3, 30, tzinfo=UTC),
    ]
)
PARAMETERS = ("pm2_5", "pm10", "o3", "so2", "no2", "co", "nh3", "pb")


@st.composite
def air(draw):
    """Some parameters over a day or two, some of them shorter than others."""
    first = draw(STARTS)
    found = {}
    for parameter in draw(st.lists(st.sampled_from(PARAMETERS), min_size=1, unique=True)):
        values = draw(st.lists(AMOUNTS, min_size=1, max_size=40))
        shift = draw(st.integers(0, 5))
        known = np.array([np.nan if one is None else one for one in values])
        unit = "mg/m3" if parameter == "co" else "ug/m3"
        quarters = np.column_stack([known, known + 1, known * 1.5, known]) if parameter == "so2" else None
        reference = Reference(20.0, 1013.25)
        found[parameter] = Hours(first + shift * HOUR, known, unit, reference=reference, quarters=quarters)
    return found


@pytest.mark.parametrize(("name", "method"), METHODS)
class TestTheHistory:
    @examples
    @given(hours=air())
    def test_says_of_every_hour_what_is_said_of_the_moment(self, name, method, hours):
        standard = standards.get(name)
        found = standard.history(hours, method=method)
        for place, index in enumerate(found.index.tolist()):
            moment = standard.judge(hours, at=found.first + place * HOUR, method=method)
            assert index == (NONE if moment.index is None else moment.index)
            dominant = None if found.dominant[place] == NONE else found.parameters[found.dominant[place]]
            assert dominant == moment.dominant
            for one in moment.pollutants:
                indices = found.pollutants.get(one.parameter)
                assert indices is None or indices[place] == (NONE if one.index is None else one.index)

    @examples
    @given(hours=air())
    def test_takes_the_highest_of_its_pollutants(self, name, method, hours):
        found = standards.get(name).history(hours, method=method)
        if found.pollutants:
            highest = np.max(list(found.pollutants.values()), axis=0)
            assert np.all((found.index == highest) | (found.index == NONE))


class TestRounding:
    @examples
    @given(
        amount=st.integers(0, 10**12),
        rounding=st.builds(
            Rounding, st.sampled_from(How), st.sampled_from([Decimal(s) for s in ("0.001", "0.1", "1", "10")])
        ),
    )
    def test_agrees(self, amount, rounding):
        (fast,) = rounding.fast(np.array([amount])).tolist()
        assert Decimal(fast) / MILLION == rounding.exact(Decimal(amount) / MILLION)

    def test_says_what_it_does(self):
        assert str(Rounding(How.TRUNCATE, Decimal("0.1"))) == "truncated to 0.1"
        assert str(Rounding(How.HALF_UP, Decimal(10))) == "rounded to 10"


class TestClasses:
    @pytest.mark.parametrize("name", standards.names())
    def test_ascend(self, name):
        limits = [one.upto for one in standards.get(name).categories]
        assert limits[-1] is None
        assert limits[:-1] == sorted(limits[:-1])

    @pytest.mark.parametrize("name", standards.names())
    @examples
    @given(index=st.integers(0, 700))
    def test_hold_every_index(self, name, index):
        categories = standards.get(name).categories
        found = category_of(index, categories)
        assert found.upto is None or index <= found.upto
        earlier = categories[: categories.index(found)]
        assert all(index > one.upto for one in earlier)


class TestTheHealthIndexOfCanada:
    @examples
    @given(o3=st.floats(0, 200), no2=st.floats(0, 200), pm2_5=st.floats(0, 500), more=st.floats(0, 50))
    def test_is_monotone(self, o3, no2, pm2_5, more):
        less = verdict("ca_aqhi", o3=o3, no2=no2, pm2_5=pm2_5).index
        for parameter, value in {"o3": o3, "no2": no2, "pm2_5": pm2_5}.items():
            values = {"o3": o3, "no2": no2, "pm2_5": pm2_5, parameter: value + more}
            assert verdict("ca_aqhi", **values).index >= less


class TestEditions:
    def test_of_each_standard_ascend(self):
        for name in INDEXED:
            since = [edition.since for edition in standards.get(name).editions]
            assert since == sorted(since)
            assert since[-1] < (AT - timedelta(days=1)).date()
