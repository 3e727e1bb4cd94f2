"""Connections over which processes tell each other that there is news: Redis pub/sub, PostgreSQL NOTIFY."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "techtrack"
# A Redis that is stopped takes connections and never answers.
REDIS_PATIENCE = 0.5
# Seconds to connect; and milliseconds without an answer after which a connection through a dead network is given up.
POSTGRES_PATIENCE = 5
POSTGRES_SILENCE = 5000


class Away(Exception):
    """The other end does not answer; nothing is lost but time."""


class Line(Protocol):
    """One connection, used by one thread. Every method raises ``Away`` when it is broken."""

    def send(self, channel: str, text: str) -> None:
        """Tell everybody who listens to ``channel``."""

    def hear(self, seconds: float) -> str | None:
        """Return the next text of the channels listened to, None if there is none for so long."""

    def close(self) -> None:
        """Hang up; never raises."""


class Transport(Protocol):
    """A way between processes."""

    def connect(self, *channels: str) -> Line:
        """Return a new connection that listens to ``channels``; raises ``Away``."""


class RedisTransport:
    """Redis pub/sub. Channels belong to the whole server, so the number of the database is part of their names."""

    def __init__(self, url: str) -> None:
        self._url = url

    def connect(self, *channels: str) -> Line:
        return _RedisLine(self._url, channels)


class _RedisLine:
    def __init__(self, url: str, channels: tuple[str, ...]) -> None:
        with _redis_away():
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=REDIS_PATIENCE,
                socket_connect_timeout=REDIS_PATIENCE,
                # Whoever holds the line connects again in his own time.
                retry=Retry(NoBackoff(), 0),
            )
            self._number = self._client.connection_pool.connection_kwargs.get("db") or 0
            # Not annotated there.
            self._listening = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            if channels:
                self._listening.subscribe(*map(self._name, channels))

    def send(self, channel: str, text: str) -> None:
        with _redis_away():
            self._client.publish(self._name(channel), text)

    def hear(self, seconds: float) -> str | None:
        with _redis_away():
            message = self._listening.get_message(timeout=seconds)
        return str(message["data"], "utf-8", "replace") if message else None

    def close(self) -> None:
        try:
            self._listening.close()
            self._client.close()
        except (OSError, redis.RedisError):
            # It was broken, which is why it is closed.
            return

    def _name(self, channel: str) -> str:
        return f"{PREFIX}:{self._number}:{channel}"


class NotifyTransport:
    """PostgreSQL LISTEN and NOTIFY on the database of the platform, over connections beside the pool."""

    def connect(self, *channels: str) -> Line:
        return _NotifyLine(channels)


class _NotifyLine:
    def __init__(self, channels: tuple[str, ...]) -> None:
        wrapper: Any = connections["default"]
        self._errors = wrapper.wrap_database_errors
        with self._away():
            self._connection = wrapper.Database.connect(
                **wrapper.get_connection_params()
                | {
                    "autocommit": True,
                    "connect_timeout": POSTGRES_PATIENCE,
                    "keepalives_idle": POSTGRES_PATIENCE,
                    "tcp_user_timeout": POSTGRES_SILENCE,
                }
            )
            for channel in channels:
                self._connection.execute(f'LISTEN "{PREFIX}_{channel}"')

    def send(self, channel: str, text: str) -> None:
        with self._away():
            self._connection.execute("SELECT pg_notify(%s, %s)", [f"{PREFIX}_{channel}", text])

    def hear(self, seconds: float) -> str | None:
        with self._away():
            for message in self._connection.notifies(timeout=seconds, stop_after=1):
                return str(message.payload)
        return None

    def close(self) -> None:
        with self._errors:
            self._connection.close()

    @contextmanager
    def _away(self) -> Iterator[None]:
        try:
            with self._errors:
                yield
        except (OSError, DatabaseError) as error:
            raise Away(str(error)) from None


@contextmanager
def _redis_away() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, redis.RedisError) as error:
        raise Away(str(error)) from None


def chosen() -> Transport | None:
    """Return the way that the settings name: Redis if there is one, else PostgreSQL; on SQLite there is none."""
    if settings.REDIS_URL:
        return RedisTransport(settings.REDIS_URL)
    return NotifyTransport() if connections["default"].vendor == "postgresql" else None
