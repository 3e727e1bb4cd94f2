"""Processes that ask for the same thing at once: ``python -m tests.campaigns.racing SCENARIO --rounds N``.

The parent puts DATABASE_URL and TECHTRACK_HOME into the environment. NODES processes of THREADS threads each send whole
requests through Django, as nodes behind one address would; what they were answered, and what is in the tables
afterwards, is held against what a scenario promises. Whatever breaks a promise is printed, and the status is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tests.campaigns import estate

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

NODES, THREADS = 4, 4
WORKERS = NODES * THREADS
BROKEN = 500
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Answer:
    """One request of a worker: when it was sent and answered (s, the clock of the machine), and what."""

    round: int
    worker: int
    sent: float
    came: float
    status: int
    body: Any
    note: Any = None


@dataclass(slots=True)
class Scenario:
    """What the workers do in each round, and what must be true of all of it.

    ``begin`` makes the world and returns what ``act`` needs; ``act(client, world, round, worker)`` sends requests;
    ``faults(world, answers)`` names what is wrong.
    """

    begin: Callable[[int], Any]
    act: Callable[[Client, Any, int, int], None]
    faults: Callable[[Any, Sequence[Answer]], Iterator[str]]
    # Whether all wait for one another before each round.
    together: bool = True


class Client:
    """Sends requests of one worker as one of the people, and keeps what was answered."""

    def __init__(self, tokens: dict[str, str], worker: int) -> None:
        from django.test import Client as DjangoClient  # noqa: PLC0415 - the settings come first

        self._tokens, self._worker = tokens, worker
        self._client = DjangoClient(raise_request_exception=False)
        self.answers: list[Answer] = []
        self.round = 0

    def ask(
        self, method: str, path: str, body: Any = None, *, by: str = "adam", note: Any = None, **headers: str
    ) -> Any:
        """Send one request; return status, body and ETag."""
        who = {"authorization": f"Bearer {self._tokens[by]}"} if by else {}
        sent = time.monotonic()
        answer = self._client.generic(
            method,
            path,
            b"" if body is None else _json(body),
            content_type="application/json",
            headers=who | {name.replace("_", "-"): value for name, value in headers.items()},
            # Limits are per address: what is raced for here is something else.
            REMOTE_ADDR=f"10.{random.randrange(250)}.{random.randrange(250)}.{random.randrange(1, 250)}",
            HTTP_HOST="localhost",
        )
        told = answer.json() if answer.content else None
        self.answers.append(Answer(self.round, self._worker, sent, time.monotonic(), answer.status_code, told, note))
        return answer.status_code, told, answer.headers.get("ETag", "")


def _json(body: Any) -> bytes:
    import json  # noqa: PLC0415 - small

    return json.dumps(body).encode()


# -- What is raced for ------------------------------------------------------------------------------------


def _robot(_: int) -> Any:
    from tests import factories  # noqa: PLC0415 - the settings come first

    robot = factories.make_equipment(description="0")
    return {"path": f"/api/equipment/{robot.pk}/"}


def _count_in(client: Client, world: Any, _round: int, _worker: int) -> None:
    """Count one further in a machine's description, as an editor would: read it, and write if it is still so."""
    while True:
        _, told, tag = client.ask("GET", world["path"])
        body = {"description": str(int(told["description"]) + 1)}
        status, _, _ = client.ask("PATCH", world["path"], body, If_Match=tag, note=told["version"])
        if status != 412:
            return


def _miscounted(world: Any, answers: Sequence[Answer]) -> Iterator[str]:
    from tests.campaigns.register import faults_of_register  # noqa: PLC0415 - beside

    wrote = [one for one in answers if one.note is not None and one.status == 200]
    counts = [int(one.body["description"]) for one in wrote]
    if sorted(counts) != list(range(1, len(wrote) + 1)):
        yield f"lost updates: {len(wrote)} writers counted to {max(counts, default=0)}"
    yield from faults_of_register(answers)


def _alerts(rounds: int) -> Any:
    from tests import factories  # noqa: PLC0415 - the settings come first

    robot = factories.make_equipment()
    return {"alerts": [factories.make_alert(robot).pk for _ in range(rounds)]}


def _acknowledge(client: Client, world: Any, number: int, _worker: int) -> None:
    client.ask("POST", f"/api/alerts/{world['alerts'][number]}/acknowledge/", {})


def _claimed_twice(world: Any, answers: Sequence[Answer]) -> Iterator[str]:
    from techtrack.alerts.models import AlertEvent  # noqa: PLC0415 - the settings come first

    yield from _winners(answers, won=200, lost={409})
    events = Counter(AlertEvent.objects.filter(kind="acknowledged").values_list("alert", flat=True))
    for alert in world["alerts"]:
        if events[alert] != 1:
            yield f"alert {alert} was acknowledged {events[alert]} times"


def _names(_: int) -> Any:
    return {}


