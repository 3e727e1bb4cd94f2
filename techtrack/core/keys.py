"""Foreign keys that are checked before the commit, for those who go on with what a row refers to."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, connection, models


def prove_keys(*rows: models.Model) -> None:
    """Check foreign keys now: what was written refers to rows that are there, and that stay until commit.

    Both databases would check at the commit. PostgreSQL checks all that was written in the transaction; SQLite, where
    nobody else writes meanwhile, can only be asked about ``rows``, which may refer to what went before they came.

    Raises:
        IntegrityError: what is referred to was deleted meanwhile.
    """
    if connection.vendor == "postgresql":
        connection.check_constraints()
        return
    for row in rows:
        for field in row._meta.concrete_fields:
            key = getattr(row, field.attname)
            if field.is_relation and key is not None and not _is_there(field, key):
                raise IntegrityError(f"FOREIGN KEY constraint failed: {row._meta.db_table}.{field.column} = {key}")


def _is_there(field: models.Field[Any, Any], key: Any) -> bool:
    model: Any = field.related_model
    found: bool = model._default_manager.filter(pk=key).exists()
    return found
