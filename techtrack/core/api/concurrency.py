"""ETag and If-Match: the version a client has seen travels to the UPDATE that must find it.

The tag of a version is ``"3"``. An item that was read has ``"3-1f9a…"``: what follows the version is a hash of all that
was shown, since some of it (health, last seen) changes without a new version. If-Match takes both and asks for the
version; If-None-Match asks whether the answer would be the same to the letter (``caching.py``).
"""

from __future__ import annotations

import hashlib
import re

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core.errors import Invalid
from techtrack.core.models import Versioned

TAG = re.compile(r'(?:W/)?"[^"]*"')
NEVER = -1
_NUMBER = re.compile(r'"([1-9]\d{0,9})"', re.ASCII)


def is_demanded(request: Request, current: str, *, shown: bool = False) -> bool | None:
    """Tell whether If-Match names the entity tag ``current``; None where any will do.

    RFC 9110 demands strong comparison: a weak tag never matches. With ``shown`` a hash may follow the tag.

    Raises:
        Invalid: the header is not a list of entity tags.

    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = TAG.findall(header)
    if not tags:
        raise Invalid('If-Match takes entity tags, such as "3"', pointer="If-Match")
    return any(_version_of(tag) == f'"{current}"' if shown else tag == f'"{current}"' for tag in tags)


def expected_version(request: Request, current: int) -> int | None:
    """Return the version that If-Match demands, or None where any will do: of several tags the current one counts.

    Raises as ``is_demanded`` does.
    """
    demanded = is_demanded(request, str(current), shown=True)
    return None if demanded is None else current if demanded else NEVER


def read_version(request: Request, current: int) -> int | None:
    """Return the version that the caller has read, by If-Match, for those who merge; None where any will do.

    Raises as ``is_demanded`` does.
    """
    expected = expected_version(request, current)
    if expected != NEVER:
        return expected
    tags = TAG.findall(request.headers.get("If-Match", ""))
    found = [_NUMBER.fullmatch(_version_of(tag)) for tag in tags]
    return max((int(one[1]) for one in found if one), default=NEVER)


def tag(response: Response, instance: Versioned) -> Response:
    """Put the strong ETag of ``instance`` on ``response``."""
    response["ETag"] = f'"{instance.version}"'
    return response


def tag_whole(response: Response, instance: Versioned) -> Response:
    """Put a strong ETag on ``response`` that changes with anything that it shows of ``instance``."""
    response["ETag"] = f'"{instance.version}-{digest(msgspec.json.encode(response.data, enc_hook=str))}"'
    return response


def digest(body: bytes) -> str:
    """Return a short hash of what is shown, the same in every process."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def _version_of(tag: str) -> str:
    return f'{tag.split("-", 1)[0]}"' if "-" in tag else tag
