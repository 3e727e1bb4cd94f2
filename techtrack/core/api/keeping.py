"""Lists that are read often and seldom change: made once, and given again for as long as their table is the same.

Whether it is, the table itself says: the id of a row never comes again and its version goes up with every change, so
that the same ids with the same versions are the same rows. They are asked for with every request, in one statement,
before anything is read of them. So nothing has to be told of a write, to no process, and no telling can be lost: what
was answered to a writer is seen by whoever asks next, wherever that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection
from django.http import HttpResponse
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core.api.viewsets import StrictViewSet
from techtrack.core.models import Versioned

# Of one table in one process; beside its text an answer and its name take about so much.
MOST_BYTES = 4_000_000
OVERHEAD = 500
_JOINED = {"sqlite": "group_concat(mark, ' ')", "postgresql": "string_agg(mark, ' ')"}


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was sent."""

    body: bytes
    media_type: str
    link: str | None

    def response(self) -> HttpResponse:
        """Return it to be sent again."""
        response = HttpResponse(self.body, content_type=self.media_type)
        if self.link is not None:
            response["Link"] = self.link
        return response


@dataclass(slots=True)
class _State:
    """The answers that are made of a table in one state."""

    stamp: str
    answers: dict[str, Kept] = field(default_factory=dict)
    room: int = field(default_factory=lambda: MOST_BYTES)


class Shelf:
    """Answers made of one table, by what was asked. Safe from any thread."""

    def __init__(self, model: type[Versioned]) -> None:
        table = connection.ops.quote_name(model._meta.db_table)
        marks = f"SELECT id || '.' || version AS mark FROM {table} ORDER BY id"  # noqa: S608 - the table name is ours
        self._statement = f"SELECT {_JOINED[connection.vendor]} FROM ({marks}) marked"  # noqa: S608 - as above
        self._state = _State("")

    def answer(self, name: str, make: Callable[[], Kept]) -> Kept:
        """Return what ``name`` asks for: as it was made of the table as it is now, or else as ``make`` makes it.

        What ``make`` reads is at least as new as the state under which it is kept, and no state comes again: so an
        answer that is newer than its state is kept in vain, and none is given that is older than the question.
        """
        stamp, state = self.stamp(), self._state
        if state.stamp != stamp:
            state = self._state = _State(stamp)
        found = state.answers.get(name)
        if found is None:
            found = make()
            # The state of then: where another has come meanwhile nobody looks there any more.
            state.room -= len(found.body) + len(name) + OVERHEAD
            if state.room > 0:
                state.answers[name] = found
        return found

    def stamp(self) -> str:
        """Return what is different after any change of the table."""
        with connection.cursor() as cursor:
            cursor.execute(self._statement)
            return str(cursor.fetchone()[0])


@cache
def shelf(model: type[Versioned]) -> Shelf:
    """Return the answers of this process that are made of a table."""
    return Shelf(model)


class KeptListViewSet(ListModelMixin, StrictViewSet):
    """A resource whose list is kept for those who see all of its table; what is shown of a row is nobody's own."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        rows = self.get_queryset()
        # To whoever sees a part nothing is given that was made for others. And what a transaction wrote may be undone.
        if rows.query.where or connection.in_atomic_block:
            return super().list(request)
        name = f"{request.accepted_media_type} {request.build_absolute_uri()}"
        table: Any = rows.model
        return shelf(table).answer(name, lambda: self._made(request)).response()

    def _made(self, request: Request) -> Kept:
        response, renderer = super().list(request), request.accepted_renderer
        body: Any = renderer.render(response.data, request.accepted_media_type, {})
        return Kept(body, renderer.media_type, response.get("Link"))
