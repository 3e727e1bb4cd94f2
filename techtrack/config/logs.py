"""Logs as one JSON object a line, for machines that collect them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from techtrack.core.http import current_request_id


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
