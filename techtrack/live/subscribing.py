"""From a subscription to a stream without a gap: listen first, then read the snapshot, then tell what is newer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import Forbidden, Invalid, NotFound
from techtrack.live import queries
from techtrack.live.feeds import body_of
from techtrack.live.hub import Hub
from techtrack.live.messages import MOST_TOPICS, Subscribe
from techtrack.live.models import LiveEvent
from techtrack.live.outbox import CAPACITY, Frame
from techtrack.live.subscriber import Subscriber
from techtrack.live.threads import in_thread
from techtrack.live.topics import Params, Topic, Topics

ATTEMPTS = 5
# Half an outbox: a client that is told more than it can take in would be closed, and ask again for ever.
MOST_REPLAYED = CAPACITY // 2

Found = dict[str, tuple[Topic, Params]]


class TooManyTopics(Invalid):
    """A socket has only so many topics."""

    code = "too_many_topics"


class NotYours(Forbidden):
    """The topic is there, and not for this caller."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is at ``sequence``; ``missed`` are the events that led there, None where they are no longer kept."""

    snapshot: dict[str, Any]
    sequence: int
    missed: list[LiveEvent] | None


async def subscribe(hub: Hub, subscriber: Subscriber, message: Subscribe) -> None:
    """Answer a subscription, and stream from there on; all of its topics or none.

    Raises:
        NotFound: there is no such topic.
        NotYours: the caller may not see it.
        TooManyTopics: with these the socket has too many.

    """
    names = frozenset(message.topics)
    if len(names | subscriber.names) > MOST_TOPICS:
        raise TooManyTopics(f"a socket has at most {MOST_TOPICS} topics")
    found = {name: hub.topics.find(name) for name in sorted(names)}
    access = subscriber.access
    await in_thread(_require, access, found)
    hub.subscribe(subscriber, names)
    try:
        picture = await in_thread(_look, access, found, message.since)
        if subscriber.access is not access:
            # The rights changed while we looked.
            await in_thread(_require, subscriber.access, found)
    except BaseException:
        hub.abandon(subscriber)
        raise
    subscriber.begin(_first(hub, subscriber, message, picture), picture.sequence)


async def narrow(hub: Hub, subscriber: Subscriber, access: Access) -> list[str]:
    """Take up the caller's new rights; return the topics that are no longer for it, and end them."""
    lost = await in_thread(_lost, hub.topics, access, sorted(subscriber.names))
    subscriber.access = access
    subscriber.may_see.clear()
    hub.unsubscribe(subscriber, lost)
    return lost


def _require(access: Access, found: Found) -> None:
    for name, (topic, params) in found.items():
        if not topic.authorise(access, params):
            raise NotYours(f"you may not see {name!r}")


def _lost(topics: Topics, access: Access, names: list[str]) -> list[str]:
    return [name for name in names if not _still(access, *topics.find(name))]


def _still(access: Access, topic: Topic, params: Params) -> bool:
    try:
        return topic.authorise(access, params)
    except (NotFound, Forbidden):
        return False


def _look(access: Access, found: Found, since: int | None) -> Picture:
    """Read what is, and which event it includes as the newest.

    An event commits with what it tells: where the number is the same before and after, the snapshot is exactly
    that of the number. On a plant too busy for that the lower number stands: an event may be told that the
    snapshot shows already, and none is missed.
    """
    for _ in range(ATTEMPTS):
        sequence = queries.newest_sequence()
        snapshot = {
            name: topic.snapshot(access, params)
            for name, (topic, params) in found.items()
            if topic.snapshot is not None
        }
        if queries.newest_sequence() == sequence:
            break
    return Picture(snapshot, sequence, [] if since is None else queries.missed(since, sequence))


def _first(hub: Hub, subscriber: Subscriber, message: Subscribe, picture: Picture) -> list[Frame]:
    about = {} if message.id is None else {"id": message.id}
    answer = {"type": "subscribed", **about, "snapshot": picture.snapshot, "sequence": picture.sequence}
    if message.since is None:
        return [Frame(answer)]
    names = frozenset(message.topics)
    missed = picture.missed
    wanted = [event for event in missed or () if hub.wanted(subscriber, names, event.topics.split())]
    if missed is None or len(wanted) > MOST_REPLAYED:
        return [Frame({"type": "resync", **about}), Frame(answer)]
    # A client has handled all up to ``sequence`` only once it has got so many: until then it resumes from before.
    replay = [Frame(body_of(event), sequence=event.sequence) for event in wanted]
    return [Frame(answer | {"missed": len(replay)}), *replay]
