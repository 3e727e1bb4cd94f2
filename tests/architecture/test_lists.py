"""Every list of the API: as many SQL queries for thirty rows as for three, and nothing for an outsider."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.architecture import routes
from tests.architecture.scenes import SCENES, Stage

MOST_QUERIES = 6
LISTS = sorted({route.path for route in routes.routes("/api/") if ("get", "list") in route.actions})
# Rows that an outsider may see, by list, with the reason.
OWN_ROWS = {
    "/api/users/": 1,
    "/api/people/": 1,  # everybody sees oneself
}


@pytest.fixture
def stage(adam, plant) -> Stage:
    return Stage(adam, plant)


def counted(client: APIClient, path: str) -> tuple[int, int]:
    """(SQL queries, rows) of one GET of a list."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(path, {"page_size": 500} if "/data/" not in path and "/measurements/" not in path else {})
    assert answer.status_code == 200, answer.content
    return len(captured), len(answer.json()["results"])


def too_many(few: int, many: int) -> bool:
    """Tell whether counts for three and for thirty rows break the rule."""
    return many > MOST_QUERIES or many > few


def test_every_list_has_a_scene():
    assert set(LISTS) == set(SCENES)


@pytest.mark.parametrize("path", LISTS)
class TestList:
    def test_makes_as_many_queries_for_30_rows_as_for_3(self, path, stage, adam, api):
        client = api(adam)
        # The first request fills caches that live as long as the process.
        client.get(SCENES[path](stage, 1))
        few, _ = counted(client, SCENES[path](stage, 3))
        many, rows = counted(client, SCENES[path](stage, 30))
        assert rows >= 30
        assert not too_many(few, many), f"{few} queries for 3 rows, {many} for 30"

    def test_shows_an_outsider_nothing(self, path, stage, mallory, api):
        answer = api(mallory).get(SCENES[path](stage, 3))
        assert answer.status_code in {200, 403, 404}
        if answer.status_code == 200:
            body = answer.json()
            assert len(body["results"]) == OWN_ROWS.get(path, 0)
            assert body.get("count", 0) == OWN_ROWS.get(path, 0)

    def test_shows_a_person_of_another_site_nothing_of_the_plant(self, path, stage, oscar, api):
        answer = api(oscar).get(SCENES[path](stage, 3))
        assert answer.status_code in {200, 403, 404}
        assert b'"Plant"' not in answer.content
        if answer.status_code == 200 and path not in COMMON:
            assert len(answer.json()["results"]) == OWN_ROWS_ELSEWHERE.get(path, 0)

    def test_answers_401_without_credentials(self, path, stage, api):
        answer = api(None).get(SCENES[path](stage, 1))
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"]
        assert answer["Content-Type"] == "application/problem+json"


# What anybody with a role anywhere may read: it belongs to no site.
COMMON = {"/api/asset-types/", "/api/parameters/", "/api/routes/"}
# Among people there is adam, who works at every site.
OWN_ROWS_ELSEWHERE = {"/api/users/": 1, "/api/sites/": 1, "/api/people/": 2}


@pytest.mark.parametrize(("few", "many"), [(3, 30), (7, 7), (4, 5)], ids=["a query a row", "over 6", "one more"])
def test_a_planted_query_per_row_is_caught(few, many):
    assert too_many(few, many)
