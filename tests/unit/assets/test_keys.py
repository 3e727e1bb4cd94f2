"""Which texts may be the key of an asset."""

from __future__ import annotations

import pytest

from techtrack.assets.queries import is_key


class TestKey:
    @pytest.mark.parametrize("text", ["robot-1", "plant/hall 3/№7", "7a", "1.5", "x" * 200, "٣"])
    def test_is_what_a_gateway_calls_it(self, text):
        assert is_key(text)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param("7", id="reads as an id"),
            pytest.param("007", id="reads as an id with zeros"),
            pytest.param("x" * 201, id="too long"),
            pytest.param("a\tb", id="tab"),
            pytest.param("a\x00", id="NUL"),
            pytest.param("\udfff", id="lone surrogate"),
        ],
    )
    def test_is_nothing_else(self, text):
        assert not is_key(text)
