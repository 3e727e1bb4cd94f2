"""Access: who may do what where, for people and for keys."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.access import Access, Role, Scope, internal
from techtrack.core.errors import Forbidden

PLANT, ELSEWHERE = 1, 2

adam = Access(1, "adam", everywhere=Role.ADMIN)
olga = Access(2, "olga", at={PLANT: Role.OPERATOR})
mallory = Access(3, "mallory")
boss = Access(4, "boss", everywhere=Role.VIEWER, at={PLANT: Role.ENGINEER})


class TestRole:
    def test_each_includes_the_ones_before_it_and_itself(self):
        order = [Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.ADMIN]
        for place, role in enumerate(order):
            assert [role.includes(other) for other in order] == [other <= place for other in range(4)]


class TestRoleAt:
    @pytest.mark.parametrize(
        ("access", "site", "role"),
        [
            pytest.param(adam, PLANT, Role.ADMIN, id="a role everywhere holds at a site"),
            pytest.param(adam, None, Role.ADMIN, id="a role everywhere holds at no site"),
            pytest.param(olga, PLANT, Role.OPERATOR, id="a role at a site holds there"),
            pytest.param(olga, ELSEWHERE, None, id="a role at a site does not hold at another"),
            pytest.param(olga, None, None, id="a role at a site does not hold at no site"),
            pytest.param(mallory, PLANT, None, id="no role holds nowhere"),
            pytest.param(boss, PLANT, Role.ENGINEER, id="the higher of two roles counts"),
            pytest.param(boss, ELSEWHERE, Role.VIEWER, id="the role everywhere remains elsewhere"),
        ],
    )
    def test_is(self, access, site, role):
        assert access.role_at(site) is role


class TestRequire:
    def test_passes_with_the_role(self):
        olga.require(Role.OPERATOR, PLANT)

    def test_names_the_role_and_the_place_that_are_missing(self):
        with pytest.raises(Forbidden, match="engineer at site 1"):
            olga.require(Role.ENGINEER, PLANT)
        with pytest.raises(Forbidden, match="admin for all sites"):
            olga.require(Role.ADMIN, None)


class TestSites:
    @pytest.mark.parametrize(
        ("access", "role", "sites"),
        [
            pytest.param(adam, Role.ADMIN, None, id="everywhere is every site"),
            pytest.param(olga, Role.VIEWER, {PLANT}, id="an operator may view"),
            pytest.param(olga, Role.ENGINEER, set(), id="an operator engineers nowhere"),
            pytest.param(boss, Role.VIEWER, None, id="a viewer everywhere views every site"),
            pytest.param(boss, Role.ENGINEER, {PLANT}, id="and engineers at one"),
            pytest.param(mallory, Role.VIEWER, set(), id="an outsider views none"),
        ],
    )
    def test_are(self, access, role, sites):
        assert access.sites(role) == sites


class TestKey:
    at_plant = Access(1, "adam", everywhere=Role.ADMIN, scope=Scope.WRITE, only_site=PLANT, key_id=9)

    def test_for_one_site_has_no_authority_elsewhere(self):
        assert self.at_plant.role_at(PLANT) is Role.ADMIN
        assert self.at_plant.role_at(ELSEWHERE) is None
        assert self.at_plant.role_at(None) is None
        assert self.at_plant.sites() == {PLANT}

    def test_for_a_site_that_its_maker_has_lost_reaches_nothing(self):
        key = Access(2, "olga", at={ELSEWHERE: Role.OPERATOR}, scope=Scope.WRITE, only_site=PLANT, key_id=9)
        assert key.sites() == frozenset()

    def test_keeps_its_records_apart_from_its_makers(self):
        assert self.at_plant.principal == "key:9"
        assert adam.principal == "user:1"

    @pytest.mark.parametrize(
        ("scope", "door", "writing", "may"),
        [
            pytest.param(Scope.INGEST, "readings", True, True, id="ingest sends readings"),
            pytest.param(Scope.INGEST, "readings", False, False, id="ingest reads none"),
            pytest.param(Scope.INGEST, "resources", False, False, id="ingest sees nothing else"),
            pytest.param(Scope.READ, "resources", False, True, id="read reads"),
            pytest.param(Scope.READ, "resources", True, False, id="read changes nothing"),
            pytest.param(Scope.WRITE, "resources", True, True, id="write changes"),
            pytest.param(Scope.WRITE, "accounts", True, False, id="write administers nobody"),
            pytest.param(Scope.WRITE, "accounts", False, False, id="write looks at nobody"),
            pytest.param(None, "accounts", True, True, id="a person reaches every door"),
        ],
    )
    def test_reaches_a_door_as_far_as_its_scope(self, scope, door, writing, may):
        assert Access(1, "adam", everywhere=Role.ADMIN, scope=scope).may_use(door, writing=writing) is may


class TestInternal:
    def test_may_everything_and_is_nobody(self):
        assert internal().allows(Role.ADMIN, None)
        assert internal().user_id == 0
