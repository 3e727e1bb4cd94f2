"""What people and machines are told while the database or the cache is away."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from techtrack.config import doctor, health
from techtrack.telemetry.api import store
from techtrack.web import queries


class TestPage:
    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_asks_to_come_again_while_the_database_is_away(self, error, vera, monkeypatch):
        client = Client()
        client.force_login(vera)

        def away(*_, **__):
            raise error("server closed the connection")

        monkeypatch.setattr(queries, "places", away)
        answer = client.get("/")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "server closed" not in answer.content.decode()


class TestCache:
    @pytest.fixture(autouse=True)
    def away(self, monkeypatch):
        class Away:
            def set(self, *_):
                raise RedisAway("Error 111 connecting")

        monkeypatch.setattr(health, "cache", Away())
        monkeypatch.setattr("django.core.cache.cache", Away())

    def test_that_is_away_makes_the_process_unready(self, db):
        answer = Client().get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, {"cache": "ConnectionError"})

    def test_that_is_away_is_done_without(self, adam, monkeypatch):
        class Away:
            def get(self, *_):
                raise RedisAway("Error 111 connecting")

            set = get

        monkeypatch.setattr(store, "cache", Away())
        client = Client()
        client.force_login(adam)
        assert client.get("/api/store/").status_code == 200

    def test_that_is_away_is_a_finding_of_the_doctor(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1"
        ((well, sentence),) = doctor._cache()
        assert not well
        assert "Redis does not answer" in sentence
