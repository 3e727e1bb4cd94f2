"""Starts the platform in one process, and says in one sentence what stands in the way."""

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

from techtrack.accounts import services as accounts
from techtrack.core import clock
from techtrack.live.bus import bus
from techtrack.pipeline import loops

# Any number of ours: whoever brings the database up to date holds it on PostgreSQL as an advisory lock.
TURN = 7_355_608
LONGEST_TURN = 120.0


class CannotStart(Exception):
    """Something stands in the way; the message is one sentence for the person at the console."""


def serve(
    *, host: str, port: int, certfile: str | None, keyfile: str | None, reload: bool, say: Callable[[str], None]
) -> None:
    """Serve until stopped.

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
    options: dict[str, Any] = {"ssl_certfile": certfile, "ssl_keyfile": keyfile, "reload": reload}
    uvicorn.run(
        "techtrack.config.asgi:application",
        host=host,
        port=port,
        # Measured as the cheapest per frame of uvicorn's three.
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        # Small frames, each compressed for each socket anew: it would cost many times what sending them does.
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        server_header=False,
        # uvicorn believes X-Forwarded-For from this machine; whether to is our setting, and ours to read.
        proxy_headers=False,
        **options,
    )


def claim_port(host: str, port: int) -> None:
    """Find out whether the port is free, before anything else is begun."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CannotStart(f"Port {port} on {host} cannot be used: {reason}. Choose another with PORT=.") from None


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


def work(*, say: Callable[[str], None]) -> None:
    """Run the background loops until stopped.

    Raises:
        CannotStart: the database cannot be used.
    """
    prepare()
    running = loops()
    bus.open()
    for loop in running:
        loop.start()
    say("TechTrack works: judge and sender (Ctrl-C stops them)")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
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
