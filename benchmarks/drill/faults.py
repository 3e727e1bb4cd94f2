"""What is done to the set-up in a drill: each fault ends when the part that it struck answers again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.compose import ASGI, WEB, Compose
from benchmarks.drill.ledger import Ledger, Outage
from benchmarks.processes import answers, tree

NODES = (*WEB, *ASGI)
# The order of a rolling restart: the proxy needs up to a second to find out that a node is back, and only then may the
# other one of its kind go.
TURNS = ("web-1", "asgi-1", "worker", "web-2", "asgi-2")
# Seconds: how long parts are away, beyond what starting them takes.
FROZEN, REDIS_AWAY, DATABASE_AWAY, DATABASE_LONG_AWAY = 20.0, 3.0, 2.0, 12.0
PATIENCE = 90.0


class Stuck(Exception):
    """A part did not come back."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens: its name in the table, and how it is brought about and healed."""

    name: str
    strike: Callable[[Compose, Ledger], None]


def killed(*names: str) -> Fault:
    """Pull the plug of parts at once; they are started again at once, as Docker does."""

    def strike(compose: Compose, _: Ledger) -> None:
        for name in names:
            compose.parts[name].kill()
        for name in names:
            compose.parts[name].start()
        for name in names:
            _await_ready(compose, name)

    return Fault(f"{' and '.join(names)} killed", strike)


def one_process_killed(name: str) -> Fault:
    """Kill one of the processes that a part consists of; the part starts another."""

    def strike(compose: Compose, _: Ledger) -> None:
        first = compose.parts[name].pid
        before = tree([first]) - {first}
        os.kill(max(before), signal.SIGKILL)
        _until(lambda: len(tree([first]) - {first}) >= len(before) and max(before) not in tree([first]), name)

    return Fault(f"a worker process of {name} killed", strike)


def redis_frozen(seconds: float) -> Fault:
    """Stop Redis from answering, without its connections breaking."""

    def strike(compose: Compose, _: Ledger) -> None:
        redis = compose.parts["redis"]
        redis.signal(signal.SIGSTOP)
        time.sleep(seconds)
        redis.signal(signal.SIGCONT)

    return Fault(f"redis frozen for {seconds:.0f} s", strike)


def redis_flushed() -> Fault:
    """Empty Redis."""

    def strike(compose: Compose, _: Ledger) -> None:
        from redis import Redis

        with Redis(port=compose.ports["redis"]) as client:
            client.flushall()

    return Fault("redis flushed", strike)


def redis_killed(seconds: float) -> Fault:
    """Kill Redis, and start it some time later."""

    def strike(compose: Compose, _: Ledger) -> None:
        redis = compose.parts["redis"]
        redis.kill()
        time.sleep(seconds)
        redis.start()
        redis.wait()

    return Fault(f"redis killed, back after {seconds:.0f} s", strike)


def database_stopped(number: signal.Signals, how: str, seconds: float) -> Fault:
    """Stop PostgreSQL by a signal, and start it some time later; that is the one outage there is."""

    def strike(compose: Compose, ledger: Ledger) -> None:
        database = compose.parts["postgres"]
        outage = Outage(time.monotonic())
        ledger.outages.append(outage)
        if number == signal.SIGKILL:
            database.kill()
        else:
            os.kill(database.pid, number)
            _until(lambda: not database.server.is_running(), "postgres")
        time.sleep(seconds)
        database.start()
        database.wait()
        outage.ended = time.monotonic()

    return Fault(f"postgres {how}, back after {seconds:.0f} s", strike)


def rolling_restart() -> Fault:
    """Restart each process, one after the other, each when the one before it is ready."""

    def strike(compose: Compose, _: Ledger) -> None:
        for name in TURNS:
            part = compose.parts[name]
            part.stop()
            part.start()
            _await_ready(compose, name)

    return Fault("rolling restart", strike)


def _await_ready(compose: Compose, name: str) -> None:
    part = compose.parts[name]
    part.wait(seconds=PATIENCE)
    if name in NODES:
        _until(partial(answers, f"http://127.0.0.1:{compose.ports[name]}/readyz"), name)


def _until(is_so: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise Stuck(f"{name} did not come back within {PATIENCE:.0f} s")
        time.sleep(0.05)


FULL = (
    *(killed(name) for name in (*NODES, "worker")),
    one_process_killed("web-1"),
    one_process_killed("proxy"),
    killed("proxy"),
    redis_frozen(FROZEN),
    redis_flushed(),
    redis_killed(REDIS_AWAY),
    database_stopped(signal.SIGINT, "stopped (fast)", DATABASE_AWAY),
    database_stopped(signal.SIGQUIT, "stopped (immediate)", DATABASE_AWAY),
    database_stopped(signal.SIGKILL, "killed", DATABASE_LONG_AWAY),
    *(rolling_restart() for _ in range(10)),
)
# One of each kind: for every change.
SHORT = (
    killed("web-1", "asgi-1", "worker"),
    killed("proxy"),
    redis_flushed(),
    redis_killed(0),
    database_stopped(signal.SIGINT, "stopped (fast)", 0),
    rolling_restart(),
)
