"""ETag and If-Match: the version a client has seen travels to the UPDATE that must find it."""

from __future__ import annotations

import re

from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core.errors import Invalid
from techtrack.core.models import Versioned

_TAG = re.compile(r'(?:W/)?"[^"]*"')
NEVER = -1


def is_demanded(request: Request, current: str) -> bool | None:
    """Tell whether If-Match names the entity tag ``current``; None where any will do.

    RFC 9110 demands strong comparison: a weak tag never matches.

    Raises:
        Invalid: the header is not a list of entity tags.

    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = _TAG.findall(header)
    if not tags:
        raise Invalid('If-Match takes entity tags, such as "3"', pointer="If-Match")
    return f'"{current}"' in tags


def expected_version(request: Request, current: int) -> int | None:
    """Return the version that If-Match demands, or None where any will do: of several tags the current one counts.

    Raises as ``is_demanded`` does.
    """
    demanded = is_demanded(request, str(current))
    return None if demanded is None else current if demanded else NEVER


def tag(response: Response, instance: Versioned) -> Response:
    """Put the strong ETag of ``instance`` on ``response``."""
    response["ETag"] = f'"{instance.version}"'
    return response
