"""An asset moves to another site: open sockets of both are told what becomes of its tasks and alerts."""

from __future__ import annotations

import pytest

from techtrack.accounts.queries import access_of
from techtrack.assets import services as assets
from techtrack.core import clock
from techtrack.live.hub import hub as running
from techtrack.live.socket import LiveSocket
from techtrack.live.threads import in_thread
from techtrack.tasks import services as tasks
from tests import factories
from tests.integration.live.conftest import QUICK


@pytest.fixture
def hub(transactional_db):
    """The hub of this process, with the topics of the platform."""
    return running


@pytest.fixture
def application(hub):
    return LiveSocket(hub, QUICK)


async def move(asset, by, site):
    def moved():
        asset.refresh_from_db()
        return assets.update_asset(asset=asset, by=by.access(), changes={"site": site}, expected=None, now=clock.now())

    return await in_thread(moved)


async def create(by, **data):
    return await in_thread(
        lambda: tasks.create_task(by=access_of(by), data={"title": "Oil it", **data}, now=clock.now())
    )


async def subscribed(socket, *topics):
    answer = await socket.ask(type="subscribe", topics=list(topics))
    assert answer["type"] == "subscribed", answer


class TestTasks:
    async def test_go_where_the_asset_goes(self, connect, olga, vera, edda, adam, robot, plant, other_site):
        task = await create(olga, asset=robot)
        done = await create(olga, asset=robot, state="done")
        async with await connect(vera) as left, await connect(edda) as entered, await connect(olga) as maker:
            await subscribed(left, f"sites/{plant.pk}/tasks")
            await subscribed(entered, f"sites/{other_site.pk}/tasks")
            await subscribed(maker, f"users/{olga.pk}/tasks")
            await move(robot, adam, other_site)
            frame = await left.hear("task")
            assert (frame["event"], frame["task"]) == ("deleted", {"id": task.pk})
            frame = await entered.hear("task")
            assert (frame["event"], frame["task"]["id"]) == ("changed", task.pk)
            assert (await maker.hear("task"))["event"] == "changed"
            assert await left.quiet()
            assert await entered.quiet()
        assert done.pk != task.pk

    async def test_stay_where_the_asset_stays(self, connect, olga, vera, adam, robot, plant):
        await create(olga, asset=robot)
        async with await connect(vera) as socket:
            await subscribed(socket, f"sites/{plant.pk}/tasks")
            await move(robot, adam, plant)
            assert await socket.quiet()


class TestAlerts:
    async def test_go_where_the_asset_goes(self, connect, vera, edda, adam, robot, plant, other_site):
        alert = await in_thread(factories.make_alert, robot)
        async with await connect(vera) as left, await connect(edda) as entered:
            await subscribed(left, f"sites/{plant.pk}/alerts")
            await subscribed(entered, f"sites/{other_site.pk}/alerts")
            await move(robot, adam, other_site)
            frame = await left.hear("alert")
            assert (frame["event"], frame["alert"]["id"]) == ("deleted", alert.pk)
            frame = await entered.hear("alert")
            assert (frame["event"], frame["alert"]["id"], frame["alert"]["site"]) == ("moved", alert.pk, other_site.pk)
            assert await left.quiet()
            assert await entered.quiet()

    async def test_go_to_no_site(self, connect, vera, adam, robot, plant):
        alert = await in_thread(factories.make_alert, robot)
        async with await connect(vera) as left, await connect(adam) as entered:
            await subscribed(left, f"sites/{plant.pk}/alerts")
            await subscribed(entered, "sites/0/alerts")
            await move(robot, adam, None)
            assert (await left.hear("alert"))["event"] == "deleted"
            assert (await entered.hear("alert"))["alert"]["id"] == alert.pk
