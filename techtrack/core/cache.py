"""The cache in Redis, for which nobody waits long: it is a help and nothing more."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends import redis as django_redis
from redis.backoff import NoBackoff
from redis.retry import Retry

# A Redis that is stopped takes connections and never answers; left to itself the client would try for many seconds.
PATIENCE = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}


class RedisCache(django_redis.RedisCache):
    """Django's, which raises ``RedisError`` half a second after Redis has gone."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params | {"OPTIONS": PATIENCE | params.get("OPTIONS", {})})
