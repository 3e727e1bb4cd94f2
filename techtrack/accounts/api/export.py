"""Everything stored about the caller, as one JSON document that is written while it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from techtrack.accounts import services
from techtrack.accounts.api.views import Door
from techtrack.core import clock
from techtrack.core.rows import Section

PIECE = 64 * 1024


class ExportView(Door):
    """What the platform knows of somebody, for that person."""

    @extend_schema(operation_id="accounts_export", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Get everything stored about you: by table its rows, as they are stored. Secrets are left out."""
        access = self.request.auth
        sections = services.personal_data(by=access, now=clock.now())
        head = {"exported_at": clock.isoformat(clock.now()), "user": access.user_id}
        answer = StreamingHttpResponse(_pieces(_written(head, sections)), content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="techtrack-{access.user_id}.json"'
        answer["Cache-Control"] = "private, no-store"
        return answer


def _written(head: dict[str, object], sections: Iterator[Section]) -> Iterator[str]:
    yield json.dumps(head)[:-1] + ', "tables": {'
    for place, (name, rows) in enumerate(sections):
        yield f"{', ' if place else ''}{json.dumps(name)}: ["
        for number, row in enumerate(rows):
            yield f"{', ' if number else ''}{json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)}"
        yield "]"
    yield "}}"


def _pieces(texts: Iterator[str]) -> Iterator[bytes]:
    """Join small texts: each piece costs a turn of the server."""
    waiting, size = [], 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= PIECE:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
