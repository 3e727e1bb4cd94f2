"""The frame that tells of readings, as the document of the socket describes it."""

from __future__ import annotations

from typing import Literal, TypedDict


class ReadingFrame(TypedDict):
    """The newest values of an asset by parameter, at most four times a second; it has no number and is not replayed."""

    type: Literal["reading"]
    asset: int
    timestamp: str
    values: dict[str, float]
