"""From the outbox to a wire that takes, waits or fails."""

from __future__ import annotations

import asyncio

import pytest

from techtrack.live.outbox import TURN, Frame, Outbox, Sender


class Wire:
    """A wire that waits while ``open`` is cleared, as a server does whose client does not read."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.sent = []
        self.failure = None

    async def tell(self, frame):
        await self.open.wait()
        if self.failure:
            raise self.failure
        self.sent.append(frame.sequence)


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def outbox():
    return Outbox(capacity=10 * TURN)


@pytest.fixture
async def running(wire, outbox):
    """The task that sends what could not be sent at once."""
    task = asyncio.create_task(Sender(outbox, wire.tell).run())
    await asyncio.sleep(0)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def put(outbox, *numbers):
    for number in numbers:
        assert outbox.put(Frame({}, sequence=number))


class TestSender:
    async def test_sends_at_once_what_the_wire_takes(self, running, wire, outbox):
        put(outbox, 1, 2, 3)
        assert (wire.sent, len(outbox)) == ([1, 2, 3], 0)

    async def test_keeps_the_order_when_the_wire_waits(self, running, wire, outbox):
        put(outbox, 1)
        wire.open.clear()
        put(outbox, 2, 3)
        wire.open.set()
        put(outbox, 4)
        assert wire.sent == [1]
        await asyncio.sleep(0.01)
        assert wire.sent == [1, 2, 3, 4]
        put(outbox, 5)
        assert wire.sent == [1, 2, 3, 4, 5]

    async def test_waits_again_and_again(self, running, wire, outbox):
        expected = []
        for number in range(0, 50, 2):
            wire.open.clear()
            put(outbox, number, number + 1)
            expected += [number, number + 1]
            await asyncio.sleep(0)
            wire.open.set()
            await asyncio.sleep(0.001)
            assert wire.sent == expected

    async def test_lets_others_have_their_turn_while_it_catches_up(self, running, wire, outbox):
        wire.open.clear()
        put(outbox, *range(5 * TURN))
        wire.open.set()
        seen = []
        while len(wire.sent) < 5 * TURN:
            await asyncio.sleep(0)
            seen.append(len(wire.sent))
        assert wire.sent == list(range(5 * TURN))
        assert len([count for count in seen if 0 < count < 5 * TURN]) >= 3

    @pytest.mark.parametrize("failure", [OSError("gone"), RuntimeError("closed already")])
    async def test_a_failure_ends_this_socket_and_not_who_put_the_frame(self, running, wire, outbox, failure):
        wire.failure = failure
        put(outbox, 1, 2)
        with pytest.raises(type(failure)):
            await running

    async def test_a_failure_after_waiting_ends_this_socket_too(self, running, wire, outbox):
        wire.open.clear()
        put(outbox, 1)
        wire.failure = OSError("gone")
        wire.open.set()
        with pytest.raises(OSError, match="gone"):
            await running

    async def test_sends_nothing_once_it_is_stopped(self, wire, outbox):
        sender = Sender(outbox, wire.tell)
        sender.stop()
        put(outbox, 1)
        assert (wire.sent, len(outbox)) == ([], 0)
