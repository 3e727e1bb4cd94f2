"""The harness on a small scale: what it sends is stored, what it asks is answered, and a cheat is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from benchmarks import client
from benchmarks.bench import POSTGRES, SQLITE, Bench
from benchmarks.crowd.process import Crowd
from benchmarks.lines import queries
from benchmarks.lines.ingest import sent
from benchmarks.load import as_columns, make_load, stamp, whole_hour
from benchmarks.processes import DidNotStart, Server
from benchmarks.techtrack import TechTrack
from tests.servers import on_postgres

pytestmark = [
    pytest.mark.slow,
    # The client forks; the processes that it measures are no threads of this one.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
TEN_SECONDS = timedelta(seconds=10)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench(quick=True, say=lambda _: None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def system(bench: Bench) -> Iterator[TechTrack]:
    """A platform with a thousand machines and five thousand rules, as the benchmarks measure it."""
    name = POSTGRES if on_postgres() else SQLITE
    with bench.running(bench.starts(name)[name]) as running:
        yield running


class TestTechTrack:
    def test_stores_what_is_sent_in_each_form_of_body(self, system):
        load = make_load(ticks=3, end=whole_hour(3), step=TEN_SECONDS)
        by_items = [system.write_request(load, 0, 1)]
        body = as_columns(load, 1, 2, system.machines)
        by_columns = [client.request("POST", "/api/ingest/", body, system.headers("ingest"))]
        singles = [system.single_request(load, 2, machine) for machine in range(10)]
        for requests in (by_items, by_columns, singles):
            client.send(system.port, requests, connections=2).check("a body")
        assert [count(system, machine, load) for machine in (0, 9, 10, 999)] == [3, 3, 2, 2]

    def test_is_measured_until_all_is_folded(self, system):
        load = make_load(ticks=6, end=whole_hour(5), step=TEN_SECONDS)
        requests = [system.write_request(load, first, last) for first, last in load.stretches(2_000)]
        run = sent(system, requests, values=load.count, connections=2)
        assert run["whole"] >= run["acknowledged"] > 0
        assert run["rate"] > 0

    def test_refused_requests_are_no_figures(self, system):
        body = b'{"items": [{"asset": 1, "values": {"temperature": "hot"}}]}'
        refused = client.request("POST", "/api/ingest/", body, system.headers("ingest"))
        done = client.send(system.port, [refused])
        with pytest.raises(AssertionError, match=r"400: 1"):
            done.check("planted")


class TestQuestions:
    @pytest.fixture
    def small(self, monkeypatch):
        """The questions over days instead of years."""
        asked = tuple(
            queries.Question(one.name, one.bar, one.machine, min(one.length, 2 * queries.DAY), one.step)
            for one in queries.QUESTIONS
        )
        monkeypatch.setattr(queries, "QUESTIONS", asked)

    @pytest.mark.usefixtures("small")
    def test_are_answered_with_as_many_rows_as_there_must_be(self, system):
        end = whole_hour(24)
        for first in (queries.MONTHLY, queries.YEARLY):
            system.load_past(first=first, count=1, ticks=1000, step=300, end=end)
        system.load_past(first=queries.SCANNED, count=1, ticks=10_000, step=10, end=end)
        system.load_past(first=0, count=1000, ticks=1, step=10, end=end + timedelta(hours=1))
        figures, _ = queries.ask_all(system, end, times=2)
        assert set(figures) == {question.name for question in queries.QUESTIONS}
        assert all(figure > 0 for figure in figures.values())


class TestCrowd:
    @pytest.fixture
    def gather(self, system):
        """Gather a crowd of so many people; they go home at the end."""
        with ExitStack() as stack:

            def gather(people: int) -> Crowd:
                crowd = Crowd(system, people=people)
                stack.callback(crowd.leave)
                return crowd

            yield gather

    def test_does_each_thing_well_and_counts_it(self, gather):
        told = gather(1).do_each_once()
        assert (told["wrong"], told["refused"]) == ({}, 0)
        assert told["good"] == told["sent"]
        assert told["next_step"] == "raise", "the alert was not raised, acknowledged and ended"
        methods = {name.partition(" ")[0] for name in told["seconds"]}
        assert methods == {"GET", "POST", "PATCH", "DELETE"}

    def test_asks_in_rounds_at_either_pace(self, gather):
        crowd = gather(3)
        for pace in ({"at_once": 2}, {"rate": 20.0}):
            told = crowd.run(seconds=2, **pace)
            assert told.sent > 0
            assert told.wrong == {}
            assert sum(map(len, told.latencies.values())) + told.refused == told.sent

    def test_counts_as_wrong_what_was_not_wanted(self, gather, system, monkeypatch):
        monkeypatch.setitem(system.keys, "ingest", "planted")
        told = gather(1).do_each_once()
        assert any(name.startswith("POST ingest") and ": 401 " in name for name in told["wrong"])


class TestServer:
    def test_that_does_not_come_up_is_told_with_its_last_words(self, tmp_path):
        server = Server(["sh", "-c", "echo no disk; exit 3"], log=tmp_path / "log")
        with pytest.raises(DidNotStart, match="no disk"):
            server.wait_for(lambda: False)


def count(system: TechTrack, machine: int, load) -> int:
    """How many readings of the load the platform has of a machine."""
    span = f"from={stamp(int(load.times[0]))}&to={stamp(int(load.times[-1]) + 1)}"
    return len(json.loads(system.ask(f"/api/data/?equipment={system.machines[machine]}&{span}"))["results"])
