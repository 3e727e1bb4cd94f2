"""Figures of the benchmarks: medians, percentiles, bars that are not met are written as not met."""

from __future__ import annotations

import math

import pytest

from benchmarks import report
from benchmarks.figures import Bar, Result, as_markdown, as_text, at_least, at_most, interleaved, limit, median, number
from benchmarks.figures import percentile as share_of


class TestPercentile:
    def test_is_the_nearest_rank(self):
        assert [share_of([4.0, 1.0, 3.0, 2.0], share) for share in (0.25, 0.5, 0.51, 1.0)] == [1.0, 2.0, 3.0, 4.0]

    def test_of_nothing_is_no_number(self):
        assert math.isnan(share_of([], 0.99))


class TestMedian:
    def test_is_taken_figure_by_figure_over_the_runs_that_have_it(self):
        assert median([{"a": 1.0, "b": 5.0}, {"a": 3.0}, {"a": 2.0}]) == {"a": 2.0, "b": 5.0}


class TestInterleaved:
    def test_runs_in_turn_so_that_what_else_happens_hits_all_alike(self):
        order = []

        def measure(name):
            return lambda: order.append(name) or {"figure": float(len(order))}

        said = []
        found = interleaved({"a": measure("a"), "b": measure("b")}, rounds=3, say=said.append)
        assert order == ["a", "b"] * 3
        assert found == {"a": {"figure": 3.0}, "b": {"figure": 4.0}}
        assert said[0] == "a, run 1 of 3"


class TestBars:
    @pytest.mark.parametrize(("ours", "met"), [(30.0, True), (29.9, False)])
    def test_at_least_so_many_times(self, ours, met):
        assert at_least("speed", ours, 20.0, times=1.5).met is met

    @pytest.mark.parametrize(("ours", "met"), [(10.0, True), (10.1, False)])
    def test_at_most_so_many_times(self, ours, met):
        assert at_most("cost", ours, 20.0, times=0.5).met is met

    @pytest.mark.parametrize(("ours", "met"), [(1.0, True), (1.01, False)])
    def test_a_limit(self, ours, met):
        assert limit("size", ours, 1.0, "bytes").met is met

    @pytest.mark.parametrize(("ours", "theirs"), [(None, 1.0), (1.0, None), (math.nan, 1.0), (1.0, math.nan)])
    def test_what_was_not_measured_is_neither_met_nor_missed(self, ours, theirs):
        assert at_least("speed", ours, theirs, times=2).verdict == "not measured"

    def test_one_that_is_missed_says_so_in_capitals(self):
        assert at_least("speed", 1.0, 1.0, times=2).verdict == "NOT MET"


class TestNumber:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(1234567.8, "1,234,568"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"), (0.0, "0")],
    )
    def test_has_three_digits_that_count(self, value, text):
        assert number(value) == text

    @pytest.mark.parametrize("value", [None, math.nan])
    def test_of_nothing_is_a_dash(self, value):
        assert number(value) == "-"


RESULT = Result(
    "ingest",
    "Batch ingest",
    ["system", "M values/s"],
    [["ours", "1.2"], ["a peer", "not installed"]],
    [Bar("speed", "≥ 2 x", "1.2 x", met=False)],
    ["one thing"],
    {"date": "2026-11-21 10:00 UTC", "seconds": 3, "commit": "abc", "machine": "a machine", "versions": "Python"},
)


class TestResult:
    def test_survives_being_kept(self):
        assert Result.of(RESULT.as_json()) == RESULT

    def test_is_one_table_on_the_console(self):
        text = as_text(RESULT)
        assert "not installed" in text
        assert "NOT MET" in text

    def test_is_a_section_of_a_page(self):
        assert "| ours | 1.2 |" in as_markdown(RESULT)


class TestPage:
    def test_lists_every_bar_and_names_the_lines_that_were_not_measured(self):
        page = report.page({"ingest": RESULT})
        assert "| ingest | speed | ≥ 2 x | 1.2 x | **NOT MET** |" in page
        assert "| queries | | | not measured | |" in page

    def test_says_when_and_on_what_each_line_was_measured(self):
        assert "2026-11-21 10:00 UTC, 3 s, commit abc; a machine; Python" in report.page({"ingest": RESULT})


class TestAbout:
    def test_describes_this_machine(self):
        about = report.about(1.2, quick=False)
        assert about["machine"]
        assert "Python 3." in about["versions"]
        assert about["commit"]
