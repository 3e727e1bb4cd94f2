"""Bodies of requests as programs and browsers send them: JSON, or a form with files."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

JSON = "application/json"


class Form(dict[str, Any]):
    """The fields of a form; a file is a list of its name, its text and its type."""


def encoded(body: Any) -> tuple[bytes, str]:
    """Return a body as it is sent, and its media type."""
    if not isinstance(body, Form):
        return json.dumps(body).encode(), JSON
    files = {
        name: SimpleUploadedFile(value[0], value[1].encode(), value[2]) if isinstance(value, list) else value
        for name, value in body.items()
    }
    return encode_multipart(BOUNDARY, files), MULTIPART_CONTENT
