"""What readings, alerts and deletions do to assets, also when two come at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from techtrack.accounts import queries as accounts
from techtrack.accounts.domain.access import Access, Role, Scope, internal
from techtrack.accounts.models import ApiKey
from techtrack.assets import services
from techtrack.assets.events import AssetChanged, AssetDeleting
from techtrack.assets.models import Asset, AssetState, AssetType, Kind, Parameter
from techtrack.core import clock, events
from techtrack.core.errors import Forbidden, Stale
from tests import factories


@pytest.fixture
def heard():
    """The facts of assets, in the order in which they were published."""
    facts = []
    for fact in (AssetChanged, AssetDeleting):
        events.together(fact, facts.append)
    yield facts
    for fact in (AssetChanged, AssetDeleting):
        events._together[fact].remove(facts.append)


def at_once(*works):
    """Do all of ``works`` in threads of their own; return what went wrong."""
    gate, failures = threading.Barrier(len(works)), []

    def run(work):
        try:
            gate.wait(10)
            work()
        except Exception as error:  # noqa: BLE001 - handed to the test
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return failures


class TestFacts:
    def test_what_moves_an_asset_in_or_out_of_scopes_is_announced(self, erik, now, heard):
        """A new name is not: whoever hears this looks at every rule again."""
        by = accounts.access_of(erik)
        asset = services.create_asset(kind=Kind.SENSOR, by=by, now=now, data={"name": "x"})
        services.update_asset(asset=asset, by=by, changes={"name": "y", "tags": []}, expected=1, now=now)
        services.update_asset(asset=asset, by=by, changes={"tags": ["hall-3"]}, expected=2, now=now)
        services.delete_asset(asset=asset, by=by, confirm=None, expected=3)
        pk = asset.pk
        assert heard == [AssetChanged(pk), AssetChanged(pk), AssetDeleting(pk), AssetChanged(pk)]

    def test_deleting_takes_the_keys_of_the_asset_along(self, erik, robot, station, now):
        for number, asset in enumerate((robot, station)):
            ApiKey.objects.create(
                name="k", prefix=f"p{number}", digest=f"d{number}", scope=Scope.INGEST, asset_id=asset.pk,
                created_by=erik, created_at=now, updated_at=now,
            )  # fmt: skip
        services.delete_asset(asset=robot, by=internal(), confirm=None, expected=None)
        assert [key.asset_id for key in ApiKey.objects.all()] == [station.pk]

    def test_a_stale_deletion_leaves_everything(self, robot, erik, now):
        ApiKey.objects.create(
            name="k", prefix="p", digest="d", scope=Scope.INGEST, asset_id=robot.pk,
            created_by=erik, created_at=now, updated_at=now,
        )  # fmt: skip
        with pytest.raises(Stale):
            services.delete_asset(asset=robot, by=internal(), confirm=None, expected=9)
        assert Asset.objects.count() == ApiKey.objects.count() == 1


class TestBoundKeys:
    def test_a_key_of_one_asset_makes_no_assets_and_no_types(self, erik, robot, now):
        by = Access(erik.pk, "erik", everywhere=Role.ADMIN, scope=Scope.WRITE, only_asset=robot.pk)
        with pytest.raises(Forbidden):
            services.create_asset(kind=Kind.SENSOR, by=by, now=now, data={"name": "x"})
        with pytest.raises(Forbidden):
            services.create_asset_type(by=by, now=now, data={"slug": "x", "name": "x"})
        assert services.update_asset(asset=robot, by=by, changes={"name": "x"}, expected=None, now=now).name == "x"


class TestMarkSeen:
    def test_it_moves_forward_only_and_passes_unknown_ids_over(self, robot, station, now):
        later, earlier = now + timedelta(microseconds=1), now - timedelta(seconds=1)
        services.mark_seen(newest={robot.pk: clock.to_micros(now), station.pk: clock.to_micros(now), 10**9: 5})
        services.mark_seen(newest={robot.pk: clock.to_micros(later), station.pk: clock.to_micros(earlier)})
        seen = dict(AssetState.objects.values_list("pk", "last_seen"))
        assert seen == {robot.pk: later, station.pk: now}

    def test_whole_seconds_and_fractions_compare_as_times(self, robot, now):
        moments = [now + timedelta(microseconds=500_000), now, now + timedelta(seconds=1)]
        for moment in moments:
            services.mark_seen(newest={robot.pk: clock.to_micros(moment)})
        assert AssetState.objects.get(pk=robot.pk).last_seen == moments[2]

    def test_it_is_one_statement(self, robot, station, django_assert_num_queries):
        with django_assert_num_queries(1):
            services.mark_seen(newest={robot.pk: 1, station.pk: 2, 10**9: 3})

    def test_no_news_is_no_statement(self, db, django_assert_num_queries):
        with django_assert_num_queries(0):
            services.mark_seen(newest={})

    def test_it_makes_a_missing_state(self, robot, now):
        AssetState.objects.all().delete()
        services.mark_seen(newest={robot.pk: clock.to_micros(now)})
        state = AssetState.objects.get(pk=robot.pk)
        assert (state.last_seen, state.health) == (now, "good")

    @pytest.mark.parametrize(
        ("before", "after"), [("unknown", "good"), ("good", "good"), ("warning", "warning"), ("critical", "critical")]
    )
    def test_who_is_seen_is_well_unless_alerts_say_otherwise(self, robot, station, now, before, after):
        AssetState.objects.filter(pk=robot.pk).update(health=before)
        services.mark_seen(newest={robot.pk: clock.to_micros(now)})
        assert dict(AssetState.objects.values_list("pk", "health")) == {robot.pk: after, station.pk: "unknown"}


class TestHealth:
    @pytest.mark.parametrize(
        ("worst", "health"),
        [
            ("critical", "critical"),
            ("high", "warning"),
            ("medium", "warning"),
            ("low", "warning"),
            ("info", "warning"),
            (None, "good"),
        ],
    )
    def test_it_follows_the_worst_open_alert(self, robot, worst, health):
        services.set_health(asset_id=robot.pk, worst=worst)
        assert AssetState.objects.get(pk=robot.pk).health == health

    def test_an_unknown_asset_is_passed_over(self, db):
        services.set_health(asset_id=10**9, worst="high")
        assert not AssetState.objects.exists()


class TestLearning:
    def test_new_codes_are_registered_and_listed_in_the_type(self, robot, now):
        services.learn_parameters(codes_by_type={robot.type_id: {"speed", "load"}, None: {"mood"}}, now=now)
        learned = AssetType.objects.get(pk=robot.type_id)
        assert [entry["code"] for entry in learned.parameters] == ["load", "speed"]
        assert learned.version == 2
        assert set(Parameter.objects.values_list("code", flat=True)) == {"speed", "load", "mood"}

    def test_what_is_listed_stays_as_it_is(self, now, db):
        entry = {"code": "load", "unit": "kg", "minimum": 0, "maximum": 5, "label": "Load"}
        kind = factories.make_type("lift", parameters=[entry])
        services.learn_parameters(codes_by_type={kind.pk: {"load", "speed"}}, now=now)
        kind.refresh_from_db()
        assert kind.parameters[0] == entry
        assert [listed["code"] for listed in kind.parameters] == ["load", "speed"]

    def test_a_strict_type_learns_nothing(self, now, db):
        kind = factories.make_type("strict", strict=True)
        services.learn_parameters(codes_by_type={kind.pk: {"speed"}}, now=now)
        kind.refresh_from_db()
        assert (kind.parameters, kind.version) == ([], 1)
        assert not Parameter.objects.exists()

    def test_nothing_new_is_one_query(self, robot, now, django_assert_num_queries):
        known = {robot.type_id: {"speed"}}
        services.learn_parameters(codes_by_type=known, now=now)
        with django_assert_num_queries(1):
            services.learn_parameters(codes_by_type=known, now=now)

    def test_a_type_that_is_gone_is_passed_over(self, now, db):
        services.learn_parameters(codes_by_type={10**9: {"speed"}}, now=now)
        assert not Parameter.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_learning_at_once_loses_nothing(self, now):
        kinds = [factories.make_type(slug) for slug in ("a", "b")]
        batches = [{f"p{number}", "common"} for number in range(6)]
        works = [
            lambda codes=codes: services.learn_parameters(codes_by_type={kind.pk: codes for kind in kinds}, now=now)
            for codes in batches
        ]
        assert at_once(*works) == []
        for kind in AssetType.objects.all():
            assert sorted(entry["code"] for entry in kind.parameters) == ["common", *(f"p{n}" for n in range(6))]
        assert Parameter.objects.count() == 7


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_moves_close_no_circle(self, now):
        one, two = factories.make_equipment("one"), factories.make_equipment("two")

        def move(asset, parent):
            return lambda: services.update_asset(
                asset=asset, by=internal(), changes={"parent": parent}, expected=None, now=now
            )

        failures = at_once(move(one, two), move(two, one))
        assert [type(failure) for failure in failures] == [services.BadParent]
        assert Asset.objects.exclude(parent=None).count() == 1

    def test_a_new_type_is_made_once(self, now):
        def create():
            services.create_asset(kind=Kind.SENSOR, by=internal(), now=now, data={"name": "x", "type": "new"})

        assert at_once(*[create] * 5) == []
        assert (AssetType.objects.count(), Asset.objects.count()) == (1, 5)

    def test_seen_by_many_keeps_the_newest(self, now):
        assets = [factories.make_sensor() for _ in range(20)]
        start = clock.to_micros(now)

        def see(turn):
            # Every other one comes from the far end, as two gateways might.
            order = assets[::-1] if turn % 2 else assets
            return lambda: services.mark_seen(newest={asset.pk: start + turn for asset in order})

        works = [see(turn) for turn in range(6)]
        assert at_once(*works) == []
        assert set(AssetState.objects.values_list("last_seen", flat=True)) == {clock.from_micros(start + 5)}
