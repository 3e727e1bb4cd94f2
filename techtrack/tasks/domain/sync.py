"""How far a client has come that keeps its copy of the tasks in step, as the text that it hands back.

Numbers of change become visible in order (``core.models.Head``), and so do departures; whoever has read up to one has
missed nothing before it. The text moves only with what the caller may see: how much happens elsewhere is nobody's
business. What a caller may see follows from roles as well, which have no such number: of them the text carries a hash,
and where that is another one the client begins again; so it does where the text is old, since departures are forgotten.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from techtrack.core.errors import Gone, Invalid

# How long what happened is known; what belongs to it is kept for a day more, since clocks of servers differ.
LASTS = timedelta(days=30)
_TEXT = re.compile(r"(\d{1,19})\.(\d{1,19})\.(\d{1,19})\.(\d{1,19})\.([0-9a-f]{12})", re.ASCII)
_BEGINNING = "0"
_MOST = 2**63 - 1


class BadCursor(Invalid):
    """It is no cursor of ours."""

    code = "bad_cursor"


class ResyncNeeded(Gone):
    """What happened since then is not known any more, or other tasks are the caller's to see: begin again."""

    code = "resync"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Read are the changes up to ``number``, of that number the tasks up to ``task``, and ``departure``; on ``day``."""

    number: int
    task: int
    departure: int
    day: int
    scope: str

    def __str__(self) -> str:
        return f"{self.number}.{self.task}.{self.departure}.{self.day}.{self.scope}"

    def is_known(self, now: datetime) -> bool:
        """Tell whether all that happened since is known by now."""
        return day_of(now) - self.day < LASTS.days


def day_of(moment: datetime) -> int:
    """Return the number of the day of a moment, on the clock of UTC."""
    return moment.astimezone(UTC).toordinal()


def read_cursor(text: str, *, pointer: str) -> Cursor | None:
    """Read what a client hands back, None for the beginning.

    Raises:
        BadCursor: it was never handed out.
    """
    if text == _BEGINNING:
        return None
    found = _TEXT.fullmatch(text)
    numbers = [int(part) for part in found.groups()[:4]] if found else [_MOST + 1]
    if found is None or max(numbers) > _MOST:
        raise BadCursor("take the `next` of the answer before, or begin without", pointer=pointer)
    number, task, departure, day = numbers
    return Cursor(number, task, departure, day, found[5])


def scope(user_id: int, sites: Collection[int] | None, *bounds: int | None) -> str:
    """Return what is different where a caller may see other tasks: sites (None: all), and the bounds of its key."""
    told = repr((user_id, None if sites is None else sorted(sites), bounds))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()
