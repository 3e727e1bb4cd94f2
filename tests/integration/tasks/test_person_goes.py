"""What becomes of work whose people go."""

from __future__ import annotations

import pytest

from techtrack.accounts import queries, services
from techtrack.tasks.models import Task
from techtrack.tasks.services import forget_person
from tests import factories
from tests.factories import make_task


@pytest.fixture
def leave(adam):
    """``leave(olga)``: an administrator deletes her account."""
    return lambda user: services.delete_user(user=user, by=queries.access_of(adam), expected=None, now=factories.NOW)


def share(task, user, level):
    task.share_rows.create(user=user, level=level)


class TestDeletedPerson:
    def test_takes_along_what_nobody_else_could_see(self, olga, leave):
        make_task(olga)
        make_task(olga, owners=[olga])
        # Its maker had gone before.
        make_task(None, owners=[olga])
        make_task(None, shared_with=[olga])
        leave(olga)
        assert not Task.objects.exists()

    def test_leaves_work_of_others(self, olga, erik, vera, now, leave):
        given = make_task(olga, owners=[olga, erik])
        taken = make_task(erik, owners=[olga])
        shown = make_task(erik, owners=[erik], shared_with=[olga])
        foreign = make_task(erik, owners=[erik], shared_with=[vera])
        leave(olga)
        assert list(Task.objects.order_by("pk")) == [given, taken, shown, foreign]
        for task, maker, owners, version in (
            (given, None, [erik.pk], 2),
            (taken, erik, [], 2),
            (shown, erik, [erik.pk], 2),
            (foreign, erik, [erik.pk], 1),
        ):
            task.refresh_from_db()
            assert (task.created_by, task.owners, task.version) == (maker, owners, version)
        assert [row.user for row in foreign.shared_with] == [vera]
        assert shown.shared_with == []

    @pytest.mark.parametrize(
        ("levels", "heir"),
        [
            pytest.param(("read", "write"), 1, id="who may write"),
            pytest.param(("write", "write"), 0, id="the first of them"),
            pytest.param(("read", "comment"), 1, id="else who may say something"),
            pytest.param(("read", "read"), 0, id="else the first"),
        ],
    )
    def test_leaves_shared_work_to_one_of_those_who_share_it(self, olga, erik, vera, leave, levels, heir):
        task = make_task(olga, owners=[olga])
        for user, level in zip((erik, vera), levels, strict=True):
            share(task, user, level)
        leave(olga)
        assert Task.objects.get().owners == [(erik, vera)[heir].pk]

    def test_leaves_work_about_an_asset_to_its_site(self, api, olga, erik, robot, leave):
        task = make_task(olga, owners=[olga], asset_id=robot.pk)
        share(task, erik, "write")
        leave(olga)
        body = api(erik).get(f"/api/tasks/{task.pk}/").json()
        assert (body["created_by"], body["owners"], body["equipment"]) == (None, [], robot.pk)
        assert api(erik).delete(f"/api/tasks/{task.pk}/").status_code == 204

    def test_leaves_work_about_one_alert_that_is_no_machines(self, olga, alert, leave):
        # Two of people about one alert, whose maker goes, are no second task of a machine.
        for _ in range(2):
            make_task(olga, alert=alert, asset_id=alert.asset_id)
        leave(olga)
        assert list(Task.objects.values_list("created_by", "automatic")) == [(None, False)] * 2

    def test_erased_by_itself_leaves_the_same(self, olga, erik):
        shared, private = make_task(olga, owners=[erik]), make_task(olga)
        services.erase_self(
            user=olga, by=queries.access_of(olga), password=factories.PASSWORD, expected=None, now=factories.NOW
        )
        assert list(Task.objects.all()) == [shared]
        assert private.pk != shared.pk

    def test_costs_the_same_however_much_there_is(self, olga, erik, now, django_assert_max_num_queries):
        for _ in range(20):
            make_task(olga, owners=[olga])
            make_task(olga, owners=[olga], shared_with=[erik])
        with django_assert_max_num_queries(50):
            forget_person(user_id=olga.pk, now=now)
        assert Task.objects.count() == 20