def _register(client: Client, _world: Any, number: int, worker: int) -> None:
    """Take the same name in another case."""
    name = "".join(char.upper() if (worker >> place) % 2 else char for place, char in enumerate("candidate"))
    body = {"username": f"{name}{number}", "email": f"{worker}.{number}@example.org", "password": "a long Passphrase 9"}
    client.ask("POST", "/api/accounts/register/", body, by="")


def _registered_twice(_world: Any, answers: Sequence[Answer]) -> Iterator[str]:
    from techtrack.accounts.models import User  # noqa: PLC0415 - the settings come first

    yield from _winners(answers, won=201, lost={400, 409})
    rounds = {one.round for one in answers}
    made = User.objects.filter(username__istartswith="candidate").count()
    if made != len(rounds):
        yield f"{made} accounts of {len(rounds)} names"


def _keys(_: int) -> Any:
    return {}


def _repeat(client: Client, _world: Any, number: int, _worker: int) -> None:
    client.ask("POST", "/api/tasks/", {"title": f"Round {number}"}, Idempotency_Key=f"round-{number}")


def _repeated(_world: Any, answers: Sequence[Answer]) -> Iterator[str]:
    from techtrack.tasks.models import Task  # noqa: PLC0415 - the settings come first

    for number in {one.round for one in answers}:
        bodies = {repr(one.body) for one in answers if one.round == number}
        made = Task.objects.filter(title=f"Round {number}").count()
        if len(bodies) != 1 or made != 1:
            yield f"round {number}: {made} tasks, {len(bodies)} different answers"


def _admins(_: int) -> Any:
    return {"adam": _person("eve").pk, "eve": _person("adam").pk}


def _demote(client: Client, world: Any, _number: int, worker: int) -> None:
    """Take the other administrator's role, and give it back where one's own is still there."""
    by = ("adam", "eve")[worker % 2]
    for roles in ([], [{"site": None, "role": "admin"}]):
        client.ask("PATCH", f"/api/users/{world[by]}/", {"roles": roles}, by=by)


def _nobody_left(_world: Any, _answers: Sequence[Answer]) -> Iterator[str]:
    from techtrack.accounts.models import Membership  # noqa: PLC0415 - the settings come first

    # Nobody could mend it: whoever is left without an administrator stays so.
    if not Membership.objects.filter(site=None, role="admin", user__is_active=True).exists():
        yield "no administrator is left"


def _two_assets(_: int) -> Any:
    from tests import factories  # noqa: PLC0415 - the settings come first

    return {"ids": [factories.make_equipment().pk for _ in range(6)]}


def _edit_crosswise(client: Client, world: Any, number: int, worker: int) -> None:
    """Write the same rows in one request, each in an order of its own."""
    ids = random.Random(worker).sample(world["ids"], len(world["ids"]))
    items = [{"action": "update", "id": pk, "body": {"model": f"{number}.{worker}"}} for pk in ids]
    client.ask("POST", "/api/equipment/bulk/", {"items": items})


def _half_written(world: Any, answers: Sequence[Answer]) -> Iterator[str]:
    from techtrack.assets.models import Asset  # noqa: PLC0415 - the settings come first

    if refused := [one.status for one in answers if one.status != 200]:
        yield f"{len(refused)} requests were refused: {Counter(refused)}"
    rows = list(Asset.objects.filter(pk__in=world["ids"]).values_list("model", "version"))
    if len({model for model, _ in rows}) != 1:
        yield f"rows of one request are of several: {rows}"
    if {version for _, version in rows} != {len(answers) + 1}:
        yield f"{len(answers)} writers left versions {sorted({version for _, version in rows})}"


def _doomed(rounds: int) -> Any:
    from tests import factories  # noqa: PLC0415 - the settings come first

    return {"ids": [factories.make_equipment().pk for _ in range(rounds)]}


def _use_while_it_goes(client: Client, world: Any, number: int, worker: int) -> None:
    """Delete an asset while others send it readings, open tasks about it and raise alerts on it."""
    pk = world["ids"][number]
    if worker == 0:
        name = client.ask("GET", f"/api/equipment/{pk}/")[1]["name"]
        client.ask("DELETE", f"/api/equipment/{pk}/?confirm={name.replace(' ', '%20')}", note="delete")
        return
    work: list[tuple[str, Any]] = [
        ("/api/data/", {"equipment": pk, "values": {"temperature": worker}}),
        ("/api/tasks/", {"title": "Look", "equipment": pk}),
        ("/api/alerts/", {"equipment": pk, "title": "Smoke", "severity": "low"}),
    ]
    client.ask("POST", *work[worker % 3])


def _orphans(world: Any, answers: Sequence[Answer]) -> Iterator[str]:
    from techtrack.alerts.models import Alert  # noqa: PLC0415 - the settings come first
    from techtrack.assets.models import Asset  # noqa: PLC0415 - as above
    from techtrack.tasks.models import Task  # noqa: PLC0415 - as above

    there = set(Asset.objects.filter(pk__in=world["ids"]).values_list("pk", flat=True))
    gone = set(world["ids"]) - there
    if not gone:
        yield "nothing was ever deleted"
    for model in (Alert, Task):
        if lost := model.objects.filter(asset__in=gone).count():
            yield f"{lost} rows of {model.__name__} are about what is gone"


