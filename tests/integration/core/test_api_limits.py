"""How much one caller may ask of the API at large."""

from __future__ import annotations

import pytest

from techtrack.core.api import limits
from techtrack.core.api.limits import Budgets


class TestBudgets:
    def test_let_a_minutes_worth_through_at_once_and_then_evenly(self):
        budgets, now = Budgets(), 1000.0
        assert [budgets.take("a", 60, now) for _ in range(60)] == [0.0] * 60
        assert budgets.take("a", 60, now) == pytest.approx(1.0)
        assert budgets.take("a", 60, now + 1.0) == 0.0
        assert budgets.take("a", 60, now + 1.0) > 0

    def test_are_each_callers_own(self):
        budgets = Budgets()
        assert budgets.take("a", 1, 0.0) == 0.0
        assert budgets.take("a", 1, 0.0) == 60.0
        assert budgets.take("b", 1, 0.0) == 0.0

    def test_forget_who_has_all_of_it(self, monkeypatch):
        monkeypatch.setattr(limits, "MOST", 10)
        budgets = Budgets()
        for number in range(10):
            budgets.take(str(number), 60, float(number))
        budgets.take("new", 60, 9.5)
        assert set(budgets._full_at) == {"9", "new"}


class TestApi:
    @pytest.fixture(autouse=True)
    def _few(self, settings, monkeypatch):
        settings.LIMITS = settings.LIMITS | {"api": 3}
        monkeypatch.setattr(limits, "budgets", Budgets())

    def test_refuses_who_asks_too_often_and_says_when_to_come_again(self, olga, vera, api):
        answers = [api(olga).get("/api/equipment/") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        refused = answers[-1]
        assert refused["Content-Type"] == "application/problem+json"
        assert 1 <= int(refused["Retry-After"]) <= 21
        assert refused["RateLimit-Policy"] == '"api";q=3;w=60'
        assert api(vera).get("/api/equipment/").status_code == 200

    def test_counts_no_readings(self, olga, robot, api):
        body = {"equipment": robot.pk, "values": {"temperature": 1.5}}
        answers = [api(olga).post("/api/data/", body, format="json").status_code for _ in range(6)]
        assert answers == [201] * 6

    def test_writes_nothing(self, olga, api, django_assert_num_queries):
        client = api(olga)
        client.get("/api/accounts/second-factor/")
        with django_assert_num_queries(2):
            client.get("/api/accounts/second-factor/")

    def test_can_be_left_off(self, olga, api, settings):
        settings.LIMITS = settings.LIMITS | {"api": 0}
        assert {api(olga).get("/api/equipment/").status_code for _ in range(5)} == {200}
