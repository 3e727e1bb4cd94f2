"""How much one caller may ask of the API: counted in memory, so that asking costs no write."""

from __future__ import annotations

import math
import time
from typing import Any

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from techtrack.core.errors import TooMany

WINDOW = 60
MOST = 50_000


class Budgets:
    """What each caller has left, refilled evenly (GCRA): kept is the moment at which all of it is there again.

    Two threads may both take the last of it: this shares the processor, and guards no secret.
    """

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}

    def take(self, name: str, quota: int, now: float) -> float:
        """Take one of ``quota`` a minute; return 0, or where nothing is left the seconds until something is."""
        step = WINDOW / quota
        full_at = max(self._full_at.get(name, now), now)
        wait = full_at + step - now - WINDOW
        if wait > 0:
            return wait
        if len(self._full_at) >= MOST:
            self._full_at = {one: moment for one, moment in self._full_at.items() if moment > now}
        self._full_at[name] = full_at + step
        return 0.0

    def left(self, name: str, quota: int, now: float) -> tuple[int, float]:
        """Return how many of ``quota`` are left, and in how many seconds all are there again."""
        wait = max(self._full_at.get(name, now) - now, 0.0)
        return max(quota - math.ceil(wait * quota / WINDOW), 0), wait


budgets = Budgets()


class ApiThrottle(BaseThrottle):
    """Refuses a caller who asks too often; readings, which machines send as often as they must, are not counted."""

    def allow_request(self, request: Request, view: Any) -> bool:
        caller: Any = request.auth
        quota = settings.LIMITS["api"]
        if caller is None or not quota or _sends_readings(request, view):
            return True
        if wait := budgets.take(caller.principal, quota, time.monotonic()):
            raise TooMany(
                f"{quota} requests a minute at most",
                retry_after=max(1, round(wait + 0.5)),
                policy=("api", quota, WINDOW),
            )
        return True


def _sends_readings(request: Request, view: Any) -> bool:
    return getattr(view, "door", "") == "readings" and request.method not in SAFE_METHODS
