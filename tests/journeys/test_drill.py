"""The production set-up under load while one part of each kind dies; and that the drill notices what is planted."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from benchmarks.compose import ASGI, Compose
from benchmarks.drill import verdict
from benchmarks.drill.__main__ import SETTINGS
from benchmarks.drill.callers import Caller, Gateway
from benchmarks.drill.faults import SHORT
from benchmarks.drill.ledger import Ledger
from benchmarks.drill.run import GATEWAYS, Drill
from benchmarks.postgres import Postgres
from benchmarks.system import NotInstalled
from tests import servers
from tests.plugins.platform import ROOT

pytestmark = [
    pytest.mark.xdist_group("campaigns"),
    pytest.mark.skipif(not servers.on_postgres(), reason="it brings its own PostgreSQL: once is enough"),
]
PATIENCE = 60.0


@pytest.fixture
def compose() -> Iterator[Compose]:
    """A set-up for each: what is planted in one would be found in the other."""
    with ExitStack() as stack:
        try:
            postgres = Postgres()
            stack.callback(postgres.stop)
            made = Compose(postgres, **SETTINGS)
        except NotInstalled as error:
            servers.missing(str(error), "apt-get install postgresql nginx-light redis-server")
        stack.callback(made.stop)
        yield made


def test_nothing_is_lost_whatever_dies_and_one_retry_is_enough(compose):
    drill = Drill(compose, say=print)
    try:
        drill.begin()
        drill.strike(SHORT)
        found = drill.end()
    finally:
        drill.close()
    assert found.faults == ()
    assert [row.name for row in drill.rows] == [fault.name for fault in SHORT]
    assert min(found.readings, found.rows, found.alerts, found.frames) > 0


def test_an_early_acknowledgement_and_a_502_are_noticed(compose, tmp_path):
    acknowledge_early(compose, tmp_path)
    say_502(compose)
    over, ledger = Event(), Ledger()
    machines = compose.machines[:GATEWAYS]
    gateways = [Gateway(caller(compose, ledger, over), one, datetime.now(UTC), rate=10, over=over) for one in machines]
    for gateway in gateways:
        gateway.start()
    eventually(lambda: all(one.acknowledged for one in gateways))
    for name in ASGI:
        compose.parts[name].kill()
    eventually(lambda: 'HTTP/1.1" 502 ' in (compose.folder / "access.log").read_text())
    for name in ASGI:
        compose.parts[name].start()
        compose.parts[name].wait()
    over.set()
    for gateway in gateways:
        gateway.join(PATIENCE)
    assert any("answers were 502" in fault for fault in ledger.faults())
    acknowledged, lost, _ = verdict.of_readings(gateways, f"http://127.0.0.1:{compose.port}", compose.keys["read"])
    assert 0 < lost <= acknowledged


def acknowledge_early(compose: Compose, folder: Path) -> None:
    """Let the ASGI nodes start with another application, by a program before uvicorn."""
    real = Path(sys.executable).parent / "uvicorn"
    program = folder / "uvicorn"
    program.write_text(f'#!/bin/sh\nshift\nexec "{real}" tests.campaigns.hasty:application "$@"\n')
    program.chmod(0o755)
    compose.env |= {"PATH": f"{folder}:{compose.env['PATH']}", "PYTHONPATH": str(ROOT)}
    for name in ASGI:
        compose.parts[name].stop()
        compose.parts[name].start()
    for name in ASGI:
        compose.parts[name].wait()


def say_502(compose: Compose) -> None:
    """Take from the proxy what makes a 503 of its 502."""
    path = compose.folder / "nginx.conf"
    text, count = re.subn(r" *error_page 502 .*\n", "", path.read_text())
    assert count == 1
    path.write_text(text)
    os.kill(compose.parts["proxy"].pid, signal.SIGHUP)


def caller(compose: Compose, ledger: Ledger, over: Event) -> Caller:
    return Caller(compose.port, compose.headers("ingest"), ledger, over)


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
