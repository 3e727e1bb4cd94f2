"""Topics: names that sockets subscribe to, by pattern, and who may."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import NotFound

Params = dict[str, str]
# Names that need not be taken apart again: each frame has one or two.
REMEMBERED = 20_000
Authorise = Callable[[Access, Params], bool]
Snapshot = Callable[[Access, Params], dict[str, Any]]


class UnknownTopic(NotFound):
    """There is no topic of that name."""

    code = "not_found"


class Forms(NamedTuple):
    """The TypedDicts of a topic's frames and of its snapshot, of which the document of the socket is made."""

    frames: tuple[type, ...]
    snapshot: type | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of topic: ``authorise`` and ``snapshot`` may read the database, and are called in a thread.

    A topic that ``gathers`` patterns gets every frame of the topics of these patterns that its subscriber may
    see; their ``authorise`` is asked in the event loop and so must not touch the database.
    """

    pattern: str
    authorise: Authorise
    snapshot: Snapshot | None = None
    gathers: tuple[str, ...] = ()
    forms: Forms | None = None


class Topics:
    """The kinds of topics there are. A name in braces, as in ``sites/{site}/alerts``, stands for an id."""

    def __init__(self) -> None:
        self._kinds: list[tuple[re.Pattern[str], Topic]] = []
        self._found: dict[str, tuple[Topic, Params]] = {}

    def register(self, topic: Topic) -> None:
        """Add a kind of topic; a second one of the same pattern is a programming error."""
        if any(known.pattern == topic.pattern for _, known in self._kinds):
            raise ValueError(f"topic {topic.pattern!r} is registered twice")
        # Eighteen digits fit every database id.
        expression = re.sub(r"\{(\w+)\}", r"(?P<\1>(?:0|[1-9][0-9]{0,17}))", topic.pattern)
        self._kinds.append((re.compile(expression), topic))

    def kinds(self) -> list[Topic]:
        """Return all of them, as they were registered."""
        return [topic for _, topic in self._kinds]

    def gathering(self, pattern: str) -> list[str]:
        """Return the names of the topics that gather the frames of ``pattern``."""
        return [topic.pattern for _, topic in self._kinds if pattern in topic.gathers]

    def find(self, name: str) -> tuple[Topic, Params]:
        """Return the kind of topic ``name`` is, and the ids in it.

        Raises:
            UnknownTopic: it is none.

        """
        if known := self._found.get(name):
            return known
        for expression, topic in self._kinds:
            if match := expression.fullmatch(name):
                if len(self._found) >= REMEMBERED:
                    self._found.clear()
                found = self._found[name] = topic, match.groupdict()
                return found
        raise UnknownTopic(f"there is no topic {name!r}")
