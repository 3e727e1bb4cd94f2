"""Silences and maintenance windows that come again and again: nobody is told in them, by repetition nor escalation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.alerts import hiding
from techtrack.core import clock
from tests import factories
from tests.integration.notifications.day import MINUTE, NOW

DAY = 24 * 60


@pytest.fixture
def at(day, monkeypatch):
    """``at(minutes)``: what is told then, after who hides has looked."""
    monkeypatch.setattr(clock, "now", lambda: day.now)
    monkeypatch.setattr(clock, "plant_now", lambda: day.now)

    def look(minutes):
        day.now = NOW + minutes * MINUTE
        hiding.reconcile(now=day.now)
        return day.told()

    return look


@pytest.mark.parametrize("kind", ["silence", "maintenance"])
def test_repetition_and_escalation_pause_in_a_window_and_begin_anew_after_it(
    day, at, make_alert, make_channel, make_route, robot, kind
):
    lead = make_channel("lead")
    make_route(make_channel("shift"), repeat_every=10 * MINUTE, escalation=[{"after": "PT25M", "channels": [lead.pk]}])
    window = {"starts_at": NOW + 15 * MINUTE, "duration": 30 * MINUTE, "timezone": "Europe/Berlin"}
    factories.make_silence(kind=kind, rrule="FREQ=DAILY", ends_at=None, matchers={"assets": [robot.pk]}, **window)
    alert = make_alert(title="Hot", rule=factories.make_rule())
    day.happens(alert)
    assert at(0) == [("shift", "raised", "Hot")]
    assert at(10) == [("shift", "repeated", "Hot")]
    for minutes in (15, 20, 25, 30, 44):
        assert at(minutes) == []
    # It is in sight again: that is news, and everybody has the whole time once more.
    assert at(45) == [("shift", "raised", "Hot")]
    assert at(55) == [("shift", "repeated", "Hot")]
    assert at(69) == [("shift", "repeated", "Hot")]
    assert at(70) == [("lead", "escalated", "Hot")]
    # The next day the window comes again.
    assert at(DAY + 14)
    for minutes in (15, 30, 44):
        assert at(DAY + minutes) == []
    assert at(DAY + 45) == [("shift", "raised", "Hot")]


def test_a_window_over_another_asset_keeps_nobody_quiet(day, at, make_alert, make_channel, make_route, plant):
    make_route(make_channel("shift"), repeat_every=10 * MINUTE)
    other = factories.make_equipment("Other", site=plant)
    window = {"starts_at": NOW, "duration": timedelta(hours=1), "timezone": "UTC"}
    factories.make_silence(rrule="FREQ=DAILY", ends_at=None, matchers={"assets": [other.pk]}, **window)
    day.happens(make_alert(title="Hot", rule=factories.make_rule()))
    assert at(0) == [("shift", "raised", "Hot")]
    assert at(10) == [("shift", "repeated", "Hot")]
