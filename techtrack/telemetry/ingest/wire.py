"""How the doors for batches read ``on_error``, and write what became of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from techtrack.core.errors import Fault, Invalid

MOST_TOLD = 1000


def skips(on_error: str | None) -> bool:
    """Tell whether bad readings are to be left out rather than to stop the batch.

    Raises:
        Invalid: it is another word.
    """
    if on_error not in {None, "skip"}:
        raise Invalid("on_error is skip, or left out", pointer="?on_error")
    return on_error == "skip"


def receipt_as_json(accepted: int, faults: Sequence[Fault] | None) -> dict[str, Any]:
    """Write what became of a batch; ``faults`` is None where one would have stopped it."""
    if faults is None:
        return {"accepted": accepted}
    errors = [{"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in faults[:MOST_TOLD]]
    return {"accepted": accepted, "refused": len(faults), "errors": errors}
