"""The fields of the contract: durations, finite numbers, and what a merge patch leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from techtrack.accounts.models import Site
from techtrack.core.api.fields import IsoDurationField, NumberField, ResourceSerializer
from techtrack.core.api.viewsets import merge_patch


class TestIsoDurationField:
    @given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3660)))
    def test_reads_back_what_it_writes(self, duration):
        field = IsoDurationField()
        assert field.run_validation(field.to_representation(duration)) == duration


class TestNumberField:
    @pytest.mark.parametrize("number", [0, -1.5, 90, 2**53])
    def test_takes_numbers(self, number):
        assert NumberField().run_validation(number) == number

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("1", id="text"),
            pytest.param(True, id="bool"),
            pytest.param([1], id="list"),
            pytest.param(float("nan"), id="NaN"),
            pytest.param(float("inf"), id="infinity"),
            pytest.param(10**400, id="larger than a float"),
            pytest.param(-(10**400), id="smaller than a float"),
            pytest.param(None, id="null"),
        ],
    )
    def test_refuses_the_rest(self, value):
        with pytest.raises(ValidationError):
            NumberField().run_validation(value)

    @pytest.mark.parametrize("value", [-90.1, 90.1])
    def test_keeps_its_bounds(self, value):
        with pytest.raises(ValidationError):
            NumberField(lowest=-90, highest=90).run_validation(value)


class TestMergePatch:
    @pytest.mark.parametrize(
        ("target", "patch", "merged"),
        [
            # The examples of RFC 7396, appendix A, that an API of objects can meet.
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b"}, {"a": None}, {}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            (["a", "b"], ["c", "d"], ["c", "d"]),
            ({"a": "foo"}, None, None),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ],
    )
    def test_is_that_of_the_standard(self, target, patch, merged):
        assert merge_patch(target, patch) == merged

    def test_leaves_its_target_alone(self):
        target = {"a": {"b": 1}}
        merge_patch(target, {"a": {"b": 2}})
        assert target == {"a": {"b": 1}}


class _SiteSerializer(ResourceSerializer):
    class Meta:
        model = Site
        fields = ["id", "name"]


class _LongerSerializer(_SiteSerializer):
    class Meta(_SiteSerializer.Meta):
        fields = ["id", "name", "timezone"]


class TestResourceSerializer:
    def test_gives_each_request_fields_of_its_own(self):
        first, second = _SiteSerializer(), _SiteSerializer()
        assert repr(first.fields["name"]) == repr(second.fields["name"])
        assert first.fields["name"] is not second.fields["name"]
        first.fields["name"].required = False
        assert _SiteSerializer().fields["name"].required

    def test_has_other_fields_in_a_subclass(self):
        assert list(_SiteSerializer().fields) == ["id", "name"]
        assert list(_LongerSerializer().fields) == ["id", "name", "timezone"]
