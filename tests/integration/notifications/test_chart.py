"""The chart in an e-mail: the readings around the alert, and no message waits for it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from techtrack.accounts.queries import access_of
from techtrack.core.clock import to_micros
from techtrack.notifications import queries
from techtrack.notifications.domain.chart import HEIGHT, LIMIT, LINE, WIDTH, Curve, draw
from techtrack.notifications.domain.message import compose
from techtrack.notifications.services import enclosed, enclosing
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.services import ingest
from tests import factories

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def colours(png):
    image = Image.open(io.BytesIO(png)).convert("RGB")
    assert image.size == (WIDTH, HEIGHT)
    return {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in image.getcolors(WIDTH * HEIGHT)}


def curve(values, *, limit=80.0, seconds=60):
    times = to_micros(AT) + np.arange(len(values), dtype=np.int64) * int(seconds * 1e6)
    return Curve(times, np.array(values, dtype=float), "°C", limit, AT, UTC)


class TestDraw:
    def test_shows_line_and_limit(self):
        assert {LINE, LIMIT} <= colours(draw(curve([70, 75, 85, 90])))

    def test_shows_no_limit_that_would_flatten_the_line(self):
        plain = curve([70, 75, 85, 90], limit=1e6)
        # The line of the moment has the limit's colour, so it is put out of sight.
        hidden = Curve(plain.times, plain.values, plain.unit, plain.limit, AT - timedelta(days=1), UTC)
        assert LIMIT not in colours(draw(hidden))

    @pytest.mark.parametrize("values", [[], [1.0], [float("nan")] * 5, [1.0, float("inf")]])
    def test_is_nothing_where_there_is_no_line(self, values):
        assert draw(curve(values)) is None

    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.floats(allow_nan=True, width=64), min_size=2, max_size=30),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    )
    def test_draws_whatever_sensors_say(self, values, limit):
        png = draw(curve(values, limit=limit))
        assert png is None or png.startswith(b"\x89PNG")

    def test_is_small(self):
        values = 70 + 20 * np.random.default_rng(7).random(300)
        assert len(draw(curve(values))) < 40_000


class TestEnclosed:
    @pytest.fixture
    def delivery(self, make_alert, robot, erik):
        for minute in range(-30, 10):
            at = factories.NOW + timedelta(minutes=minute)
            batch = Batch.of([Row(robot.pk, to_micros(at), {"temperature": 70.0 + minute})])
            ingest(batch=batch, by=access_of(erik), now=factories.NOW + timedelta(minutes=20), origin=Origin.LIVE)
        alert = make_alert(condition="above")
        facts = queries.facts_of(alert, event="raised", public_url="https://plant.example")
        made = factories.make_delivery(factories.make_channel(), alert=alert)
        made.message = compose(facts)
        return made

    def test_has_a_chart(self, delivery):
        message = enclosed(
            delivery.message, delivery, now=factories.NOW, plant_now=factories.NOW + timedelta(minutes=10)
        )
        assert {LINE, LIMIT} <= colours(message.chart)

    def test_has_none_where_nobody_would_see_it(self, delivery):
        delivery.channel.kind = "webhook"
        assert enclosed(delivery.message, delivery, now=factories.NOW, plant_now=factories.NOW).chart is None

    def test_has_none_once_it_has_waited(self, delivery):
        late = factories.NOW + timedelta(minutes=2)
        assert enclosed(delivery.message, delivery, now=late, plant_now=late).chart is None

    def test_goes_without_where_it_cannot_be_made(self, delivery, monkeypatch, caplog):
        def broken(*_, **__):
            raise ValueError("a chunk that cannot be read")

        monkeypatch.setattr(enclosing.telemetry, "thinned", broken)
        message = enclosed(delivery.message, delivery, now=factories.NOW, plant_now=factories.NOW)
        assert (message.chart, message.text) == (None, delivery.message.text)
        assert "no chart for alert" in caplog.text
