"""What each process does to be watched and to watch: it beats, and pings the dead man's switch while all is well."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from techtrack import pipeline
from techtrack.core import clock
from techtrack.core.jobs import Loop, running
from techtrack.watch import jobs, queries, services
from techtrack.watch.domain.facts import PATIENCE, at_work, living
from techtrack.watch.models import Check, Heartbeat
from tests import factories
from tests.integration.watch.conftest import LOOPS
from tests.plugins.platform import free_port


class TestLoops:
    def test_whose_patience_is_told_are_there(self):
        there = [*pipeline.loops(), *pipeline.watchers(works=True, serves=False)]
        assert {loop.name for loop in there} >= set(PATIENCE)

    def test_of_a_process_that_works_ping_where_there_is_an_address(self, settings):
        names = {(works, url): [] for works in (True, False) for url in ("", "https://monitor.example/1")}
        for (works, url), found in names.items():
            settings.DEADMAN_URL = url
            found += [loop.name for loop in pipeline.watchers(works=works, serves=True)]
        always = ["pulse", "watch", "stand-in teller", "stand-in sender"]
        assert names.pop((True, "https://monitor.example/1")) == [*always, "dead man"]
        assert list(names.values()) == [always] * 3

    def test_may_be_switched_off(self, settings):
        settings.WATCH_SECONDS = 0
        assert pipeline.watchers(works=True, serves=True) == []

    def test_tell_when_they_finished_a_step_and_say_something_last(self):
        failing, tried, said = threading.Event(), threading.Semaphore(0), []

        def step() -> bool:
            tried.release()
            if failing.is_set():
                raise OSError
            return False

        loop = Loop("lazy", step, every=0.001, last=lambda: said.append("bye"))
        loop.start()
        for _ in range(3):
            assert tried.acquire(timeout=30)
        assert running()["lazy"] < 30
        failing.set()
        for _ in range(2):
            assert tried.acquire(timeout=30)
        before = loop.since
        assert tried.acquire(timeout=30)
        assert loop.since > before, "a step that failed is none"
        failing.clear()
        loop.stop()
        assert said == ["bye"]
        assert "lazy" not in running()


@pytest.mark.django_db
class TestPulse:
    def test_beats_and_ends(self, settings):
        pulse = jobs.Pulse("both")
        for _ in range(2):
            pulse.beat()
        row = Heartbeat.objects.get()
        assert (row.host, row.pid, row.kind) == (socket.gethostname(), os.getpid(), "both")
        assert row.disks[str(settings.HOME)] > 0
        assert row.started_at < row.beat_at
        facts, limits = queries.look(row.beat_at), queries.limits()
        assert [process.name for process in at_work(facts, limits)] == [f"{socket.gethostname()}:{os.getpid()}"]
        pulse.end()
        assert living(queries.look(row.beat_at), limits) == []

    def test_of_two_processes_is_two(self):
        for pulse in (jobs.Pulse("web"), jobs.Pulse("worker")):
            pulse.beat()
        assert set(Heartbeat.objects.values_list("kind", flat=True)) == {"web", "worker"}

    def test_passes_over_a_folder_that_is_not_here(self, settings, monkeypatch):
        monkeypatch.setattr(queries, "folders", lambda: [Path("/no/such/folder"), settings.HOME])
        jobs.Pulse("web").beat()
        assert list(Heartbeat.objects.get().disks) == [str(settings.HOME)]


@pytest.mark.django_db
class TestWatch:
    def test_raises_what_lasts_and_steps_in(self, settings):
        settings.WATCH_SECONDS = 0.001
        channel = factories.make_channel(failing_since=factories.NOW)
        watch, taken = jobs.Watch(), []
        for _ in range(2):
            watch.look()
        assert Check.objects.get(kind="failing_channel", subject=str(channel.pk)).active
        watch.stand_in(lambda: taken.append(1) or False)
        assert taken == [1]


class Monitor:
    """A server that counts who asks for it, and answers with ``status``."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.asked.append(self.path)
                self.send_response(monitor.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/1"


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    made = Monitor()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.mark.django_db
class TestDeadMan:
    @pytest.fixture
    def well(self):
        """A worker that lives."""
        who = {"host": "plant", "pid": 1, "kind": "worker", "disks": {"/data": 1 << 40}}
        services.beat(process=jobs.uuid.uuid4(), who=who, loops=LOOPS, at=queries.moment(clock.now()))

    def test_pings_once_in_its_time(self, well, monitor):
        patient, eager = jobs.DeadMan(monitor.url), jobs.DeadMan(monitor.url, every=0)
        for _ in range(3):
            patient.work()
        assert monitor.asked == ["/ping/1"]
        for _ in range(2):
            eager.work()
        assert len(monitor.asked) == 3

    def test_says_nothing_while_something_grave_is_wrong_and_goes_on_once_it_is_not(self, well, monitor, caplog):
        dead_man = jobs.DeadMan(monitor.url)
        channel = factories.make_channel(name="Mail", failing_since=factories.NOW)
        dead_man.work()
        assert monitor.asked == []
        assert "is not pinged: The channel 'Mail' has failed" in caplog.text
        channel.delete()
        dead_man.work()
        assert monitor.asked == ["/ping/1"]

    def test_says_nothing_where_nobody_works(self, monitor):
        services.beat(
            process=jobs.uuid.uuid4(),
            who={"host": "plant", "pid": 1, "kind": "worker", "disks": {}},
            loops=LOOPS,
            at=factories.NOW,
        )
        jobs.DeadMan(monitor.url).work()
        assert monitor.asked == []

    def test_is_not_kept_by_what_is_no_danger(self, well, monitor):
        factories.make_delivery(factories.make_channel(), state="dead")
        jobs.DeadMan(monitor.url).work()
        assert monitor.asked

    def test_tells_that_nobody_hears_it_and_goes_on(self, well, monitor, caplog):
        monitor.status = 404
        jobs.DeadMan(monitor.url).work()
        jobs.DeadMan(f"http://127.0.0.1:{free_port()}/").work()
        assert "the dead-man address answered 404" in caplog.text
        assert "the dead-man address did not take the ping: 127.0.0.1:" in caplog.text
