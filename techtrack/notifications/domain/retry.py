"""Decides when a message that was not delivered is tried again, and when to give up."""

from __future__ import annotations

from datetime import timedelta

FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=1)
MOST_ATTEMPTS = 10
# A refusal is rarely taken back, but mail servers do answer 5xx while they are being reconfigured.
MOST_REFUSALS = 3


def next_delay(attempts: int, *, retry: bool, chance: float) -> timedelta | None:
    """Return how long to wait after the failure of attempt number ``attempts`` (from 1), None to give up.

    ``chance`` in [0, 1) spreads the delay by a quarter either way, so that what failed together does not
    come back together.
    """
    if attempts >= (MOST_ATTEMPTS if retry else MOST_REFUSALS):
        return None
    doubled: timedelta = FIRST_DELAY * 2 ** (attempts - 1)
    return min(doubled, LONGEST_DELAY) * (0.75 + chance / 2)
