"""News between apps: facts are published by services and heard by what pipeline.py connects.

*Together* listeners run inside the transaction of the cause and commit with it; those that are told *in one* hear
of all facts of their type that are published at once. *After* listeners run once it is committed, and may be lost in
a crash, so they are only ever hints.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import transaction

Listener = Callable[[Any], object]

_together: dict[type, list[Listener]] = defaultdict(list)
_in_one: dict[type, list[Callable[[Sequence[Any]], object]]] = defaultdict(list)
_after: dict[type, list[Listener]] = defaultdict(list)
_answers: dict[type, list[Callable[[Any], Iterable[Any]]]] = defaultdict(list)
# What a thread is about to tell in one.
_publishing = threading.local()
_log = logging.getLogger(__name__)


def together(fact: type, *listeners: Listener) -> None:
    """Run ``listeners`` in the same transaction as the cause; if one fails, the cause fails too."""
    _together[fact].extend(listeners)


def in_one(fact: type, *listeners: Callable[[Sequence[Any]], object]) -> None:
    """Run ``listeners`` as ``together`` does, but behind those, and once for all facts that are published at once."""
    _in_one[fact].extend(listeners)


def after(fact: type, *listeners: Listener) -> None:
    """Run ``listeners`` once the cause is committed; a failure is logged and undoes nothing."""
    _after[fact].extend(listeners)


def answer(question: type, *respondents: Callable[[Any], Iterable[Any]]) -> None:
    """Let ``respondents`` answer ``question`` when somebody asks it."""
    _answers[question].extend(respondents)


def publish(fact: object) -> None:
    """Tell the listeners of ``fact``'s type; call it inside the transaction that made it true."""
    for listener in _together[type(fact)]:
        listener(fact)
    for listener in _after[type(fact)]:
        transaction.on_commit(partial(_tell, listener, fact))
    if not _in_one[type(fact)]:
        return
    waiting: list[object] | None = getattr(_publishing, "waiting", None)
    if waiting is None:
        _tell_in_one([fact])
    else:
        waiting.append(fact)


def publish_all(facts: Iterable[object]) -> None:
    """Publish several facts, in order, at once."""
    with at_once():
        for fact in facts:
            publish(fact)


@contextmanager
def at_once() -> Iterator[list[object]]:
    """Tell those who are told in one at the end of the block: of all facts that were published in it, at once.

    What they lock is held from then on, and not while the block waits for others. Yields the facts that wait, so that
    those can be taken out whose cause is undone; after an exception nobody is told.
    """
    outer: list[object] | None = getattr(_publishing, "waiting", None)
    if outer is not None:
        yield outer
        return
    _publishing.waiting = waiting = list[object]()
    try:
        yield waiting
    finally:
        _publishing.waiting = None
    _tell_in_one(waiting)


def _tell_in_one(facts: Iterable[object]) -> None:
    by_type: dict[type, list[object]] = defaultdict(list)
    for fact in facts:
        by_type[type(fact)].append(fact)
    for kind, some in by_type.items():
        for listener in _in_one[kind]:
            listener(some)


def ask(question: object) -> list[Any]:
    """Collect every answer to ``question``: a rung learns what rungs above it know, without importing them."""
    return [line for respondent in _answers[type(question)] for line in respondent(question)]


def _tell(listener: Listener, fact: object) -> None:
    # The cause is committed and must not look failed: what an after-listener does is only a hint.
    try:
        listener(fact)
    except Exception:  # noqa: BLE001
        _log.exception("after-listener failed for %r", fact)
