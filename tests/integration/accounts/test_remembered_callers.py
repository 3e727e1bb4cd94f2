"""Doors that are read many times a second: who calls is remembered for a moment, and forgotten with any write."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts import services
from techtrack.accounts.api import remembering
from techtrack.accounts.api.remembering import Callers, callers
from techtrack.accounts.domain.access import Role
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.core.writes import writes
from techtrack.live.bus import bus
from tests import factories

LATEST = "/api/latest/"


@pytest.fixture(autouse=True)
def _nobody_known():
    callers.forget()


def queries(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured if "session" in query["sql"] or "membership" in query["sql"]]


class TestReading:
    def test_asks_once_who_calls(self, olga, robot, log_in, bearer):
        client = bearer(log_in("olga")["access"])
        assert queries(client, LATEST)
        assert not queries(client, LATEST)

    def test_asks_again_after_two_seconds(self, olga, robot, log_in, bearer, monkeypatch):
        client = bearer(log_in("olga")["access"])
        queries(client, LATEST)
        now = remembering.time.monotonic()
        monkeypatch.setattr(remembering.time, "monotonic", lambda: now + remembering.REMEMBERED)
        assert queries(client, LATEST)

    def test_asks_anew_after_a_write(self, olga, robot, log_in, bearer):
        told = log_in("olga")
        client = bearer(told["access"])
        assert client.get(LATEST).status_code == 200
        assert client.post("/api/accounts/logout/", {"refresh": told["refresh"]}, format="json").status_code < 300
        assert client.get(LATEST).status_code == 401

    def test_does_not_take_one_for_another(self, olga, mallory, robot, log_in, bearer):
        mine, other = (bearer(log_in(name)["access"]) for name in ("olga", "mallory"))
        assert mine.get(LATEST).json()["results"]
        assert other.get(LATEST).json()["results"] == []

    def test_remembers_no_wrong_credential(self, olga, bearer):
        client = bearer("nonsense")
        assert [client.get(LATEST).status_code for _ in range(2)] == [401, 401]

    def test_asks_each_time_at_other_doors(self, olga, robot, log_in, bearer):
        client = bearer(log_in("olga")["access"])
        assert queries(client, f"/api/equipment/{robot.pk}/")
        assert queries(client, f"/api/equipment/{robot.pk}/")


class TestCallers:
    def test_end_with_the_credential(self, olga):
        over = services.Caller(olga, olga.access(), clock.now() - timedelta(seconds=1))
        known, asked = Callers(), []
        for _ in range(2):
            known.caller(b"a", lambda: asked.append(1) or over)
        assert len(asked) == 2

    def test_an_answer_from_before_a_write_is_not_kept(self, olga):
        known, asked = Callers(), []
        caller = services.Caller(olga, olga.access(), None)

        def ask():
            asked.append(1)
            known.forget()
            return caller

        for _ in range(2):
            assert known.caller(b"a", ask) is caller
        assert len(asked) == 2

    def test_are_not_kept_without_end(self, olga, monkeypatch):
        monkeypatch.setattr(remembering, "MOST", 3)
        known, caller = Callers(), services.Caller(olga, olga.access(), None)
        for number in range(9):
            known.caller(bytes([number]), lambda: caller)
        assert len(known._known) <= 3


def told_of(callbacks, monkeypatch, work):
    """Whether ``work`` ends what is remembered, in this process and, by a hint, in others."""
    hints = []
    monkeypatch.setattr(bus, "tell", lambda topic, _: hints.append(topic))
    before = writes.state
    with callbacks(execute=True):
        work()
    assert (writes.state != before) == ("callers" in hints)
    return "callers" in hints


def changing(**changes):
    return lambda user, by: services.update_user(user=user, by=by, changes=changes, expected=None, now=clock.now())


def end_sessions(user, _):
    services.revoke_sessions(user=user, now=clock.now())


def make_key(user, _):
    factories.make_key(user)


def make_site(*_):
    factories.make_site("Harbour")


class TestAnotherProcess:
    """Commands and loops write beside every door; so do other machines."""

    @pytest.mark.parametrize(
        ("work", "told"),
        [
            pytest.param(changing(roles={}), True, id="roles are taken"),
            pytest.param(changing(roles={None: Role.ADMIN}), True, id="roles are given"),
            pytest.param(changing(is_active=False), True, id="somebody is deactivated"),
            pytest.param(end_sessions, True, id="sessions are ended"),
            pytest.param(make_key, True, id="a key is made"),
            pytest.param(make_site, False, id="something else is written"),
        ],
    )
    def test_forgets_the_callers_when(
        self, olga, adam, log_in, django_capture_on_commit_callbacks, monkeypatch, work, told
    ):
        log_in("olga")
        known = told_of(django_capture_on_commit_callbacks, monkeypatch, lambda: work(olga, access_of(adam)))
        assert known is told

    def test_is_told_here_by_a_hint(self):
        before = writes.state
        bus._call("callers", 0)
        assert writes.state != before
