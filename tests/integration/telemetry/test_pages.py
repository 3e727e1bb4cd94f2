"""Lists of readings over years of data: windows of time, held against sorting everything."""

from __future__ import annotations

import random

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.core.clock import to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.domain.reading import FOREVER, Batch, Origin, Row
from techtrack.telemetry.queries import Place, pages
from techtrack.telemetry.services import ingest
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
HOUR = 3_600_000_000
YEAR = 365 * 24 * HOUR


@pytest.fixture(params=range(4))
def history(request, plant):
    """Readings of some assets, dense here and years apart there, and the list that they make."""
    dice = random.Random(request.param)
    assets = [factories.make_equipment(site=plant).pk for _ in range(4)]
    newest, times = to_micros(NOW), set()
    for _ in range(6):
        start = newest - dice.randrange(0, 9 * YEAR)
        times |= {start + step * dice.choice([1, 1000, HOUR // 10]) for step in range(dice.randint(1, 30))}
    rows = [
        Row(asset, min(time, newest), {dice.choice(["speed", "temperature"]): 1.0})
        for time in times
        for asset in dice.sample(assets, dice.randint(1, 4))
    ]
    ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=Origin.IMPORT)
    listed = sorted({(row.time, row.asset) for row in rows}, reverse=True)
    return assets, listed, {(row.time, row.asset): set(row.values) for row in rows}


def names(rows):
    return [(row.time, row.asset) for row in rows]


class TestPages:
    @pytest.mark.parametrize("budget", [10_000, 4_000], ids=["as it is", "smaller windows"])
    def test_are_pieces_of_the_whole_list_both_ways(self, history, monkeypatch, budget):
        assets, listed, _ = history
        monkeypatch.setattr(pages, "MOST_ASSET_HOURS", budget)
        for index in range(0, len(listed), 7):
            place = Place(*listed[index])
            older = queries.older(asset_ids=assets, span=FOREVER, before=place, limit=10)
            assert names(older) == listed[index + 1 : index + 11]
            newer = queries.newer(asset_ids=assets, span=FOREVER, after=place, limit=10)
            assert names(newer) == listed[max(index - 10, 0) : index]

    def test_begin_with_the_newest_of_the_span(self, history):
        assets, listed, _ = history
        middle = listed[len(listed) // 2][0]
        found = queries.older(asset_ids=assets, span=(middle, FOREVER[1]), before=None, limit=500)
        assert names(found) == [place for place in listed if place[0] >= middle]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    @pytest.mark.parametrize("parameters", [[], ["speed"]], ids=["any", "speed"])
    def test_that_come_first_need_few_assets(self, history, monkeypatch, limit, parameters):
        assets, listed, codes = history
        asked = []
        whole = pages.store.readings
        monkeypatch.setattr(pages.store, "readings", lambda ids, span: asked.append(ids) or whole(ids, span=span))
        found = queries.older(asset_ids=assets, span=FOREVER, before=None, limit=limit, parameters=parameters)
        fitting = [place for place in listed if not parameters or codes[place] & set(parameters)]
        assert names(found) == fitting[:limit]
        assert max(map(len, asked)) <= limit

    def test_hold_what_has_the_parameter(self, history):
        assets, listed, codes = history
        found = queries.older(asset_ids=assets, span=FOREVER, before=None, limit=500, parameters=["speed"])
        assert names(found) == [place for place in listed if "speed" in codes[place]]

    def test_of_nothing_are_empty(self, plant):
        asset = factories.make_equipment(site=plant).pk
        assert queries.older(asset_ids=[asset], span=FOREVER, before=None, limit=5) == []
        assert queries.newer(asset_ids=[], span=FOREVER, after=Place(0, 1), limit=5) == []

    def test_read_a_dense_past_by_the_hour(self, plant, monkeypatch):
        """However much lies there, a page of the newest reads two hours."""
        asset = factories.make_equipment(site=plant).pk
        rows = [Row(asset, to_micros(NOW) - 60_000_000 * minute, {"speed": 1.0}) for minute in range(3000)]
        ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=Origin.IMPORT)
        spans = []
        whole = pages.store.readings
        monkeypatch.setattr(pages.store, "readings", lambda ids, span: spans.append(span) or whole(ids, span=span))
        assert len(queries.older(asset_ids=[asset], span=FOREVER, before=None, limit=50)) == 50
        assert sum(end - start for start, end in spans) <= 2 * HOUR


class TestGrowth:
    @pytest.mark.parametrize(
        ("hours", "read", "assets", "expected"),
        [
            pytest.param(2, 0, 1, 8, id="nothing there: look further"),
            pytest.param(8192, 0, 1, 10_000, id="never further than memory allows"),
            pytest.param(2, 0, 5000, 2, id="many assets: small steps"),
            pytest.param(2, 0, 50_000, 1, id="an hour at least"),
            pytest.param(10, 400_000, 1, 5, id="dense: smaller steps"),
        ],
    )
    def test_is_bounded_by_what_a_window_may_hold(self, hours, read, assets, expected):
        assert pages._more(hours, read, assets) == expected
