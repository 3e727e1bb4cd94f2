"""Links: anybody who has one reads one task, until it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.tasks import services
from techtrack.tasks.models import Task, TaskLink
from tests import factories

TASKS = "/api/tasks/"


@pytest.fixture
def task(olga, erik, robot, make_task):
    return make_task(olga, asset=robot, title="Clean it", description="With a <b>brush</b>.", owners=[olga.pk, erik.pk])


@pytest.fixture
def make_link(api, task):
    """``make_link(olga)``: a link as it is shown to who made it."""

    def post(user, **body):
        answer = api(user).post(f"{TASKS}{task.pk}/links/", body, format="json")
        assert answer.status_code == 201, answer.content
        return answer.json()

    return post


def read(link, client=None):
    return (client or Client()).get(f"/api/shared/tasks/{link['key']}/")


def page(link):
    return Client().get(f"/shared/tasks/{link['key']}/")


def links(task):
    return f"{TASKS}{task.pk}/links/"


class TestLink:
    def test_is_shown_with_its_key_once(self, api, make_link, olga, task):
        link = make_link(olga)
        assert link["url"].endswith(f"/shared/tasks/{link['key']}/")
        assert len(link["key"]) >= 43
        [listed] = api(olga).get(links(task)).json()["results"]
        assert listed == {name: value for name, value in link.items() if name not in {"key", "url"}}
        assert link["key"] not in str(TaskLink.objects.values().get())

    def test_lasts_a_week_unless_said(self, make_link, olga):
        link = make_link(olga)
        assert clock.now() + timedelta(days=6) < TaskLink.objects.get(pk=link["id"]).expires_at
        ends = clock.isoformat(clock.now() + timedelta(days=300))
        assert make_link(olga, expires_at=ends)["expires_at"] == ends

    @pytest.mark.parametrize(
        "ends",
        [
            pytest.param("2020-01-01T00:00:00Z", id="has passed"),
            pytest.param("2099-01-01T00:00:00Z", id="is for ever"),
            pytest.param("soon", id="is no time"),
        ],
    )
    def test_whose_end_makes_no_sense_is_refused(self, api, olga, task, ends):
        answer = api(olga).post(links(task), {"expires_at": ends}, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/expires_at")

    def test_is_for_who_made_or_owns_the_task_to_make_and_see(self, api, olga, erik, vera, oscar, adam, task):
        for user, status in [(olga, 201), (erik, 201), (adam, 403), (vera, 403), (oscar, 404)]:
            assert api(user).post(links(task), {}, format="json").status_code == status
        for user, status in [(olga, 200), (erik, 200), (vera, 403), (oscar, 404)]:
            assert api(user).get(links(task)).status_code == status

    def test_is_found_at_its_own_task_only(self, api, make_link, olga, make_task):
        link, other = make_link(olga), make_task(olga)
        assert api(olga).get(f"{links(other)}{link['id']}/").status_code == 404

    def test_is_one_of_fifty_at_most(self, api, olga, task):
        for _ in range(50):
            factories.make_link(task, expires_at=clock.now() + timedelta(days=1))
        answer = api(olga).post(links(task), {}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_links")


class TestReading:
    def test_shows_what_is_to_be_done_and_nobodys_name(self, make_link, olga):
        link = make_link(olga)
        answer = read(link)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["title"], found["description"], found["state"]) == ("Clean it", "With a <b>brush</b>.", "open")
        assert found["expires_at"] == link["expires_at"]
        assert "olga" not in answer.content.decode()
        assert set(found) & {"owners", "shared_with", "created_by", "equipment", "id"} == set()

    def test_shows_a_page_that_programs_do_not_find(self, make_link, olga):
        answer = page(make_link(olga))
        assert answer.status_code == 200
        text = answer.content.decode()
        assert "Clean it" in text
        assert "With a &lt;b&gt;brush&lt;/b&gt;." in text
        assert "olga" not in text
        assert answer["X-Robots-Tag"] == "noindex"
        assert "no-store" in answer["Cache-Control"]

    def test_follows_the_task(self, make_link, olga, task):
        link = make_link(olga)
        services.update_task(task=task, by=access_of(olga), changes={"state": "done"}, expected=None, now=factories.NOW)
        assert read(link).json()["state"] == "done"

    @pytest.mark.parametrize("key", ["unknown", "x" * 500, "%00", "é"])
    def test_with_a_key_of_nothing_finds_nothing(self, task, key):
        for path in (f"/api/shared/tasks/{key}/", f"/shared/tasks/{key}/"):
            assert Client().get(path).status_code == 404

    def test_takes_no_parameters_and_changes_nothing(self, make_link, olga):
        link = make_link(olga)
        assert Client().get(f"/api/shared/tasks/{link['key']}/?x=1").status_code == 400
        for path in (f"/api/shared/tasks/{link['key']}/", f"/shared/tasks/{link['key']}/"):
            assert Client().post(path).status_code == 405


class TestEnd:
    def ended(self, link):
        answer = read(link)
        assert (answer.json()["code"], answer.json()["errors"][0]["pointer"]) == ("link_expired", "/key")
        return answer.status_code, page(link).status_code

    def test_comes_with_the_time(self, make_link, olga):
        link = make_link(olga)
        TaskLink.objects.update(expires_at=factories.NOW - timedelta(days=9))
        assert self.ended(link) == (410, 410)

    def test_comes_when_it_is_revoked(self, api, make_link, olga, erik, task):
        link, other = make_link(olga), make_link(olga)
        assert api(erik).delete(f"{links(task)}{link['id']}/").status_code == 204
        assert self.ended(link) == (410, 410)
        assert read(other).status_code == 200
        assert api(olga).get(f"{links(task)}{link['id']}/").json()["revoked_at"]

    def test_comes_when_the_task_is_deleted_and_goes_when_it_is_back(self, api, make_link, olga, task):
        link = make_link(olga)
        api(olga).delete(f"{TASKS}{task.pk}/")
        assert self.ended(link) == (410, 410)
        api(olga).post(f"{TASKS}{task.pk}/restore/")
        assert read(link).status_code == 200

    def test_comes_when_who_made_it_may_see_the_task_no_longer(self, make_link, olga, erik, task):
        """As an operator, of a task that a machine opened."""
        link = make_link(olga)
        about = {"owners": [erik.pk]}
        services.update_task(task=task, by=access_of(olga), changes=about, expected=None, now=factories.NOW)
        Task.objects.filter(pk=task.pk).update(automatic=True, created_by=None)
        assert read(link).status_code == 200
        olga.memberships.all().delete()
        assert self.ended(link) == (410, 410)

    def test_comes_when_who_made_it_may_make_none_any_more(self, api, make_link, olga, erik, task):
        link = make_link(erik)
        services.update_task(
            task=task, by=access_of(olga), changes={"owners": [olga.pk]}, expected=None, now=factories.NOW
        )
        assert api(erik).get(f"{TASKS}{task.pk}/").status_code == 200
        assert api(erik).post(links(task), {}, format="json").status_code == 403
        assert self.ended(link) == (410, 410)

    def test_comes_when_who_made_it_is_shut_out(self, make_link, olga):
        link = make_link(olga)
        olga.is_active = False
        olga.save()
        assert self.ended(link) == (410, 410)

    def test_leaves_nothing_in_the_end(self, make_link, olga):
        link = make_link(olga)
        services.forget_deleted(now=clock.now() + timedelta(days=38))
        assert read(link).status_code == 404

    def test_with_an_old_version_is_refused(self, api, make_link, olga, task):
        link = make_link(olga)
        answer = api(olga).delete(f"{links(task)}{link['id']}/", HTTP_IF_MATCH='"9"')
        assert answer.status_code == 412
