"""Who declares something of a sensor's air, and who deletes the sensor: a wrong order of locks is a deadlock."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError, connection, connections, transaction

from techtrack.accounts.queries import access_of
from techtrack.alerts import rulebook
from techtrack.assets import services as assets
from techtrack.assets.models import Sensor
from techtrack.core.errors import NotFound
from techtrack.environment import services
from techtrack.environment.models import AirSettings
from techtrack.environment.services import settings as locking
from tests import factories
from tests.factories import NOW
from tests.integration.environment.stations import make_station, settle

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]
PATIENCE = 20.0


class Aside(threading.Thread):
    """Work with a connection of its own; ``end`` raises what it raised."""

    def __init__(self, work) -> None:
        super().__init__(daemon=True)
        self._work, self.error = work, None
        self.start()

    def run(self):
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised again at the end
            self.error = error
        finally:
            connections.close_all()

    def end(self):
        self.join(PATIENCE)
        assert not self.is_alive(), "it never ended"
        if self.error is not None:
            raise self.error


def until_somebody_waits(*, or_ends):
    """Return once somebody waits for a lock, or a thread has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and or_ends.is_alive():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)


@pytest.fixture
def at_the_rules(monkeypatch):
    """Stop the first aside who is about to follow what was declared; (somebody is there, go on)."""
    there, on, follow = threading.Event(), threading.Event(), rulebook.follow_units

    def halted(*facts):
        # What a test lays out by itself is followed as well, and waits for nobody.
        if isinstance(threading.current_thread(), Aside) and not there.is_set():
            there.set()
            on.wait(PATIENCE)
        follow(*facts)

    monkeypatch.setattr(rulebook, "follow_units", halted)
    return there, on


@pytest.fixture
def sensor(plant):
    return make_station(site=plant)


class TestTheDeletionOfASensor:
    @pytest.fixture(params=["create", "update", "delete", "give to another"])
    def declare(self, request, erik, plant, sensor):
        """A write of settings of the sensor, or to it."""
        by = access_of(erik)
        other = make_station("Other", site=plant)
        if request.param == "create":
            return lambda: services.create_settings(by=by, data={"sensor": sensor, "reference_temperature": 0}, now=NOW)
        settings = settle(other if request.param == "give to another" else sensor, reference_temperature=25)
        if request.param == "delete":
            return lambda: services.delete_settings(settings=settings, by=by, expected=None)
        changes = {"sensor": sensor} if request.param == "give to another" else {"reference_temperature": 0}
        return lambda: services.update_settings(settings=settings, by=by, changes=changes, expected=None, now=NOW)

    def delete(self, sensor, erik):
        mine = Sensor.objects.get(pk=sensor.pk)
        assets.delete_asset(asset=mine, by=access_of(erik), confirm=mine.name, expected=None)

    def test_waits_for_who_declares_something_of_it(self, sensor, erik, declare, at_the_rules):
        there, on = at_the_rules
        declaring = Aside(declare)
        assert there.wait(PATIENCE)
        deleting = Aside(lambda: self.delete(sensor, erik))
        until_somebody_waits(or_ends=deleting)
        on.set()
        declaring.end()
        deleting.end()
        assert not Sensor.objects.filter(pk=sensor.pk).exists()
        assert not AirSettings.objects.filter(sensor=sensor.pk).exists()

    def test_would_deadlock_in_another_order(self, sensor, erik, at_the_rules, monkeypatch):
        """The planted fault: settings are written, and rules followed, before the sensor is locked."""
        monkeypatch.setattr(locking, "_hold", lambda *_: None)
        settings, (there, on) = settle(sensor, reference_temperature=25), at_the_rules
        changes = {"reference_temperature": 0}
        declaring = Aside(
            lambda: services.update_settings(
                settings=settings, by=access_of(erik), changes=changes, expected=None, now=NOW
            )
        )
        assert there.wait(PATIENCE)
        deleting = Aside(lambda: self.delete(sensor, erik))
        until_somebody_waits(or_ends=deleting)
        on.set()
        for thread in (declaring, deleting):
            thread.join(PATIENCE)
        assert [type(error) for error in (declaring.error, deleting.error) if error is not None] == [OperationalError]

    def test_under_way_is_waited_for(self, sensor, erik, declare, at_the_rules):
        there, on = at_the_rules
        if not AirSettings.objects.filter(sensor=sensor).exists():
            # Nothing is declared of it: whoever deletes it is stopped elsewhere.
            settle_other = threading.Event()
            deleting = Aside(lambda: self._delete_slowly(sensor, erik, settle_other, on))
            assert settle_other.wait(PATIENCE)
            there.set()
        else:
            deleting = Aside(lambda: self.delete(sensor, erik))
            assert there.wait(PATIENCE)
        declaring = Aside(declare)
        until_somebody_waits(or_ends=declaring)
        on.set()
        deleting.end()
        with pytest.raises(NotFound):
            declaring.end()
        assert not AirSettings.objects.filter(sensor=sensor.pk).exists()

    def _delete_slowly(self, sensor, erik, there, on):
        with transaction.atomic():
            self.delete(sensor, erik)
            there.set()
            on.wait(PATIENCE)


class TestManyAtOnce:
    @pytest.fixture
    def stations(self, plant, sensor):
        """One with settings beside the ``sensor``, which has some too, and one without."""
        first = make_station("First", site=plant)
        for one in (first, sensor):
            settle(one, reference_temperature=25)
        return first, factories.make_sensor("Third", site=plant)

    def race(self, api, erik, sensor, stations, at_the_rules):
        """Write of all three; the first follows the rules already when others delete the sensors of the rest."""
        (_, third), (there, on), told = stations, at_the_rules, []
        items = [
            {"action": "update", "id": pk, "body": {"reference_temperature": 0}}
            for pk in AirSettings.objects.order_by("pk").values_list("pk", flat=True)
        ] + [{"action": "create", "body": {"sensor": third.pk, "reference_temperature": 0}}]
        client = api(erik)
        writing = Aside(lambda: told.append(client.post("/api/air-settings/bulk/", {"items": items}, format="json")))
        assert there.wait(PATIENCE)
        deleting = [Aside(lambda one=one: self._delete(one, erik)) for one in (sensor, third)]
        until_somebody_waits(or_ends=deleting[0])
        on.set()
        for thread in (writing, *deleting):
            thread.join(PATIENCE)
        return told, [type(thread.error) for thread in (writing, *deleting) if thread.error is not None]

    def test_are_written_while_a_sensor_of_theirs_goes(self, api, erik, sensor, stations, at_the_rules):
        told, errors = self.race(api, erik, sensor, stations, at_the_rules)
        assert not errors
        assert (told[0].status_code, told[0].json()["stored"]) == (200, True)
        kept = AirSettings.objects.values_list("sensor", "reference_temperature")
        assert list(kept) == [(stations[0].pk, 0.0)]

    def test_would_deadlock_if_each_took_its_own_locks(self, api, erik, sensor, stations, at_the_rules, monkeypatch):
        """The planted fault: settings are locked before the sensors that they are of."""
        monkeypatch.setattr(services, "hold_sensors", lambda **_: None)
        told, errors = self.race(api, erik, sensor, stations, at_the_rules)
        assert OperationalError in errors or told[0].status_code == 503

    def _delete(self, sensor, erik):
        mine = Sensor.objects.get(pk=sensor.pk)
        assets.delete_asset(asset=mine, by=access_of(erik), confirm=mine.name, expected=None)
