"""What is told of every row that people configure when it is written: what changed, secrets left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models

from techtrack.core import events
from techtrack.core.acting import Actor

HIDDEN = "(hidden)"
# They change with every write, or never.
STAMPS = frozenset({"version", "created_at", "updated_at"})


@dataclass(frozen=True, slots=True)
class Audited:
    """How a table is told of: names of columns, each in one set at most.

    Of ``hidden`` ones (secrets, private words) only that they changed; ``personal`` ones where they can be erased with
    the person; ``silent`` ones, which the platform keeps up to date by itself, not at all. Without ``creation`` or
    ``cascades`` rows may come, or go along with others, in numbers: that is told elsewhere.
    """

    hidden: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    creation: bool = True
    cascades: bool = True


@dataclass(frozen=True, slots=True)
class Changed:
    """A row was ``created``, ``changed`` or ``removed``: its columns ``before`` and ``after``, those that differ.

    ``personal`` names those among them that belong to ``person_id``, and must be kept where they can be erased.
    """

    kind: str
    object_type: str
    object_id: str
    site_id: int | None
    person_id: int | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    personal: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFact:
    """What happened to somebody's way in; a subclass says by ``action`` what. The detail holds no secret, nor a name.

    ``user_id`` is whom it is about, None where that is nobody's account.
    """

    action: ClassVar[str] = ""
    user_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Denied:
    """A known caller was refused what would have changed something."""

    method: str
    path: str
    detail: str
    actor: Actor


def image(row: models.Model, names: Collection[str] | None = None) -> dict[str, Any]:
    """Return the columns of ``row`` called ``names`` (all if None) as they are in memory, foreign keys as ids."""
    fields = row._meta.concrete_fields if names is None else [row._meta.get_field(name) for name in names]
    return {field.name: getattr(row, field.attname) for field in fields if isinstance(field, models.Field)}


def tell_created(row: Any) -> None:
    """Tell of a new row; columns that say nothing are left out."""
    filled = {name: value for name, value in image(row).items() if value not in (None, "", [], {})}
    _tell("created", row, before={}, after=filled)


def tell_changed(row: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Tell what differs of ``before`` and ``after``: columns, or what a row gathers from elsewhere."""
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if differing - STAMPS - row.audited.silent:
        _tell("changed", row, before=_some(before, differing), after=_some(after, differing))


def tell_removed(row: Any) -> None:
    """Tell of a row that goes; what is personal goes with it."""
    filled = {name: value for name, value in image(row).items() if value not in (None, "", [], {})}
    _tell("removed", row, before=filled, after={})


def tell_cascade(instance: models.Model, **_: Any) -> None:
    """Tell of a row that the database layer is about to delete, for whatever reason."""
    tell_removed(instance)


def name_of(model: type[models.Model]) -> str:
    """Return how a table is called: ``asset-type``."""
    concrete: Any = model._meta.concrete_model
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", concrete.__name__).lower()


def _some(image: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in image.items() if name in names}


def _tell(kind: str, row: Any, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    audited: Audited = row.audited
    person, personal = row.audit_person(), row.audit_personal()
    # What goes is known from what was told before; and what is nobody's could not be erased with anybody.
    keeps = person is not None and kind != "removed"
    hidden = audited.hidden if keeps else audited.hidden | personal
    left_out = STAMPS | audited.silent
    shown = [
        {name: HIDDEN if name in hidden else value for name, value in one.items() if name not in left_out}
        for one in (before, after)
    ]
    events.publish(
        Changed(
            kind=kind,
            object_type=name_of(type(row)),
            object_id=str(row.pk),
            site_id=row.audit_site(),
            person_id=person,
            before=shown[0],
            after=shown[1],
            personal=personal if keeps else frozenset(),
        )
    )
