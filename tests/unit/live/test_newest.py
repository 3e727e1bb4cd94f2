"""The newest values in some batches, against a plain loop."""

from __future__ import annotations

import random

import numpy as np

from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.live.feed import Wishes
from techtrack.telemetry.live.newest import newest


def plainly(batches):
    found = {}
    for batch in batches:
        for row in batch.rows():
            for code, value in row.values.items():
                known = found.setdefault(row.asset, {}).get(code)
                if known is None or row.time >= known[0]:
                    found[row.asset][code] = (row.time, value)
    return {asset: {code: value for code, (_, value) in values.items()} for asset, values in found.items()}


class TestNewest:
    def test_agrees_with_a_plain_loop(self):
        for seed in range(200):
            chance = random.Random(seed)
            batches = []
            for _ in range(chance.randrange(1, 4)):
                codes = chance.sample("abcd", 2)
                rows = [
                    Row(
                        chance.randrange(1, 5),
                        chance.randrange(6),
                        {code: chance.random() for code in codes[: chance.randrange(1, 3)]},
                    )
                    for _ in range(chance.randrange(1, 8))
                ]
                batches.append(Batch.of(rows))
            found = newest(batches)
            assert {one.asset: one.values for one in found} == plainly(batches), seed
            for one in found:
                assert one.at == max(r.time for b in batches for r in b.rows() if r.asset == one.asset)

    def test_of_nothing_is_nothing(self):
        assert newest([]) == []
        assert newest([Batch(np.empty(0, np.int64), np.empty(0, np.int64), {})]) == []


class TestWishes:
    def test_are_read_from_the_names_of_topics(self):
        wishes = Wishes.of(["assets/7/readings", "sites/2/readings", "sites/2/alerts", "readings", "assets/x"])
        assert (wishes.assets, wishes.sites, wishes.everything) == ({7}, {2}, False)
        assert wishes.topics(7, 2) == ("assets/7/readings", "sites/2/readings")
        assert wishes.topics(8, 3) == ()

    def test_of_the_pattern_of_all_sites_are_everything(self):
        wishes = Wishes.of(["readings", "sites/{site}/readings"])
        assert wishes.topics(8, 3) == ("sites/3/readings",)

    def test_of_alerts_alone_are_none(self):
        assert not Wishes.of(["alerts", "sites/2/alerts"])
