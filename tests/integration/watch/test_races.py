"""Any number of processes settle the same findings at once: each trouble is one alert, and there is one asset."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.watch import services
from techtrack.watch.domain.checks import Finding
from techtrack.watch.models import Check

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = ("no_worker", "disk_full", "judge_lag")
PROCESSES = 4


def findings(level, *, kinds=KINDS):
    return [Finding(kind, "", level, f"{kind} is wrong", 2.0, 1.0) for kind in kinds]


@pytest.fixture
def race(monkeypatch):
    """``race(at, *findings)``: processes with findings of their own read what is believed, then all go on at once."""

    def run(at, *found):
        together = threading.Barrier(len(found))
        remember = services._remember

        def meet(*arguments):
            together.wait(20)
            remember(*arguments)

        def settle(mine):
            try:
                services.settle(findings=mine, at=at, now=at)
            finally:
                connections.close_all()

        with monkeypatch.context() as patch:
            patch.setattr(services, "_remember", meet)
            with ThreadPoolExecutor(len(found)) as threads:
                for done in [threads.submit(settle, mine) for mine in found]:
                    done.result()

    return run


@pytest.fixture
def at():
    """A moment at which everything has been wrong for a while, and nobody has said so."""
    now = clock.now()
    services.settle(findings=findings(2.0), at=now - timedelta(minutes=5), now=now)
    assert not Alert.objects.exists()
    return now


def active():
    return sorted(Alert.objects.filter(active=True).values_list("parameter", flat=True))


class TestRace:
    def test_raises_each_trouble_once(self, race, at):
        race(at, *[findings(2.0)] * PROCESSES)
        assert active() == sorted(KINDS)
        assert Asset.objects.count() == 1

    def test_makes_one_asset_for_different_troubles(self, race, at):
        # Each begins with another one.
        race(at, *[findings(2.0, kinds=KINDS[first:] + KINDS[:first]) for first in range(len(KINDS))])
        assert active() == sorted(KINDS)
        assert Asset.objects.count() == 1

    def test_returns_each_trouble_once(self, race, at):
        race(at, *[findings(2.0)] * PROCESSES)
        race(at + timedelta(minutes=1), *[findings(0.0)] * PROCESSES)
        race(at + timedelta(minutes=5), *[findings(0.0)] * PROCESSES)
        assert active() == []
        assert Alert.objects.count() == len(KINDS)
        kinds = [event.kind for alert in Alert.objects.all() for event in alert.events.all()]
        assert (kinds.count("raised"), kinds.count("returned")) == (len(KINDS), len(KINDS))

    def test_raises_once_more_what_somebody_closed(self, race, at):
        race(at, *[findings(2.0)] * PROCESSES)
        Alert.objects.update(active=False)
        race(at + timedelta(minutes=1), *[findings(2.0)] * PROCESSES)
        assert active() == sorted(KINDS)

    def test_of_those_who_believe_what_they_read_before_is_caught(self, race, at, monkeypatch):
        def rash(finding, at, now):
            alert = services._raise(finding, now)
            Check.objects.filter(kind=finding.kind).update(active=True, alert_id=alert.pk)

        monkeypatch.setattr(services, "_believe", rash)
        race(at, *[findings(2.0)] * PROCESSES)
        assert len(active()) > len(KINDS)
