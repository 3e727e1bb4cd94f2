"""``python -m benchmarks.crowd``: does what it reads from its standard input, a line of JSON each.

The first says who they are and what there is; ``{}`` answers it once all are there. Each further one is a round: how
long, and how many at once or how often; its answer is what became of it. At the end of the input all go home.
"""

# Locust patches the standard library for gevent; nothing else may be there before it.
import locust  # noqa: F401, I001

import contextlib
import json
import os
import resource
import sys
import time
from typing import Any

import gevent
from gevent.fileobject import FileObjectThread
from locust.env import Environment

from benchmarks.crowd.pace import Pace, Tally
from benchmarks.crowd.people import PATIENCE, Person
from benchmarks.sockets import raise_file_limit

COMING_A_SECOND = 8


def come(world: dict[str, Any]) -> Environment:
    """Let all log in."""
    size = len(world["people"])
    Person.world = world | {"places": list(range(size)), "ready": []}
    Person.pace, Person.tally = Pace(size), Tally()
    environment = Environment(user_classes=[Person], host=world["url"])
    environment.create_local_runner().start(size, spawn_rate=COMING_A_SECOND)
    while len(Person.world["ready"]) < size:
        gevent.sleep(0.05)
    return environment


def go_round(order: dict[str, Any]) -> dict[str, Any]:
    """Let them ask for a while; return what became of it, those that were answered later included."""
    seconds = order["seconds"]
    Person.tally.begin(until=time.perf_counter() + seconds)
    cpu, began = _cpu(), time.perf_counter()
    Person.pace.begin(at_once=order.get("at_once", 0), rate=order.get("rate", 0.0), seconds=seconds)
    gevent.sleep(seconds)
    Person.pace.end()
    cores = (_cpu() - cpu) / (time.perf_counter() - began)
    Person.tally.settle(PATIENCE)
    if Person.tally.under_way:
        Person.tally.wrong["no answer at all"] = Person.tally.under_way
    return Person.tally.as_json() | {"cores": cores}


def do_each_once() -> dict[str, Any]:
    """Let one of them do each thing, make and unmake things too, and follow an alert to its end; return the tally."""
    one = Person.crowd[0]
    Person.tally.begin(until=time.perf_counter() + PATIENCE)
    for begin in [*dict.fromkeys(Person.tasks)] * 2:
        begin.__wrapped__(one, time.perf_counter())
    while one.next_step != "raise" and not Person.tally.wrong and time.perf_counter() < Person.tally.until:
        one.follow_alert(time.perf_counter())
        gevent.sleep(0.05)
    return Person.tally.as_json() | {"next_step": one.next_step}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read, do, tell."""
    raise_file_limit()
    # It stands for other people's machines: it should not wait for a core that the platform keeps busy. Root alone may.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    environment = None
    for line in FileObjectThread(sys.stdin.buffer):
        order = json.loads(line)
        told: dict[str, Any] = {}
        if environment is None:
            environment = come(order)
            told["wrong"] = Person.tally.wrong
        elif order.get("once"):
            told = do_each_once()
        else:
            told = go_round(order)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
