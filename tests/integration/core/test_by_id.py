"""Rows found by statements that are made once are those that the query builder finds."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import connection
from django.db.models import F

from techtrack.accounts.models import User
from techtrack.assets.models import Asset, Equipment
from techtrack.core.by_id import ById
from tests import factories

pytestmark = pytest.mark.django_db


class TestById:
    def test_finds_each_row_with_all_that_the_queryset_takes_along(self, plant, django_assert_num_queries):
        ours = [factories.make_equipment(site=plant, type=factories.make_type(f"type-{n}")) for n in range(3)]
        rows = Equipment.objects.select_related("type", "state").defer("type__parameters").annotate(at=F("site__name"))
        found = ById(rows)
        for asset in ours:
            with django_assert_num_queries(1):
                row = found.find(asset.pk)
                assert (row, row.name, row.type.slug, row.at) == (asset, asset.name, asset.type.slug, plant.name)
                assert row.state.asset_id == asset.pk
            assert row.type.get_deferred_fields() == {"parameters"}
            assert [getattr(row, field.attname) for field in Asset._meta.concrete_fields] == [
                getattr(asset, field.attname) for field in Asset._meta.concrete_fields
            ]

    def test_takes_along_what_is_prefetched(self, olga, erik, django_assert_num_queries):
        found = ById(User.objects.prefetch_related("memberships"))
        for person, expected in [(olga, olga.access()), (erik, erik.access())]:
            with django_assert_num_queries(2):
                assert found.find(person.pk).access() == expected

    def test_finds_nothing_outside_its_queryset(self, plant, robot):
        elsewhere = factories.make_equipment(site=factories.make_site("elsewhere"))
        found = ById(Equipment.objects.filter(site__in=[plant.pk]))
        assert found.find(robot.pk) == robot
        assert found.find(elsewhere.pk) is None
        assert found.find(2**63 - 1) is None

    def test_asks_nobody_where_there_can_be_nothing(self, robot, django_assert_num_queries):
        for rows in (Equipment.objects.none(), Equipment.objects.filter(site__in=[])):
            with django_assert_num_queries(0):
                assert ById(rows).find(robot.pk) is None

    def test_sees_what_was_written_since(self, robot):
        found = ById(Equipment.objects.all())
        assert found.find(robot.pk).name == robot.name
        Equipment.objects.filter(pk=robot.pk).update(name="another")
        assert found.find(robot.pk).name == "another"
        Equipment.objects.filter(pk=robot.pk).delete()
        assert found.find(robot.pk) is None


@pytest.mark.django_db(transaction=True)
class TestThreads:
    def test_each_asks_on_its_own_connection(self, plant):
        ours = [factories.make_equipment(site=plant) for _ in range(4)]
        found, seen = ById(Equipment.objects.all()), {}

        def ask(number: int) -> None:
            seen[number] = {found.find(ours[number].pk).pk for _ in range(50)}
            connection.close()

        threads = [Thread(target=ask, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == {number: {asset.pk} for number, asset in enumerate(ours)}
