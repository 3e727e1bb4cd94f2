"""Categories over the API: everybody's own drawers."""

from __future__ import annotations

import pytest

from techtrack.tasks.models import Category
from tests import factories

CATEGORIES = "/api/categories/"


@pytest.fixture
def drawer(olga):
    """A category of olga's."""
    return Category.objects.create(owner=olga, name="Mine", **factories.STAMPS)


class TestCategories:
    def test_are_anybodys_own(self, api, mallory):
        answer = api(mallory).post(CATEGORIES, {"name": "Mine", "colour": "#1F77b4"}, format="json")
        assert (answer.status_code, answer["ETag"]) == (201, '"1"')
        assert {name: answer.json()[name] for name in ("name", "colour", "version")} == {
            "name": "Mine",
            "colour": "#1F77b4",
            "version": 1,
        }
        assert Category.objects.get().owner == mallory

    @pytest.mark.parametrize("who", ["adam", "erik", "mallory"])
    def test_are_nobody_elses(self, api, drawer, who, request):
        client, address = api(request.getfixturevalue(who)), f"{CATEGORIES}{drawer.pk}/"
        assert client.get(CATEGORIES).json()["count"] == 0
        assert client.get(address).status_code == 404
        for send in (client.put, client.patch, client.delete):
            assert send(address, {"name": "x"}, format="json").status_code == 404
        assert client.post(CATEGORIES, {"name": "Mine"}, format="json").status_code == 201

    def test_are_called_differently(self, api, olga, drawer):
        client = api(olga)
        answer = client.post(CATEGORIES, {"name": "Mine"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "category_exists")
        other = client.post(CATEGORIES, {"name": "Other"}, format="json").json()
        answer = client.patch(f"{CATEGORIES}{other['id']}/", {"name": "Mine"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "category_exists")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({}, "/name", id="no name"),
            pytest.param({"name": "x" * 101}, "/name", id="a long name"),
            pytest.param({"name": "x", "colour": "red"}, "/colour", id="a colour in words"),
            pytest.param({"name": "x", "colour": "#1f77b4\n#"}, "/colour", id="a colour on two lines"),
            pytest.param({"name": "x", "colour": ["#1f77b4"]}, "/colour", id="a list for a colour"),
        ],
    )
    def test_name_what_is_wrong(self, api, olga, body, pointer):
        answer = api(olga).post(CATEGORIES, body, format="json")
        assert (answer.status_code, [e["pointer"] for e in answer.json()["errors"]]) == (400, [pointer])

    def test_change_by_version(self, api, olga, drawer):
        client, address = api(olga), f"{CATEGORIES}{drawer.pk}/"
        answer = client.patch(address, {"colour": "#000000"}, format="json", HTTP_IF_MATCH='"1"')
        assert (answer.status_code, answer.json()["version"]) == (200, 2)
        answer = client.put(address, {"name": "Mine"}, format="json", HTTP_IF_MATCH='"1"')
        assert (answer.status_code, answer.json()["current"]["version"]) == (412, 2)
        assert client.put(address, {"name": "Mine"}, format="json").json()["colour"] == ""

    def test_deleted_leave_their_tasks_with_a_new_version(self, api, olga, drawer, make_task):
        task = make_task(olga, category=drawer)
        assert api(olga).delete(f"{CATEGORIES}{drawer.pk}/").status_code == 204
        shown = api(olga).get(f"/api/tasks/{task.pk}/").json()
        assert (shown["category"], shown["version"]) == (None, 2)
