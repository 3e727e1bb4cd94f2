"""The whole database as one comparable value, so that a refused write can be shown to have written nothing."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from django.db import connection

# What is noted of every request, refused or not.
NOTED = {
    ("accounts_session", "last_seen"),
    ("accounts_apikey", "last_used"),
}
# What exists to note refusals, or holds nothing of the plant.
ASIDE = {
    *("django_migrations", "django_session", "django_content_type", "auth_permission"),
    *("accounts_auditentry", "accounts_auditword", "accounts_allowance", "accounts_lockout"),
}


def digests(*, without: re.Pattern[str] | None = None) -> dict[str, str]:
    """A digest of the rows of each table; ``without`` names columns, as table.column, that are left out."""
    return {table: _digest(table, without) for table in tables()}


def changed(before: dict[str, str]) -> tuple[str, ...]:
    """The tables whose rows are no longer as they were."""
    return tuple(table for table, digest in before.items() if _digest(table) != digest)


@cache
def tables() -> tuple[str, ...]:
    """Every table that is compared."""
    with connection.cursor() as cursor:
        return tuple(name for name in connection.introspection.table_names(cursor) if name not in ASIDE)


@cache
def _columns(table: str, without: re.Pattern[str] | None) -> str:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, table)
    names = [column.name for column in described if (table, column.name) not in NOTED]
    kept = [name for name in names if without is None or not without.search(f"{table}.{name}")]
    return ", ".join(map(connection.ops.quote_name, kept)) or "COUNT(*)"


def _digest(table: str, without: re.Pattern[str] | None = None) -> str:
    with connection.cursor() as cursor:
        statement = f"SELECT {_columns(table, without)} FROM {connection.ops.quote_name(table)}"  # noqa: S608 - our names
        cursor.execute(statement)
        rows = sorted(repr([bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]) for row in cursor)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
