"""Bugs that a campaign must catch, by name: each undoes one rule on which the engine's promise rests."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from django.db import Error, connection, transaction
from django.db.models import Q

from techtrack.accounts.services import sites, users
from techtrack.alerts import judge
from techtrack.alerts import services as alert_services
from techtrack.alerts.memory import Track
from techtrack.alerts.services import actions
from techtrack.core.api import bulk, concurrency, idempotency
from techtrack.core.models import IdempotencyRecord
from techtrack.notifications import services as notifications
from techtrack.notifications.domain.transport import transports
from techtrack.notifications.models import Delivery, DeliveryState
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.models import LogConsumer, Upkeep
from techtrack.telemetry.services import corrections
from techtrack.telemetry.store import (
    chunks,
    compaction,
    database,
    days,
    folding,
    latest,
    rollups,
    segments,
    tail,
    upkeep,
)


@contextmanager
def locks_are_not_folded() -> Iterator[None]:
    """Write chunks that no longer know what a person corrected."""
    encode = compaction.encode_chunks

    def without_locks(times: Any, columns: Any, starts: Any, locks: Sequence[Any]) -> Any:
        return encode(times, columns, starts, [{} for _ in locks])

    with mock.patch.object(compaction, "encode_chunks", without_locks):
        yield


@contextmanager
def rollups_are_written_once() -> Iterator[None]:
    """Leave a rollup as it is when its hour is folded again."""
    statement = compaction._UPSERT_ROLLUP.partition("ON CONFLICT")[0] + "ON CONFLICT DO NOTHING"
    with mock.patch.object(compaction, "_UPSERT_ROLLUP", statement):
        yield


@contextmanager
def latest_is_the_last_arrival() -> Iterator[None]:
    """Take the newest arrival for the newest value."""
    unfolded = latest.folded

    def backwards(view: tail.View) -> Iterator[list[Any]]:
        blocks = tuple(replace(block, times=block.positions) for block in view.blocks)
        yield from unfolded(replace(view, blocks=blocks))

    with mock.patch.object(latest, "folded", backwards):
        yield


@contextmanager
def marks_do_not_reach_chunks() -> Iterator[None]:
    """Summarise an hour without looking at the marks that lie over it."""
    with mock.patch.object(folding.Group, "_usable", lambda self, _: np.ones(len(self.readings.times), bool)):
        yield


@contextmanager
def the_sign_of_zero_is_lost() -> Iterator[None]:
    """Write chunks in which -0.0 is 0.0."""
    encode = compaction.encode_chunks

    def rounded(times: Any, columns: Mapping[str, Any], *rest: Any) -> Any:
        return encode(times, {code: column + 0.0 for code, column in columns.items()}, *rest)

    with mock.patch.object(compaction, "encode_chunks", rounded):
        yield


@contextmanager
def statistics_ignore_the_log() -> Iterator[None]:
    """Answer from rollups where the log has something newer."""
    with mock.patch.object(tail.Overlay, "hours", return_value=np.empty(0, np.int64)):
        yield


@contextmanager
def deletion_leaves_chunks() -> Iterator[None]:
    """Keep what is folded of an asset that was deleted."""
    with mock.patch.object(compaction, "_forget"):
        yield


@contextmanager
def watermark_moves_first() -> Iterator[None]:
    """Say that all is folded before it is."""
    fold, advance = compaction.Fold, compaction._advance

    def hasty(view: tail.View) -> folding.Fold:
        made = fold(view)
        advance(view)
        return made

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(compaction, "Fold", hasty))
        stack.enter_context(mock.patch.object(compaction, "_hold", _do_not_hold))
        yield


@contextmanager
def days_outlive_their_hours() -> Iterator[None]:
    """Keep the day of an hour that is folded again."""
    with mock.patch.object(upkeep, "unsettle"):
        yield


@contextmanager
def days_count_where_they_begin() -> Iterator[None]:
    """Take days of whatever zone for those that are asked for: as a whole, wherever they end."""
    take = rollups._take_days_of

    def cut_off(one: Any, rows: Sequence[Any], edges: Any) -> None:
        last = [edges[np.searchsorted(edges, row[2], "right")] for row in rows]
        take(one, [(*row[:3], min(row[3], end), *row[4:]) for row, end in zip(rows, last, strict=True)], edges)

    with mock.patch.object(rollups, "_take_days_of", cut_off):
        yield


@contextmanager
def days_are_written_whatever_changed() -> Iterator[None]:
    """Write a day though one of its hours has changed since it was read."""
    write = days._write

    def anyhow(revisions: Mapping[int, int], *what: Any) -> None:
        there = Upkeep.objects.filter(pk__in=revisions)
        write(dict(there.values_list("pk", "revision")), *what)

    with mock.patch.object(days, "_write", anyhow):
        yield


@contextmanager
def compactors_do_not_mind_each_other() -> Iterator[None]:
    """Write chunks whoever else has written them meanwhile, and move the watermark wherever it is."""
    statement = compaction._UPSERT_CHUNK.replace("telemetry_chunk.through = %s", "telemetry_chunk.through <> -2 - %s")
    write = compaction._write

    def slowly(group: Any, view: tail.View, now: Any) -> None:
        # So that the other one passes meanwhile, and folds what has come since.
        deadline = time.monotonic() + random.choice([0, 2])
        while segments.watermark() <= view.position and time.monotonic() < deadline:
            time.sleep(0.005)
        write(group, view, now)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(compaction, "_write", slowly))
        stack.enter_context(mock.patch.object(compaction, "_UPSERT_CHUNK", statement))
        stack.enter_context(mock.patch.object(compaction, "_hold", _do_not_hold))
        yield


@contextmanager
def correctors_do_not_queue() -> Iterator[None]:
    """Compare a reading without a lock on its asset; on SQLite, where transactions queue, before one begins."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(corrections, "_lock"))
        if connection.vendor == "sqlite":
            write, correct = corrections.write, corrections.correct.__wrapped__
            stack.enter_context(mock.patch.object(corrections, "write", transaction.atomic(write)))
            stack.enter_context(mock.patch.object(corrections, "correct", correct))
        yield


