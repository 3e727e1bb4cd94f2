"""How many marks tests make of what never ends: of one value in two, and of a night that is sent after the day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import internal
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict
from techtrack.environment import jobs, services
from techtrack.environment.domain import testing
from techtrack.environment.jobs import QualityControl
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import LogConsumer, QualityMark
from techtrack.telemetry.services import Reached
from techtrack.telemetry.store import marking
from tests.factories import NOW
from tests.integration.environment.stations import HOUR, make_station, pass_all, send

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NOTHING = -999.0


@pytest.fixture
def sensor(plant):
    return make_station(site=plant)


def marks(sensor, every):
    """First and last value before NOW of each mark, the oldest first."""
    micros = every // timedelta(microseconds=1)
    now = int(NOW.timestamp()) * 1_000_000
    rows = QualityMark.objects.filter(asset_id=sensor.pk).order_by("start_at")
    return [((now - row.start_at) // micros, (now - row.end_at + 1) // micros) for row in rows]


def used(sensor, hours=48):
    """How many values are left for statistics."""
    end = int(NOW.timestamp()) * 1_000_000 + 1
    span = (end - hours * 3_600_000_000, end)
    return telemetry.counts([sensor.pk], codes=["pm2_5"], span=span).get((sensor.pk, "pm2_5"), 0)


class TestOneValueInTwo:
    def test_makes_so_many_marks_an_hour_and_no_more(self, control, sensor):
        send(sensor, last=NOW - SECOND, every=SECOND, pm2_5=[NOTHING, 10.0] * 600)
        pass_all(control)
        found = marks(sensor, SECOND)
        assert len(found) == testing.MOST_AN_HOUR
        # What lies before is used, and not a sentinel anywhere.
        assert (found[0], found[-1]) == ((1200, 1200), (1200 - 2 * (testing.MOST_AN_HOUR - 1), 2))
        assert used(sensor) == testing.MOST_AN_HOUR

    def test_once_a_minute_loses_nothing(self, control, sensor):
        send(sensor, last=NOW - MINUTE, every=MINUTE, pm2_5=[NOTHING, 10.0] * 60)
        pass_all(control)
        assert (len(marks(sensor, MINUTE)), used(sensor)) == (60, 60)

    def test_is_counted_on_by_a_process_that_begins(self, control, sensor, monkeypatch):
        monkeypatch.setattr(testing, "MOST_AN_HOUR", 2)
        for back in range(6, 0, -2):
            send(sensor, last=NOW - (back - 1) * MINUTE, every=MINUTE, pm2_5=[NOTHING, 10.0])
            pass_all(QualityControl())
        assert marks(sensor, MINUTE) == [(6, 6), (4, 2)]


class TestWhatComesLate:
    @pytest.fixture(autouse=True)
    def current(self, control, sensor):
        send(sensor, last=NOW, pm2_5=[10.0])
        pass_all(control)

    def test_a_night_of_nothing_is_one_mark(self, control, sensor):
        for hours in (3, 2, 1):
            send(sensor, last=NOW - (hours - 1) * HOUR - MINUTE, every=MINUTE, pm2_5=[NOTHING] * 60)
            pass_all(control)
        assert marks(sensor, MINUTE) == [(180, 1)]

    def test_a_good_value_that_was_there_stays_in_use(self, control, sensor):
        send(sensor, last=NOW - 10 * MINUTE, pm2_5=[10.0])
        send(sensor, last=NOW - 5 * MINUTE, every=10 * MINUTE, pm2_5=[NOTHING, NOTHING])
        pass_all(control)
        assert marks(sensor, MINUTE) == [(15, 15), (5, 5)]
        assert used(sensor) == 2

    def test_what_lies_hours_apart_is_not_joined(self, control, sensor):
        send(sensor, last=NOW - HOUR, every=2 * HOUR, pm2_5=[NOTHING, NOTHING])
        pass_all(control)
        assert marks(sensor, HOUR) == [(3, 3), (1, 1)]

    def test_one_value_in_two_makes_so_many_marks_an_hour(self, control, sensor):
        send(sensor, last=NOW - SECOND, every=SECOND, pm2_5=[NOTHING, 10.0] * 600)
        pass_all(control)
        assert len(marks(sensor, SECOND)) == testing.MOST_AN_HOUR

    def test_what_is_sent_twice_is_one_mark(self, control, sensor):
        for _ in range(2):
            send(sensor, last=NOW - HOUR, every=MINUTE, pm2_5=[NOTHING] * 5)
        pass_all(control)
        assert marks(sensor, MINUTE) == [(64, 60)]


class TestATransaction:
    """Who sends waits for it: so it writes few rows, in few statements."""

    def reached(self):
        return LogConsumer.objects.values_list("position", "readings").get(name="quality")

    @pytest.fixture
    def sent(self, control, sensor, monkeypatch):
        """Four entries with two marks each; the position before them."""
        monkeypatch.setattr(jobs, "TOGETHER", 4)
        start = self.reached()[0]
        for back in range(4, 0, -1):
            send(sensor, last=NOW - (back - 1) * 4 * MINUTE, every=MINUTE, pm2_5=[NOTHING, 10.0, NOTHING, 10.0])
        return start

    def test_ends_after_so_many_marks_in_the_middle_of_an_entry(self, control, sensor, sent):
        assert control.work() is True
        assert self.reached() == (sent + 1, 3)
        assert len(marks(sensor, MINUTE)) == 4
        pass_all(control)
        control.finish()
        assert len(marks(sensor, MINUTE)) == 8
        assert self.reached() == (telemetry.head(), 0)

    def test_is_gone_on_with_by_a_process_that_begins(self, control, sensor, sent):
        for _ in range(20):
            QualityControl().work()
        assert marks(sensor, MINUTE) == [(minute, minute) for minute in (15, 13, 11, 9, 7, 5, 3, 1)]

    def test_of_two_processes_one_goes_on_with_an_entry(self, control, sensor, sent):
        other = QualityControl()
        while any([control.work(), other.work()]):
            pass
        assert marks(sensor, MINUTE) == [(minute, minute) for minute in (15, 13, 11, 9, 7, 5, 3, 1)]

    def test_of_the_slower_process_is_undone(self, control, sensor, sent):
        before = Reached(*self.reached())
        control.work()
        with pytest.raises(Conflict):
            services.flag_doubtful(stretches=[], passed=before, to=Reached(before.position + 1, 3), now=NOW)

    def test_lays_all_marks_by_one_entry_of_the_log(self, control, sensor):
        start, statements = telemetry.head(), []
        for many in (3, 40):
            send(sensor, last=NOW + many * HOUR, every=MINUTE, pm2_5=[10.0 + many, NOTHING] * many)
            with CaptureQueriesContext(connection) as captured:
                control.work()
            statements.append(len(captured))
        few, lots = (entry for entry in telemetry.log(after=start, limit=100) if entry.kind is Kind.QUALITY)
        assert (len(few.batch), len(lots.batch)) == (2 * 3, 2 * 40)
        # Settings of sensors are looked up the first time only.
        assert statements[1] <= statements[0]

    def test_grows_many_marks_by_one_statement(self, control, plant, monkeypatch):
        stations = [make_station(f"Station {number}", site=plant) for number in range(30)]
        start, statements, ask = telemetry.head(), [], marking.ask
        monkeypatch.setattr(marking, "ask", lambda *asked: statements.append(asked[0]) or ask(*asked))
        for minute in range(3):
            rows = [Row(one.pk, to_micros(NOW + minute * MINUTE), {"pm2_5": NOTHING}) for one in stations]
            telemetry_services.ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=Origin.LIVE)
            with CaptureQueriesContext(connection) as captured:
                control.work()
            written = [one["sql"] for one in captured if one["sql"].startswith(("INSERT", "UPDATE", "WITH"))]
            assert len(written) < len(stations) / 2
        assert len(statements) == 2
        assert [marks(one, MINUTE) for one in stations] == [[(0, -2)]] * 30
        assert [len(one.batch) for one in telemetry.log(after=start, limit=9) if one.kind is Kind.QUALITY] == [60] * 3
