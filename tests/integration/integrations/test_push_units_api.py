"""Units as a resource: engineers bind them to their sensors, administrators let them in without a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.models import AuditEntry, Membership
from techtrack.accounts.queries import access_of
from techtrack.assets.models import Sensor
from techtrack.assets.services import update_asset as move_asset
from techtrack.core.errors import Forbidden
from techtrack.integrations import services
from techtrack.integrations.models import Door, PushUnit
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.racing import losers, race

pytestmark = pytest.mark.django_db
ROUNDS = 8
URL = "/api/push-units/"


@pytest.fixture
def boss(plant):
    """Administrator of the plant."""
    return factories.make_user("boss", role=Role.ADMIN, site=plant)


def body(sensor, **fields):
    return {"door": "sensor_community", "unit_id": "esp8266-1", "sensor": sensor.pk} | fields


class TestBinding:
    def test_is_made_by_an_engineer_of_the_sensors_site(self, api, erik, station):
        answer = api(erik).post(URL, body(station), format="json")
        assert answer.status_code == 201, answer.json()
        told = {"pin": "", "anonymous": False, "allowed_addresses": [], "settings": {}, "version": 1}
        assert answer.json() == answer.json() | body(station) | told
        assert answer["Location"].endswith(f"{URL}{answer.json()['id']}/")

    @pytest.mark.parametrize(
        ("door", "own", "of_type", "expected"),
        [
            pytest.param("sensor_community", None, None, 145, id="as units of sensor.community come"),
            pytest.param("airgradient", None, None, 60, id="as AirGradient's come"),
            pytest.param("airgradient", 300, None, 300, id="what its engineer said stays"),
            pytest.param("airgradient", None, 600, None, id="what its type says stays"),
        ],
    )
    def test_says_how_often_the_sensor_sends(self, api, erik, plant, door, own, of_type, expected):
        own, of_type, expected = (seconds and timedelta(seconds=seconds) for seconds in (own, of_type, expected))
        kind = factories.make_type("unit", expected_interval=of_type)
        sensor, other = (
            factories.make_sensor(name, site=plant, type=kind, expected_interval=own) for name in ("Roof", "Yard")
        )
        answer = api(erik).post(URL, body(sensor, door=door), format="json")
        assert answer.status_code == 201
        moved = api(erik).patch(f"{URL}{answer.json()['id']}/", {"sensor": other.pk}, format="json")
        assert moved.status_code == 200
        for one in (sensor, other):
            one.refresh_from_db()
            assert one.expected_interval == expected

    @pytest.mark.parametrize("who", ["olga", "vera", "edda", "mallory"])
    def test_is_not_made_by_others(self, who, api, request, station):
        answer = api(request.getfixturevalue(who)).post(URL, body(station), format="json")
        assert answer.status_code in {400, 403}
        assert not PushUnit.objects.exists()

    def test_is_not_made_to_equipment(self, api, erik, robot):
        assert api(erik).post(URL, body(robot), format="json").status_code == 400

    def test_without_a_key_is_an_administrators_word(self, api, erik, boss, station):
        wanted = body(station, anonymous=True, allowed_addresses=["10.1.2.3/16"])
        assert api(erik).post(URL, wanted, format="json").status_code == 403
        answer = api(boss).post(URL, wanted, format="json")
        assert answer.status_code == 201
        assert answer.json()["allowed_addresses"] == ["10.1.0.0/16"]

    def test_without_a_key_is_not_changed_by_an_engineer_but_for_its_settings(self, api, erik, station):
        unit = factories.make_push_unit(station, door=Door.AIRGRADIENT, unit_id="abc", anonymous=True)
        client = api(erik)
        for change in ({"unit_id": "abd"}, {"allowed_addresses": ["10.0.0.0/8"]}, {"anonymous": False}):
            assert client.patch(f"{URL}{unit.pk}/", change, format="json").status_code == 403, change
        answer = client.patch(f"{URL}{unit.pk}/", {"settings": {"abcDays": 8}}, format="json")
        assert (answer.status_code, answer.json()["settings"]) == (200, {"abcDays": 8})

    def test_moves_only_between_sites_where_one_is_engineer(self, api, erik, station, other_site):
        unit = factories.make_push_unit(station, anonymous=False)
        far = factories.make_sensor("Far", site=other_site)
        assert api(erik).patch(f"{URL}{unit.pk}/", {"sensor": far.pk}, format="json").status_code == 400

    def test_of_a_unit_of_another_site_is_refused_and_names_nobody(self, api, erik, adam, station, other_site):
        far = factories.make_sensor("Far", site=other_site)
        factories.make_push_unit(far, unit_id="esp8266-1", anonymous=False)
        answer = api(erik).post(URL, body(station, pin="1"), format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "unit_taken")
        assert not {"Far", other_site.name} & set(answer.json()["detail"].split())
        assert api(adam).post(URL, body(station, pin="1"), format="json").status_code == 201

    @pytest.mark.parametrize(
        ("was", "change"),
        [
            pytest.param({"unit_id": "esp8266-2"}, {"unit_id": "esp8266-1"}, id="another id"),
            pytest.param({"pin": "7"}, {"pin": "1"}, id="another pin"),
            pytest.param({"pin": "7"}, {"sensor": None}, id="another sensor"),
        ],
    )
    def test_does_not_become_one_of_a_unit_of_another_site(self, was, change, api, erik, plant, station, other_site):
        factories.make_push_unit(factories.make_sensor("Far", site=other_site), unit_id="esp8266-1")
        unit = factories.make_push_unit(station, **({"unit_id": "esp8266-1", "pin": "11", "anonymous": False} | was))
        change = change if change != {"sensor": None} else {"sensor": factories.make_sensor("Spare", site=plant).pk}
        answer = api(erik).patch(f"{URL}{unit.pk}/", change, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "unit_taken")
        assert api(erik).patch(f"{URL}{unit.pk}/", {"allowed_addresses": []}, format="json").status_code == 200

    def move(self, client, sensor, site):
        answer = client.patch(f"/api/sensors/{sensor.pk}/", {"site": site and site.pk}, format="json")
        sensor.refresh_from_db()
        return answer.status_code, answer.json().get("code"), sensor.site_id

    @pytest.mark.parametrize(
        ("role", "anonymous", "moved"),
        [
            pytest.param(Role.ENGINEER, False, True, id="an engineer there takes along what shows a key"),
            pytest.param(Role.ENGINEER, True, False, id="nobody there has let it in without one"),
            pytest.param(Role.ADMIN, True, True, id="an administrator there lets it in"),
        ],
    )
    def test_moves_with_its_sensor_to_where_the_mover_may_bind_it(
        self, role, anonymous, moved, api, plant, station, other_site
    ):
        mover = factories.make_user("mover", role=Role.ENGINEER, site=plant)
        Membership.objects.create(user=mover, site=other_site, role=role)
        unit = factories.make_push_unit(station, anonymous=anonymous)
        found = self.move(api(mover), station, other_site)
        assert found == ((200, None, other_site.pk) if moved else (409, "unit_without_key", plant.pk))
        unit.refresh_from_db()
        assert unit.anonymous is anonymous

    def test_without_a_key_stays_where_a_key_would_move_its_sensor(self, adam, station, other_site):
        factories.make_push_unit(station, anonymous=True)
        by = replace(adam.access(), scope=Scope.WRITE)
        with pytest.raises(services.UnitWithoutKey):
            move_asset(asset=station, by=by, changes={"site": other_site}, expected=None, now=NOW)

    def test_does_not_move_where_a_part_of_it_is_of_strangers(self, api, adam, erik, plant, station, other_site):
        yard = factories.make_site("Yard")
        Membership.objects.create(user=erik, site=other_site, role=Role.ENGINEER)
        factories.make_push_unit(station, pin="1", anonymous=False)
        factories.make_push_unit(factories.make_sensor("Far", site=yard), pin="7", anonymous=False)
        assert self.move(api(erik), station, other_site) == (409, "unit_taken", plant.pk)
        assert self.move(api(adam), station, other_site) == (200, None, other_site.pk)

    def test_of_a_sensor_that_stays_asks_nothing(self, api, erik, plant, station):
        factories.make_push_unit(station, anonymous=True)
        assert self.move(api(erik), station, plant) == (200, None, plant.pk)

    def test_without_a_key_is_let_in_where_the_sensor_stands_by_then(self, boss, plant, station, other_site):
        """Somebody else has moved the sensor since it was read."""
        fields = body(station, anonymous=True) | {"sensor": Sensor.objects.get(pk=station.pk)}
        Sensor.objects.filter(pk=station.pk).update(site=other_site)
        with pytest.raises(Forbidden):
            services.create_push_unit(by=access_of(boss), data=fields, now=NOW)
        assert not PushUnit.objects.exists()

    def test_is_one_for_each_part_of_a_unit(self, api, erik, station):
        client = api(erik)
        assert client.post(URL, body(station), format="json").status_code == 201
        assert client.post(URL, body(station), format="json").status_code == 409
        assert client.post(URL, body(station, pin="11"), format="json").status_code == 201

    def test_takes_a_serial_as_the_firmware_sends_it(self, api, erik, station):
        wanted = body(station, door="airgradient", unit_id=" airgradient:ECDA3B1EAAAF ")
        assert api(erik).post(URL, wanted, format="json").json()["unit_id"] == "ecda3b1eaaaf"

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            pytest.param({"unit_id": ""}, "/unit_id", id="no id"),
            pytest.param({"unit_id": "a\u202eb"}, "/unit_id", id="an id that looks like another"),
            pytest.param({"door": "purpleair"}, "/door", id="another firmware"),
            pytest.param({"door": "airgradient", "pin": "1"}, "/pin", id="a pin where there are none"),
            pytest.param({"settings": {"abcDays": 8}}, "/settings", id="settings where none are asked for"),
            pytest.param({"door": "airgradient", "settings": {"a": 1}}, "/settings/a", id="a setting nobody knows"),
            pytest.param({"allowed_addresses": ["here"]}, "/allowed_addresses/0", id="no network"),
        ],
    )
    def test_refuses_what_no_unit_has(self, fields, pointer, api, erik, station):
        answer = api(erik).post(URL, body(station, **fields), format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_ends_with_the_sensor_and_leaves_an_entry_in_the_audit_log(self, api, erik, station):
        client = api(erik)
        unit = client.post(URL, body(station), format="json").json()["id"]
        assert client.delete(f"{URL}{unit}/").status_code == 204
        assert {entry.action for entry in AuditEntry.objects.filter(object_type="push-unit")} == {
            "push-unit.created",
            "push-unit.removed",
        }

    def test_goes_along_with_its_sensor(self, api, erik, plant):
        sensor = factories.make_sensor("Spare", site=plant)
        factories.make_push_unit(sensor)
        factories.make_rejected(sensor)
        assert api(erik).delete(f"/api/sensors/{sensor.pk}/").status_code == 204
        assert not PushUnit.objects.exists()

    def test_is_shown_to_engineers_of_its_site_alone(self, api, erik, olga, edda, adam, station):
        factories.make_push_unit(station)
        counts = {user.username: api(user).get(URL).json()["count"] for user in (erik, olga, edda, adam)}
        assert counts == {"erik": 1, "olga": 0, "edda": 0, "adam": 1}

    def test_is_found_by_door_id_and_sensor(self, api, erik, station):
        unit = factories.make_push_unit(station)
        factories.make_push_unit(station, door=Door.AIRGRADIENT, unit_id="abc")
        client = api(erik)
        for query in ("door=sensor_community", f"unit_id={unit.unit_id}", f"sensor={station.pk}&door=sensor_community"):
            assert [row["id"] for row in client.get(f"{URL}?{query}").json()["results"]] == [unit.pk], query


@pytest.mark.django_db(transaction=True)
class TestTwoSites:
    def test_that_bind_parts_of_a_unit_at_once_do_not_both_get_it(self, erik, edda, station, other_site):
        far = factories.make_sensor("Far", site=other_site)

        def bind(user, sensor, unit_id, pin):
            data = {"door": Door.SENSOR_COMMUNITY, "unit_id": unit_id, "pin": pin, "sensor": sensor}
            return lambda: services.create_push_unit(by=access_of(user), data=data, now=NOW)

        for number in range(ROUNDS):
            name = f"esp8266-{number}"
            found = race(bind(erik, station, name, "1"), bind(edda, far, name, "7"))
            assert [type(error) for error in losers(found)] == [services.UnitTaken], number
            assert PushUnit.objects.filter(unit_id=name).count() == 1

    def test_of_which_a_sensor_leaves_one_get_no_unit_that_the_other_lets_in(self, boss, erik, plant, other_site):
        Membership.objects.create(user=erik, site=other_site, role=Role.ENGINEER)
        for number in range(ROUNDS):
            sensor = factories.make_sensor(site=plant)
            mine, theirs = (Sensor.objects.get(pk=sensor.pk) for _ in range(2))
            unit = {"door": Door.SENSOR_COMMUNITY, "unit_id": f"esp8266-{number}", "anonymous": True, "sensor": mine}
            found = race(
                lambda unit=unit: services.create_push_unit(by=access_of(boss), data=unit, now=NOW),
                lambda theirs=theirs: move_asset(
                    asset=theirs, by=access_of(erik), changes={"site": other_site}, expected=None, now=NOW
                ),
            )
            assert [type(error) for error in losers(found)] in ([services.UnitWithoutKey], [Forbidden]), number
            sensor.refresh_from_db()
            assert PushUnit.objects.filter(sensor=sensor).exists() is (sensor.site_id == plant.pk)


class TestRejected:
    def test_are_shown_to_engineers_of_the_sensors_site(self, api, erik, edda, olga, station):
        row = factories.make_rejected(station, payload='{"a": 1}', count=3)
        told = api(erik).get(f"{URL}rejected/").json()["results"]
        assert [(one["id"], one["payload"], one["count"]) for one in told] == [(row.pk, '{"a": 1}', 3)]
        assert api(erik).get(f"{URL}rejected/{row.pk}/").json() == told[0]
        for user in (edda, olga):
            assert api(user).get(f"{URL}rejected/").json()["count"] == 0
            assert api(user).get(f"{URL}rejected/{row.pk}/").status_code == 404

    def test_of_unknown_units_are_for_engineers_of_all_sites(self, api, erik, adam):
        factories.make_rejected()
        assert api(erik).get(f"{URL}rejected/").json()["count"] == 0
        assert api(adam).get(f"{URL}rejected/").json()["count"] == 1

    def test_are_written_by_nobody(self, api, adam):
        assert api(adam).post(f"{URL}rejected/", {}, format="json").status_code == 405