@contextmanager
def chunks_are_read_before_the_log() -> Iterator[None]:
    """Read what is folded, and a moment later the log."""

    def readings(store: Any, assets: Iterable[int], *, span: Any = FOREVER, codes: Sequence[str] = ()) -> Any:
        ids = sorted(set(assets))
        stored = list(chunks.load(ids, span=span, codes=codes))
        # The race is rare; so that it is met, a fold is waited for.
        floor, deadline = segments.watermark(), time.monotonic() + 2.0
        while segments.watermark() == floor and time.monotonic() < deadline:
            time.sleep(0.005)
        with mock.patch.object(chunks, "load", return_value=iter(stored)), store.picture() as view:
            return chunks.readings(view, ids, span, codes)

    with mock.patch.object(database.DatabaseStore, "readings", readings):
        yield


@contextmanager
def acknowledged_before_committed() -> Iterator[None]:
    """Promise what is still to be written, as a door does that answers from a queue."""
    write = segments.append

    def commit(batch: Any, how: Mapping[str, Any]) -> None:
        with suppress(Error), transaction.atomic():
            write(batch, **how)
        connection.close()

    def later(batch: Any, **how: Any) -> int:
        threading.Timer(0.2, commit, [batch, how]).start()
        return segments.head() + 1

    with mock.patch.object(segments, "append", later):
        yield


@contextmanager
def the_judge_forgets_its_windows() -> Iterator[None]:
    """Begin windows and baselines anew with each start."""
    with mock.patch.object(Track, "take"):
        yield


@contextmanager
def findings_are_committed_before_the_cursor() -> Iterator[None]:
    """Write what was found, and in another transaction how far that is."""
    advance = judge.telemetry_services.advance

    def later(**how: Any) -> None:
        def move() -> None:
            time.sleep(random.choice([0.05, 0.3]))
            with transaction.atomic():
                advance(**how)

        transaction.on_commit(move)

    with mock.patch.object(judge.telemetry_services, "advance", later):
        yield


