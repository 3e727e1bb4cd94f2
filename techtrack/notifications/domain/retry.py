"""Decides when a message that was not delivered is tried again, when to give up, and how long its channel rests."""

from __future__ import annotations

from datetime import timedelta

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)
# Given up is what failed so often and is so old: a server that is away for a night loses nothing.
MOST_ATTEMPTS = 10
LONGEST_AGE = timedelta(days=1)
# A refusal is rarely taken back, but mail servers do answer 5xx while they are being reconfigured.
MOST_REFUSALS = 3
# So many attempts in a row end with their sender: by then it is rather the message that kills them than chance.
MOST_DEATHS = 10
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)


def next_delay(attempts: int, *, age: timedelta, retry: bool, chance: float) -> timedelta | None:
    """Return how long a message waits after the failure of attempt number ``attempts`` (from 1), None to give up.

    ``chance`` in [0, 1) spreads the delay by a quarter either way, so that what failed together does not
    come back together.
    """
    if attempts >= MOST_ATTEMPTS and age >= LONGEST_AGE if retry else attempts >= MOST_REFUSALS:
        return None
    return _doubled(FIRST_DELAY, attempts, LONGEST_DELAY, chance)


def after_death(deaths: int, *, chance: float) -> timedelta | None:
    """Return how long a message waits whose senders died in so many attempts in a row (from 1), None to give up.

    The first time it does not; then ever longer, so that what was only sent beside it goes without it.
    """
    if deaths >= MOST_DEATHS:
        return None
    return _doubled(FIRST_DELAY, deaths - 1, LONGEST_DELAY, chance) if deaths > 1 else timedelta(0)


def pause(failures: int, *, chance: float) -> timedelta:
    """Return how long a whole channel rests after so many failures in a row (from 1); spread as above."""
    return _doubled(FIRST_PAUSE, failures, LONGEST_PAUSE, chance)


def _doubled(first: timedelta, times: int, longest: timedelta, chance: float) -> timedelta:
    # Bounded before it is doubled: 2 to the number of failures of a month fits no timedelta.
    doubled: timedelta = first * 2 ** min(times - 1, 20)
    return min(doubled, longest) * (0.75 + chance / 2)
