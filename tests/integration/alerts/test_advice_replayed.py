"""What the key figures advise is tried in the rule lab on the very readings that made the trouble."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts import rulebook
from techtrack.alerts.domain.told import columns
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import AlertEvent, Rule
from techtrack.alerts.queries import kpi
from techtrack.alerts.queries.lab import Asked, preview
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

SECOND = timedelta(seconds=1)
SPAN = to_micros(NOW), to_micros(NOW + timedelta(hours=2))


@pytest.fixture(autouse=True)
def plant_time(monkeypatch):
    """The plant's clock stands where the readings end."""
    monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW + timedelta(hours=2))


def store(asset, values, every):
    rows = [
        Row(asset.pk, to_micros(NOW + place * every * SECOND), {"temperature": float(value)})
        for place, value in enumerate(values)
    ]
    telemetry.ingest(batch=Batch.of(rows), by=internal(), now=NOW + timedelta(hours=2), origin=Origin.LIVE)


def judged(rule, asset, values, every=5):
    """Store readings, let the judge raise what the rule makes of them, and measure that."""
    judge = Judge()
    judge.work()
    rulebook.turn_page()
    store(asset, values, every)
    while judge.work():
        pass
    return kpi(access=internal(), site_id=None, span=SPAN)


def advised(report, problem):
    (found,) = [one for one in report.problems if one.problem == problem]
    assert found.fix["action"] == "preview"
    return found.fix


def raises(rule, asset, changes=None):
    """How often the rule lab says that the rule, with these changes, would have been raised by what is stored."""
    definition = {name: value for name, value in rule.definition.items() if name != "scope"}
    tried = Rule(pk=rule.pk, **columns(definition | (changes or {})))
    (outcome,) = preview(Asked(tried, [asset.pk], SPAN)).outcomes
    return outcome.raises


def around_the_limit(seed=3):
    """A value that rests on the limit of 80 for a while, again and again."""
    dice = np.random.default_rng(seed)
    quiet, noisy = np.full(100, 70.0), lambda: 80 + dice.normal(0, 1, 60)
    return np.concatenate([part for _ in range(4) for part in (quiet, noisy())] + [quiet])


def short_peaks():
    """Peaks of ten seconds, minutes apart, and one that lasts."""
    return np.concatenate([np.tile([70.0] * 60 + [85.0] * 2, 6), [85.0] * 60, [70.0] * 60])


class TestAdvice:
    def test_for_chatter_takes_the_repeats_away(self, robot, plant, adam):
        rule = factories.make_rule(site=plant)
        report = judged(rule, robot, around_the_limit())
        fix = advised(report, "chattering")
        assert fix["rule_id"] == rule.pk
        assert set(fix["changes"]) == {"off_delay"}
        before = raises(rule, robot)
        # The lab finds what the judge found, and the advice leaves one alert for each time of trouble.
        assert before == AlertEvent.objects.filter(kind="raised").count()
        assert before > 40
        assert raises(rule, robot, fix["changes"]) == 4

    def test_for_chatter_helps_once_it_is_followed(self, robot, plant, adam):
        rule = factories.make_rule(site=plant)
        fix = advised(judged(rule, robot, around_the_limit()), "chattering")
        from techtrack.alerts import services  # noqa: PLC0415 - beside the one use

        given = columns(fix["changes"])
        services.update_rule(rule=rule, by=access_of(adam), changes=given, expected=None, now=NOW)
        rule.refresh_from_db()
        assert raises(rule, robot) == 4

    def test_for_fleeting_alerts_keeps_those_that_last(self, robot, plant):
        rule = factories.make_rule(site=plant)
        fix = advised(judged(rule, robot, short_peaks()), "fleeting")
        assert set(fix["changes"]) == {"on_delay"}
        assert (raises(rule, robot), raises(rule, robot, fix["changes"])) == (6, 1)

    def test_a_planted_useless_advice_is_caught(self, robot, plant):
        rule = factories.make_rule(site=plant)
        judged(rule, robot, around_the_limit())
        assert raises(rule, robot, {"off_delay": "PT1S"}) == raises(rule, robot)
