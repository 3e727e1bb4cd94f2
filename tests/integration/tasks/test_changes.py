"""Keeping a copy of the tasks: whoever goes on from the last answer misses nothing and keeps nothing that is gone."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from techtrack.accounts import services as people
from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Membership
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Alert
from techtrack.assets import services as assets
from techtrack.core import clock
from techtrack.core.models import Head
from techtrack.live import services as live
from techtrack.tasks import queries, services
from techtrack.tasks.models import Departure, Task, TaskNumber
from tests import factories
from tests.integration.tasks.racing import losers, race

CHANGES, TASKS = "/api/tasks/changes/", "/api/tasks/"


class Copy:
    """What a client keeps: versions by id."""

    def __init__(self, client) -> None:
        self.client, self.since, self.kept = client, "0", {}

    def catch_up(self, page_size=500):
        """Go on from the last answer until there is no more; return the ids of what changed, and of what is gone."""
        changed, gone = [], []
        while True:
            answer = self.client.get(CHANGES, {"since": self.since, "page_size": page_size})
            assert answer.status_code == 200, answer.content
            found = answer.json()
            for task in found["changed"]:
                self.kept[task["id"]] = task["version"]
            for pk in found["deleted"]:
                self.kept.pop(pk, None)
            changed += [task["id"] for task in found["changed"]]
            gone += found["deleted"]
            self.since = found["next"]
            if not found["more"]:
                return changed, gone

    def is_true(self):
        """Tell whether it is what the list shows."""
        listed = self.client.get(TASKS, {"page_size": 500}).json()["results"]
        return self.kept == {row["id"]: row["version"] for row in listed}


@pytest.fixture
def copy(api):
    return lambda user: Copy(api(user))


def change(task, by, **changes):
    return services.update_task(
        task=queries.whole(task.pk), by=access_of(by), changes=changes, expected=None, now=factories.NOW
    )


class TestChanges:
    def test_begin_with_all_that_one_may_see(self, copy, olga, vera, mallory, robot, make_task):
        private, about = make_task(olga), make_task(olga, asset=robot)
        assert copy(olga).catch_up() == ([private.pk, about.pk], [])
        assert copy(vera).catch_up() == ([about.pk], [])
        assert copy(mallory).catch_up() == ([], [])

    def test_then_tell_what_was_made_changed_and_deleted_since(self, api, copy, olga, make_task):
        first, second = make_task(olga), make_task(olga)
        mine = copy(olga)
        mine.catch_up()
        assert mine.catch_up() == ([], [])
        change(first, olga, title="New")
        third = make_task(olga)
        api(olga).delete(f"{TASKS}{second.pk}/")
        assert mine.catch_up() == ([first.pk, third.pk], [second.pk])
        api(olga).post(f"{TASKS}{second.pk}/restore/")
        assert mine.catch_up() == ([second.pk], [])
        assert mine.is_true()

    def test_show_tasks_as_the_list_does(self, api, olga, robot, make_task):
        make_task(olga, asset=robot, priority=4)
        assert api(olga).get(CHANGES).json()["changed"] == api(olga).get(TASKS).json()["results"]

    def test_tell_who_may_see_it_no_longer_that_it_is_gone(self, copy, olga, erik, vera, robot, make_task):
        shared = make_task(olga, shared_with=[(vera.pk, "read")], owners=[olga.pk, erik.pk])
        about = make_task(olga, asset=robot)
        copies = {user: copy(user) for user in (olga, erik, vera)}
        for one in copies.values():
            one.catch_up()
        change(shared, olga, owners=[olga.pk], shared_with=[])
        change(about, olga, asset=None)
        assert copies[vera].catch_up() == ([], [shared.pk, about.pk])
        assert copies[erik].catch_up() == ([], [shared.pk, about.pk])
        assert copies[olga].catch_up() == ([shared.pk, about.pk], [])
        change(shared, olga, shared_with=[(vera.pk, "read")])
        assert copies[vera].catch_up() == ([shared.pk], [])

    def test_follow_an_asset_to_another_site_and_away(
        self, copy, olga, oscar, adam, erik, robot, other_site, make_task
    ):
        mine, done = make_task(erik, asset=robot), make_task(erik, asset=robot, state="done")
        here, there, everywhere = copy(olga), copy(oscar), copy(adam)
        for one in (here, there, everywhere):
            one.catch_up()
        robot = assets.update_asset(
            asset=robot, by=access_of(adam), changes={"site": other_site}, expected=None, now=factories.NOW
        )
        assert here.catch_up() == ([], [mine.pk, done.pk])
        assert there.catch_up() == ([mine.pk, done.pk], [])
        assert everywhere.catch_up()[1] == []
        assets.delete_asset(asset=robot, by=access_of(adam), confirm=robot.name, expected=None)
        for one in (here, there, everywhere):
            one.catch_up()
            assert one.is_true()

    def test_come_in_pages_that_leave_nothing_out(self, copy, olga, robot, make_task):
        drawer = factories.make_category(olga)
        tasks = [make_task(olga, category=drawer) for _ in range(5)]
        mine = copy(olga)
        assert mine.catch_up(page_size=2) == ([task.pk for task in tasks], [])
        # One write of all of them: they share a number.
        services.delete_category(category=drawer, by=access_of(olga), expected=None, now=factories.NOW)
        assert mine.catch_up(page_size=2) == ([task.pk for task in tasks], [])
        for task in tasks:
            services.delete_task(task=queries.whole(task.pk), by=access_of(olga), expected=None, now=factories.NOW)
        assert mine.catch_up(page_size=2) == ([], [task.pk for task in tasks])
        assert mine.is_true()

    def test_on_the_first_pages_miss_nothing_that_goes_meanwhile(self, api, copy, olga, make_task):
        tasks = [make_task(olga) for _ in range(4)]
        mine = copy(olga)
        first = mine.client.get(CHANGES, {"page_size": 2}).json()
        mine.since, mine.kept = first["next"], {task["id"]: task["version"] for task in first["changed"]}
        api(olga).delete(f"{TASKS}{tasks[0].pk}/")
        api(olga).delete(f"{TASKS}{tasks[3].pk}/")
        mine.catch_up(page_size=2)
        assert mine.is_true()

    def test_of_many_at_once_are_one_step(self, api, copy, olga, make_task):
        tasks = [make_task(olga) for _ in range(3)]
        mine = copy(olga)
        mine.catch_up()
        items = [{"action": "update", "id": task.pk, "body": {"priority": 4}} for task in tasks]
        items += [{"action": "delete", "id": tasks[0].pk}, {"action": "create", "body": {"title": "New"}}]
        assert api(olga).post(f"{TASKS}bulk/", {"items": items}, format="json").status_code == 200
        mine.catch_up()
        assert mine.is_true()
        assert len(set(TaskNumber.objects.values_list("number", flat=True))) == 1

    def test_tell_a_key_of_an_asset_what_left_its_asset(self, erik, plant, robot, station, make_task):
        key = Access(erik.pk, "erik", at={plant.pk: Role.ENGINEER}, only_asset=robot.pk, key_id=1)
        task, other = make_task(erik, asset=robot), make_task(erik, asset=station)
        first = queries.changes(key, None, limit=9, now=factories.NOW)
        assert ([one.pk for one in first.tasks], first.gone) == ([task.pk], [])
        # At the same site still, so that people there hear of a change.
        change(task, erik, asset=station)
        change(other, erik, asset=robot)
        then = queries.changes(key, first.following, limit=9, now=factories.NOW)
        assert ([one.pk for one in then.tasks], then.gone) == ([other.pk], [task.pk])

    def test_tell_a_key_of_an_asset_that_it_went_to_another_site(self, adam, erik, plant, robot, other_site, make_task):
        key = Access(erik.pk, "erik", at={plant.pk: Role.ENGINEER}, only_asset=robot.pk, key_id=1)
        task, mine = make_task(adam, asset=robot), make_task(erik, asset=robot)
        first = queries.changes(key, None, limit=9, now=factories.NOW)
        where = {"site": other_site}
        assets.update_asset(asset=robot, by=access_of(adam), changes=where, expected=None, now=factories.NOW)
        then = queries.changes(key, first.following, limit=9, now=factories.NOW)
        assert ([one.pk for one in then.tasks], then.gone) == ([mine.pk], [task.pk])

    def test_go_on_where_somebody_is_gone(self, copy, olga, erik, adam, robot, make_task):
        shared, about = make_task(olga, owners=[olga.pk, erik.pk]), make_task(erik, asset=robot)
        change(shared, olga, owners=[olga.pk])
        mine = copy(olga)
        mine.catch_up()
        people.delete_user(user=erik, by=access_of(adam), expected=None, now=factories.NOW)
        assert mine.catch_up() == ([about.pk], [])
        assert not Departure.objects.filter(person_id=erik.pk).exists()


class TestResync:
    def asked(self, client, since):
        answer = client.get(CHANGES, {"since": since})
        return answer.status_code, answer.json().get("code")

    def test_is_needed_where_departures_are_forgotten(self, copy, olga, make_task, time_machine):
        time_machine.move_to(factories.NOW, tick=False)
        tasks = [make_task(olga) for _ in range(2)]
        mine, late = copy(olga), copy(olga)
        mine.catch_up()
        time_machine.move_to(factories.NOW + timedelta(days=29))
        services.delete_task(task=tasks[0], by=access_of(olga), expected=None, now=clock.now())
        late.catch_up()
        services.forget_deleted(now=clock.now())
        assert mine.catch_up() == ([], [tasks[0].pk])
        time_machine.move_to(factories.NOW + timedelta(days=29 + 31, hours=1))
        services.forget_deleted(now=clock.now())
        assert not Departure.objects.exists()
        for one in (mine, late):
            assert self.asked(one.client, one.since) == (410, "resync")
        assert copy(olga).catch_up() == ([tasks[1].pk], [])

    def test_is_not_needed_while_departures_are_known(self, copy, olga, make_task, time_machine):
        # Asked for late in the day, and again early in the day that is the last one.
        time_machine.move_to(factories.NOW.replace(hour=23, minute=59), tick=False)
        task = make_task(olga)
        mine = copy(olga)
        mine.catch_up()
        services.delete_task(task=task, by=access_of(olga), expected=None, now=clock.now())
        time_machine.move_to(factories.NOW.replace(hour=23, minute=58) + timedelta(days=29))
        services.forget_deleted(now=clock.now())
        assert mine.catch_up() == ([], [task.pk])

    def test_is_not_needed_by_who_sees_nothing_of_what_happens(self, copy, olga, mallory, make_task):
        make_task(mallory)
        mine = copy(mallory)
        mine.catch_up()
        before = mine.since
        services.delete_task(task=make_task(olga), by=access_of(olga), expected=None, now=factories.NOW)
        mine.catch_up()
        # How much happens elsewhere cannot be told from it.
        assert mine.since == before

    def test_is_needed_where_roles_are_others(self, copy, olga, vera, robot, other_site, make_task):
        make_task(olga, asset=robot)
        mine = copy(vera)
        mine.catch_up()
        Membership.objects.create(user=vera, site=other_site, role=Role.VIEWER)
        again = Copy(type(mine.client)())
        again.client.force_authenticate(vera, token=access_of(vera))
        assert self.asked(again.client, mine.since) == (410, "resync")
        # Another rank at the same site shows the same tasks.
        Membership.objects.filter(site=other_site).delete()
        Membership.objects.update(role=Role.OPERATOR)
        again.client.force_authenticate(vera, token=access_of(vera))
        assert self.asked(again.client, mine.since) == (200, None)

    def test_is_needed_with_somebody_elses_cursor(self, copy, olga, erik, make_task):
        make_task(olga)
        mine = copy(olga)
        mine.catch_up()
        assert self.asked(copy(erik).client, mine.since) == (410, "resync")

    def test_is_needed_with_a_number_of_the_future(self, copy, olga, make_task):
        make_task(olga)
        mine = copy(olga)
        mine.catch_up()
        number, _, rest = mine.since.partition(".")
        assert self.asked(mine.client, f"{int(number) + 1}.{rest}") == (410, "resync")

    @pytest.mark.parametrize(
        "query", ["since=x", "since=", "since=7", "page_size=501", "page_size=0", "page=2", "state=open"]
    )
    def test_is_not_what_one_gets_for_nonsense(self, api, olga, query):
        assert api(olga).get(f"{CHANGES}?{query}").status_code == 400


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_of_writers_leaves_the_copy_of_a_reader_true(self, copy, olga, robot, make_task):
        tasks = [make_task(olga, asset=robot) for _ in range(4)]
        readers, over = [copy(olga) for _ in range(2)], Event()
        threads = [Thread(target=self.follow, args=(reader, over)) for reader in readers]
        for thread in threads:
            thread.start()
        results = race(*(lambda task=task: self.write(task, olga) for task in tasks))
        over.set()
        for thread in threads:
            thread.join()
        assert losers(results) == []
        for reader in readers:
            reader.catch_up(page_size=3)
            assert reader.is_true()

    def write(self, task, by):
        for step in range(12):
            change(task, by, title=f"Step {step}", owners=[by.pk] * (step % 2))
            made = services.create_task(by=access_of(by), data={"title": "x"}, now=factories.NOW)
            if step % 3:
                services.delete_task(task=made, by=access_of(by), expected=None, now=factories.NOW)

    def follow(self, reader, over):
        try:
            while not over.is_set():
                reader.catch_up(page_size=3)
        finally:
            connection.close()

    @pytest.mark.skipif("connection.vendor == 'sqlite'", reason="it lets one writer in, whatever they lock")
    @pytest.mark.parametrize("quiet", [False, True], ids=["that open pages see", "that they need not see"])
    def test_of_a_task_whose_alert_is_held_by_others_waits_for_nobody(self, olga, alert, make_task, quiet):
        task, held, written, ended = make_task(olga, alert=alert), Event(), Event(), []

        def hold():
            try:
                with transaction.atomic():
                    Alert.objects.select_for_update().get(pk=alert.pk)
                    held.set()
                    ended.append(written.wait(10))
            finally:
                connection.close()

        thread = Thread(target=hold)
        thread.start()
        held.wait(10)
        if quiet:
            services.start_clock(task=task, by=access_of(olga), note="", now=factories.NOW)
            services.stop_clock(task=task, by=access_of(olga), now=factories.NOW + timedelta(hours=1))
        else:
            change(task, olga, title="New")
        written.set()
        thread.join()
        assert ended == [True]

    def test_with_a_writer_that_commits_late_misses_nothing(self, copy, olga):
        assert self.missed_by_a_reader(copy, olga) == []

    @pytest.mark.skipif("connection.vendor == 'sqlite'", reason="it lets one writer in, whatever they number")
    def test_with_numbers_that_are_given_out_freely_would_miss_it(self, copy, olga, monkeypatch):
        numbers = count(1)
        monkeypatch.setattr(Head, "take", lambda _: next(numbers))
        monkeypatch.setattr(Head, "current", lambda _: 10)
        monkeypatch.setattr(live, "record_all", lambda **_: 0)
        assert len(self.missed_by_a_reader(copy, olga)) == 1

    def missed_by_a_reader(self, copy, olga):
        """Let one write and wait, another write, a reader read, and the first commit; return what the reader lacks."""
        written, go_on, done = Event(), Event(), Event()

        def slow():
            try:
                with transaction.atomic():
                    services.create_task(by=access_of(olga), data={"title": "slow"}, now=factories.NOW)
                    written.set()
                    go_on.wait(10)
            finally:
                connection.close()

        def quick():
            try:
                services.create_task(by=access_of(olga), data={"title": "quick"}, now=factories.NOW)
            finally:
                connection.close()
                done.set()

        threads = [Thread(target=slow), Thread(target=quick)]
        threads[0].start()
        written.wait(10)
        threads[1].start()
        # Where the first holds the head the other one waits for it.
        done.wait(1)
        reader = copy(olga)
        reader.catch_up()
        go_on.set()
        for thread in threads:
            thread.join()
        reader.catch_up()
        return sorted(set(Task.objects.values_list("pk", flat=True)) - set(reader.kept))
