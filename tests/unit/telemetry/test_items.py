"""What a door takes as a reading, and what it refuses, with the place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.core.clock import isoformat, to_micros
from techtrack.core.errors import Fault
from techtrack.telemetry.domain.items import Item, read_item
from tests.factories import NOW


def read(**raw):
    return read_item(raw, names=("equipment",), now=NOW, pointer="/3")


class TestReadItem:
    def test_takes_an_id_a_time_and_values(self):
        item = read(equipment=7, timestamp="2026-11-21T10:00:00+01:00", values={"temperature": 71.3, "on": True})
        assert item == Item(7, to_micros(NOW - timedelta(hours=1)), {"temperature": 71.3, "on": 1.0})

    def test_takes_now_where_no_time_is_given(self):
        assert read(equipment="robot-1", values={"speed": 1}) == Item("robot-1", to_micros(NOW), {"speed": 1.0})

    def test_takes_a_time_a_day_ahead(self):
        ahead = isoformat(NOW + timedelta(hours=24))
        assert isinstance(read(equipment=7, timestamp=ahead, values={"speed": 1}), Item)

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param({"values": {"a": 1}}, "/3/equipment", id="no asset"),
            pytest.param({"equipment": True, "values": {"a": 1}}, "/3/equipment", id="true is no id"),
            pytest.param({"equipment": 2**63, "values": {"a": 1}}, "/3/equipment", id="an id beyond bigint"),
            pytest.param({"equipment": [1], "values": {"a": 1}}, "/3/equipment", id="a list for an id"),
            pytest.param({"equipment": 1}, "/3/values", id="no values"),
            pytest.param({"equipment": 1, "values": {}}, "/3/values", id="empty values"),
            pytest.param({"equipment": 1, "values": [1]}, "/3/values", id="a list for values"),
            pytest.param({"equipment": 1, "values": {"a": "hot"}}, "/3/values/a", id="text for a number"),
            pytest.param({"equipment": 1, "values": {"a": None}}, "/3/values/a", id="null for a number"),
            pytest.param({"equipment": 1, "values": {"a": float("nan")}}, "/3/values/a", id="NaN"),
            pytest.param({"equipment": 1, "values": {"a": float("-inf")}}, "/3/values/a", id="infinity"),
            pytest.param({"equipment": 1, "values": {"a": 10**400}}, "/3/values/a", id="an integer beyond float"),
            pytest.param({"equipment": 1, "values": {"PM2.5": 1}}, "/3/values/PM2.5", id="a code with capitals"),
            pytest.param({"equipment": 1, "values": {f"a{i}": 1 for i in range(257)}}, "/3/values", id="257 values"),
            pytest.param(
                {"equipment": 1, "timestamp": 5, "values": {"a": 1}}, "/3/timestamp", id="a number for a time"
            ),
            pytest.param(
                {"equipment": 1, "timestamp": "2026-11-21T10:00:00", "values": {"a": 1}}, "/3/timestamp", id="no offset"
            ),
            pytest.param(
                {"equipment": 1, "timestamp": "1999-12-31T23:59:59Z", "values": {"a": 1}},
                "/3/timestamp",
                id="last century",
            ),
            pytest.param(
                {"equipment": 1, "timestamp": "2026-11-22T10:00:01Z", "values": {"a": 1}},
                "/3/timestamp",
                id="too far ahead",
            ),
            pytest.param(
                {"equipment": 1, "timestamp": "0001-01-01T00:00:00+14:00", "values": {"a": 1}},
                "/3/timestamp",
                id="before the calendar",
            ),
            pytest.param({"equipment": 1, "colour": 3, "values": {"a": 1}}, "/3/colour", id="an unknown field"),
        ],
    )
    def test_names_the_place_of_a_fault(self, raw, pointer):
        fault = read_item(raw, names=("equipment",), now=NOW, pointer="/3")
        assert isinstance(fault, Fault)
        assert fault.pointer == pointer

    @pytest.mark.parametrize("raw", [None, 5, "x", [1]], ids=["null", "a number", "text", "a list"])
    def test_refuses_what_is_no_object(self, raw):
        assert read_item(raw, names=("equipment",), now=NOW, pointer="/0").pointer == "/0"
