"""Is the process alive, is it ready for work, and what does it count: /healthz, /readyz, /metrics."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client import Gauge as AnyGauge
from prometheus_client.multiprocess import MultiProcessCollector
from redis.exceptions import RedisError

from techtrack.alerts.judge import NAME as JUDGE
from techtrack.config.crew import COUNTS
from techtrack.core import clock
from techtrack.core.models import Head
from techtrack.notifications.models import Delivery, DeliveryState, Notice
from techtrack.telemetry import queries as telemetry
from techtrack.watch import queries as watch
from techtrack.watch.domain.checks import KINDS

# What the database says is the same wherever it is asked: of several processes the last one that did.
Gauge = partial(AnyGauge, multiprocess_mode="mostrecent")
LOG_HEAD = Gauge("techtrack_log_position", "Position of the newest batch of readings")
JUDGE_LAG = Gauge("techtrack_judge_lag_batches", "Batches of readings that the judge has not passed yet")
WAITING = Gauge("techtrack_fold_waiting_readings", "Readings in the log that are not yet folded into hours")
OLDEST = Gauge("techtrack_fold_oldest_seconds", "Age of the oldest of them")
OUTBOX = Gauge("techtrack_outbox_pending", "Messages waiting to be sent")
TROUBLES = Gauge("techtrack_troubles", "What the platform finds wrong with itself, by kind", ["kind"])
LONGEST_WAIT = timedelta(minutes=15)
# An hour stays open until it closes, and is folded minutes later.
LONGEST_FOLD = timedelta(hours=3)
MOST_LAG = 10_000


def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether work can be done here: 503 with the reasons when not."""
    checks: dict[str, Callable[[], str]] = {
        "database": _database,
        "migrations": _migrations,
        "cache": _cache,
        "judge": _judge,
        "store": _store,
        "outbox": _outbox,
    }
    reasons: dict[str, str] = {}
    for name, check in checks.items():
        try:
            reason = check()
        except (DatabaseError, OSError, RedisError) as error:
            reason = f"{type(error).__name__}"
        if reason:
            reasons[name] = reason
        if name == "database" and reason:
            break
    status: dict[str, Any] = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ready"}
    if not reasons and (troubles := sorted({check.kind for check in watch.troubles()})):
        # It can serve all the same; what exactly is wrong is not for everybody.
        status["troubles"] = troubles
    response = JsonResponse(status, status=503 if reasons else 200)
    if reasons:
        response["Retry-After"] = "5"
    return response


def metrics(request: HttpRequest) -> HttpResponse:
    """Give everything counted, as Prometheus reads it."""
    try:
        LOG_HEAD.set(telemetry.head())
        JUDGE_LAG.set(_lag())
        waiting = telemetry.lag()
        WAITING.set(waiting.readings)
        OLDEST.set((clock.now() - waiting.since).total_seconds() if waiting.since else 0)
        found = [check.kind for check in watch.troubles()]
        for kind in KINDS:
            TROUBLES.labels(kind).set(found.count(kind))
        OUTBOX.set(Delivery.objects.filter(state=DeliveryState.PENDING).count())
    except DatabaseError:
        # What the process itself has counted is wanted most just then.
        for gauge in (LOG_HEAD, JUDGE_LAG, WAITING, OLDEST, OUTBOX):
            gauge.set(math.nan)
    return HttpResponse(_counted(), content_type=CONTENT_TYPE_LATEST)


def _counted() -> bytes:
    """Write out what this process has counted, or all that serve together."""
    if COUNTS not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    # Not annotated there.
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} migrations are not applied" if missing else ""


def _cache() -> str:
    cache.set("readyz", "1", 10)
    return "" if cache.get("readyz") == "1" else "what was written cannot be read"


def _judge() -> str:
    lag = _lag()
    return f"the judge is {lag} batches behind" if lag > MOST_LAG else ""


def _store() -> str:
    waiting = telemetry.lag()
    if waiting.is_too_much:
        return f"{waiting.readings} readings wait to be folded, and no more are taken until some are"
    late = waiting.since is not None and waiting.since < clock.now() - LONGEST_FOLD
    return f"{waiting.readings} readings wait to be folded, the oldest for over 3 hours" if late else ""


def _outbox() -> str:
    limit = clock.now() - LONGEST_WAIT
    # What waits for a channel that fails waits its turn.
    waiting = Delivery.objects.filter(state=DeliveryState.PENDING, channel__enabled=True, channel__failing_since=None)
    untold = Notice.objects.filter(group=None, told_at=None, created_at__lt=limit)
    late = waiting.filter(attempts=0, next_attempt_at__lt=limit).exists() or untold.exists()
    return "no worker has looked at the outbox for 15 minutes" if late else ""


def _lag() -> int:
    passed = telemetry.consumed(JUDGE)
    return 0 if passed is None else Head.current("log:0") - passed
