"""The condition ``air_quality`` by the index of a standard: where it holds, and what it refuses."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.hours import MISSING, Hours, axis_of
from techtrack.airquality.passing import scales_of
from techtrack.airquality.standard import standards
from techtrack.airquality.units import Amount, Reference
from techtrack.alerts.domain.condition import Circumstances, Unlimited
from techtrack.alerts.domain.rule import parse_rule
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import examples, unit_of
from tests.unit.alerts.watching import BEGIN, SECOND, play, watch_of

HOUR, QUARTER = 3600, 900
EU_AIR = Reference(20.0, 1013.25)


def index_of(standard, limit, **fields):
    return {"kind": "air_quality", "standard": standard, "limit": limit, **fields}


def hourly(code, *values, every=HOUR):
    """One reading in the middle of each hour, None where there is none, and one that ends the last."""
    told = [(every * place + every // 2, {code: value}) for place, value in enumerate(values) if value is not None]
    return [*told, (every * len(values) + 1, {code: 0.0})]


def raised(condition, code, *values, every=HOUR, air=None, **rule):
    """After which hour it was raised, and at which value; None where it was not."""
    watch = watch_of(condition, parameter=code, air=air, **rule)
    said = play(watch, *hourly(code, *values, every=every))
    return (said[0][1] / every, said[0][3]) if said else None


class TestTheIndexOfAPollutant:
    @pytest.mark.parametrize(
        ("mean", "expected"),
        [
            pytest.param(55.4, None, id="150 is not above 150"),
            pytest.param(55.499, None, id="the EPA truncates to a tenth"),
            pytest.param(55.5, (2, 55.5), id="151 is"),
            pytest.param(55.59, (2, 55.5), id="and is told as it is looked up"),
        ],
    )
    def test_holds_from_behind_a_breakpoint_on(self, mean, expected):
        assert raised(index_of("us_epa", 150), "pm2_5", mean, mean) == expected

    def test_is_one_of_the_nowcast_that_needs_two_of_the_last_three_hours(self):
        assert raised(index_of("us_epa", 150), "pm2_5", 90.0, None, None, 90.0) is None
        assert raised(index_of("us_epa", 150), "pm2_5", 90.0, None, 90.0) == (3, 90.0)

    def test_weighs_the_newest_hours_most(self):
        # By hand: the weight is 1/2, and (80 + 20/2 + 20/4) / (1 + 1/2 + 1/4) = 54.28…; an hour later it is 68.
        assert raised(index_of("us_epa", 150), "pm2_5", 20.0, 20.0, 80.0) is None
        assert raised(index_of("us_epa", 150), "pm2_5", 20.0, 20.0, 80.0, 80.0) == (4, 68.0)

    def test_by_days_needs_three_quarters_of_them(self):
        days = index_of("us_epa", 150, method="average")
        assert raised(days, "pm2_5", *[60.0] * 17) is None
        assert raised(days, "pm2_5", *[60.0] * 18) == (18, 60.0)

    @pytest.mark.parametrize(
        ("method", "values", "expected"),
        [
            pytest.param("average", [0.05] * 7 + [0.165], (8, 0.165), id="an hour"),
            pytest.param("average", [0.05] * 7 + [0.164], None, id="neither"),
            pytest.param("average", [0.086] * 6, (6, 0.086), id="eight hours, six of which are enough"),
            pytest.param("nowcast", [0.096, 0.096], (1, 0.086), id="the NowCast of eight hours"),
            pytest.param("nowcast", [0.095], None, id="and not yet"),
        ],
    )
    def test_is_the_highest_of_two_averages(self, method, values, expected):
        assert raised(index_of("us_epa", 150, method=method), "o3", *values) == expected

    def test_of_the_uk_looks_at_quarters_of_an_hour(self):
        quarters = [10.0, 600.0, 10.0, 10.0, 10.0, 10.0]
        watch = watch_of(index_of("uk_daqi", 6), parameter="so2")
        said = play(watch, *hourly("so2", *quarters, every=QUARTER))
        # An hour later none of the last four is as high.
        assert said == [
            ("raised", 2 * QUARTER, "air_quality", 600.0),
            ("returned", 6 * QUARTER, "air_quality", 10.0),
        ]

    def test_of_hours_that_are_too_short_says_nothing(self):
        watch = watch_of(index_of("eu_eaqi", 3), parameter="pm2_5", interval=600 * SECOND)
        readings = [(second, {"pm2_5": 60.0}) for second in range(0, 2400, 600)]
        assert play(watch, *readings, (HOUR + 1, {"pm2_5": 0.0})) == []
        readings.append((2400, {"pm2_5": 60.0}))
        assert play(watch, *readings, (HOUR + 1, {"pm2_5": 0.0})) == [("raised", HOUR, "air_quality", 60.0)]

    def test_clears_where_it_is_no_longer_above_or_by_the_deadband_below(self):
        for deadband, back in ((0.0, 3 * HOUR), (10.0, 4 * HOUR)):
            watch = watch_of(index_of("eu_eaqi", 3), parameter="pm2_5", deadband=deadband)
            said = play(watch, *hourly("pm2_5", 60.0, 60.0, 45.0, 39.0))
            assert [(change, at) for change, at, _, _ in said] == [("raised", HOUR), ("returned", back)]

    def test_may_be_a_limit_of_the_asset(self):
        own = index_of("us_epa", {"attribute": "worst_index"})
        watch = watch_of(own, parameter="pm2_5", attributes={"worst_index": 100})
        assert watch.leaves[0].comparator.high == 35.4


class TestUnits:
    def high(self, standard, code, limit, unit, reference=None):
        watch = watch_of(index_of(standard, limit), parameter=code, air={code: Amount(unit, reference)})
        return [leaf.comparator.high for leaf in watch.leaves]

    def test_are_converted_to_the_standards_and_back(self):
        assert self.high("us_epa", "pm2_5", 150, "mg/m3") == [pytest.approx(0.0554)]
        assert self.high("us_epa", "co", 100, "[ppb]") == [pytest.approx(9400)]
        milligrams = {"pm2_5": Amount("mg/m3")}
        assert raised(index_of("us_epa", 150), "pm2_5", 0.0554, 0.0554, air=milligrams) is None
        found = raised(index_of("us_epa", 150), "pm2_5", 0.0555, 0.0555, air=milligrams)
        assert found == (2, pytest.approx(0.0555))

    def test_of_a_ratio_become_masses_in_the_air_of_the_standard(self):
        # EU: 1 ppb of NO2 is 1.9125 µg/m³ at 20 °C.
        assert self.high("eu_eaqi", "no2", 3, "ppb") == [pytest.approx(60 / 1.9125, rel=1e-4)]

    def test_of_a_mass_become_ratios_in_the_air_of_the_sensor(self):
        assert self.high("us_epa", "no2", 100, "ug/m3", EU_AIR) == [pytest.approx(100 * 1.9125, rel=1e-4)]

    @pytest.mark.parametrize(
        ("air", "missing"),
        [
            pytest.param({}, "the unit of no2 is not declared", id="no unit"),
            pytest.param({"no2": Amount("")}, "the unit of no2 is not declared", id="an empty unit"),
            pytest.param({"no2": Amount("Cel")}, "'Cel' is no unit of no2", id="no unit of air"),
            pytest.param({"no2": Amount("ug/m3")}, "reference temperature of no2 is not declared", id="no reference"),
            pytest.param(
                {"no2": Amount("ug/m3", Reference(temperature=20.0))},
                "reference pressure of no2 is not declared",
                id="half a reference",
            ),
        ],
    )
    def test_that_are_not_declared_are_never_guessed(self, air, missing):
        spec = parse_rule({"parameter": "no2", "conditions": [index_of("us_epa", 100)]})
        with pytest.raises(Unlimited, match=missing):
            spec.watch(Circumstances(air=air))

    def test_are_asked_for_where_an_index_is(self):
        nested = {"kind": "any_of", "conditions": [index_of("us_epa", 100, parameter="no2"), index_of("uk_daqi", 3)]}
        plain = {"kind": "air_quality", "limit": 3.0, "parameter": "so2"}
        spec = parse_rule({"parameter": "pm10", "conditions": [nested, {**plain, "severity": "high"}]})
        assert spec.pollutants == {"no2", "pm10"}
        assert spec.asks_assets
        assert parse_rule({"parameter": "pm10", "conditions": [plain]}).pollutants == frozenset()


REFUSALS = [
    pytest.param(index_of("mars", 5), "/conditions/0/standard", "not a known standard", id="no such standard"),
    pytest.param(index_of("ca_aqhi", 5), "/conditions/0/standard", "adds pollutants up", id="a sum of pollutants"),
    pytest.param(
        index_of("us_epa", 5, parameter="nh3"),
        "/conditions/0/parameter",
        "us_epa has no index of nh3: choose one of pm2_5, pm10, o3, co, so2, no2",
        id="a pollutant that the standard has not",
    ),
    pytest.param(index_of("us_epa", 5, average="PT1H"), "/conditions/0/average", "leave this out", id="an average"),
    pytest.param(index_of("us_epa", 5, method="hourly"), "/conditions/0/method", "no method", id="no such method"),
    pytest.param(
        {"kind": "air_quality", "limit": 5, "method": "nowcast"},
        "/conditions/0/method",
        "none is named",
        id="of nothing",
    ),
    pytest.param(index_of("eu_eaqi", 6), "/conditions/0/limit", "never passes 6", id="the last band"),
    pytest.param(index_of("eu_eaqi", 0.5), "/conditions/0/limit", "always above", id="below the first band"),
    pytest.param(
        index_of("us_epa", 5, completeness=2), "/conditions/0/completeness", "a share", id="more than complete"
    ),
]


class TestARule:
    @pytest.mark.parametrize(("condition", "pointer", "told"), REFUSALS)
    def test_is_refused_with_the_place_of_the_fault(self, condition, pointer, told):
        with pytest.raises(Invalid, match=told) as refusal:
            parse_rule({"parameter": "pm2_5", "conditions": [condition]})
        assert [fault.pointer for fault in refusal.value.faults] == [pointer]

    def test_of_no_pollutant_is_refused_at_its_parameter(self):
        with pytest.raises(Invalid, match="has no index of t:") as refusal:
            parse_rule({"parameter": "t", "conditions": [index_of("us_epa", 5)]})
        assert [fault.pointer for fault in refusal.value.faults] == ["/parameter"]

    def test_that_would_never_let_go_is_refused(self):
        with pytest.raises(Invalid, match="never let go") as refusal:
            parse_rule({"parameter": "pm2_5", "conditions": [index_of("us_epa", 50)], "deadband": 9.5})
        assert [fault.pointer for fault in refusal.value.faults] == ["/deadband"]

    def test_with_a_milder_index_that_a_graver_covers_is_refused(self):
        milder = index_of("us_epa", 150, severity="low")
        with pytest.raises(Invalid, match="contradictory severities"):
            parse_rule({"parameter": "pm2_5", "conditions": [milder, index_of("us_epa", 100, severity="high")]})


CASES = [
    (name, method, code)
    for name, methods in {
        "us_epa": ["nowcast", "average"],
        "uk_daqi": ["average"],
        "eu_eaqi": ["average"],
        "in_naqi": ["average"],
        "cn_hj633": ["average", "hourly"],
    }.items()
    for method in methods
    for code in standards.get(name).parameters
    # Hours alone say nothing of their quarters.
    if (name, code) != ("uk_daqi", "so2")
]


def indices(scale, hours):
    """The index of each hour by one scale, -1 where its table says nothing; None where too few hours are known."""
    means = scale.fast(hours, multiplier=1.0, axis=axis_of([hours]))
    found = scale.table.fast(scale.rounding.fast(np.maximum(means, 0)))
    return [None if mean == MISSING else one for mean, one in zip(means.tolist(), found.tolist(), strict=True)]


@pytest.mark.parametrize(("name", "method", "code"), CASES)
@examples
@given(dice=st.integers(0, 2**32).map(random.Random))
def test_holds_where_the_standard_itself_says_that_the_index_is_above(name, method, code, dice):
    """Hour by hour: the oracle is what the library computes of the same hours."""
    standard = standards.get(name)
    unit = "mg/m3" if (name, code) == ("in_naqi", "co") else unit_of(name, code)
    level = dice.uniform(0, {"[ppm]": 20.0 if code == "co" else 0.2, "mg/m3": 20.0}.get(unit, 200.0))
    values = [
        None if dice.random() < 0.1 else round(level * dice.choice([0.5, 0.9, 1.0, 1.1, 2.0]), 4) for _ in range(40)
    ]
    limit = dice.choice([1, 2, 3, 4] if name in {"eu_eaqi", "uk_daqi"} else [20, 50, 99.5, 100, 150, 199])
    first = datetime.fromtimestamp(BEGIN / SECOND + HOUR, UTC)
    hours = Hours(first, np.array([np.nan if one is None else one for one in values]), unit)
    scales = scales_of(standard, code, method=method)
    # By scale and hour whether the index is above; None where too few hours are known, and it stays as it is.
    above = [[None if one is None else one > limit for one in indices(scale, hours)] for scale in scales]
    now, expected = [False] * len(scales), []
    for place, truths in enumerate(zip(*above, strict=True)):
        # An hour without a reading is not looked at.
        told = truths if values[place] is not None else [None] * len(scales)
        then, now = any(now), [was if is_now is None else is_now for was, is_now in zip(now, told, strict=True)]
        if any(now) != then:
            expected.append(("raised" if any(now) else "returned", (place + 1) * HOUR))
    watch = watch_of(index_of(name, limit, method=method), parameter=code)
    assert [(change, at) for change, at, _, _ in play(watch, *hourly(code, *values))] == expected
