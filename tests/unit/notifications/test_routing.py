"""Which route takes which alert."""

from __future__ import annotations

import pytest

from techtrack.notifications.domain.routing import Labels, Matcher, matches

ALERT = Labels(site_id=2, severity="high", asset_type="robot", tags=frozenset({"cnc", "hall-3"}))


class TestMatches:
    @pytest.mark.parametrize(
        ("matcher", "expected"),
        [
            pytest.param(Matcher(), True, id="demands nothing"),
            pytest.param(Matcher(site_id=2), True, id="same site"),
            pytest.param(Matcher(site_id=3), False, id="other site"),
            pytest.param(Matcher(asset_type="robot"), True, id="same type"),
            pytest.param(Matcher(asset_type="pump"), False, id="other type"),
            pytest.param(Matcher(minimum_severity="medium"), True, id="worse than demanded"),
            pytest.param(Matcher(minimum_severity="high"), True, id="as bad as demanded"),
            pytest.param(Matcher(minimum_severity="critical"), False, id="not bad enough"),
            pytest.param(Matcher(tags=frozenset({"cnc"})), True, id="has the tag"),
            pytest.param(Matcher(tags=frozenset({"cnc", "hall-4"})), False, id="lacks one of the tags"),
            pytest.param(Matcher(2, "robot", "high", frozenset({"cnc"})), True, id="meets all"),
        ],
    )
    def test_needs_every_demand_met(self, matcher, expected):
        assert matches(ALERT, matcher) is expected

    def test_gives_an_asset_without_type_and_site_to_open_routes_only(self):
        bare = Labels(site_id=None, severity="info", asset_type=None, tags=frozenset())
        assert matches(bare, Matcher())
        assert not matches(bare, Matcher(site_id=2))
        assert not matches(bare, Matcher(asset_type="robot"))
