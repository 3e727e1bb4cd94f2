"""What live announces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventRecorded:
    """An event took ``sequence``; hubs may look."""

    sequence: int
