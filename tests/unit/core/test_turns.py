"""Turns: one at a time, in the order of coming, the hurried first, and every other one for the patient."""

from __future__ import annotations

import threading
import time

from techtrack.core import turns
from techtrack.core.turns import Turns


def line_up(door: Turns, names: list[str], came: list[str]) -> list[threading.Thread]:
    """Let threads wait in this order; one whose name ends in "!" is in a hurry, in "." patient."""
    threads = []
    for name in names:
        threads.append(threading.Thread(target=_wait, args=(door, name, came)))
        before = sum(map(len, door._lines))
        threads[-1].start()
        while sum(map(len, door._lines)) == before:
            time.sleep(0.001)
    return threads


def _wait(door: Turns, name: str, came: list[str]) -> None:
    if name.endswith("!"):
        turns.go_first()
    if name.endswith("."):
        turns.be_patient()
    assert door.enter(timeout=10)
    came.append(name)
    door.leave()


class TestTurns:
    def test_come_in_order_the_hurried_first(self):
        door, came = Turns(), list[str]()
        assert door.enter(timeout=0)
        threads = line_up(door, ["a", "b", "c!", "d", "e!"], came)
        door.leave()
        for thread in threads:
            thread.join()
        assert came == ["c!", "e!", "a", "b", "d"]
        assert door.enter(timeout=0)

    def test_of_the_patient_are_every_other_one(self):
        door, came = Turns(), list[str]()
        assert door.enter(timeout=0)
        threads = line_up(door, ["a.", "b.", "c.", "d.", "e", "f", "g!"], came)
        door.leave()
        for thread in threads:
            thread.join()
        assert came == ["g!", "e", "a.", "f", "b.", "c.", "d."]

    def test_are_hurried_for_a_while(self):
        turns.be_patient()
        with turns.hurried():
            assert turns._rank() == turns.HURRIED
        assert turns._rank() == turns.PATIENT
        turns._mine.rank = turns.USUAL

    def test_do_not_wait_for_ever(self):
        door = Turns()
        assert door.enter(timeout=0)
        assert not door.enter(timeout=0.01)
        door.leave()
        assert door.enter(timeout=0)

    def test_let_one_in_at_a_time(self):
        door, inside, most = Turns(), [0], [0]

        def work() -> None:
            for _ in range(200):
                assert door.enter(timeout=10)
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                door.leave()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1]
