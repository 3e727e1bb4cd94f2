"""Logs: a line a message for people, and one JSON object a line for machines that collect them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from techtrack.core.http import current_request_id

# What a terminal or a reader of lines would act on: a path or a name in a message may be anybody's.
ACTED_ON = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
ACTED_ON |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}


class LineFormatter(logging.Formatter):
    """One line a message, whatever is in it; a traceback stands below."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        return super().formatMessage(record).translate(ACTED_ON)


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, request id and, after an error, its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request_id(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)
