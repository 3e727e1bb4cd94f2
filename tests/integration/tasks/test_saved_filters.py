"""Saved filters: the parameters of the list under a name, each person's own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.core import clock
from techtrack.tasks.models import SavedFilter
from tests import factories

FILTERS, TASKS = "/api/task-filters/", "/api/tasks/"


@pytest.fixture
def save(api):
    def post(user, name="Mine", **query):
        return api(user).post(FILTERS, {"name": name, "query": query}, format="json")

    return post


class TestFilter:
    def test_is_kept_as_it_was_given_names_in_order(self, save, olga):
        answer = save(olga, state="open", ordering="-due_date", search="oil")
        assert answer.status_code == 201
        assert answer.json()["query"] == {"ordering": "-due_date", "search": "oil", "state": "open"}

    def test_is_changed_and_deleted(self, api, save, olga):
        made, client = save(olga, state="open").json(), api(olga)
        path = f"{FILTERS}{made['id']}/"
        changed = client.patch(path, {"name": "New"}, format="json")
        assert (changed.json()["name"], changed.json()["query"], changed["ETag"]) == ("New", {"state": "open"}, '"2"')
        assert client.put(path, {"name": "N", "query": {"overdue": "true"}}, format="json").status_code == 200
        assert client.patch(path, {"name": "x"}, format="json", HTTP_IF_MATCH='"1"').status_code == 412
        assert client.delete(path).status_code == 204
        assert not SavedFilter.objects.exists()

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            pytest.param({"colour": "red"}, "/query/colour", id="what the list does not know"),
            pytest.param({"page": "2"}, "/query/page", id="what pages through it"),
            pytest.param({"format": "csv"}, "/query/format", id="a form of it"),
            pytest.param({"filter": "1"}, "/query/filter", id="another filter"),
            pytest.param({"state": "lost"}, "/query/state", id="a value that is none"),
            pytest.param({"state": 7}, "/query/state", id="a number for a text"),
            pytest.param({"priority": "9"}, "/query/priority", id="a priority too high"),
            pytest.param({"due_before": "soon"}, "/query/due_before", id="no time"),
            pytest.param({"ordering": "owners"}, "/query/ordering", id="an order that there is not"),
            pytest.param({"search": "x" * 201}, "/query/search", id="a long search"),
            pytest.param({}, "/query", id="nothing at all"),
            pytest.param([], "/query", id="a list"),
        ],
    )
    def test_that_the_list_would_not_take_is_refused(self, api, olga, query, pointer):
        answer = api(olga).post(FILTERS, {"name": "x", "query": query}, format="json")
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (400, [pointer])

    def test_has_a_name_of_its_own(self, save, olga, erik):
        assert save(olga, state="open").status_code == 201
        answer = save(olga, state="done")
        assert (answer.status_code, answer.json()["code"]) == (409, "filter_exists")
        assert save(erik, state="open").status_code == 201

    def test_is_one_of_two_hundred_at_most(self, save, olga):
        for _ in range(200):
            factories.make_filter(olga)
        assert save(olga, state="open").json()["code"] == "too_many_filters"

    def test_is_nobody_elses(self, api, save, olga, erik, adam):
        made = save(olga, state="open").json()
        for user in (erik, adam):
            assert api(user).get(FILTERS).json()["count"] == 0
            for send in (api(user).get, api(user).delete):
                assert send(f"{FILTERS}{made['id']}/").status_code == 404


class TestUse:
    @pytest.fixture
    def three(self, olga, make_task):
        due = [clock.now() + timedelta(days=days) for days in (3, 1, 2)]
        return [
            make_task(olga, title="later", due_date=due[0]),
            make_task(olga, title="sooner", due_date=due[1]),
            make_task(olga, title="done", due_date=due[2], state="done"),
        ]

    def titles(self, client, query):
        answer = client.get(f"{TASKS}?{query}")
        assert answer.status_code == 200, answer.content
        return [row["title"] for row in answer.json()["results"]]

    def test_narrows_and_orders_the_list(self, api, save, olga, three):
        made = save(olga, state="open", ordering="due_date").json()
        assert self.titles(api(olga), f"filter={made['id']}") == ["sooner", "later"]

    def test_goes_behind_what_is_asked_for_besides(self, api, save, olga, three):
        made = save(olga, state="open", ordering="due_date").json()
        assert self.titles(api(olga), f"filter={made['id']}&state=done") == ["done"]
        assert self.titles(api(olga), f"filter={made['id']}&ordering=-due_date") == ["later", "sooner"]

    def test_goes_on_on_the_next_page(self, api, save, olga, three):
        made = save(olga, state="open", ordering="due_date").json()
        first = api(olga).get(f"{TASKS}?filter={made['id']}&page_size=1").json()
        assert [row["title"] for row in api(olga).get(first["next"]).json()["results"]] == ["later"]

    @pytest.mark.parametrize("name", ["0", "x", "-1", "999999", "9" * 30, ""])
    def test_of_one_that_one_does_not_have_is_refused(self, api, olga, name):
        answer = api(olga).get(f"{TASKS}?filter={name}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "?filter")

    def test_of_somebody_elses_is_refused(self, api, save, olga, erik):
        made = save(olga, state="open").json()
        assert api(erik).get(f"{TASKS}?filter={made['id']}").status_code == 400

    def test_of_a_parameter_that_is_gone_says_so(self, api, olga):
        made = factories.make_filter(olga, query={"colour": "red"})
        answer = api(olga).get(f"{TASKS}?filter={made.pk}")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
