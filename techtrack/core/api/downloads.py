"""Doors whose answers are files: their form is the file's, whatever the client says it would rather have."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class AnyForm(DefaultContentNegotiation):
    """Takes every ``Accept``: who asks for a file gets it as it is, and a problem is JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
