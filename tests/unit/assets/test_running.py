"""By what one sees that an asset runs."""

from __future__ import annotations

import pytest

from techtrack.assets.domain.running import RunningSign
from techtrack.core.errors import Invalid


class TestParse:
    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param([], "/running", id="no object"),
            pytest.param({}, "/running/parameter", id="no parameter"),
            pytest.param({"parameter": ""}, "/running/parameter", id="an empty code"),
            pytest.param({"parameter": "x" * 65}, "/running/parameter", id="too long a code"),
            pytest.param({"parameter": "speed", "above": "100"}, "/running/above", id="a text for a number"),
            pytest.param({"parameter": "speed", "above": float("nan")}, "/running/above", id="not a number"),
            pytest.param({"parameter": "speed", "below": 3}, "/running/below", id="an unknown member"),
            pytest.param({"parameter": "speed", "above": {"default": 3}}, "/running/above", id="no attribute"),
        ],
    )
    def test_names_the_place_of_what_is_wrong(self, raw, pointer):
        with pytest.raises(Invalid) as caught:
            RunningSign.parse(raw, pointer="/running")
        assert caught.value.faults[0].pointer == pointer


class TestLimit:
    @pytest.mark.parametrize(
        ("above", "attributes", "limit"),
        [
            pytest.param(100, {"idle": 7}, 100.0, id="a number"),
            pytest.param({"attribute": "idle", "default": 50}, {}, 50.0, id="the default"),
            pytest.param({"attribute": "idle", "default": 50}, {"idle": 7}, 7.0, id="the asset's own"),
            pytest.param({"attribute": "idle", "default": 50}, {"idle": "fast"}, 50.0, id="a text is no number"),
            pytest.param({"attribute": "idle", "default": 50}, {"idle": True}, 50.0, id="nor is a flag"),
            pytest.param({"attribute": "idle"}, {}, None, id="neither"),
        ],
    )
    def test_is_the_assets_own_where_it_has_one(self, above, attributes, limit):
        assert RunningSign.parse({"parameter": "speed", "above": above}, pointer="").limit(attributes) == limit

    def test_is_zero_where_nothing_is_said(self):
        assert RunningSign.parse({"parameter": "speed"}, pointer="").limit({}) == 0
