"""Rules tried on made-up series: the notation, what comes of it, and what is said where a file is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.alerts.domain import cases, files
from techtrack.alerts.domain.cases import START, Shown
from techtrack.alerts.domain.files import BadFile
from techtrack.core import plain_yaml
from techtrack.core.clock import to_micros
from tests.unit.alerts.mutations import places, with_one_changed

SECOND = 1_000_000
BEGIN = to_micros(START)
RULES = """
rules:
  - name: Hot
    parameter: t
    conditions:
      - {kind: above, limit: 90, severity: critical}
      - {kind: above, limit: {attribute: t_max, default: 80}, severity: high}
    deadband: 2
    on_delay: PT30S
  - name: Silent
    scope: {site: A}
    parameter: t
    conditions: [{kind: no_data, after: 3x}]
  - name: Silent
    scope: {site: B}
    parameter: t
    conditions: [{kind: no_data, after: PT1H}]
  - name: Bare
    parameter: t
    conditions: [{kind: above, limit: {attribute: t_max}}]
"""


def read(tests, top="interval: PT10S"):
    text = f"{RULES}\n{top}\ntests:\n{tests}"
    return cases.read_cases(text, files.read(text).rules)


def series(notation, interval="PT10S"):
    (one,) = read(f"  - {{name: x, rule: Hot, series: {{t: {notation}}}, expect: none}}", f"interval: {interval}")
    return one


class TestNotation:
    @pytest.mark.parametrize(
        ("told", "values"),
        [
            ("40", [40]),
            ("40 41.5 -3", [40, 41.5, -3]),
            ("40x3", [40, 40, 40]),
            ("1+2x4", [1, 3, 5, 7]),
            ("-2-.5x3 1e2", [-2, -2.5, -3, 100]),
            ("1e-2x2", [0.01, 0.01]),
            ("2x0 5", [5]),
        ],
    )
    def test_tells_values(self, told, values):
        assert series(told).series["t"].values.tolist() == values

    def test_tells_silence(self):
        one = series("1 _ 2 _x3 3 _x2")
        assert (one.series["t"].at - BEGIN).tolist() == [0, 20 * SECOND, 60 * SECOND]
        # Silence at the end is waited for.
        assert one.until - BEGIN == 80 * SECOND

    def test_is_not_needed_where_times_are_told(self):
        test = "  - {name: x, rule: Hot, expect: none, series: {t: {PT5M: 2, 2026-01-01T01:01:00+01:00: 1}}}"
        (one,) = read(test, "")
        assert (one.series["t"].at - BEGIN).tolist() == [60 * SECOND, 300 * SECOND]
        assert one.series["t"].values.tolist() == [1, 2]

    @pytest.mark.parametrize(
        "told", ["4o", "40x", "x3", "1+2", "__", "nan", "inf", "40 x10", "1x99999999", "_x9999999", '""', "0x0"]
    )
    def test_is_refused(self, told):
        with pytest.raises(BadFile) as refused:
            series(told)
        assert refused.value.faults[0].pointer == "#/tests/0/series/t"


class TestRun:
    @pytest.mark.parametrize(
        ("test", "got"),
        [
            pytest.param("rule: Hot, series: {t: 70x5 85x2 70x9}", [], id="over before the delay is"),
            pytest.param(
                "rule: Hot, series: {t: 70x5 85x9 79x3 77}",
                [Shown("high", 80 * SECOND, 170 * SECOND)],
                id="raised after the delay, held by the deadband",
            ),
            pytest.param(
                "rule: Hot, series: {t: 85x6 95}", [Shown("critical", 30 * SECOND, None)], id="as grave as it became"
            ),
            pytest.param(
                "rule: Hot, series: {t: 70x9}, asset: {attributes: {t_max: 60}}",
                [Shown("high", 30 * SECOND, None)],
                id="with the asset's own limit",
            ),
            pytest.param(
                "rule: {name: Silent, scope: {site: A}}, series: {t: 1x3 _x5 1}",
                [Shown("medium", 50 * SECOND, 80 * SECOND)],
                id="in silence, by the interval of the series",
            ),
            pytest.param(
                "rule: {name: Silent, scope: {site: A}}, series: {t: 1x3 _x5 1}, asset: {expected_interval: PT1M}",
                [],
                id="by the interval of the asset",
            ),
            pytest.param(
                "rule: {name: Silent, scope: {site: B}}, series: {t: 1}, until: PT2H",
                [Shown("medium", 3600 * SECOND, None)],
                id="up to a time that is told",
            ),
        ],
    )
    def test_finds_what_the_rule_makes_of_it(self, test, got):
        (one,) = read(f"  - {{name: x, {test}, expect: none}}")
        outcome = cases.run(one)
        assert outcome.got == got
        assert outcome.passed == (not got)

    @pytest.mark.parametrize(
        ("expect", "passed"),
        [
            ("[{severity: high, raised: PT30S, returned: PT1M}]", True),
            pytest.param("[{raised: PT30S, returned: PT60S}]", True, id="of any severity"),
            ("[{severity: low, raised: PT30S, returned: PT1M}]", False),
            ("[{severity: high, raised: PT31S, returned: PT1M}]", False),
            pytest.param("[{severity: high, raised: PT30S}]", False, id="still active"),
            ("none", False),
            ("[]", False),
            ("[{raised: PT30S, returned: PT1M}, {raised: PT2M}]", False),
        ],
    )
    def test_passes_only_what_was_expected(self, expect, passed):
        (one,) = read(f"  - {{name: x, rule: Hot, series: {{t: 85x6 70x10}}, expect: {expect}}}")
        assert cases.run(one).passed is passed

    def test_says_where_an_asset_lacks_the_limit(self):
        (one,) = read("  - {name: x, rule: Bare, series: {t: 1}, expect: none}")
        with pytest.raises(BadFile) as refused:
            cases.run(one)
        assert refused.value.faults[0].pointer.startswith("#/tests/0")
        assert "t_max" in refused.value.detail

    def test_starts_when_it_is_told(self):
        (one,) = read(
            "  - {name: x, rule: Hot, start: 2026-06-01T12:00:00, series: {t: 85x6}, expect: [{raised: PT30S}]}"
        )
        assert one.start == to_micros(START.replace(month=6, hour=12))
        assert cases.run(one).passed


class TestReadCases:
    @pytest.mark.parametrize(
        ("test", "pointer", "said"),
        [
            ("rule: Cold, series: {}, expect: none", "/rule", "no rule 'Cold'"),
            pytest.param("series: {}, expect: none", "/rule", "4 rules", id="none of several"),
            pytest.param("rule: Silent, series: {}, expect: none", "/rule", "2 rules", id="a name of two"),
            ("rule: Hot, series: {t: 1}", "/expect", "required"),
            ("rule: Hot, series: {t: 1}, expect: nothing", "/expect", "nothing"),
            ("rule: Hot, series: {t: 1}, expect: [{raised: soon}]", "/expect/0/raised", "duration"),
            ("rule: Hot, series: {t: 1}, expect: [{raised: PT0S, severity: bad}]", "/expect/0/severity", "bad"),
            ("rule: Hot, series: {t: [1]}, expect: none", "/series/t", "40x10"),
            ("rule: Hot, series: {t: {soon: 1}}, expect: none", "/series/t", "'soon' is no time"),
            ("rule: Hot, series: {t: {PT1S: hot}}, expect: none", "/series/t", "'hot' is no number"),
            ("rule: Hot, series: {t: {PT60S: 1, PT1M: 2}}, expect: none", "/series/t", "same time"),
            ("rule: Hot, series: {t: {}}, expect: none", "/series/t", "by their times"),
            ("rule: Hot, series: {t: {0001-01-01T00:00:00+23:00: 1}}, expect: none", "/series/t", "1970"),
            ("rule: Hot, start: 2300-01-01T00:00:00Z, series: {}, expect: none", "/start", "2199"),
            ("rule: Hot, series: {t: 1x999}, interval: P999999D, expect: none", "/series/t", "2199"),
            ("rule: Hot, series: {}, interval: -PT1S, expect: none", "/interval", "above zero"),
            ("rule: Hot, series: {t: 1x9}, until: PT1M, expect: none", "/until", "readings come after"),
            ("rule: Hot, serie: {}", "/serie", "not known"),
        ],
    )
    def test_refuses(self, test, pointer, said):
        with pytest.raises(BadFile) as refused:
            read(f"  - {{name: x, {test}}}")
        (fault,) = refused.value.faults
        assert fault.pointer == f"#/tests/0{pointer}"
        assert said in fault.detail

    def test_needs_an_interval_for_values_without_times(self):
        with pytest.raises(BadFile, match="interval"):
            read("  - {name: x, rule: Hot, series: {t: 1}, expect: none}", "")

    def test_tells_all_that_is_wrong(self):
        with pytest.raises(BadFile) as refused:
            read("  - {name: x}\n  - {name: y, rule: Hot, series: {t: 1}, expect: none}\n  - 3")
        assert [fault.pointer for fault in refused.value.faults] == ["#/tests/0/series", "#/tests/2"]

    def test_needs_tests(self):
        with pytest.raises(BadFile, match="list of tests"):
            cases.read_cases(RULES, files.read(RULES).rules)

    def test_takes_its_own_interval_and_start_before_the_files(self):
        one, other = read(
            "  - {name: x, rule: Hot, series: {t: 1 2}, expect: none}\n"
            "  - {name: y, rule: Hot, series: {t: 1 2}, expect: none, interval: PT1S, start: 2026-01-03T00:00:00Z}",
            "interval: PT1M\nstart: 2026-01-02T00:00:00Z",
        )
        assert (one.start - BEGIN, one.until - one.start) == (86_400 * SECOND, 60 * SECOND)
        assert (other.start - BEGIN, other.until - other.start) == (2 * 86_400 * SECOND, SECOND)


RULE = {
    "name": "Hot",
    "parameter": "t",
    "conditions": [
        {"kind": "above", "limit": {"attribute": "t_max"}},
        {"kind": "forecast", "above": 90, "horizon": "PT1M", "over": "PT1M", "severity": "low"},
        {"kind": "deviation", "sigmas": 3, "learn": "PT1M", "severity": "high"},
    ],
    "aggregate": {"window": "PT20S", "min_completeness": 0.5},
    "no_data": {"after": "3x", "severity": "info"},
    "schedule": {"timezone": "Europe/Berlin", "rrule": "FREQ=WEEKLY;BYDAY=TH", "duration": "PT8H"},
    "on_delay": "PT5S",
}
TEST = {
    "name": "x",
    "rule": "Hot",
    "series": {"t": "40x3 1e99x3 -1e99 95+1x9 _x5 3", "p": {"PT3S": 3, "P9D": 5}},
    "asset": {"attributes": {"t_max": 80}, "expected_interval": "PT10S"},
    "start": "2026-11-26T00:00:00Z",
    "interval": "PT10S",
    "until": "P10D",
    "expect": [{"raised": "PT1S", "returned": "PT2S", "severity": "low"}],
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(-1e99, 1e99),
    st.text(max_size=4),
    st.just({}),
    st.sampled_from(
        [
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2026-01-01",
            "PT0S",
            "-PT1S",
            "PT0.000001S",
            "P999999D",
            "none",
        ]
    ),
)


class TestFuzz:
    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from([path for path in places(TEST) if path]), ANYTHING)
    def test_any_member_that_is_wrong_is_refused_in_words(self, path, value):
        told = {"rules": [RULE], "tests": [with_one_changed(TEST, path, value)]}
        text = plain_yaml.dump(told)
        rules = files.read(text).rules
        try:
            for one in cases.read_cases(text, rules):
                cases.run(one)
        except BadFile as refused:
            told = [fault.detail for fault in refused.faults]
            assert all(told)


class TestShown:
    def test_reads_as_an_interval(self):
        assert str(Shown("high", 90 * SECOND, 4 * 60 * SECOND)) == "high from PT1M30S to PT4M"
        assert str(Shown(None, 0, None)) == "any severity from PT0S to the end"


def test_paths_of_rules_are_told():
    assert cases.rules_path("rules: ../rules.yaml\ntests: []") == "../rules.yaml"
    assert cases.rules_path(RULES) is None
