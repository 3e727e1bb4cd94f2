"""Answers that are files: sent while they are made, a few at a time, and ended when the reader goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from techtrack.core.clock import from_micros
from techtrack.core.errors import Unavailable
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.files.forms import FORMS, NAMES, find_form
from techtrack.telemetry.files.tables import Block, Column, Form
from techtrack.telemetry.store.base import Span

# An export keeps a thread and a core busy for as long as it lasts; the others are for people who wait.
AT_ONCE = 2
RETRY_AFTER = 15
FORMAT = OpenApiParameter(
    "format",
    enum=NAMES,
    default="json",
    description="`json`, or a file to download. In a file of readings a row without "
    "values, behind those of its asset, says what cannot be read: its start, and `unreadable until` its end as "
    "`quality` (in a history as `parameter`, at the end).",
)
# What the document says of the answers that FORMAT asks for.
FILES = {(200, form.media_type.partition(";")[0]): OpenApiTypes.BINARY for form in FORMS.values()}
_slots = threading.BoundedSemaphore(AT_ONCE)


class TooManyExports(Unavailable):
    """As many files are being sent as one process may."""

    code = "too_many_exports"


def asked_form(request: Request) -> Form | None:
    """Return the kind of file that the query asks for, None for JSON.

    Raises:
        Invalid: there is no such format.
    """
    name = request.query_params.get("format", "json")
    return None if name == "json" else find_form(name, pointer="?format")


def download(form: Form, *, name: str, columns: Sequence[Column], blocks: Iterable[Block]) -> StreamingHttpResponse:
    """Answer with a file called ``name``.

    Raises:
        TooManyExports: others are being sent.
    """
    if not _slots.acquire(blocking=False):
        raise TooManyExports(f"{AT_ONCE} exports are under way; try again soon", retry_after=RETRY_AFTER)
    answer = StreamingHttpResponse(_Sending(form.write(columns, blocks)), content_type=form.media_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form.name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer


def file_name(what: str, span: Span) -> str:
    """Name a file after what it holds and the known ends of its span, in characters that every system takes."""
    ends = zip(("from", "to"), span, FOREVER, strict=True)
    told = [f"-{word}-{from_micros(time):%Y%m%dT%H%M%SZ}" for word, time, open_end in ends if time != open_end]
    return what + "".join(told)


class _Sending(Iterator[bytes]):
    """The pieces of a file; gives its slot back at the end, or when the server closes it unfinished.

    A generator would not: closed before its first piece it never runs, and the slot were lost.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces: Any = pieces
        self._open = True

    def __next__(self) -> bytes:
        try:
            piece: bytes = next(self._pieces)
        except BaseException:
            self.close()
            raise
        return piece

    def close(self) -> None:
        """Stop making the file."""
        if self._open:
            self._open = False
            try:
                self._pieces.close()
            finally:
                _slots.release()