SCENARIOS: dict[str, Scenario] = {
    "counting": Scenario(_robot, _count_in, _miscounted, together=False),
    "claiming": Scenario(_alerts, _acknowledge, _claimed_twice),
    "registering": Scenario(_names, _register, _registered_twice),
    "repeating": Scenario(_keys, _repeat, _repeated),
    "demoting": Scenario(_admins, _demote, _nobody_left),
    "crosswise": Scenario(_two_assets, _edit_crosswise, _half_written),
    "deleting": Scenario(_doomed, _use_while_it_goes, _orphans),
    "mingling": Scenario(estate.build, estate.mingle, estate.faults),
}


# -- How it is raced --------------------------------------------------------------------------------------


def _person(name: str) -> Any:
    from techtrack.accounts.models import User  # noqa: PLC0415 - the settings come first

    return User.objects.get(username=name)


def _winners(answers: Sequence[Answer], *, won: int, lost: set[int]) -> Iterator[str]:
    """Name each round that has not one winner, or losers who were told something else than who is faster."""
    for number in sorted({one.round for one in answers}):
        told = Counter(one.status for one in answers if one.round == number)
        if told[won] != 1 or set(told) - lost - {won}:
            yield f"round {number} was answered {dict(told)}"


@dataclass(slots=True)
class Node:
    """One process: its threads take part in every round."""

    scenario: Scenario
    world: Any
    tokens: dict[str, str]
    rounds: int
    gate: Any
    first: int
    clients: list[Client] = field(default_factory=list)

    def run(self) -> list[Answer]:
        """Race; return all that was answered."""
        self.clients = [Client(self.tokens, self.first + place) for place in range(THREADS)]
        threads = [
            threading.Thread(target=self._work, args=[client, self.first + place])
            for place, client in enumerate(self.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answer for client in self.clients for answer in client.answers]

    def _work(self, client: Client, worker: int) -> None:
        from django.db import connection  # noqa: PLC0415 - the settings come first

        try:
            for number in range(self.rounds):
                client.round = number
                if self.scenario.together:
                    self.gate.wait(120)
                self.scenario.act(client, self.world, number, worker)
        except BaseException:
            self.gate.abort()
            traceback.print_exc()
            raise
        finally:
            connection.close()


def race(name: str, rounds: int, plant: Sequence[str]) -> list[str]:
    """Make the tables and the world, race, and return what is wrong."""
    scenario = SCENARIOS[name]
    world, tokens = _prepare(scenario, rounds)
    gate = _fork.Barrier(WORKERS)
    told: Any = _fork.Queue()
    nodes = [
        _fork.Process(target=_play, args=(Node(scenario, world, tokens, rounds, gate, first), plant, told))
        for first in range(0, WORKERS, THREADS)
    ]
    for node in nodes:
        node.start()
    answers = [answer for _ in nodes for answer in told.get(timeout=600)]
    for node in nodes:
        node.join()
    statuses = Counter(one.status for one in answers)
    print(f"{name}: {len(answers)} requests of {WORKERS} workers in {NODES} processes, answered {dict(statuses)}")
    broken = [f"{one.status} for {one.body}" for one in answers if one.status >= BROKEN][:5]
    return broken + list(scenario.faults(world, answers))


def _prepare(scenario: Scenario, rounds: int) -> tuple[Any, dict[str, str]]:
    from django.core.management import call_command  # noqa: PLC0415 - the settings come first
    from django.db import connection  # noqa: PLC0415 - as above

    from techtrack.accounts import services  # noqa: PLC0415 - as above
    from techtrack.accounts.domain.access import Role  # noqa: PLC0415 - as above
    from techtrack.core import clock  # noqa: PLC0415 - as above
    from tests import factories  # noqa: PLC0415 - as above

    call_command("migrate", verbosity=0, interactive=False)
    people = [factories.make_user(name, role=Role.ADMIN) for name in ("adam", "eve")]
    tokens = {
        one.username: services.start_session(user=one, address="", device="", now=clock.now()).access for one in people
    }
    world = scenario.begin(rounds)
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    return world, tokens


def _play(node: Node, plant: Sequence[str], told: Any) -> None:
    for bug in plant:
        import_module("tests.campaigns.planted").plant(bug)
    told.put(node.run())


def main() -> int:
    """Race; return 1 if a promise was broken."""
    import django  # noqa: PLC0415 - the environment is read first

    parser = argparse.ArgumentParser()
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--plant", action="append", default=[], help="the name of a bug in planted.py")
    options = parser.parse_args()
    django.setup()
    found = race(options.scenario, options.rounds, options.plant)
    print("".join(f"{line}\n" for line in found[:20]), end="", flush=True)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