@contextmanager
def deliveries_are_marked_before_they_are_sent() -> Iterator[None]:
    """Note that a message was sent, and send it."""

    def hasty(send: Any, transport: Any, message: Any, delivery_id: str, **how: Any) -> None:
        Delivery.objects.filter(pk=delivery_id).update(state=DeliveryState.SENT)
        send(transport, message, delivery_id, **how)

    with _sending(hasty):
        yield


@contextmanager
def each_attempt_has_an_id_of_its_own() -> Iterator[None]:
    """Send a message each time as if it were another."""

    def anew(send: Any, transport: Any, message: Any, _: str, **how: Any) -> None:
        send(transport, message, str(uuid.uuid4()), **how)

    with _sending(anew):
        yield


@contextmanager
def notices_are_written_after_their_alert() -> Iterator[None]:
    """Commit an alert, and a moment later that somebody is to be told of it."""
    enqueue = notifications.enqueue_for_alert

    def write(how: Mapping[str, Any]) -> None:
        enqueue(**how)
        connection.close()

    def later(**how: Any) -> None:
        transaction.on_commit(lambda: threading.Timer(1.0, write, [how]).start())

    with mock.patch.object(notifications, "enqueue_for_alert", later):
        yield


@contextmanager
def versions_are_compared_before_they_are_written() -> Iterator[None]:
    """Compare If-Match with what was read, and write whatever is there by then."""

    def compared(request: Any, current: int) -> int | None:
        demanded = concurrency.is_demanded(request, str(current), shown=True)
        return concurrency.NEVER if demanded is False else None

    with mock.patch.object(concurrency, "expected_version", compared):
        yield


@contextmanager
def alerts_are_looked_at_before_they_are_taken() -> Iterator[None]:
    """Take an alert that nobody had when it was read."""
    act, acknowledge = alert_services.act, actions.ACTIONS["acknowledge"]

    def hasty(*, alert: Any, **how: Any) -> Any:
        if alert.acknowledged_at is not None:
            raise actions.AlreadyAcknowledged("it was taken before")
        return act(alert=alert, **how)

    def anyhow(*what: Any) -> Any:
        return replace(acknowledge(*what), where=Q())

    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(actions.ACTIONS, acknowledge=anyhow))
        stack.enter_context(mock.patch.object(alert_services, "act", hasty))
        yield


@contextmanager
def keys_are_looked_up_and_then_kept() -> Iterator[None]:
    """Do the work where no Idempotency-Key is found, and keep the key afterwards."""
    once = idempotency.once

    def later(request: Any, work: Callable[[], Any]) -> Any:
        key = request.headers.get("Idempotency-Key", "")
        if IdempotencyRecord.objects.filter(key=key).exists():
            return once(request, work)
        answer = work()
        with suppress(Exception):
            once(request, lambda: answer)
        return answer

    with mock.patch.object(idempotency, "once", later):
        yield


@contextmanager
def administrators_are_not_counted() -> Iterator[None]:
    """Let everybody go who may send somebody away."""
    with mock.patch.object(users, "keep_an_admin", nullcontext):
        yield


@contextmanager
def sites_are_moved_unlooked() -> Iterator[None]:
    """Do not look whether a site would stand inside itself."""
    with mock.patch.object(sites, "_check_parent"):
        yield


@contextmanager
def bulk_writes_commit_as_they_go() -> Iterator[None]:
    """Commit each write of a request for itself, and hold no row for the next."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(bulk, "transaction", SimpleNamespace(atomic=nullcontext)))
        stack.enter_context(mock.patch.object(bulk.BulkViewSet, "hold"))
        yield


@contextmanager
def _sending(instead: Callable[..., None]) -> Iterator[None]:
    with ExitStack() as stack:
        for transport in map(transports.get, transports.names()):
            stack.enter_context(mock.patch.object(transport, "send", _in_place_of(transport.send, instead)))
        yield


def _in_place_of(send: Any, instead: Callable[..., None]) -> Callable[..., None]:
    return lambda *what, **how: instead(send, *what, **how)


def _do_not_hold(floor: int) -> None:
    LogConsumer.objects.get_or_create(name=segments.STORE, lane=segments.LANE)


_planted = ExitStack()


def plant(name: str) -> None:
    """Plant a bug for the rest of this process."""
    bug: Callable[[], Any] = globals()[name]
    _planted.enter_context(bug())
