"""What transports over HTTP share: a request, and what its answer means."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from urllib.parse import quote, quote_plus

from techtrack.core import outgoing
from techtrack.core.destinations import RefusedDestination
from techtrack.notifications.domain.transport import NotDelivered

# Of all refusals those that waiting helps: not now, too early, too many; and what is not the message's fault, so that
# it waits for the one who mends a key or a permission.
LATER = {401, 403, 407, 408, 423, 425, 429}
MOST_WORDS = 200
# What is shorter is an ordinary word more often than a key.
LEAST_SECRET = 6
_HEX = re.compile("%[0-9A-F]{2}")


def is_2xx(answer: outgoing.Answer) -> bool:
    """Tell whether the status says that it was taken."""
    return 200 <= answer.status < 300  # noqa: PLR2004 - the kind of successes


def post(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Collection[str],
    is_taken: Callable[[outgoing.Answer], bool] = is_2xx,
) -> str:
    """Send a request and return what the other side said, where ``is_taken`` finds that it was.

    Of ``secrets`` that it repeats nothing is told: what it said is shown to people who may not know them.

    Raises:
        NotDelivered: it is away, has refused, or is where requests may not go.
    """
    try:
        answer = outgoing.request(method, url, headers=headers, body=body)
    except (RefusedDestination, outgoing.Unreachable) as error:
        raise NotDelivered(error.detail, retry=True) from error
    said = without(secrets, f"{answer.status} {answer.reason}".strip())[:MOST_WORDS]
    # What is cut off first may be the end of a secret, of which the beginning would stay.
    words = " ".join(without(secrets, answer.body.decode(errors="replace")).split())[:MOST_WORDS]
    told = f"{said}: {words}" if words else said
    if is_taken(answer):
        return f"It was taken: {told}"
    if 300 <= answer.status < 400:  # noqa: PLR2004 - the kind of redirects
        raise NotDelivered(f"the answer was {said}, and redirects are not followed: give the new address", retry=False)
    raise NotDelivered(f"the answer was {told}", retry=may_help(answer.status))


def without(secrets: Collection[str], text: str) -> str:
    """Return ``text`` with a mask for each secret in it, and for each longer word of one, such as of ``Bearer …``.

    In whatever writing: as it is, percent-encoded, in base64, or inside of JSON.
    """
    writings = {writing for secret in secrets for writing in _writings(secret) if len(writing) >= LEAST_SECRET}
    for writing in sorted(writings, key=len, reverse=True):
        text = text.replace(writing, "***")
    return text


def _writings(secret: str) -> Iterator[str]:
    # The name and password of "Basic …" are secrets, too.
    words = [secret, *secret.split()]
    words += [part for word in words[1:] for opened in [_opened(word)] for part in (opened, *opened.split(":", 1))]
    for word in words:
        if len(word) >= LEAST_SECRET:
            every = "".join(f"%{byte:02X}" for byte in word.encode())
            for percent in (quote(word, safe=""), quote(word), quote_plus(word), every):
                yield from (percent, _HEX.sub(lambda match: match[0].lower(), percent))
            quoted = json.dumps(word)[1:-1]
            yield from (word, quoted, quoted.replace("/", "\\/"), *_in_base64(word.encode()))


def _in_base64(secret: bytes) -> Iterator[str]:
    """What stays of it in base64 whatever stands before and after it, as a name before a password."""
    for before in range(3):
        # Of what shares a letter with its neighbours is left out.
        start, end = -(-8 * before // 6), 8 * (before + len(secret)) // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + secret).decode()[start:end]


def _opened(word: str) -> str:
    """What a word is base64 of, where that is a text."""
    try:
        return b64decode(word, validate=True).decode()
    except ValueError:
        return ""


def may_help(status: int) -> bool:
    """Tell whether trying again later may help after such an answer."""
    return status in LATER or not 400 <= status < 500  # noqa: PLR2004 - the kind of refusals
