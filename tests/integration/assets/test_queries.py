"""Resolving references to assets, and the codes that strict types take."""

from __future__ import annotations

import pytest

from techtrack.accounts import queries as accounts
from techtrack.accounts.domain.access import Role, internal
from techtrack.assets import queries
from tests import factories


class TestResolving:
    def test_ids_digits_and_keys_mean_the_same_asset(self, robot, erik):
        refs = [robot.pk, str(robot.pk), "robot-1"]
        found = queries.resolve(refs=refs, access=accounts.access_of(erik), role=Role.OPERATOR)
        assert list(found) == refs
        assert set(found.values()) == {
            queries.AssetRef(robot.pk, "equipment", robot.site_id, robot.type_id, "Robot 1", "robot-1")
        }

    @pytest.mark.parametrize(
        "ref",
        [
            pytest.param(0, id="no id is 0"),
            pytest.param(-1, id="negative"),
            pytest.param(2**63, id="beyond bigint"),
            pytest.param("9" * 5000, id="digits beyond measure"),
            pytest.param("nobody", id="a key nobody has"),
            pytest.param("", id="empty"),
            pytest.param("x" * 201, id="longer than a key"),
            pytest.param("robot-1\x00", id="NUL"),
            pytest.param("\ud800", id="lone surrogate"),
        ],
    )
    @pytest.mark.usefixtures("robot")
    def test_what_means_nothing_is_absent(self, ref):
        assert queries.resolve(refs=[ref], access=internal(), role=Role.VIEWER) == {}

    def test_another_site_and_a_lower_role_find_nothing(self, robot, edda, vera):
        for person, role in ((edda, Role.VIEWER), (vera, Role.OPERATOR)):
            assert queries.resolve(refs=[robot.pk, "robot-1"], access=accounts.access_of(person), role=role) == {}

    def test_many_references_are_one_query(self, plant, django_assert_num_queries):
        made = [factories.make_sensor(site=plant, key=f"k{number}") for number in range(40)]
        refs = [*(asset.pk for asset in made), *(asset.key for asset in made), *range(10**6, 10**6 + 5000)]
        with django_assert_num_queries(1):
            assert len(queries.resolve(refs=refs, access=internal(), role=Role.VIEWER)) == 80

    def test_more_than_one_statement_takes_is_found_all_the_same(self, plant, monkeypatch):
        monkeypatch.setattr(queries, "AT_ONCE", 3)
        made = [factories.make_sensor(site=plant) for _ in range(8)]
        found = queries.resolve(refs=[asset.pk for asset in made], access=internal(), role=Role.VIEWER)
        assert set(found) == {asset.pk for asset in made}


@pytest.mark.django_db
class TestStrictCodes:
    def test_only_strict_types_have_them(self):
        strict = factories.make_type("strict", strict=True, parameters=[{"code": "a"}, {"code": "b"}])
        loose = factories.make_type("loose", parameters=[{"code": "a"}])
        assert queries.strict_codes(type_ids=[strict.pk, loose.pk, 99]) == {strict.pk: frozenset("ab")}
