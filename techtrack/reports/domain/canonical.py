"""The checksum of a report: of what it says, written in one way only."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(content: Any) -> bytes:
    """Write JSON so that the same content gives the same bytes: members in order, no space, UTF-8, no NaN.

    Numbers are written as the shortest text that reads back as the same number.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def checksum(content: Any) -> str:
    """Return the SHA-256 of the canonical bytes, in hexadecimal digits."""
    return hashlib.sha256(canonical(content)).hexdigest()
