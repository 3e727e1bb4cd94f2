"""What the topics without a site gather, as pipeline.py has connected them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from techtrack.accounts.queries import access_of
from techtrack.live.hub import hub
from techtrack.live.outbox import Outbox
from techtrack.live.subscriber import Subscriber


def told(access, kind, sites):
    """The ``sites`` of whose frames a subscriber to ``kind`` is told."""
    subscriber = Subscriber(access, Outbox())
    return [site for site in sites if hub.wanted(subscriber, frozenset({kind}), [f"sites/{site}/{kind}"])]


@pytest.mark.parametrize("kind", ["readings", "alerts"])
class TestGathering:
    def test_tells_of_the_sites_that_one_may_see(self, kind, adam, olga, mallory, plant, other_site):
        sites = [plant.pk, other_site.pk, 0]
        assert told(access_of(olga), kind, sites) == [plant.pk]
        assert told(access_of(adam), kind, sites) == sites
        assert told(access_of(mallory), kind, sites) == []

    def test_tells_a_key_of_one_asset_nothing(self, kind, olga, plant, robot):
        assert told(replace(access_of(olga), only_asset=robot.pk), kind, [plant.pk]) == []
