"""Rows that name somebody, as they lie in the tables: for people who ask what is stored about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Model, Q

Section = tuple[str, Iterable[dict[str, Any]]]


def naming(model: type[Model], person_id: int, *columns: str, hidden: Collection[str] = ()) -> Section:
    """Return the name of a table and its rows in which one of ``columns`` is the person, without what is ``hidden``.

    The rows are read as they are asked for.
    """
    named = Q()
    for column in columns:
        named |= Q(**{column: person_id})
    shown = [field.attname for field in model._meta.concrete_fields if field.name not in hidden]
    rows = model._default_manager.filter(named).order_by("pk").values(*shown)
    return model._meta.label_lower, rows.iterator(chunk_size=500)
