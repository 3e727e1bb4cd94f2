"""Killing any process at any moment, again and again: what was acknowledged is there once, and every answer fits it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from techtrack.core import clock
from tests import servers
from tests.campaigns.crew import Crew
from tests.campaigns.nursery import Nursed
from tests.campaigns.postgres import Server
from tests.campaigns.scale import new_seed, scale
from tests.plugins.platform import Platform

# One after the other: each needs the machine for itself more than most tests do.
pytestmark = pytest.mark.xdist_group("campaigns")
KILLS = 15
CLIENTS = 3
# So much time between two readings that a campaign fills some hours, and the log is always worth folding.
STEP = timedelta(seconds=5)
OFTEN = {"TECHTRACK_FOLD_SEGMENTS": "5", "TECHTRACK_FOLD_READINGS": "50"}


@dataclass
class Client(threading.Thread):
    """Sends numbered batches one after the other, each with the same ids until it is acknowledged."""

    url: str
    key: str
    asset: str
    begins: datetime
    dice: random.Random
    acknowledged: list[range] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    under_way: range = range(0)
    stopping: bool = False

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self.stopping:
            self.under_way = range(self.under_way.stop, self.under_way.stop + self.dice.randint(1, 20))
            while not self._sent() and not self.stopping:
                time.sleep(0.05)

    def wait_for_one_more(self) -> None:
        """Return when a batch was acknowledged after this was called; a refusal that stays is named by the verdict."""
        before, deadline = len(self.acknowledged), time.monotonic() + 30
        while len(self.acknowledged) == before and time.monotonic() < deadline:
            time.sleep(0.01)

    def _sent(self) -> bool:
        items = [
            {"asset": self.asset, "timestamp": clock.isoformat(self.begins + n * STEP), "values": {"number": n}}
            for n in self.under_way
        ]
        try:
            answer = requests.post(
                f"{self.url}/api/ingest/", json={"items": items}, headers={"X-API-Key": self.key}, timeout=10
            )
        except requests.RequestException:
            return False
        if answer.status_code == 200:
            self.acknowledged.append(self.under_way)
        elif answer.status_code != 503 or "Retry-After" not in answer.headers:
            self.refused.append(f"{answer.status_code} {answer.text[:500]}")
        return answer.status_code == 200


def verdict(acknowledged: Sequence[range], unknown: range, there: Sequence[int]) -> list[str]:
    """Name what is lost, doubled, torn or invented; what was under way at the end may be there or not, but wholly."""
    found, numbers = [], set(there)
    promised = {number for batch in acknowledged for number in batch}
    if lost := sorted(promised - numbers):
        found.append(f"lost: {lost}")
    if len(numbers) != len(there):
        found.append(f"doubled: {sorted(number for number in numbers if there.count(number) > 1)}")
    if invented := sorted(numbers - promised - set(unknown)):
        found.append(f"never sent: {invented}")
    if (part := numbers & set(unknown) - promised) and part != set(unknown):
        found.append(f"torn: {sorted(part)} of {unknown}")
    return found


class Installation(Platform):
    """The platform as processes that can be killed, each by itself, and the database server among them."""

    def __init__(self, home: Path, stack: ExitStack, bugs: tuple[str, ...]) -> None:
        self._database: Server | None = None
        url = f"sqlite:///{home / 'techtrack.sqlite3'}"
        if servers.on_postgres():
            self._database = Server(home / "pg", sockets=home / "sockets", fsync="off")
            self._database.create()
            url = self._database.start()
            stack.callback(self._database.stop)
        apart = {"TECHTRACK_EMBEDDED_WORKERS": "false"} if self._database else {}
        super().__init__(home, database_url=url, settings={**OFTEN, **apart, "LOG_LEVEL": "ERROR"})
        roles = [("up", str(self.port)), ("compact",), *([("work",)] if self._database else [])]
        self._nursed = {
            role[0]: stack.enter_context(Nursed(*role, env=self.env, log=home / f"{role[0]}.log", bugs=bugs))
            for role in roles
        }

    def start(self) -> None:
        """Start every process, and return when it is ready."""
        self._nursed["up"].start()
        self.wait()
        for name, process in self._nursed.items():
            if name != "up":
                process.start()

    def strike(self, dice: random.Random) -> str:
        """Kill one process and start it again."""
        name = dice.choice([*self._nursed, "up", *(["database"] if self._database else [])])
        if name == "database" and self._database:
            self._database.kill()
            time.sleep(dice.uniform(0, 0.2))
            self._database.start()
        else:
            self._nursed[name].kill()
            time.sleep(dice.uniform(0, 0.2))
            self._nursed[name].start()
        return name

    def numbers_of(self, asset: str) -> list[int]:
        """Read back through the API every number that is there."""
        numbers, path = [], f"/api/data/?equipment={asset}&page_size=500"
        while path:
            page = self.call("GET", path).json()
            numbers += [int(row["values"]["number"]) for row in page["results"]]
            path = (page["next"] or "").removeprefix(self.url)
        return numbers


@contextmanager
def installation(home: Path, bugs: tuple[str, ...]) -> Iterator[Installation]:
    """Start one; all of it is gone afterwards."""
    with ExitStack() as stack:
        running = Installation(home, stack, bugs)
        running.start()
        running.make_admin()
        yield running


def campaign(home: Path, *, kills: int, bugs: tuple[str, ...] = ()) -> list[str]:
    """Kill so often while clients write; return what is wrong afterwards."""
    home.mkdir(exist_ok=True)
    seed, found, struck = new_seed(), [], []
    dice = random.Random(seed)
    with installation(home, bugs) as platform:
        clients = _clients(platform, dice)
        for client in clients:
            client.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.05, 0.6))
            struck.append(platform.strike(dice))
            if dice.random() < 0.7:
                platform.wait()
        platform.wait()
        for client in clients:
            client.wait_for_one_more()
        for client in clients:
            client.stopping = True
            client.join()
        platform.wait()
        for client in clients:
            found += client.refused + verdict(client.acknowledged, client.under_way, platform.numbers_of(client.asset))
        crew = Crew(home / "crew", database=platform.env["DATABASE_URL"], seed=seed)
        found += crew.recount()
    print(f"killed {struck}; {sum(len(client.acknowledged) for client in clients)} batches acknowledged")
    if min(len(client.acknowledged) for client in clients) < kills // 5:
        found.append("hardly anything was acknowledged")
    return found


def _clients(platform: Installation, dice: random.Random) -> list[Client]:
    key = platform.call("POST", "/api/keys/", json={"name": "gateway", "scope": "ingest"}).json()["key"]
    begins = clock.now().replace(microsecond=0) - timedelta(hours=20)
    clients = []
    for number in range(CLIENTS):
        name = f"machine-{number}"
        assert platform.call("POST", "/api/equipment/", json={"name": name, "key": name}).status_code == 201
        clients.append(Client(platform.url, key, name, begins, random.Random(dice.random())))
    return clients


@pytest.mark.slow
def test_whatever_is_killed_nothing_acknowledged_is_lost_or_doubled(tmp_path):
    assert campaign(tmp_path, kills=KILLS * scale()) == []


@pytest.mark.slow
@pytest.mark.parametrize("bug", ["acknowledged_before_committed", "watermark_moves_first"])
def test_a_planted_bug_is_caught(tmp_path, bug):
    # Not every kill meets the moment at which it loses something: more of them, if need be.
    homes = [(tmp_path / "first", KILLS // 2), (tmp_path / "second", KILLS), (tmp_path / "third", 2 * KILLS)]
    faults = (fault for home, kills in homes for fault in campaign(home, kills=kills, bugs=(bug,)))
    assert any(fault.startswith("lost: ") for fault in faults)


class TestVerdict:
    def test_is_content_with_what_was_promised_and_all_or_nothing_of_the_last(self):
        assert verdict([range(3)], range(3, 5), [2, 1, 0]) == []
        assert verdict([range(3)], range(3, 5), [4, 3, 2, 1, 0]) == []

    @pytest.mark.parametrize(
        ("there", "said"),
        [
            ([0, 2], "lost: [1]"),
            ([0, 1, 1, 2], "doubled: [1]"),
            ([0, 1, 2, 3], "torn: [3] of range(3, 5)"),
            ([0, 1, 2, 9], "never sent: [9]"),
        ],
        ids=["lost", "doubled", "torn", "invented"],
    )
    def test_names_what_is_wrong(self, there, said):
        assert verdict([range(3)], range(3, 5), there) == [said]
