"""Whether a row that has versions behaved like one thing, whoever asked: linearizability of a versioned register.

Versions only grow, and each is written by one request, so the order of all writes is known; what is left to show is
that it agrees with the clock: nothing that was answered before another request was sent may be newer than what that one
saw. (For registers whose writes are told apart this is exact: Gibbons and Korach, 1997.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

OK = 200


def faults_of_register(answers: Sequence[Any]) -> Iterator[str]:
    """Name what cannot have happened: ``answers`` have ``sent``, ``came``, ``status``, ``body`` and a ``note``.

    The note of a write is the version that it was based on; reads have none.
    """
    seen = [one for one in answers if one.status == OK]
    writers = Counter(one.body["version"] for one in seen if one.note is not None)
    for version, many in writers.items():
        if many > 1:
            yield f"version {version} has {many} writers"
    for one in seen:
        if one.note is not None and one.body["version"] != one.note + 1:
            yield f"a write on version {one.note} made version {one.body['version']}"
    yield from _against_the_clock(seen)


def _against_the_clock(seen: Sequence[Any]) -> Iterator[str]:
    by_end = sorted(seen, key=lambda one: one.came)
    newest, place = 0, 0
    for one in sorted(seen, key=lambda one: one.sent):
        while place < len(by_end) and by_end[place].came < one.sent:
            newest = max(newest, by_end[place].body["version"])
            place += 1
        # A write makes a version of its own: the one before it must be at least what was known.
        least = newest + (one.note is not None)
        if one.body["version"] < least:
            yield f"version {one.body['version']} was answered after version {newest} had been"
