"""Which rules watch which series."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.alerts.domain.condition import INFINITY, NOWHERE, Circumstances
from techtrack.alerts.domain.features.base import Raw
from techtrack.alerts.domain.features.changes import Gap
from techtrack.alerts.domain.rule import parse_rule
from techtrack.alerts.domain.scope import Fleet, Scope
from techtrack.alerts.domain.series import Panel
from tests.unit.alerts.watching import book_of, ruling_of, watch_of

T = Raw("t")
HOT = {"kind": "above", "limit": 80.0, "severity": "high"}
HOTTER = {"kind": "above", "limit": 90.0, "severity": "critical"}
COLD = {"kind": "below", "limit": 10.0, "severity": "high"}
ASSETS = (3, 4, 7, 90)

FLEET = Fleet([(9, None, None, []), (1, 10, 5, ["cnc", "old"]), (4, 10, None, ["cnc"]), (2, 20, 5, ["cnc"])])


class TestFleet:
    @pytest.mark.parametrize(
        ("scope", "assets"),
        [
            pytest.param(Scope(), [1, 2, 4, 9], id="all"),
            pytest.param(Scope(site_id=10), [1, 4], id="a site"),
            pytest.param(Scope(type_id=5), [1, 2], id="a type"),
            pytest.param(Scope(site_id=10, type_id=5), [1], id="a type at a site"),
            pytest.param(Scope(assets=frozenset({9, 2, 77})), [2, 9], id="chosen ones, one of them gone"),
            pytest.param(Scope(assets=frozenset({77})), [], id="only one that is gone"),
            pytest.param(Scope(assets=frozenset({9, 2}), site_id=20), [2], id="chosen ones at a site"),
            pytest.param(Scope(tags=frozenset({"cnc"})), [1, 2, 4], id="a tag"),
            pytest.param(Scope(tags=frozenset({"cnc", "old"})), [1], id="two tags"),
            pytest.param(Scope(tags=frozenset({"new"})), [], id="a tag that nobody has"),
        ],
    )
    def test_resolves(self, scope, assets):
        assert FLEET.ids[FLEET.rows(scope)].tolist() == assets

    def test_shares_what_rules_of_the_same_scope_watch(self):
        assert FLEET.rows(Scope(site_id=10)) is FLEET.rows(Scope(site_id=10))

    def test_may_be_empty(self):
        assert Fleet([]).rows(Scope(tags=frozenset({"cnc"}))).tolist() == []


class TestPanel:
    @pytest.mark.parametrize(
        "assets",
        [
            pytest.param([], id="nobody"),
            pytest.param([7], id="one"),
            pytest.param([3, 4, 6], id="close together"),
            pytest.param([3, 500, 2**62], id="far apart"),
        ],
    )
    def test_finds_rows_and_takes_all_others_for_one(self, assets):
        panel = Panel(np.array(assets, np.int64))
        asked = [*assets, 0, -5, 5, 8, 501, 2**63 - 1, -(2**63)]
        rows = [assets.index(asset) if asset in assets else len(assets) for asset in asked]
        assert panel.find(np.array(asked, np.int64)).tolist() == rows
        assert [panel.row(asset) for asset in asked] == rows


class TestRuleBook:
    def test_knows_the_rules_of_a_series_in_their_order(self):
        hot, hotter = ruling_of(5, conditions=[HOT]), ruling_of(2, conditions=[HOTTER], assets=[4, 90])
        book = book_of(hot, hotter, ruling_of(3, conditions=[COLD], assets=[4]), assets=ASSETS)
        panel = book.columns[T].panel
        watching = [[entry.rule_id for entry in book.at(T, panel.row(asset))] for asset in (4, 3, 555)]
        assert watching == [[5, 2, 3], [5], []]
        assert book.watching(2, 90) is book.at(T, panel.row(90))[1]
        assert book.watching(2, 3) is book.watching(99, 3) is book.watching(2, 555) is None

    def test_knows_what_cannot_wake_any_rule_of_a_series(self):
        column = book_of(ruling_of(1), ruling_of(2, conditions=[COLD], assets=[4]), assets=ASSETS).columns[T]
        rows = [column.panel.row(asset) for asset in (3, 4, 555)]
        assert column.low[rows].tolist() == [-INFINITY, 10.0, -INFINITY]
        assert column.high[rows].tolist() == [80.0, 80.0, INFINITY]

    def test_shares_the_assets_of_parameters_that_have_the_same(self):
        book = book_of(*(ruling_of(number, parameter=code) for number, code in enumerate("tph", 1)), assets=ASSETS)
        assert {id(column.panel) for column in book.columns.values()} == {id(book.assets)}

    def test_shares_a_feature_between_rules_that_look_at_the_same(self):
        silence = {"after": "PT5M", "policy": "alert"}
        book = book_of(ruling_of(1, no_data=silence), ruling_of(2, conditions=[COLD], no_data=silence), assets=ASSETS)
        assert list(book.columns) == [T, Gap(T, seconds=300.0)]
        assert book.by_code == {"t": [T, Gap(T, seconds=300.0)]}

    def test_may_watch_nothing(self):
        book = book_of(ruling_of(1, assets=[555]), assets=ASSETS)
        assert book.at(T, 0) == []


class TestQuiet:
    def test_is_where_no_condition_holds(self):
        assert watch_of(HOTTER, HOT, COLD).quiet(0) == (10.0, 80.0)

    def test_is_nowhere_if_any_value_makes_one_hold(self):
        above, below = {"kind": "above", "limit": {"attribute": "top"}}, {"kind": "below", "limit": 7.0}
        rule = parse_rule({"parameter": "t", "conditions": [above, below]})
        assert rule.watch(Circumstances({"top": 5.0})).quiet(0) == NOWHERE

    def test_is_nowhere_if_one_holds_inside_a_band(self):
        assert watch_of(HOT, {"kind": "inside", "low": 20.0, "high": 30.0}).quiet(0) == NOWHERE

    def test_is_known_of_each_feature(self):
        watch = watch_of(HOT, {**COLD, "parameter": "p"})
        assert [watch.quiet(place) for place in (0, 1)] == [(-INFINITY, 80.0), (10.0, INFINITY)]
