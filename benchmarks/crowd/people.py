"""Who is in the crowd: people who look after machines, and the gateways of these; each thing done is one request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import wraps
from random import Random
from typing import Any, ClassVar

import gevent
from locust import FastHttpUser, task
from locust.env import Environment

from benchmarks.crowd.pace import Pace, Tally

# Nobody waits for longer.
PATIENCE = 60.0
# How many things of a kind each of them has made, about.
OWN = 4
BATCH, BATCHES = 100, 4
Things = list[tuple[int, str]]
Do = Callable[["Person", float], None]


def action(weight: int) -> Callable[[Do], Any]:
    """Make one thing that a person does a task of Locust's; it is told the moment at which it is due."""

    def decorate(do: Do) -> Any:
        @task(weight)
        @wraps(do)
        def begin(person: Person) -> None:
            person.begin(do)

        return begin

    return decorate


class Person(FastHttpUser):
    """One of the crowd; ``world`` says what there is."""

    world: ClassVar[dict[str, Any]]
    pace: ClassVar[Pace]
    tally: ClassVar[Tally]
    crowd: ClassVar[list[Person]] = []
    concurrency = 64
    network_timeout = connection_timeout = PATIENCE

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.place: int = self.world["places"].pop(0)
        self.random = Random(self.place)
        self.machine: int = self.world["machines"][self.place]
        self.equipment: Things = []
        self.tasks_of_mine: Things = []
        self.access = self.renewal = ""
        self.next_step, self.alert = "raise", 0
        self._due = 0.0
        # Written beforehand: a crowd that counts beside the platform takes its cores away.
        self.batches = [self._batch() for _ in range(BATCHES)]
        self.crowd.append(self)

    # -- Pace ------------------------------------------------------------------------------------------------

    def begin(self, do: Do) -> None:
        """Do something now: to its end where people wait for answers, else beside what is under way."""
        if self.pace.rate:
            gevent.spawn(do, self, self._due)
        else:
            do(self, time.perf_counter())

    def wait_time(self) -> float:
        """Wait for the round in which it is this one's turn; return the seconds until then."""
        now = time.perf_counter()
        while now >= self.pace.until or not self.pace.has(self.place):
            self.pace.began.wait()
            gevent.sleep(0 if self.pace.has(self.place) else 0.05)
            now = self._due = time.perf_counter()
        if not self.pace.rate:
            return 0.0
        self._due += self.random.expovariate(self.pace.rate / self.pace.size)
        self.tally.lateness = max(self.tally.lateness, now - self._due)
        return max(0.0, self._due - now)

    # -- One request -----------------------------------------------------------------------------------------

    def ask(self, name: str, path: str, due: float, *, wanted: tuple[int, ...] = (200,), **more: Any) -> Any:
        """Send the request that ``name`` begins with, as this person; return the answer if it is wanted, else None."""
        method, url = name.partition(" ")[0], f"/api/{path}"
        more["headers"] = {"Authorization": f"Bearer {self.access}", **more.get("headers", {})}
        self.tally.under_way += 1
        try:
            with self.client.request(method, url, name=name, catch_response=True, **more) as answer:
                answer.success()
                return answer if self.tally.note(name, answer, wanted, due) else None
        finally:
            self.tally.under_way -= 1

    def send_readings(self, name: str, body: str, due: float) -> Any:
        """Send readings as a gateway does, with its key."""
        headers = {"Authorization": f"Api-Key {self.world['keys']['ingest']}", "Content-Type": "application/json"}
        return self.ask(name, "ingest/", due, data=body, headers=headers)

    def measured(self, *machines: int) -> str:
        """Return the body with a reading of each."""
        items = (
            {"asset": machine, "values": {code: round(self.random.gauss(50, 5), 2) for code in self.world["codes"]}}
            for machine in machines
        )
        return json.dumps({"items": [*items]})

    def _batch(self) -> str:
        machines = self.world["machines"]
        first = self.random.randrange(len(machines) - BATCH)
        return self.measured(*machines[first : first + BATCH])

    def anything(self, machines: str = "machines") -> int:
        """Return one of the machines."""
        return int(self.random.choice(self.world[machines]))

    # -- Coming in -------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Log in and make what this one works with; comes again where it was refused."""
        who = {"username": self.world["people"][self.place], "password": self.world["password"]}
        while not self.access:
            self._keep(self.ask("POST token", "token/", time.perf_counter(), json=who))
        while len(self.equipment) < OWN or len(self.tasks_of_mine) < OWN:
            if len(self.equipment) < OWN:
                self.create_equipment(time.perf_counter())
            self.create_task(time.perf_counter())
        self.world["ready"].append(self.place)
        gevent.sleep(self.wait_time())

    def _keep(self, answer: Any) -> None:
        if answer:
            told = answer.json()
            self.access, self.renewal = told["access"], told["refresh"]
        else:
            gevent.sleep(1)

    @action(1)
    def renews_session(self, due: float) -> None:
        """Spend the refresh token for new ones; while that is under way, look who one is."""
        token, self.renewal = self.renewal, ""
        if not token:
            self.ask("GET accounts/me", "accounts/me/", due)
        elif answer := self.ask("POST token/refresh", "token/refresh/", due, json={"refresh": token}):
            self._keep(answer)
        else:
            self.renewal = token

    # -- Machines --------------------------------------------------------------------------------------------

    @action(16)
    def sends_batch(self, due: float) -> None:
        """A gateway sends the readings of a hundred machines."""
        self.send_readings(f"POST ingest, {BATCH} readings", self.random.choice(self.batches), due)

    @action(8)
    def sends_one(self, due: float) -> None:
        """A machine sends a reading."""
        self.send_readings("POST ingest, 1 reading", self.measured(self.machine), due)

    # -- Equipment and tasks ---------------------------------------------------------------------------------

    @action(8)
    def lists_equipment(self, due: float) -> None:
        """A page of the list."""
        self.ask("GET equipment, 50 of them", f"equipment/?page={self.random.randint(1, 20)}", due)

    @action(14)
    def opens_equipment(self, due: float) -> None:
        """One of all."""
        self.ask("GET equipment/{id}", f"equipment/{self.anything()}/", due)

    @action(3)
    def opens_equipment_again(self, due: float) -> None:
        """One that is known and has not changed."""
        self.look_again("equipment", self.equipment, due)

    @action(4)
    def makes_equipment(self, due: float) -> None:
        """One more, or one fewer."""
        self.keep_some(self.create_equipment, "equipment", self.equipment, due)

    @action(5)
    def renames_equipment(self, due: float) -> None:
        """A change of what one has seen."""
        self.change("equipment", self.equipment, {"name": f"Pump {self.random.random()}"}, due)

    def create_equipment(self, due: float) -> None:
        """Create one."""
        body = {"name": f"Pump of {self.place}", "type": "machine", "site": self.world["site"]}
        self.create("equipment", body, self.equipment, due)

    @action(7)
    def lists_tasks(self, due: float) -> None:
        """What there is to do."""
        self.ask("GET tasks, 50 of them", "tasks/?ordering=-priority", due)

    @action(6)
    def opens_task(self, due: float) -> None:
        """One that is known and has not changed."""
        self.look_again("tasks", self.tasks_of_mine, due)

    @action(6)
    def makes_tasks(self, due: float) -> None:
        """One more, or one fewer."""
        self.keep_some(self.create_task, "tasks", self.tasks_of_mine, due)

    @action(5)
    def changes_task(self, due: float) -> None:
        """A change of what one has seen."""
        self.change("tasks", self.tasks_of_mine, {"description": f"Seen at {due}"}, due)

    def create_task(self, due: float) -> None:
        """Create one."""
        self.create("tasks", {"title": "Look at it", "equipment": self.machine}, self.tasks_of_mine, due)

    # What one has in hand is not among the known things: nobody changes it under one's own eyes.

    def look_again(self, kind: str, known: Things, due: float) -> None:
        """Ask for something unless it is as it was."""
        if thing := self.take(known):
            pk, tag = thing
            headers = {"If-None-Match": tag}
            self.ask(f"GET {kind}/{{id}}, known", f"{kind}/{pk}/", due, wanted=(200, 304), headers=headers)
            known.append(thing)
        else:
            self.opens_one_of_all(due)

    def change(self, kind: str, known: Things, body: dict[str, Any], due: float) -> None:
        """Change something if it is as one has seen it."""
        if thing := self.take(known):
            pk, tag = thing
            headers = {"If-Match": tag, "Content-Type": "application/merge-patch+json"}
            answer = self.ask(f"PATCH {kind}/{{id}}", f"{kind}/{pk}/", due, data=json.dumps(body), headers=headers)
            known.append((pk, answer.headers["ETag"] if answer else tag))
        else:
            self.opens_one_of_all(due)

    def keep_some(self, create: Callable[[float], None], kind: str, known: Things, due: float) -> None:
        """Create one more or delete one, so that there are about as many as before."""
        thing = self.take(known) if len(known) > OWN else None
        if thing is None:
            create(due)
        elif self.ask(f"DELETE {kind}/{{id}}", f"{kind}/{thing[0]}/", due, wanted=(204,)) is None:
            known.append(thing)

    def create(self, kind: str, body: dict[str, Any], known: Things, due: float) -> None:
        """Create something; remember its number and tag."""
        if answer := self.ask(f"POST {kind}", f"{kind}/", due, wanted=(201,), json=body):
            known.append((answer.json()["id"], answer.headers["ETag"]))

    def take(self, known: Things) -> tuple[int, str] | None:
        """Take something into the hand, if there is anything."""
        return known.pop(self.random.randrange(len(known))) if known else None

    def opens_one_of_all(self, due: float) -> None:
        """What is done where all that one knows is in hand."""
        self.ask("GET equipment/{id}", f"equipment/{self.anything()}/", due)

    # -- Readings --------------------------------------------------------------------------------------------

    @action(7)
    def looks_back(self, due: float) -> None:
        """The last week of a machine, by the hour."""
        question = f"from={self.world['week_ago']}&interval=PT1H"
        self.ask("GET history, a week by hours", f"equipment/{self.anything('with_past')}/history/?{question}", due)

    @action(6)
    def looks_now(self, due: float) -> None:
        """The newest values of a machine."""
        self.ask("GET latest", f"equipment/{self.anything()}/latest/", due)

    @action(3)
    def looks_ahead(self, due: float) -> None:
        """The slope of a week, and what follows from it."""
        question = f"parameter={self.world['codes'][0]}"
        self.ask("GET trend", f"equipment/{self.anything('with_past')}/trend/?{question}", due)

    # -- Alerts ----------------------------------------------------------------------------------------------

    @action(4)
    def lists_alerts(self, due: float) -> None:
        """What is wrong."""
        self.ask("GET alerts", "alerts/?active=true", due)

    @action(3)
    def handles_alert(self, due: float) -> None:
        """Look after one's own machine."""
        self.follow_alert(due)

    def follow_alert(self, due: float) -> None:
        """Take the next step of one's own alert: it is raised, seen, acknowledged, over; look at it meanwhile."""
        step, self.next_step = self.next_step, ""
        if step:
            self.next_step = STEPS[step](self, due) or step
        else:
            self.own_alerts(due)

    def raise_alert(self, due: float) -> str:
        """The machine measures too much."""
        return "see" if self.measure(95.0, due) else ""

    def see_alert(self, due: float) -> str:
        """Look until it is there."""
        answer = self.own_alerts(due)
        found = answer.json()["results"] if answer else []
        self.alert = next((one["id"] for one in found if one["acknowledged_at"] is None), 0)
        return "acknowledge" if self.alert else ""

    def acknowledge_alert(self, due: float) -> str:
        """Take it."""
        path = f"alerts/{self.alert}/acknowledge/"
        return "end" if self.ask("POST alerts/{id}/acknowledge", path, due, json={}) else ""

    def end_alert(self, due: float) -> str:
        """The machine measures what it should."""
        return "raise" if self.measure(20.0, due) else ""

    def own_alerts(self, due: float) -> Any:
        """What is wrong with one's own machine."""
        return self.ask("GET alerts of one", f"alerts/?equipment={self.machine}&active=true", due)

    def measure(self, level: float, due: float) -> Any:
        """Send what the rule of one's own machine looks at."""
        item = {"asset": self.machine, "values": {self.world["alarm"]: level}}
        return self.send_readings("POST ingest, 1 reading", json.dumps({"items": [item]}), due)


STEPS: dict[str, Callable[[Person, float], str]] = {
    "raise": Person.raise_alert,
    "see": Person.see_alert,
    "acknowledge": Person.acknowledge_alert,
    "end": Person.end_alert,
}
