"""A careful door on plain rows: typed decoding, one statement and one commit a request. Run by uvicorn.

BENCH_SHAPE says how the rows lie: ``reading`` (typed columns, one row a reading) or ``value`` (one row a value).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

CODES = ("temperature", "pressure", "vibration", "speed", "power")
TABLES = {
    "reading": "CREATE TABLE reading (asset bigint, at timestamptz, "
    + ", ".join(f"{code} float8" for code in CODES)
    + ", PRIMARY KEY (asset, at))",
    "value": "CREATE TABLE value (asset bigint, parameter smallint, at timestamptz, value float8, "
    "PRIMARY KEY (asset, parameter, at))",
}
INSERTS = {
    "reading": "INSERT INTO reading SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], "
    "%s::float8[], %s::float8[], %s::float8[]) ON CONFLICT DO NOTHING",
    "value": "INSERT INTO value SELECT * FROM unnest(%s::bigint[], %s::smallint[], %s::timestamptz[], %s::float8[]) "
    "ON CONFLICT DO NOTHING",
}


class Reading(msgspec.Struct, gc=False):
    """One reading of the body."""

    asset: int
    timestamp: datetime
    values: dict[str, float]


class Body(msgspec.Struct):
    """A batch."""

    items: list[Reading]


class App:
    """The ASGI application."""

    def __init__(self) -> None:
        self._shape = os.environ["BENCH_SHAPE"]
        self._pool = AsyncConnectionPool(os.environ["BENCH_DSN"], min_size=4, max_size=8, open=False)
        self._decode = msgspec.json.Decoder(Body).decode

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._life(receive, send)
            return
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        if scope["method"] == "POST":
            await self._store(self._decode(b"".join(parts)).items)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _store(self, items: Sequence[Reading]) -> None:
        columns = self._by_reading(items) if self._shape == "reading" else self._by_value(items)
        async with self._pool.connection() as connection:
            await connection.execute(INSERTS[self._shape], columns)

    def _by_reading(self, items: Sequence[Reading]) -> list[list[Any]]:
        values = [[item.values.get(code) for item in items] for code in CODES]
        return [[item.asset for item in items], [item.timestamp for item in items], *values]

    def _by_value(self, items: Sequence[Reading]) -> list[list[Any]]:
        rows = [(item.asset, CODES.index(code), item.timestamp, v) for item in items for code, v in item.values.items()]
        return [list(column) for column in zip(*rows, strict=True)]

    async def _life(self, receive: Any, send: Any) -> None:
        await receive()
        async with await AsyncConnection.connect(os.environ["BENCH_DSN"], autocommit=True) as connection:
            await connection.execute(TABLES[self._shape])
        await self._pool.open(wait=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


application = App()
