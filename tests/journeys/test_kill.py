"""Killing the process at any moment loses nothing acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.plugins.platform import Platform, database_url

KILLS = 3
SENDERS = 3
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def doomed(tmp_path, worker_id) -> Iterator[Platform]:
    """A platform that will be killed again and again."""
    running = Platform(tmp_path, database_url=database_url(tmp_path, f"techtrack_doomed_{worker_id}"))
    running.start()
    running.make_admin()
    yield running
    running.stop()


class Sender(threading.Thread):
    """Sends numbered readings one after the other, each until it is acknowledged."""

    def __init__(self, platform: Platform, asset: str, key: str) -> None:
        super().__init__(daemon=True)
        self.platform, self.asset, self.key = platform, asset, key
        self.acknowledged: list[int] = []
        self.refused: list[str] = []
        self.stopping = False

    def run(self) -> None:
        number = 0
        while not self.stopping:
            if self._sent(number):
                self.acknowledged.append(number)
                number += 1

    def _sent(self, number: int) -> bool:
        at = (START + timedelta(seconds=number)).isoformat()
        body = {"items": [{"asset": self.asset, "timestamp": at, "values": {"number": number}}]}
        try:
            answer = requests.post(
                f"{self.platform.url}/api/ingest/", json=body, headers={"X-API-Key": self.key}, timeout=10
            )
        except requests.RequestException:
            time.sleep(0.05)
            return False
        if answer.status_code not in {200, 503}:
            self.refused.append(answer.text)
        return answer.status_code == 200


def stored(platform: Platform, asset: str) -> list[int]:
    """Every number that is there, in the order of time."""
    numbers, path = [], f"/api/data/?equipment={asset}&page_size=500"
    while path:
        page = platform.call("GET", path).json()
        numbers += [int(row["values"]["number"]) for row in page["results"]]
        path = (page["next"] or "").removeprefix(platform.url)
    return numbers[::-1]


def lost(acknowledged: list[int], there: list[int]) -> set[int]:
    """What was acknowledged and is not there."""
    return set(acknowledged) - set(there)


def test_what_was_acknowledged_is_there_once_after_every_kill(doomed: Platform) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice, senders = random.Random(seed), []
    key = doomed.call("POST", "/api/keys/", json={"name": "gateway", "scope": "ingest"}).json()["key"]
    for number in range(SENDERS):
        name = f"machine-{number}"
        assert doomed.call("POST", "/api/equipment/", json={"name": name, "key": name}).status_code == 201
        senders.append(Sender(doomed, name, key))
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.3, 1.2))
        doomed.kill()
        doomed.start()
    time.sleep(0.5)
    for sender in senders:
        sender.stopping = True
        sender.join()
    for sender in senders:
        there = stored(doomed, sender.asset)
        assert sender.refused == []
        assert lost(sender.acknowledged, there) == set(), f"seed {seed}"
        assert len(there) == len(set(there)), f"seed {seed}"
    assert sum(len(sender.acknowledged) for sender in senders) > KILLS


def test_the_count_notices_one_that_is_missing() -> None:
    """The planted bug: a store that acknowledged 3 and lost it."""
    assert lost([1, 2, 3], [1, 2]) == {3}
