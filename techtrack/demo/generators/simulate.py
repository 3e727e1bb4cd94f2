"""``techtrack simulate``: machines that were never built send readings through the real door, with faults to order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from techtrack.core import clock
from techtrack.core.clock import isoformat
from techtrack.demo.generators.faults import BadOrder, Item, Mischief, Orders, as_words
from techtrack.demo.generators.machines import Fleet
from techtrack.demo.generators.places import Machine, NoPlace, Place, machines, own_platform, platform_at
from techtrack.demo.generators.sending import GivenUp, Sender, Tally
from techtrack.demo.replay import Door

OK, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
MOST_ASSETS, MOST_PARAMETERS = 100_000, 256


@dataclass(frozen=True, slots=True)
class Plan:
    """How many machines with how many parameters send how often (seconds), for how long (seconds of their time).

    ``past``: the stretch lies behind, and is sent as fast as the door takes it; else it begins now, at its own pace.
    """

    assets: int = 10
    parameters: int = 5
    every: float = 1.0
    duration: float = 60.0
    batch: int = 1_000
    past: bool = False
    seed: int = 1
    orders: Orders = field(default_factory=Orders)

    @property
    def ticks(self) -> int:
        """How often each machine sends."""
        return max(1, round(self.duration / self.every))

    def check(self) -> None:
        """Pass a plan that can be carried out.

        Raises:
            BadOrder: it cannot.
        """
        if not (1 <= self.assets <= MOST_ASSETS and 1 <= self.parameters <= MOST_PARAMETERS):
            raise BadOrder(f"1 to {MOST_ASSETS:,} machines with 1 to {MOST_PARAMETERS} parameters can be simulated.")
        if self.every <= 0 or self.duration <= 0:
            raise BadOrder("The interval and the duration are longer than nothing.")
        for stretch in (*self.orders.outages, *self.orders.stuck):
            if stretch.machine > self.assets:
                raise BadOrder(
                    f"There are {self.assets} machines, and a fault was ordered for number {stretch.machine}."
                )


def ticks(plan: Plan, fleet: list[Machine], mischief: Mischief, *, start: datetime) -> Iterator[list[Item]]:
    """Give what arrives of each tick, in order, and last what was still on its way."""
    values = Fleet(assets=plan.assets, parameters=plan.parameters, seed=plan.seed)
    for number in range(plan.ticks):
        at = number * plan.every
        stamp = isoformat(start + timedelta(seconds=at))
        items = [
            {"asset": machine.key, "timestamp": stamp, "values": dict(zip(values.codes, row, strict=True))}
            for machine, row in zip(fleet, values.tick().tolist(), strict=True)
        ]
        yield mischief.tick(number, items, at=at)
    yield mischief.rest()


def run_simulation(plan: Plan, *, url: str | None = None, key: str | None = None) -> int:
    """Carry the plan out and tell what became of the readings; return the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    if bool(url) != bool(key):
        console.print("[red]--url and --key belong together; without both, this folder's own platform is fed.[/]")
        return MISTAKE
    try:
        plan.check()
        return _simulate(console, plan, url or "", key or "")
    except (BadOrder, NoPlace) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return MISTAKE


def _simulate(console: Console, plan: Plan, url: str, key: str) -> int:
    fleet = machines(plan.assets, interval=timedelta(seconds=plan.every))
    mischief = Mischief(plan.orders, seed=plan.seed)
    with ExitStack() as running:
        place = _place(console, running, fleet, url, key)
        sender = Sender(Door.at(place.url, place.key), plan.batch)
        console.print(
            f"{plan.assets:,} machines with {plan.parameters} parameters, every {plan.every:g} s, to {place.url}"
        )
        code = _send(console, plan, fleet, mischief, sender)
    tell(console, sender.tally, dict(as_words(mischief.made, plan.orders)))
    return code


def _place(console: Console, running: ExitStack, fleet: list[Machine], url: str, key: str) -> Place:
    def say(text: str) -> None:
        console.print(escape(text))

    bars = _bars(console)
    bar = bars.add_task("Making machines", total=None, rate="")

    def progress(done: int, total: int) -> None:
        bars.update(bar, completed=done, total=total)

    # Shown only until there is a place: the bar of what is sent comes after it.
    with bars:
        if url:
            return platform_at(url, key, fleet, progress=progress)
        return running.enter_context(own_platform(fleet, say=say, progress=progress))


def _send(console: Console, plan: Plan, fleet: list[Machine], mischief: Mischief, sender: Sender) -> int:
    length = timedelta(seconds=plan.ticks * plan.every)
    start = clock.now() - (length if plan.past else timedelta())
    pace = Pace(0.0 if plan.past else plan.every)
    try:
        with sending(console, plan.ticks, sender.tally) as moved:
            for items in ticks(plan, fleet, mischief, start=start):
                pace.wait()
                sender.add(items)
                if not plan.past:
                    sender.flush()
                moved()
            sender.flush()
    except GivenUp as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return FAILED
    except KeyboardInterrupt:
        console.print("Stopped.")
        return INTERRUPTED
    finally:
        sender.tally.seconds = pace.seconds
    return OK


class Pace:
    """Waits until the next tick is due; one that is late does not delay those behind it."""

    def __init__(self, every: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._every, self._now = every, now
        self._began = now()
        self._passed = 0

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return self._now() - self._began

    def wait(self) -> None:
        """Return when the next tick is due; the first one is at once."""
        due = self._began + self._passed * self._every
        self._passed += 1
        if (rest := due - self._now()) > 0:
            time.sleep(rest)


@contextmanager
def sending(console: Console, total: int, tally: Tally) -> Iterator[Callable[[], None]]:
    """Show a bar over so many ticks, with the rate of the tally; gives a function to call after each."""
    began = time.monotonic()
    with _bars(console) as bars:
        bar = bars.add_task("Sending", total=total, rate="")

        def moved() -> None:
            rate = tally.values / max(time.monotonic() - began, 0.001)
            bars.update(bar, advance=1, rate=f"{rate:,.0f} values/s")

        yield moved


def tell(console: Console, tally: Tally, faults: dict[str, int]) -> None:
    """Print what became of the readings; nothing is rounded away."""
    console.print(
        f"sent {tally.sent:,} readings ({tally.values:,} values) in {tally.batches:,} batches "
        f"and {tally.seconds:.1f} s: {tally.values_a_second:,.0f} values/s"
    )
    console.print(
        f"[green]accepted {tally.accepted:,}[/], refused {tally.refused:,}, batches sent again {tally.retried:,}"
    )
    if faults:
        console.print("made as ordered: " + ", ".join(f"{count:,} {name}" for name, count in faults.items()))


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    return Progress(*columns, console=console, transient=True)
