"""What operators and engineers do to alerts: each action, its conflicts, its rights, its history."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.db.models import Q

from techtrack.accounts.domain.access import Role
from techtrack.accounts.queries import access_of
from techtrack.alerts import services
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.services import Said
from techtrack.core import clock
from techtrack.core.errors import Conflict
from tests import factories
from tests.factories import NOW

URL = "/api/alerts/"
ASIDE = {"reason": "Known, spare part ordered", "duration": "PT2H"}
UNTIL = NOW + timedelta(days=4000)
ACKED = {"acknowledged_at": NOW}
OVER = {"active": False, "returned_at": NOW}
# Each action: what it takes, the facts that it needs, what is written, and the event.
CASES = {
    "acknowledge": ({"comment": "Mine"}, {}, {"state": "acknowledged", "ack_comment": "Mine"}, "acknowledged"),
    "unacknowledge": ({"comment": "Too soon"}, ACKED, {"state": "unacknowledged"}, "unacknowledged"),
    "shelve": (ASIDE, {}, {"state": "shelved", "shelve_reason": ASIDE["reason"]}, "shelved"),
    "unshelve": ({}, {"shelved_until": UNTIL}, {"state": "unacknowledged", "shelved_until": None}, "unshelved"),
    "reset": ({}, OVER | ACKED | {"latched": True}, {"state": "normal", "latched": False}, "reset"),
    "comment": ({"comment": "It smells"}, {}, {"state": "unacknowledged"}, "commented"),
    "out-of-service": (ASIDE, {}, {"state": "out_of_service"}, "out_of_service"),
    "return-to-service": ({}, {"out_of_service_until": UNTIL}, {"state": "unacknowledged"}, "returned_to_service"),
}


def post(client, alert, action, body=None, **headers):
    return client.post(f"{URL}{alert.pk}/{action}/", body or {}, format="json", headers=headers)


@pytest.mark.parametrize("action", CASES)
class TestAction:
    def test_writes_its_facts_and_one_event(self, api, erik, robot, heard, action):
        body, before, after, kind = CASES[action]
        alert = factories.make_alert(robot, **before)
        state = alert.state
        answer = post(api(erik), alert, action, body)
        assert answer.status_code == 200, answer.json()
        told = answer.json()
        assert {name: told[name] for name in after} == after
        assert (told["version"], answer["ETag"]) == (2, '"2"')
        event = AlertEvent.objects.filter(alert=alert).last()
        assert (event.kind, event.actor_id, event.before, event.after) == (kind, erik.pk, state, told["state"])
        assert event.comment == body.get("reason", body.get("comment", ""))
        assert [fact.event for fact in heard if hasattr(fact, "event")] == [kind]

    def test_is_refused_with_who_and_when_where_it_is_so_already(self, api, erik, olga, robot, action):
        body, before, _, kind = CASES[action]
        if action == "comment":
            return
        person = erik if "service" in action else olga
        alert = factories.make_alert(robot, **before)
        assert post(api(person), alert, action, body).status_code == 200
        again = post(api(erik), alert, action, body)
        assert again.status_code == 409
        assert f"{person.username} at 20" in again.json()["detail"]
        assert again.json()["code"].startswith("alert_")
        assert AlertEvent.objects.filter(alert=alert, kind=kind).count() == 1
        alert.refresh_from_db()
        assert alert.version == 2

    def test_needs_the_role_and_a_stranger_sees_nothing(self, api, vera, olga, oscar, mallory, robot, action):
        body, before, *_ = CASES[action]
        alert = factories.make_alert(robot, **before)
        assert post(api(vera), alert, action, body).status_code == 403
        assert post(api(vera), alert, action, {}).status_code in {400, 403}
        for stranger in (oscar, mallory):
            assert post(api(stranger), alert, action, body).status_code == 404
        if "service" in action:
            assert post(api(olga), alert, action, body).status_code == 403
        assert AlertEvent.objects.filter(alert=alert).count() == 1

    def test_is_done_to_the_version_that_was_read(self, api, erik, robot, action):
        body, before, *_ = CASES[action]
        alert = factories.make_alert(robot, **before)
        stale = post(api(erik), alert, action, body, **{"If-Match": '"7"'})
        assert (stale.status_code, stale["ETag"], stale.json()["current"]["id"]) == (412, '"1"', alert.pk)
        assert post(api(erik), alert, action, body, **{"If-Match": '"1"'}).status_code == 200

    def test_with_a_key_is_done_once(self, api, erik, robot, action):
        body, before, *_ = CASES[action]
        alert = factories.make_alert(robot, **before)
        first, second = (post(api(erik), alert, action, body, **{"Idempotency-Key": "k"}) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 200)
        assert second["Idempotency-Replayed"] == "true"
        assert AlertEvent.objects.filter(alert=alert).count() == 2

    def test_refuses_what_nobody_reads(self, api, erik, robot, action):
        body, before, *_ = CASES[action]
        answer = post(api(erik), factories.make_alert(robot, **before), action, body | {"why": 1})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/why")


class TestAcknowledgement:
    def test_leaves_a_latched_alert_open_until_it_is_reset(self, api, olga, robot):
        alert = factories.make_alert(robot, latched=True, **OVER)
        assert post(api(olga), alert, "acknowledge").json()["state"] == "latched"
        alert.refresh_from_db()
        assert alert.is_open
        assert post(api(olga), alert, "reset").json()["state"] == "normal"
        alert.refresh_from_db()
        assert not alert.is_open

    def test_cannot_be_taken_back_once_the_alert_is_over(self, api, olga, robot):
        alert = factories.make_alert(robot, is_open=False, **OVER, **ACKED)
        answer = post(api(olga), alert, "unacknowledge")
        assert (answer.status_code, answer.json()["code"]) == (409, "alert_over")


class TestReset:
    def test_before_the_acknowledgement_leaves_it_open(self, api, olga, robot):
        alert = factories.make_alert(robot, latched=True, **OVER)
        assert post(api(olga), alert, "reset").json()["state"] == "returned_unacknowledged"
        alert.refresh_from_db()
        assert alert.is_open

    def test_of_an_active_alert_is_refused(self, api, olga, robot):
        answer = post(api(olga), factories.make_alert(robot), "reset")
        assert (answer.status_code, answer.json()["code"]) == (409, "alert_active")


class TestPuttingAside:
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"duration": "PT1H"}, "/reason", id="without reason"),
            pytest.param(ASIDE | {"reason": " "}, "/reason", id="with an empty one"),
            pytest.param({"reason": "x"}, "/until", id="without end"),
            pytest.param(ASIDE | {"until": "2099-01-01T00:00:00Z"}, "/until", id="with two ends"),
            pytest.param({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "/until", id="until long ago"),
            pytest.param(ASIDE | {"duration": "PT0S"}, "/duration", id="for no time"),
            pytest.param(ASIDE | {"duration": "P100D"}, "/duration", id="for longer than allowed"),
            pytest.param(ASIDE | {"duration": "P9999D"}, "/duration", id="for longer than anything lasts"),
            pytest.param(ASIDE | {"duration": 5}, "/duration", id="a number for a duration"),
            pytest.param([], "", id="a list for a body"),
        ],
    )
    @pytest.mark.parametrize("action", ["shelve", "out-of-service"])
    def test_demands_a_reason_and_an_end(self, api, erik, robot, action, body, pointer):
        alert = factories.make_alert(robot)
        answer = api(erik).post(f"{URL}{alert.pk}/{action}/", body, format="json")
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])
        alert.refresh_from_db()
        assert alert.version == 1

    def test_of_shelves_is_bounded_by_a_setting(self, api, olga, robot, settings):
        alert = factories.make_alert(robot)
        assert post(api(olga), alert, "shelve", ASIDE | {"duration": "PT13H"}).status_code == 400
        settings.SHELVE_HOURS = 14
        assert post(api(olga), alert, "shelve", ASIDE | {"duration": "PT13H"}).status_code == 200

    def test_out_of_service_may_last_for_months_and_is_told_first(self, api, erik, robot):
        alert = factories.make_alert(robot)
        post(api(erik), alert, "shelve", ASIDE)
        answer = post(api(erik), alert, "out-of-service", ASIDE | {"duration": "P89D"})
        assert (answer.json()["state"], answer.json()["shelved_by"]) == ("out_of_service", erik.pk)
        assert post(api(erik), alert, "return-to-service").json()["state"] == "shelved"

    def test_of_what_is_over_is_refused(self, api, olga, robot):
        alert = factories.make_alert(robot, is_open=False, **OVER, **ACKED)
        answer = post(api(olga), alert, "shelve", ASIDE)
        assert (answer.status_code, answer.json()["code"]) == (409, "alert_over")


class TestAssignment:
    def test_names_somebody_and_nobody(self, api, olga, robot, heard):
        alert = factories.make_alert(robot)
        client = api(olga)
        assert post(client, alert, "assign", {"assignee": olga.pk, "comment": "Please"}).json()["assignee"] == olga.pk
        event = AlertEvent.objects.last()
        assert (event.kind, event.comment) == ("assigned", "Please")
        assert event.evidence == {"before": {"assignee": None}, "after": {"assignee": olga.pk}}
        again = post(client, alert, "assign", {"assignee": olga.pk})
        assert (again.status_code, again.json()["code"]) == (409, "alert_already_assigned")
        assert post(client, alert, "assign", {"assignee": None}).json()["assignee"] is None
        assert post(client, alert, "assign", {"assignee": None}).status_code == 409

    @pytest.mark.parametrize("body", [{}, {"assignee": "olga"}, {"assignee": 2**70}, {"assignee": True}])
    def test_demands_a_person(self, api, olga, robot, body):
        answer = post(api(olga), factories.make_alert(robot), "assign", body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/assignee")

    def test_takes_nobody_who_cannot_see_it(self, api, adam, olga, oscar, vera, robot):
        alert = factories.make_alert(robot)
        assert post(api(olga), alert, "assign", {"assignee": oscar.pk}).status_code == 400
        answer = post(api(adam), alert, "assign", {"assignee": oscar.pk})
        assert answer.json()["errors"][0]["code"] == "assignee_without_role"
        assert post(api(vera), alert, "assign", {"assignee": vera.pk}).status_code == 403


class TestRemark:
    @pytest.mark.parametrize("comment", ["", "  ", None, [], "x" * 2001])
    def test_says_something(self, api, olga, robot, comment):
        answer = post(api(olga), factories.make_alert(robot), "comment", {"comment": comment})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/comment")

    def test_may_be_made_again_and_again(self, api, olga, robot):
        alert = factories.make_alert(robot)
        for text in ("one", "two"):
            assert post(api(olga), alert, "comment", {"comment": text}).status_code == 200
        said = [row["comment"] for row in api(olga).get(f"{URL}{alert.pk}/events/").json()["results"]]
        assert said == ["", "one", "two"]


class TestManyAtOnce:
    def test_gives_a_result_for_each(self, api, olga, robot, other_site, heard):
        alerts = [factories.make_alert(robot) for _ in range(3)]
        taken = factories.make_alert(robot, **ACKED)
        foreign = factories.make_alert(factories.make_equipment(site=other_site))
        heard.clear()
        ids = [alerts[2].pk, taken.pk, alerts[0].pk, foreign.pk, alerts[1].pk]
        answer = api(olga).post(
            f"{URL}actions/", {"action": "acknowledge", "ids": ids, "comment": "All"}, format="json"
        )
        assert answer.status_code == 200, answer.json()
        results = answer.json()["results"]
        assert [(one["id"], one["status"]) for one in results] == list(zip(ids, [200, 409, 200, 404, 200], strict=True))
        assert [one.get("alert", {}).get("state") for one in results] == [
            "acknowledged",
            None,
            "acknowledged",
            None,
            "acknowledged",
        ]
        assert results[1]["problem"]["code"] == "alert_already_acknowledged"
        assert AlertEvent.objects.filter(kind="acknowledged", comment="All").count() == 3
        # The live events last: their numbers are locked.
        names = [type(fact).__name__ for fact in heard]
        assert names == ["AlertAcknowledged"] * 3 + ["AlertChanged"] * 3

    def test_proves_the_version_of_each(self, api, olga, robot):
        one, other = factories.make_alert(robot), factories.make_alert(robot, version=4)
        items = [{"id": one.pk, "version": 2}, {"id": other.pk, "version": 4}]
        answer = api(olga).post(f"{URL}actions/", {"action": "shelve", "items": items, **ASIDE}, format="json")
        assert [result["status"] for result in answer.json()["results"]] == [412, 200]
        assert list(Alert.objects.exclude(shelved_until=None)) == [other]

    def test_tells_each_that_the_role_is_missing(self, api, adam, olga, plant, other_site, robot):
        alert = factories.make_alert(robot)
        elsewhere = factories.make_alert(factories.make_equipment(site=other_site))
        both = factories.make_user("both", role=Role.OPERATOR, site=plant)
        both.memberships.create(site=other_site, role=Role.VIEWER)
        body = {"action": "acknowledge", "ids": [alert.pk, elsewhere.pk]}
        answer = api(both).post(f"{URL}actions/", body, format="json")
        assert [result["status"] for result in answer.json()["results"]] == [200, 403]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"ids": [1]}, "/action", id="no action"),
            pytest.param({"action": "explode", "ids": [1]}, "/action", id="unknown action"),
            pytest.param({"action": "acknowledge"}, "/ids", id="no alerts"),
            pytest.param({"action": "acknowledge", "ids": [1], "items": [{"id": 1}]}, "/ids", id="both ways"),
            pytest.param({"action": "acknowledge", "ids": [1, 1]}, "/ids", id="one twice"),
            pytest.param({"action": "acknowledge", "items": [{"id": 1}, {"id": 1}]}, "/items", id="an item twice"),
            pytest.param({"action": "acknowledge", "ids": list(range(1, 502))}, "/ids", id="too many"),
            pytest.param({"action": "acknowledge", "ids": ["x"]}, "/ids/0", id="no id"),
            pytest.param({"action": "acknowledge", "ids": [2**70]}, "/ids/0", id="an id beyond bigint"),
            pytest.param({"action": "acknowledge", "items": [{"version": 1}]}, "/items/0/id", id="an item of nothing"),
            pytest.param({"action": "shelve", "ids": [1], "duration": "PT1H"}, "/reason", id="what the action needs"),
            pytest.param({"action": "shelve", "ids": [1], **ASIDE, "assignee": 1}, "/assignee", id="what it does not"),
            pytest.param({"action": "assign", "ids": [1], "assignee": 2**70}, "/assignee", id="nobody"),
            pytest.param({"action": "reset", "ids": [1], "colour": 1}, "/colour", id="what nobody reads"),
        ],
    )
    def test_is_refused_as_a_whole_where_it_makes_no_sense(self, api, olga, body, pointer):
        answer = api(olga).post(f"{URL}actions/", body, format="json")
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])

    def test_with_a_key_is_done_once(self, api, olga, robot):
        body = {"action": "comment", "ids": [factories.make_alert(robot).pk], "comment": "x"}
        first, second = (
            api(olga).post(f"{URL}actions/", body, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2)
        )
        assert first.json() == second.json()
        assert AlertEvent.objects.filter(kind="commented").count() == 1

    @pytest.mark.parametrize("name", ["ids", "items"])
    def test_of_nothing_is_a_mistake(self, api, olga, name):
        answer = api(olga).post(f"{URL}actions/", {"action": "reset", name: []}, format="json")
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


def at_once(*works):
    """Run all at the same moment; return what each gave or raised."""
    ready = Barrier(len(works))

    def run(work):
        try:
            ready.wait(5)
            return work()
        except Conflict as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [result.result() for result in [pool.submit(run, work) for work in works]]


def shelve(alert, person):
    """Return the work of shelving an alert as ``person``."""
    access, said = access_of(person), Said("because", clock.now() + timedelta(hours=1))
    return lambda: services.act(alert=alert, action="shelve", said=said, by=access, expected=None, now=clock.now())


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_that_two_people_win_is_caught(self, erik, adam, robot, monkeypatch):
        """The planted bug: an action that does not look at the facts in the statement that changes them."""
        real = services.ACTIONS["shelve"]
        monkeypatch.setitem(services.ACTIONS, "shelve", lambda *where: replace(real(*where), where=Q()))
        alert = factories.make_alert(robot)
        outcomes = at_once(shelve(alert, erik), shelve(alert, adam))
        assert not any(isinstance(outcome, Conflict) for outcome in outcomes)
        assert AlertEvent.objects.filter(kind="shelved").count() == 2

    @pytest.mark.parametrize("action", [name for name in CASES if name != "comment"])
    def test_of_two_people_one_wins(self, erik, olga, adam, robot, action):
        alert = factories.make_alert(robot, **CASES[action][1])
        said = Said("because", clock.now() + timedelta(hours=1))

        def act(person):
            access = access_of(person)
            return lambda: services.act(
                alert=alert, action=action, said=said, by=access, expected=None, now=clock.now()
            )

        outcomes = at_once(act(erik), act(adam))
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
        assert AlertEvent.objects.filter(alert=alert).count() == 2
        alert.refresh_from_db()
        assert alert.version == 2

    def test_of_many_alerts_in_opposite_orders_nobody_deadlocks(self, erik, adam, robot):
        ids = [factories.make_alert(robot).pk for _ in range(20)]

        def act(person, order, action):
            access = access_of(person)
            items = dict.fromkeys(order)
            return lambda: services.act_on_many(
                action=action, items=items, said=Said("x", clock.now() + timedelta(hours=1)), by=access, now=clock.now()
            )

        outcomes = at_once(act(erik, ids, "shelve"), act(adam, ids[::-1], "acknowledge"), act(adam, ids[::2], "shelve"))
        assert [sum(one.alert is not None for one in outcome) for outcome in (outcomes[0], outcomes[1])][1] == 20
        assert sum(one.alert is not None for outcome in (outcomes[0], outcomes[2]) for one in outcome) == 20
        assert Alert.objects.filter(shelved_until=None).count() == 0
