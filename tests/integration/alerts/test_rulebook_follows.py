"""When assets change: the page is turned where a rule may look at what changed, and nowhere else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.alerts import rulebook
from techtrack.alerts import services as alerts
from techtrack.alerts.judge import Judge
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, AssetType
from techtrack.core.models import Head
from tests import factories
from tests.factories import NOW
from tests.integration.alerts.test_alert_races import overlap

OWN_LIMIT = [{"kind": "above", "limit": {"attribute": "größe %_", "default": 80.0}, "severity": "high"}]
NESTED = [{"kind": "any_of", "conditions": OWN_LIMIT, "severity": "high"}]
PLAIN = [{"kind": "above", "limit": 80.0, "severity": "high"}]
INTERVALS = {"after": "3x", "policy": "keep"}
MINUTE = timedelta(minutes=1)


def edit(asset, **changes):
    asset = Asset.objects.get(pk=asset.pk)
    assets.update_asset(asset=asset, by=internal(), changes=changes, expected=None, now=NOW)


def turns(change):
    """Whether ``change`` turns the page."""
    before = Head.current(rulebook.HEAD)
    change()
    return Head.current(rulebook.HEAD) > before


@pytest.mark.django_db
class TestAChangeOfAnAsset:
    @pytest.mark.parametrize(
        ("rule", "changes", "expected"),
        [
            pytest.param({"conditions": OWN_LIMIT}, {"attributes": {"größe %_": 7}}, True, id="a limit"),
            pytest.param({"conditions": NESTED}, {"attributes": {"größe %_": 7}}, True, id="a limit of a part"),
            pytest.param({"conditions": OWN_LIMIT}, {"attributes": {"colour": "red"}}, False, id="no limit"),
            pytest.param({"conditions": OWN_LIMIT, "enabled": False}, {"attributes": {"größe %_": 7}}, False, id="off"),
            pytest.param({"conditions": PLAIN}, {"expected_interval": MINUTE}, False, id="an interval nobody asks for"),
            pytest.param({"no_data": INTERVALS}, {"expected_interval": MINUTE}, True, id="how long silence may last"),
            pytest.param(
                {"aggregate": {"window": "PT1M", "min_completeness": 0.5}},
                {"expected_interval": MINUTE},
                True,
                id="what makes a window whole",
            ),
            pytest.param({"conditions": PLAIN}, {"tags": ["cnc"]}, True, id="tags"),
            pytest.param({"conditions": PLAIN}, {"site": None}, True, id="its site"),
            pytest.param({"conditions": PLAIN}, {"name": "another"}, False, id="its name"),
        ],
    )
    def test_turns_the_page_where_a_rule_may_look_at_it(self, rule, changes, expected, robot):
        factories.make_rule(**rule)
        assert turns(lambda: edit(robot, **changes)) == expected

    @pytest.mark.parametrize(("rule", "expected"), [({"conditions": PLAIN}, False), ({"no_data": INTERVALS}, True)])
    def test_of_all_of_a_type_does_so_where_a_rule_asks(self, rule, expected, robot):
        factories.make_rule(**rule)
        kind = AssetType.objects.get(pk=robot.type_id)
        changes = {"expected_interval": MINUTE}
        assert expected == turns(
            lambda: assets.update_asset_type(asset_type=kind, by=internal(), changes=changes, expected=None, now=NOW)
        )


@pytest.mark.django_db(transaction=True)
class TestARuleMadeAtTheSameMoment:
    @pytest.mark.parametrize("first", ["rule", "asset"])
    def test_sees_what_was_changed(self, first, robot):
        data = {"name": "Own", "parameter": "temperature", "conditions": OWN_LIMIT}

        def make_rule():
            alerts.create_rule(by=internal(), now=NOW, data=data)

        def give_limit():
            edit(robot, attributes={"größe %_": 7})

        judge = Judge()
        judge.work()
        steps = [make_rule, give_limit] if first == "rule" else [give_limit, make_rule]
        # The judge looks as soon as the second is through.
        overlap(steps[0], lambda: None, lambda: (steps[1](), judge.work()))
        judge.work()
        [entry] = judge._book.entries
        assert entry.watch.leaves[0].comparator.high == 7.0
