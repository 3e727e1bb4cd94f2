"""Which rules watch which series."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.alerts.domain.condition import (
    INFINITY,
    NOWHERE,
    Clause,
    Value,
    conditions,
    parse_conditions,
    quiet_range,
)
from techtrack.alerts.domain.scope import Fleet, Scope
from techtrack.alerts.domain.series import Panel
from tests.unit.alerts.test_screening import book_of, entry

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
        hot, hotter = entry(5, "t", [("above", 80.0, "high")]), entry(2, "t", [("above", 90.0, "high")])
        cold = entry(3, "t", [("below", 10.0, "high")])
        book = book_of([(hot, set()), (hotter, {4, 90}), (cold, {4})])
        panel = book.columns["t"].panel
        assert book.at("t", panel.row(4)) == [hot, hotter, cold]
        assert book.at("t", panel.row(3)) == [hot]
        assert book.at("t", panel.row(555)) == []
        assert book.watching(2, 90) == (hotter, panel.row(90))
        assert book.watching(2, 3) is book.watching(99, 3) is book.watching(2, 555) is None

    def test_knows_what_cannot_wake_any_rule_of_a_series(self):
        hot, cold = entry(1, "t", [("above", 80.0, "high")]), entry(2, "t", [("below", 10.0, "high")])
        column = book_of([(hot, set()), (cold, {4})]).columns["t"]
        rows = [column.panel.row(asset) for asset in (3, 4, 555)]
        assert column.low[rows].tolist() == [-INFINITY, 10.0, -INFINITY]
        assert column.high[rows].tolist() == [80.0, 80.0, INFINITY]

    def test_shares_the_assets_of_parameters_that_have_the_same(self):
        book = book_of([(entry(n, code, [("above", 1.0, "low")]), set()) for n, code in enumerate("tph")])
        assert {id(column.panel) for column in book.columns.values()} == {id(book.assets)}

    def test_may_watch_nothing(self):
        book = book_of([(entry(1, "t", [("above", 1.0, "low")]), {555})])
        assert book.at("t", 0) == []


class Stubborn:
    """A condition of somebody else's that does not say when it is quiet."""

    limit = 5.0

    def holds(self, window, *, firing, deadband):
        return False


class TestQuietRange:
    def test_is_where_no_clause_holds(self):
        raw = [{"kind": "above", "limit": 80}, {"kind": "above", "limit": 90}, {"kind": "below", "limit": 10}]
        assert quiet_range(parse_conditions(raw)) == (10.0, 80.0)

    def test_is_nowhere_if_a_condition_cannot_say(self):
        assert quiet_range([Clause("stubborn", Stubborn(), "high")]) == NOWHERE

    @pytest.mark.parametrize("kind", conditions.names())
    def test_of_every_condition_holds_what_it_says(self, kind):
        condition = conditions.get(kind)(limit=80.0)
        low, high = quiet_range([Clause(kind, condition, "high")])
        for value in (-1e300, 79.9, 80.0, 80.1, 1e300):
            if low <= value <= high:
                assert not condition.holds([Value(1, value)], firing=False, deadband=3.0)
