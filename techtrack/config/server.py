"""Starts the platform, in one process or several, and says in one sentence what stands in the way."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from prometheus_client import start_http_server

from techtrack.accounts import services as accounts
from techtrack.config.crew import APPLICATION, Crew, NeverServed
from techtrack.core import clock
from techtrack.live.bus import bus
from techtrack.pipeline import loops, watchers

# Any number of ours: whoever brings the database up to date holds it on PostgreSQL as an advisory lock.
TURN = 7_355_608
LONGEST_TURN = 120.0
# How uvicorn serves.
HOW: dict[str, Any] = {
    "ws": "techtrack.config.sockets:LiveProtocol",
    "ws_max_size": 64 * 1024,
    # Small frames, each compressed for each socket anew: it would cost many times what sending them does.
    "ws_per_message_deflate": False,
    "lifespan": "on",
    "access_log": False,
    # Else uvicorn takes our number of threads (WEB_CONCURRENCY) for a number of processes.
    "workers": 1,
    "log_config": None,
    "timeout_graceful_shutdown": 5,
    # Longer than clients and proxies keep one: else a request may meet a line that is being closed.
    "timeout_keep_alive": 75,
    "server_header": False,
    # uvicorn believes X-Forwarded-For from this machine; whether to is our setting, and ours to read.
    "proxy_headers": False,
}


class CannotStart(Exception):
    """Something stands in the way; the message is one sentence for the person at the console."""


def serve(
    *, host: str, port: int, certfile: str | None, keyfile: str | None, reload: bool, say: Callable[[str], None]
) -> None:
    """Serve until stopped, in as many processes as the settings say; with ``reload`` in one.

    Raises:
        CannotStart: the port is taken, the database cannot be used, a certificate is missing.
    """
    for path in (certfile, keyfile):
        if path and not Path(path).is_file():
            raise CannotStart(f"There is no file {path}.")
    claim_port(host, port)
    prepare()
    scheme = "https" if certfile else "http"
    address = f"{scheme}://{host}:{port}"
    if secret := accounts.issue_setup_secret(now=clock.now()):
        say(f"Nobody can log in yet. Make the first administrator within 15 minutes: {address}/setup/{secret}/")
    say(f"TechTrack serves {address} (Ctrl-C stops it)")
    options = HOW | {"ssl_certfile": certfile, "ssl_keyfile": keyfile}
    if settings.PROCESSES == 1 or reload:
        uvicorn.run(APPLICATION, host=host, port=port, reload=reload, **options)
        return
    if connection.vendor == "postgresql":
        # This process needs nothing more of the database. Django's stubs do not know the pool.
        connection.close_pool()  # type: ignore[attr-defined]
    try:
        Crew(settings.PROCESSES, _bound(host, port), options).run()
    except NeverServed as error:
        raise CannotStart(f"The server cannot start: {error}.") from None


def claim_port(host: str, port: int) -> None:
    """Find out whether the port is free, before anything else is begun."""
    _bound(host, port).close()


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotStart(f"Port {port} on {host} cannot be used: {reason}. Choose another with PORT=.") from None
    return bound


def prepare() -> None:
    """Bring the database up to date."""
    settings.HOME.mkdir(parents=True, exist_ok=True)
    try:
        with _in_turn():
            call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        first_line = (str(error).splitlines() or ["no reason given"])[0]
        raise CannotStart(f"The database cannot be used: {first_line}.") from None
    finally:
        connection.close()


def work(*, metrics_port: int | None, say: Callable[[str], None]) -> None:
    """Run the background loops until stopped; what they count is told at ``metrics_port``, if there is one.

    Raises:
        CannotStart: the port is taken, the database cannot be used.
    """
    if metrics_port is not None:
        claim_port(settings.HOST, metrics_port)
        start_http_server(metrics_port, settings.HOST)
    prepare()
    running = [*loops(), *watchers(works=True, serves=False)]
    bus.open()
    for loop in running:
        loop.start()
    # Whoever reads the line below may stop us at once: by then we know how.
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    say("TechTrack works: judge, compactor and sender (Ctrl-C stops them)")
    stop.wait()
    for loop in running:
        loop.stop()
    bus.close()


@contextmanager
def _in_turn() -> Iterator[None]:
    """Hold off others who start at this moment: two who migrate at once make the same tables, and one fails.

    It connects without the pool, which would wait where the database is away, and then not say why.
    """
    wrapper: Any = connection
    with wrapper.wrap_database_errors:
        if connection.vendor == "postgresql":
            turn = wrapper.Database.connect(**wrapper.get_connection_params(), connect_timeout=5)
            turn.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
        else:
            # An empty database beside ours, for its lock alone: ours must stay free to be migrated.
            turn = wrapper.Database.connect(settings.HOME / "migrate.turn", timeout=LONGEST_TURN, isolation_level=None)
            turn.execute("BEGIN EXCLUSIVE")
    with closing(turn):
        connection.ensure_connection()
        yield
