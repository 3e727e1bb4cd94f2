"""The topics of tasks and deliveries, as pipeline.py has connected them: who is told what, and no longer what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from techtrack.accounts.models import Membership
from techtrack.accounts.queries import access_of
from techtrack.core import clock, events
from techtrack.live.hub import hub as running
from techtrack.live.outbox import Outbox
from techtrack.live.socket import LiveSocket
from techtrack.live.subscriber import Subscriber
from techtrack.live.threads import in_thread
from techtrack.notifications.events import DeliveryChanged
from techtrack.notifications.models import Delivery, DeliveryState
from techtrack.tasks import queries as task_queries
from techtrack.tasks import services as tasks
from techtrack.tasks.models import Task
from tests import factories
from tests.integration.live.conftest import QUICK


@pytest.fixture
def hub(transactional_db):
    """The hub of this process, with the topics of the platform."""
    return running


@pytest.fixture
def application(hub):
    return LiveSocket(hub, QUICK)


async def create(by, **data):
    return await in_thread(
        lambda: tasks.create_task(by=access_of(by), data={"title": "Oil it", **data}, now=clock.now())
    )


async def change(task, by, **changes):
    def changed():
        fresh = Task.objects.get(pk=task.pk)
        return tasks.update_task(task=fresh, by=access_of(by), changes=changes, expected=None, now=clock.now())

    return await in_thread(changed)


async def subscribed(socket, *topics):
    answer = await socket.ask(type="subscribe", topics=list(topics))
    assert answer["type"] == "subscribed", answer
    return answer["snapshot"]


async def told(socket):
    """The event and the task of the next frame."""
    frame = await socket.hear("task")
    return frame["event"], frame["task"]


def names(snapshot, topic="tasks"):
    return [task["title"] for task in snapshot[topic]["tasks"]]


class TestTasks:
    async def test_begin_with_the_unfinished_ones_that_one_may_see(self, connect, olga, vera, mallory, robot, hub):
        await create(olga, title="About the robot", asset=robot)
        await create(olga, title="Private")
        await create(olga, title="Done", state="done")
        await create(olga, title="Shared", shared_with=[(vera.pk, "read")])
        for person, seen in (
            (olga, {"About the robot", "Private", "Shared"}),
            (vera, {"About the robot", "Shared"}),
            (mallory, set()),
        ):
            async with await connect(person) as socket:
                assert set(names(await subscribed(socket, "tasks"))) == seen

    async def test_are_told_to_owners_sharers_and_those_of_the_site_once(
        self, connect, olga, vera, mallory, erik, robot
    ):
        async with (
            await connect(olga) as maker,
            await connect(vera) as shared,
            await connect(erik) as colleague,
            await connect(mallory) as outsider,
        ):
            for socket in (maker, shared, colleague, outsider):
                await subscribed(socket, "tasks")
            made = await create(olga, asset=robot, shared_with=[(vera.pk, "read")], owners=[olga.pk])
            for socket in (maker, shared, colleague):
                event, task = await told(socket)
                assert (event, task["id"], task["equipment"], task["owners"]) == (
                    "created",
                    made.pk,
                    robot.pk,
                    [olga.pk],
                )
            private = await create(olga, title="Private")
            assert (await told(maker))[1]["id"] == private.pk
            for socket in (maker, shared, colleague, outsider):
                assert await socket.quiet()

    async def test_follow_what_is_changed_shared_and_deleted(self, connect, olga, vera):
        task = await create(olga)
        async with await connect(olga) as maker, await connect(vera) as other:
            await subscribed(maker, "tasks")
            assert names(await subscribed(other, "tasks")) == []
            await change(task, olga, shared_with=[(vera.pk, "read")])
            assert (await told(other))[0] == "changed"
            await change(task, olga, state="in_progress")
            assert (await told(other))[1]["state"] == "in_progress"
            await change(task, olga, shared_with=[])
            # For her it is gone.
            assert await told(other) == ("deleted", {"id": task.pk})
            await change(task, olga, title="Secret")
            assert await other.quiet()
            fresh = await in_thread(Task.objects.get, pk=task.pk)
            await in_thread(lambda: tasks.delete_task(task=fresh, by=access_of(olga), expected=None, now=clock.now()))
            assert [(await told(maker))[0] for _ in range(5)] == ["changed"] * 4 + ["deleted"]
            assert await other.quiet()

    async def test_who_still_sees_it_another_way_gets_it_back_at_once(self, connect, olga, vera, robot):
        task = await create(olga, asset=robot, shared_with=[(vera.pk, "read")])
        async with await connect(vera) as socket:
            await subscribed(socket, "tasks")
            await change(task, olga, shared_with=[])
            assert [(await told(socket))[0] for _ in range(2)] == ["deleted", "changed"]

    async def test_a_rule_opens_are_told_at_the_site(self, connect, vera, robot, plant):
        alert = await in_thread(factories.make_alert, robot)
        async with await connect(vera) as socket:
            await subscribed(socket, f"sites/{plant.pk}/tasks")
            made = await in_thread(
                lambda: tasks.open_for_alert(alert_id=alert.pk, wish={"title": "Look"}, now=clock.now())
            )
            event, task = await told(socket)
            assert (event, task["id"], task["alert"], task["owners"]) == ("created", made.pk, alert.pk, [])

    async def test_go_with_their_asset_and_lose_their_people(self, connect, adam, olga, vera, robot):
        task = await create(olga, asset=robot, shared_with=[(vera.pk, "read")])
        async with await connect(adam) as everywhere, await connect(vera) as shared:
            await subscribed(everywhere, "tasks")
            await subscribed(shared, "tasks")
            await in_thread(lambda: tasks.forget_asset(asset_id=robot.pk, now=clock.now()))
            assert await told(everywhere) == ("deleted", {"id": task.pk})
            # By the site it is gone, as hers it is still there.
            assert [(await told(shared))[0] for _ in range(2)] == ["deleted", "changed"]
            await in_thread(lambda: tasks.forget_person(user_id=olga.pk, now=clock.now()))
            event, seen = await told(shared)
            assert (event, seen["id"]) == ("changed", task.pk)

    async def test_can_be_resumed(self, connect, olga, vera, robot):
        first = await create(olga, asset=robot)
        async with await connect(vera) as socket:
            sequence = (await socket.ask(type="subscribe", topics=["tasks"]))["sequence"]
        await change(first, olga, priority=4)
        await create(olga, title="Private")
        async with await connect(vera) as socket:
            answer = await socket.ask(type="subscribe", topics=["tasks"], since=sequence)
            assert answer["missed"] == 1
            assert (await told(socket))[1]["priority"] == 4
            assert await socket.quiet()

    async def test_of_others_cannot_be_asked_for(self, connect, olga, vera, other_site):
        async with await connect(olga) as socket:
            for topic in (f"users/{vera.pk}/tasks", f"sites/{other_site.pk}/tasks", "sites/0/tasks"):
                assert (await socket.ask(type="subscribe", topics=[topic]))["code"] == "forbidden"
            await subscribed(socket, f"users/{olga.pk}/tasks")

    async def test_end_with_the_role_and_one_s_own_go_on(self, connect, olga, erik, robot, plant):
        async with await connect(olga) as socket:
            await subscribed(socket, "tasks", f"sites/{plant.pk}/tasks")
            await in_thread(Membership.objects.filter(user=olga).delete)
            assert f"sites/{plant.pk}/tasks" in (await socket.hear("error"))["detail"]
            await create(erik, title="Theirs", asset=robot)
            await create(olga, title="Hers")
            assert (await told(socket))[1]["title"] == "Hers"
            assert await socket.quiet()

    def test_of_a_key_are_those_of_its_site(self, olga, plant, other_site):
        key = replace(access_of(olga), only_site=plant.pk)
        asked = [[f"sites/{plant.pk}/tasks"], [f"users/{olga.pk}/tasks"], [f"sites/{other_site.pk}/tasks"]]
        found = [running.wanted(Subscriber(key, Outbox()), frozenset({"tasks"}), topics) for topics in asked]
        assert found == [True, False, False]
        topic, place = running.topics.find("tasks")
        assert topic.authorise(key, place)
        assert not topic.authorise(replace(key, only_asset=1), place)


class TestTalk:
    async def test_is_told_at_the_site_and_a_mention_to_who_is_meant(self, connect, olga, vera, erik, mallory, robot):
        task = await create(olga, asset=robot)
        async with (
            await connect(vera) as viewer,
            await connect(erik) as meant,
            await connect(mallory) as outsider,
        ):
            for socket in (viewer, meant, outsider):
                await subscribed(socket, "tasks")
            said = await in_thread(
                lambda: tasks.add_comment(task=task, by=access_of(olga), text="@erik @mallory secret", now=clock.now())
            )
            comment = {"id": said.pk, "task": task.pk, "author": olga.pk}
            for socket in (viewer, meant):
                frame = await socket.hear("comment")
                assert (frame["event"], frame["comment"]) == ("created", comment)
            assert (await meant.hear("mention"))["comment"] == comment
            for socket in (viewer, meant, outsider):
                assert await socket.quiet()

    async def test_of_a_reminder_reaches_its_owners_alone(self, connect, olga, vera, robot):
        moment = clock.now() + timedelta(hours=1)
        wish = [{"at": clock.isoformat(moment)}]
        task = await create(vera, reminders=wish, owners=[vera.pk], shared_with=[(olga.pk, "write")])
        async with await connect(vera) as owner, await connect(olga) as other:
            for socket in (owner, other):
                await subscribed(socket, "tasks")
            (pk,) = await in_thread(lambda: task_queries.reminders_due(moment))
            assert await in_thread(lambda: tasks.fire_reminder(pk=pk, now=moment))
            assert (await owner.hear("reminder"))["reminder"] == {"task": task.pk, "due_date": None}
            for socket in (owner, other):
                assert await socket.quiet()


@pytest.fixture
def delivery(plant, robot):
    alert = factories.make_alert(robot)
    return factories.make_delivery(factories.make_channel(site=plant), alert=alert, site=plant, subject="Too hot")


def announce(delivery, state):
    """What the services of the outbox do."""
    Delivery.objects.filter(pk=delivery.pk).update(state=state)
    events.publish(DeliveryChanged(delivery_id=delivery.pk, site_id=delivery.site_id, state=state))


class TestDeliveries:
    async def test_begin_with_what_waits_or_was_given_up(self, connect, olga, erik, delivery, plant):
        async with await connect(olga) as socket:
            for topic in ("deliveries", f"sites/{plant.pk}/deliveries"):
                (shown,) = (await subscribed(socket, topic))[topic]["deliveries"]
                assert (shown["id"], shown["subject"], shown["state"]) == (str(delivery.pk), "Too hot", "pending")
            await in_thread(Delivery.objects.update, state=DeliveryState.SENT)
            assert (await subscribed(socket, "deliveries"))["deliveries"]["deliveries"] == []

    async def test_are_told_to_operators_of_the_site(self, connect, olga, adam, delivery, other_site):
        stranger = await in_thread(factories.make_user, "ova", role="operator", site=other_site)
        async with await connect(olga) as ours, await connect(adam) as all_, await connect(stranger) as theirs:
            for socket in (ours, all_, theirs):
                await subscribed(socket, "deliveries")
            for state in ("pending", "sent"):
                await in_thread(announce, delivery, state)
            for socket in (ours, all_):
                frames = [await socket.hear("delivery") for _ in range(2)]
                assert [(frame["event"], frame["delivery"]["state"]) for frame in frames] == [
                    ("pending", "pending"),
                    ("sent", "sent"),
                ]
            assert await theirs.quiet()

    async def test_to_a_person_are_told_to_that_person(self, connect, vera, olga, delivery, plant):
        async with await connect(vera) as socket, await connect(olga) as operator:
            assert (await subscribed(socket, "deliveries"))["deliveries"]["deliveries"] == []
            await subscribed(operator, "deliveries")
            await in_thread(announce, delivery, "pending")
            assert await socket.quiet()
            await in_thread(Delivery.objects.filter(pk=delivery.pk).update, person=vera)
            for topic in ("deliveries", f"users/{vera.pk}/deliveries"):
                (shown,) = (await subscribed(socket, topic))[topic]["deliveries"]
                assert shown["person"] == vera.pk
            await in_thread(announce, delivery, "sent")
            assert (await socket.hear("delivery"))["event"] == "sent"
            # Hers by the site.
            assert [(await operator.hear("delivery"))["event"] for _ in range(2)] == ["pending", "sent"]

    async def test_of_others_cannot_be_asked_for(self, connect, vera, mallory, olga, plant):
        for person in (vera, mallory):
            async with await connect(person) as socket:
                for topic in (f"sites/{plant.pk}/deliveries", f"users/{olga.pk}/deliveries"):
                    assert (await socket.ask(type="subscribe", topics=[topic]))["code"] == "forbidden"

    async def test_end_with_the_role(self, connect, olga, delivery):
        async with await connect(olga) as socket:
            own = f"sites/{delivery.site_id}/deliveries"
            await subscribed(socket, "deliveries", own)
            await in_thread(Membership.objects.filter(user=olga).update, role="viewer")
            assert own in (await socket.hear("error"))["detail"]
            await in_thread(announce, delivery, "sent")
            assert await socket.quiet()
