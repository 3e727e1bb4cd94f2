"""What may be saved as a filter."""

from __future__ import annotations

import pytest

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.filters import UnknownFilter, parse_filter

ALLOWED = {"state", "overdue", "ordering", "search"}


class TestParseFilter:
    def test_keeps_the_parameters_of_the_list_in_one_order(self):
        found = parse_filter({"state": "open", "overdue": "true"}, allowed=ALLOWED)
        assert list(found.items()) == [("overdue", "true"), ("state", "open")]

    @pytest.mark.parametrize(
        ("raw", "pointers"),
        [
            pytest.param([], [""], id="no object"),
            pytest.param({}, [""], id="nothing to narrow"),
            pytest.param({"state": ["open"]}, ["/state"], id="a list"),
            pytest.param({"overdue": True}, ["/overdue"], id="true without quotes"),
            pytest.param({"search": ""}, ["/search"], id="empty"),
            pytest.param({"search": "x" * 201, "state": 1}, ["/search", "/state"], id="each that is wrong"),
        ],
    )
    def test_refuses_what_no_address_holds(self, raw, pointers):
        with pytest.raises(Invalid) as caught:
            parse_filter(raw, allowed=ALLOWED)
        assert [fault.pointer for fault in caught.value.faults] == [f"/query{pointer}" for pointer in pointers]

    def test_names_all_that_the_list_does_not_have(self):
        with pytest.raises(UnknownFilter, match="ordering, overdue, search, state") as caught:
            parse_filter({"cursor": "x", "a/b": "x", "state": "open"}, allowed=ALLOWED)
        assert [fault.pointer for fault in caught.value.faults] == ["/query/cursor", "/query/a~1b"]
