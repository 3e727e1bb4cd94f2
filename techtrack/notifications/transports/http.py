"""What transports over HTTP share: a request, and what its answer means."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from techtrack.core import outgoing
from techtrack.core.destinations import RefusedDestination
from techtrack.notifications.domain.transport import NotDelivered

# Of all refusals those that waiting helps: not now, too early, too many; and what is not the message's fault, so that
# it waits for the one who mends a key or a permission.
LATER = {401, 403, 407, 408, 423, 425, 429}
MOST_WORDS = 200
# What is shorter is an ordinary word more often than a key.
LEAST_SECRET = 6


def post(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Collection[str],
    success: Collection[int] = range(200, 300),
) -> str:
    """Send a request and return what the other side said, where its status is one of ``success``.

    Of ``secrets`` that it repeats nothing is told: what it said is shown to people who may not know them.

    Raises:
        NotDelivered: it is away, has refused, or is where requests may not go.
    """
    try:
        answer = outgoing.request(method, url, headers=headers, body=body)
    except (RefusedDestination, outgoing.Unreachable) as error:
        raise NotDelivered(error.detail, retry=True) from error
    said = without(secrets, f"{answer.status} {answer.reason}".strip())[:MOST_WORDS]
    words = without(secrets, " ".join(answer.body[: 4 * MOST_WORDS].decode(errors="replace").split()))[:MOST_WORDS]
    told = f"{said}: {words}" if words else said
    if answer.status in success:
        return f"It was taken: {told}"
    if 300 <= answer.status < 400:  # noqa: PLR2004 - the kind of redirects
        raise NotDelivered(f"the answer was {said}, and redirects are not followed: give the new address", retry=False)
    raise NotDelivered(f"the answer was {told}", retry=may_help(answer.status))


def without(secrets: Collection[str], text: str) -> str:
    """Return ``text`` with a mask for each secret in it, and for each longer word of one, such as of ``Bearer …``."""
    words = {word for secret in secrets for word in (secret, *secret.split()) if len(word) >= LEAST_SECRET}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def may_help(status: int) -> bool:
    """Tell whether trying again later may help after such an answer."""
    return status in LATER or not 400 <= status < 500  # noqa: PLR2004 - the kind of refusals
