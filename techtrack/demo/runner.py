"""``techtrack demo``: sets the plant up, starts everything, tells what to look at, and stops cleanly."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from techtrack.core import clock
from techtrack.demo import air, faults, folder, story
from techtrack.demo.clock import State
from techtrack.demo.inbox import Catcher
from techtrack.demo.load import GATEWAY, LOAD, TRY_ME, US, DemoPlant, load_plant
from techtrack.demo.replay import Door, Feeder
from techtrack.demo.server import NotReady, Server, free_port, reachable, why_not
from techtrack.demo.watching import Folding, Inflow

OK, FAILED, MISTAKE = 0, 1, 2
QUIET_EVERY = 15.0
BASELINE = Path(__file__).parent / "data" / "baseline.yaml"


def run_demo(*, host: str, port: int) -> int:
    """Run the demo until Ctrl-C; return the exit code (2: something must be mended first)."""
    console = Console(highlight=False, soft_wrap=True)
    if reason := why_not(host, port):
        console.print(f"Port {port} on {host} cannot be used: {reason}. Another one: techtrack demo --port 8001")
        return MISTAKE
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The mail catcher's library tells every line of every message.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    try:
        with ExitStack() as running:
            plant, server, feeder = _start(console, running, host, port)
            console.print(f"[green]Ready[/] after {time.monotonic() - started:.0f} s.\n")
            _tell(console, plant, f"http://{reachable(host)}:{port}")
            _tell_of_the_lab(console, feeder.state.start)
            feeder.start()
            _tell_of_the_air(console, feeder.state, f"http://{reachable(host)}:{port}")
            console.print("\nCtrl-C stops the demo.\n")
            _watch(console, server, feeder)
    except KeyboardInterrupt:
        console.print("Stopped; starting again goes on from here.")
        return OK
    except NotReady as error:
        console.print(f"[red]{error}[/]")
        return FAILED
    except (DatabaseError, PermissionError) as error:
        console.print(f"[red]The demo cannot be set up in {settings.HOME}: {error}.[/]")
        return MISTAKE
    console.print(f"[red]The platform has ended; {_log()} says why.[/]")
    return FAILED


def _start(console: Console, running: ExitStack, host: str, port: int) -> tuple[DemoPlant, Server, Feeder]:
    """Start everything in order; what was started is stopped by ``running`` in the opposite one."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("Preparing the database", total=None)
        _prepare()

        def say(what: str, done: int, total: int) -> None:
            progress.update(bar, description=f"Loading the plant: {what}", completed=done, total=total)

        plant = load_plant(clock.now(), say=say)
        connections.close_all()
        progress.update(bar, description="Starting the platform", total=None)
        mail_port = free_port()
        catcher = Catcher(mail_port, clock.now)
        catcher.start()
        running.callback(catcher.stop)
        server = _server(host, port, mail_port)
        running.callback(server.stop)
        server.start()
        server.wait()
    feeder = Feeder(plant.state, plant.playing, Door(reachable(host), port, plant.keys[GATEWAY]), clock.now)
    running.callback(feeder.stop)
    # Whoever presses Ctrl-C twice means it no more than once; stopping takes a bounded time.
    running.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
    return plant, server, feeder


def _prepare() -> None:
    Path(settings.HOME).mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    faults.mend_all()


def _server(host: str, port: int, mail_port: int) -> Server:
    environment = {
        "TECHTRACK_DEMO": "1",
        "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}",
        "TECHTRACK_PUBLIC_URL": f"http://{reachable(host)}:{port}",
    }
    return Server(host=host, port=port, log=_log(), settings_=environment)


def _log() -> Path:
    return folder.file("server.log")


def _tell(console: Console, plant: DemoPlant, url: str) -> None:
    """Print what a visitor needs."""
    console.print(f"The plant: [bold]{url}/[/]   What to look at: [bold]{url}/demo/[/]   E-mails: {url}/demo/inbox/")
    console.print(f"The API: {url}/swagger/\n")
    console.print("Log in as one of these:")
    for person in story.PEOPLE:
        console.out(f"  {person.username:6} {plant.passwords[person.username]:14} {person.what}", highlight=False)
    console.print("\nRaise an alert yourself (paste this into another terminal; 20 instead of 95 lets it return):")
    body = '{"items": [{"asset": "try-me", "values": {"temperature": 95}}]}'
    # Not through rich: the line must stay one line, and its brackets are no markup.
    console.out(
        f"curl -H 'Authorization: Api-Key {plant.keys[TRY_ME]}' -H 'Content-Type: application/json' "
        f"-d '{body}' {url}/api/ingest/\n",
        highlight=False,
    )
    console.print(
        "Pour 20,000 values a second into it for a minute, and see that it stays live (paste into another terminal):"
    )
    console.out(
        f".venv/bin/techtrack simulate --assets 100 --parameters 10 --rate 2000 --url {url} --key {plant.keys[LOAD]}\n",
        highlight=False,
    )
    console.print("Pull the plug, in another terminal: .venv/bin/techtrack demo --pull-the-plug")
    console.print("Prove that nobody has rewritten who did what: .venv/bin/techtrack audit verify")


def _tell_of_the_lab(console: Console, start: datetime) -> None:
    """Print a line that tries a rule on the bearing's stored days."""
    first = (start - story.BEARING_DAYS).strftime("%Y-%m-%dT%H:%MZ")
    console.print("\nAsk the rule lab when a rule that learns what is normal would have warned of the bearing:")
    console.out(
        f".venv/bin/techtrack rules preview --rule {BASELINE} --asset bearing-1 --from {first} "
        "--sweep limit=4,5,6 --sweep on_delay=PT0S,PT2H",
        highlight=False,
    )


def _tell_of_the_air(console: Console, state: State, url: str) -> None:
    """Draw up this year's report on the city's air, once, while the plant runs; print where to look at the air."""
    now = clock.now()
    drawn = air.report(by=US, now=now)
    console.print()
    for line in air.told(drawn=drawn, start=state.start, at=state.clock.at(now), url=url):
        console.out(line, highlight=False)
    connections.close_all()


def _watch(console: Console, server: Server, feeder: Feeder) -> None:
    """Count down to the first alarm and tell what comes in, until the platform ends."""
    first = feeder.state.clock.shows(feeder.state.start + story.FIRST_ALARM)
    folding, inflow = Folding(clock.now), Inflow()
    folding.start()
    with _line(console) as show:
        while server.alive():
            now = clock.now()
            for line in folding.news():
                console.print(line)
            show(f"{_state_of(feeder, first, now)}; {inflow.told(now)}")
            time.sleep(1)


def _state_of(feeder: Feeder, first: datetime, now: datetime) -> str:
    if now < first:
        return f"The first alarm, on bearing 1, comes in {(first - now).total_seconds():.0f} s"
    if (shown := feeder.state.clock.at(now)) < now:
        return f"The first alarm has come. The plant's clock shows {shown:%Y-%m-%d %H:%M} UTC and catches up"
    return "The plant's clock has met the present: values come as they were measured"


@contextmanager
def _line(console: Console) -> Iterator[Callable[[str], None]]:
    """Give a function that shows one line in place, or prints it every quarter of a minute where that cannot be."""
    if console.is_terminal:
        with console.status("") as status:
            yield status.update
        return
    last = float("-inf")

    def show(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET_EVERY:
            last = time.monotonic()
            console.print(text)

    yield show
