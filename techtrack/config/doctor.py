"""Examines the set-up and says, line by line, what is well and what to mend."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from techtrack.accounts.models import User
from techtrack.config.health import LONGEST_FOLD
from techtrack.config.server import CannotStart, claim_port
from techtrack.core import clock
from techtrack.telemetry import queries as telemetry
from techtrack.watch import queries as watch
from techtrack.watch.domain.checks import KINDS
from techtrack.watch.domain.facts import at_work, living

ENOUGH_DISK = 1 << 30
NEWEST_SQLITE_NEEDED = (3, 35)
Finding = tuple[bool, str]


def examine(*, say: Callable[[str], None]) -> int:
    """Print one line per check; returns the exit code, 1 where something is to be mended."""
    checks = (_python, _home, _disk, _database, _store, _watch, _people, _port, _mail, _cache, _addresses)
    failed = 0
    for check in checks:
        for good, sentence in check():
            say(f"{'ok  ' if good else 'MEND'}  {sentence}")
            failed += not good
    say("All is well." if not failed else f"{failed} to mend.")
    return 1 if failed else 0


def _python() -> Iterator[Finding]:
    yield True, f"Python {platform.python_version()}"


def _home() -> Iterator[Finding]:
    writable = settings.HOME.is_dir() and os.access(settings.HOME, os.W_OK)
    yield writable, f"the data folder {settings.HOME} {'can' if writable else 'cannot'} be written"
    for secret in sorted((settings.HOME / "secrets").glob("*")):
        private = not secret.stat().st_mode & 0o077
        yield private, f"{secret} {'is readable by its owner alone' if private else 'is open to others: chmod 600 it'}"


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.HOME).free
    yield free > ENOUGH_DISK, f"{free / (1 << 30):.1f} GiB of disk are free (1 GiB is the least)"


def _database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        yield False, f"the database cannot be used: {(str(error).splitlines() or ['no reason given'])[0]}"
        return
    yield True, f"the {connection.display_name} database answers"
    yield (
        not missing,
        f"{missing} migrations are waiting: techtrack up applies them" if missing else "migrations applied",
    )
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
            level = cursor.execute("PRAGMA synchronous").fetchone()[0]
        durable = mode == "wal" and level == 2  # noqa: PLR2004 - FULL
        yield (
            durable,
            f"SQLite {sqlite3.sqlite_version} keeps what it acknowledges (journal {mode}, synchronous {level})",
        )
        yield sqlite3.sqlite_version_info >= NEWEST_SQLITE_NEEDED, "SQLite is new enough (3.35)"


def _store() -> Iterator[Finding]:
    try:
        waiting, consumers, now = telemetry.lag(), telemetry.consumers(clock.now()), clock.now()
    except DatabaseError:
        return
    since = f", the oldest since {clock.isoformat(waiting.since)}" if waiting.since else ""
    late = waiting.since is not None and waiting.since < now - LONGEST_FOLD
    yield not late, f"{waiting.readings} readings wait in the log to be folded into hours{since}"
    if waiting.is_too_much:
        yield False, "no more readings are taken until some are folded: is a server or techtrack worker running?"
    for consumer in consumers:
        if consumer.dead:
            kept = f"{consumer.behind} batches of the log are kept for {consumer.name}, which reads it no more"
            yield False, f"{kept}: start it, or delete its row in telemetry_logconsumer"


def _watch() -> Iterator[Finding]:
    """The processes that run, and what they find wrong."""
    try:
        at = watch.moment(clock.now())
        facts, troubles = watch.look(at), watch.troubles()
    except DatabaseError:
        return
    for process in living(facts, watch.limits()):
        what = "judges and sends" if process.works else "serves"
        yield True, f"process {process.name} {what}; last heard of {process.age:.0f} s ago"
    if facts.processes and not at_work(facts, watch.limits()):
        yield False, "no process judges and sends at this moment: start techtrack up or techtrack worker"
    for trouble in troubles:
        yield False, f"{trouble} since {clock.isoformat(trouble.raised_at or at)}: {KINDS[trouble.kind].advice}"


def _people() -> Iterator[Finding]:
    try:
        some = User.objects.filter(is_active=True).exists()
    except DatabaseError:
        return
    yield some, "somebody can log in" if some else "nobody can log in: techtrack up prints a link for the first admin"


def _port() -> Iterator[Finding]:
    try:
        claim_port(settings.HOST, settings.PORT)
    except CannotStart as error:
        yield False, f"{error} (Is TechTrack running already?)"
    else:
        yield True, f"port {settings.PORT} on {settings.HOST} is free"


def _mail() -> Iterator[Finding]:
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        yield True, "mail goes to the console: set EMAIL_URL=smtp://… to send it"
        return
    try:
        get_connection(timeout=5).open()
        yield True, f"the mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} answers"
    except OSError as error:
        yield False, f"the mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} does not answer: {error}"


def _cache() -> Iterator[Finding]:
    if not settings.REDIS_URL:
        yield True, "no Redis: this process caches for itself"
        return
    from django.core.cache import cache  # noqa: PLC0415 - connects when first used

    try:
        cache.set("doctor", "1", 10)
        yield True, "Redis answers"
    except (OSError, ValueError, RedisError) as error:
        yield False, f"Redis does not answer: {error}"


def _addresses() -> Iterator[Finding]:
    try:
        socket.getaddrinfo(settings.HOST, settings.PORT)
        yield True, f"the address {settings.HOST} is known"
    except OSError:
        yield False, f"HOST={settings.HOST} is not an address of this machine"
