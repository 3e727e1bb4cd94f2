"""Questions put in SQL: on the way of every read the query builder would cost more than the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

AT_ONCE = 500
_TYPES: dict[type, str] = {int: "bigint", str: "text", bytes: "bytea"}


def ask(statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """Return all rows of a statement, which is ours; what comes from outside goes into ``params``."""
    with _cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def stream(statement: str, *params: Any) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a statement as they come: where there may be more than memory should hold."""
    with _cursor() as cursor:
        cursor.execute(statement, params)
        while rows := cursor.fetchmany(AT_ONCE):
            yield from rows


def execute(statement: str, rows: Sequence[Sequence[Any]], *params: Any) -> int:
    """Run a statement on rows of numbers, texts and bytes, which it calls ``{rows}``; returns how many it changed.

    ``params`` are those that it names behind them.
    """
    if not rows:
        return 0
    with _cursor() as cursor:
        if connection.vendor == "postgresql":
            # One statement: the server would take each of many apart, and plan it, for longer than it works on it.
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(statement.format(rows=_arrays(columns)), [*columns, *params])
        else:
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(statement.format(rows=f"VALUES ({marks})"), [(*row, *params) for row in rows])
        return int(cursor.rowcount)


def _arrays(columns: Sequence[Sequence[Any]]) -> str:
    types = [next((type(value) for value in column if value is not None), int) for column in columns]
    marks = ", ".join(f"%b::{_TYPES[one]}[]" for one in types)
    names = ", ".join(f"column{place}" for place in range(1, len(columns) + 1))
    return f"SELECT * FROM unnest({marks}) AS given ({names})"  # noqa: S608 - words of ours


@contextmanager
def _cursor() -> Iterator[Any]:
    """Open a cursor that sends and takes bytes as they are: PostgreSQL's by way of Django spells each of them out."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            yield cursor
        return
    import psycopg  # noqa: PLC0415 - only there where PostgreSQL is used

    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as binary:
        binary.format = psycopg.pq.Format.BINARY
        yield binary


def among(ids: Sequence[int]) -> tuple[str, list[Any]]:
    """Return the condition that a column is one of ``ids``, to be written behind it, and its parameters."""
    if connection.vendor == "postgresql":
        return "= ANY(%s)", [list(ids)]
    return f"IN ({', '.join(['%s'] * len(ids))})", list(ids)
