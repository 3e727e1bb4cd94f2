"""Many writes in one request: all or none, one by one, tried only; the same rules as for each alone."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import AuditEntry, Lockout, Site, User
from techtrack.accounts.services import sites, users
from techtrack.accounts.services.step_up import ReauthenticationRequired
from techtrack.assets.models import Asset, Equipment
from techtrack.live.models import LiveEvent
from techtrack.notifications.models import Delivery
from techtrack.tasks.models import Task
from tests import factories

EQUIPMENT = "/api/equipment/bulk/"


def create(**body):
    return {"action": "create", "body": body}


@pytest.fixture
def send(api, erik):
    def post(*items, path=EQUIPMENT, by=erik, **options):
        return api(by).post(path, {"items": list(items)}, format="json", **options)

    return post


class TestBulk:
    def test_creates_updates_and_deletes_in_order(self, send, plant, robot):
        doomed = factories.make_equipment(site=plant)
        answer = send(
            create(name="Mill", site=plant.pk),
            {"action": "update", "id": robot.pk, "version": 1, "body": {"model": "R2"}},
            {"action": "delete", "id": doomed.pk},
        )
        assert answer.status_code == 200
        told = answer.json()
        made = Equipment.objects.get(name="Mill")
        assert told == {
            "stored": True,
            "results": [
                {"status": 201, "id": made.pk, "version": 1},
                {"status": 200, "id": robot.pk, "version": 2},
                {"status": 204, "id": doomed.pk},
            ],
        }
        before = robot.name
        robot.refresh_from_db()
        assert (robot.model, robot.name, Asset.objects.filter(pk=doomed.pk).exists()) == ("R2", before, False)

    def test_stores_nothing_where_one_fails_and_says_of_each_why(self, send, plant, robot):
        before = LiveEvent.objects.count()
        answer = send(
            create(name="Mill", site=plant.pk),
            create(name="", site=plant.pk),
            {"action": "update", "id": robot.pk, "version": 7, "body": {"name": "Late"}},
            {"action": "update", "id": 10**15, "body": {"name": "Nobody"}},
        )
        assert (answer.status_code, answer.json()["stored"]) == (207, False)
        results = answer.json()["results"]
        assert [one["status"] for one in results] == [201, 400, 412, 404]
        assert results[1]["problem"]["errors"][0]["pointer"] == "/items/1/body/name"
        assert not Equipment.objects.filter(name="Mill").exists()
        robot.refresh_from_db()
        assert (robot.version, LiveEvent.objects.count()) == (1, before)

    def test_one_by_one_keeps_what_could_be_done(self, send, plant):
        answer = send(create(name="Mill", site=plant.pk), create(nome="Mull"), path=f"{EQUIPMENT}?atomic=false")
        assert (answer.status_code, answer.json()["stored"]) == (207, True)
        assert [one["status"] for one in answer.json()["results"]] == [201, 400]
        assert Equipment.objects.filter(name="Mill").count() == 1

    def test_a_dry_run_tries_everything_and_keeps_nothing(self, send, plant, robot):
        items = [create(name="Mill", site=plant.pk), {"action": "delete", "id": robot.pk}]
        answer = send(*items, path=f"{EQUIPMENT}?dry_run=true")
        assert (answer.status_code, answer.json()["stored"]) == (200, False)
        assert [one["status"] for one in answer.json()["results"]] == [201, 204]
        assert list(Equipment.objects.values_list("pk", flat=True)) == [robot.pk]

    def test_the_same_key_is_answered_the_same_and_done_once(self, send, plant):
        first, second = (
            send(create(name="Mill", site=plant.pk), headers={"Idempotency-Key": "monday"}) for _ in range(2)
        )
        assert (second.status_code, second.content) == (first.status_code, first.content)
        assert Equipment.objects.filter(name="Mill").count() == 1

    def test_a_dry_run_under_a_key_is_remembered_and_keeps_nothing(self, send, plant):
        for _ in range(2):
            send(
                create(name="Mill", site=plant.pk),
                path=f"{EQUIPMENT}?dry_run=true",
                headers={"Idempotency-Key": "try"},
            )
        assert not Equipment.objects.filter(name="Mill").exists()

    def test_what_a_caller_may_not_do_alone_it_may_not_do_so(self, send, olga, mallory, robot):
        change = {"action": "update", "id": robot.pk, "body": {"name": "Mine"}}
        for by, status in ((olga, 403), (mallory, 404)):
            answer = send(change, {"action": "delete", "id": robot.pk}, by=by)
            assert [one["status"] for one in answer.json()["results"]] == [status, status]
        robot.refresh_from_db()
        assert robot.version == 1

    @pytest.mark.parametrize(
        ("item", "pointer"),
        [
            pytest.param({"action": "create"}, "/items/0/body", id="nothing to create"),
            pytest.param({"action": "update", "body": {}}, "/items/0/id", id="nobody to update"),
            pytest.param({"action": "create", "id": 3, "body": {"name": "A"}}, "/items/0/id", id="a chosen id"),
            pytest.param({"action": "burn", "id": 3}, "/items/0/action", id="no such action"),
            pytest.param({"action": "delete", "id": 3, "if": 1}, "/items/0/if", id="a slip of the finger"),
            pytest.param({"action": "delete", "id": 2**63}, "/items/0/id", id="an id beyond every database"),
            pytest.param("delete", "/items/0", id="no object"),
        ],
    )
    def test_an_item_that_says_too_little_or_too_much_is_refused(self, send, item, pointer):
        answer = send(item)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)

    @pytest.mark.parametrize("query", ["atomic=yes", "dry_run=1", "dry=true"])
    def test_a_flag_that_is_none_is_refused(self, send, query):
        assert send(create(name="A"), path=f"{EQUIPMENT}?{query}").status_code == 400

    @pytest.mark.parametrize("count", [0, 501])
    def test_as_many_as_one_may_hold(self, send, count):
        assert send(*[create(name="A")] * count).status_code == 400

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/api/sensors/bulk/", {"name": "Station"}),
            ("/api/tasks/bulk/", {"title": "Oil"}),
            ("/api/categories/bulk/", {"name": "Mine"}),
            ("/api/parameters/bulk/", {"code": "torque", "unit": "N.m"}),
            ("/api/asset-types/bulk/", {"slug": "mill", "name": "Mill"}),
            ("/api/sites/bulk/", {"name": "Harbour"}),
            ("/api/users/bulk/", {"username": "nina"}),
        ],
    )
    def test_other_resources_have_it_too(self, send, adam, path, body):
        answer = send(create(**body), path=path, by=adam)
        assert (answer.status_code, answer.json()["results"][0]["status"]) == (200, 201)

    def test_own_tasks_need_no_role(self, send, mallory):
        assert send(create(title="Oil"), path="/api/tasks/bulk/", by=mallory).status_code == 200
        assert Task.objects.count() == 1


USERS, SITES = "/api/users/bulk/", "/api/sites/bulk/"


def update(row, **body):
    return {"action": "update", "id": row.pk, "body": body}


def told(answer):
    """Whether it was stored, and the status of each item."""
    assert answer.status_code in {200, 207}, answer.content
    return answer.json()["stored"], [one["status"] for one in answer.json()["results"]]


class TestPeople:
    def test_are_made_changed_and_removed_together(self, send, adam, olga, vera, plant):
        answer = send(
            create(username="nina", email="nina@example.org", roles=[{"site": plant.pk, "role": "viewer"}]),
            update(olga, first_name="Olga", role="engineer"),
            {"action": "delete", "id": vera.pk},
            path=USERS,
            by=adam,
        )
        assert told(answer) == (True, [201, 200, 204])
        nina = User.objects.get(username="nina")
        assert nina.access().at == {plant.pk: Role.VIEWER}
        assert not nina.has_usable_password()
        assert User.objects.get(pk=olga.pk).access().everywhere == Role.ENGINEER
        assert not User.objects.filter(pk=vera.pk).exists()

    def test_roles_and_removals_are_in_the_audit_log_as_for_each_alone(self, send, adam, olga, vera):
        send(update(olga, role="viewer"), {"action": "delete", "id": vera.pk}, path=USERS, by=adam)
        found = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
        assert found.count("user.roles") == found.count("user.removed") == 1

    def test_keep_an_administrator_whoever_comes_first(self, send, adam, olga):
        assert told(send(update(adam, role="viewer"), update(olga, role="admin"), path=USERS, by=adam)) == (
            False,
            [409, 200],
        )
        assert told(send(update(olga, role="admin"), update(adam, role="viewer"), path=USERS, by=adam)) == (
            True,
            [200, 200],
        )
        assert not User.objects.get(pk=adam.pk).access().allows(Role.ADMIN, None)

    def test_a_trial_sends_no_letter_and_a_write_does(self, send, adam, olga):
        moved = update(olga, email="olga@example.net")
        for query, letters in (("?dry_run=true", 0), ("", 1)):
            assert send(moved, path=f"{USERS}{query}", by=adam).status_code == 200
            assert Delivery.objects.count() == letters

    @pytest.mark.parametrize("name", ["password", "current_password"])
    def test_passwords_are_written_one_by_one(self, send, adam, olga, name):
        answer = send(update(olga, **{name: "tall-violet-otter-89"}), path=USERS, by=adam)
        assert told(answer) == (False, [400])
        problem = answer.json()["results"][0]["problem"]
        assert problem["errors"][0]["pointer"] == f"/items/0/body/{name}"

    def test_nobody_guesses_the_own_password_here(self, send, olga):
        answer = send(update(olga, email="olga@example.net"), path=USERS, by=olga)
        assert told(answer) == (False, [400])
        assert not Lockout.objects.exists()

    def test_of_others_take_an_administrator_and_tell_nobody_who_is_here(self, send, erik, olga, vera):
        answers = send(
            create(username="vera"), create(username=""), update(vera, username="vera2"), path=USERS, by=erik
        )
        assert told(answers) == (False, [403, 403, 404])

    def test_an_own_address_stays_where_it_is_not_named(self, send, adam):
        assert told(send(update(adam, first_name="Ada"), path=USERS, by=adam)) == (True, [200])
        adam.refresh_from_db()
        assert (adam.first_name, adam.email) == ("Ada", "adam@example.org")

    def test_are_dangerous_to_change_for_who_has_not_shown_a_second_factor(self, send, adam, olga, monkeypatch):
        def refuse(**_):
            raise ReauthenticationRequired("show who you are once more")

        for module in (users, sites):
            monkeypatch.setattr(module, "require_recent", refuse)
        items = [create(username="nina"), update(olga, role="admin"), {"action": "delete", "id": olga.pk}]
        assert told(send(*items, path=USERS, by=adam)) == (False, [403, 403, 403])
        doomed = factories.make_site("Doomed")
        assert told(send({"action": "delete", "id": doomed.pk}, path=SITES, by=adam)) == (False, [403])


class TestSites:
    def test_are_made_moved_and_removed_together(self, send, adam, plant, other_site):
        doomed = factories.make_site("Doomed")
        answer = send(
            create(name="Harbour", parent=plant.pk),
            update(other_site, parent=plant.pk),
            {"action": "delete", "id": doomed.pk},
            path=SITES,
            by=adam,
        )
        assert told(answer) == (True, [201, 200, 204])
        assert Site.objects.filter(parent=plant).count() == 2

    def test_stand_inside_themselves_as_little_as_alone(self, send, adam, plant, other_site):
        items = [update(other_site, parent=plant.pk), update(plant, parent=other_site.pk)]
        assert told(send(*items, path=SITES, by=adam)) == (False, [200, 400])

    def test_in_use_stay(self, send, adam, robot):
        assert told(send({"action": "delete", "id": robot.site_id}, path=SITES, by=adam)) == (False, [409])

    def test_take_an_administrator_and_tell_nobody_what_there_is(self, send, erik, plant, other_site):
        items = [create(name="Elsewhere"), update(plant, name="Elsewhere"), update(other_site, name="Mine")]
        doomed = {"action": "delete", "id": plant.pk}
        assert told(send(*items, doomed, path=SITES, by=erik)) == (False, [403, 403, 404, 403])
