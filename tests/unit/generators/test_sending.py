"""Sending: batches of the size asked for, kept until they are taken, and counted as what they became."""

from __future__ import annotations

import pytest

from techtrack.demo.generators.sending import GivenUp, Sender
from techtrack.demo.replay import Refused


class FakeDoor:
    """Takes what it is given; refuses first what it is told to refuse."""

    def __init__(self, *refusals: Refused) -> None:
        self.refusals = list(refusals)
        self.batches: list[list[dict]] = []

    def send(self, items):
        if self.refusals:
            raise self.refusals.pop(0)
        self.batches.append(items)
        bad = sum(item["asset"] == "bad" for item in items)
        return {"accepted": len(items) - bad, "refused": bad}


def items(count: int, asset: str = "good") -> list[dict]:
    return [{"asset": asset, "timestamp": str(number), "values": {"a": 1, "b": 2}} for number in range(count)]


class TestSender:
    def test_sends_whole_batches_and_at_last_the_rest(self):
        door = FakeDoor()
        sender = Sender(door, batch=4)
        sender.add(items(10))
        assert [len(batch) for batch in door.batches] == [4, 4]
        sender.flush()
        sender.flush()
        assert [len(batch) for batch in door.batches] == [4, 4, 2]

    def test_counts_what_became_of_them(self):
        sender = Sender(FakeDoor(), batch=100)
        sender.add([*items(5), *items(2, "bad")])
        sender.flush()
        tally = sender.tally
        assert (tally.sent, tally.values, tally.accepted, tally.refused, tally.batches) == (7, 14, 5, 2, 1)

    def test_sends_again_what_a_busy_door_did_not_take(self):
        door, pauses = FakeDoor(Refused("full", retry_after=2.0), Refused("gone")), []
        sender = Sender(door, batch=3, sleep=pauses.append)
        sender.add(items(3))
        assert len(door.batches) == 1
        assert pauses[0] == 2.0
        assert (sender.tally.sent, sender.tally.retried) == (3, 2)

    def test_gives_up_where_asking_again_would_not_help(self):
        sender = Sender(FakeDoor(Refused("403 no", passes=False)), batch=3, sleep=pytest.fail)
        with pytest.raises(GivenUp, match="403 no"):
            sender.add(items(3))
        assert sender.tally.sent == 0

    def test_gives_up_when_its_patience_is_over(self):
        refusals = [Refused("503") for _ in range(100)]
        pauses: list[float] = []
        sender = Sender(FakeDoor(*refusals), batch=1, patience=20, sleep=pauses.append)
        with pytest.raises(GivenUp):
            sender.add(items(1))
        assert 20 <= sum(pauses) < 40
