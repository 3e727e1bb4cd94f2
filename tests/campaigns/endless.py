"""The platform with an asset whose past has no end, for servers that must notice when a reader goes away.

Servers are given ``tests.campaigns.endless:asgi`` or ``:wsgi`` in place of the platform's own applications. With
``ENDLESS_BUG`` in the environment nobody notices: what such a server does wrong must be found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from techtrack.config import front
from techtrack.telemetry.domain.reading import Readings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")
if os.environ.get("ENDLESS_BUG"):

    async def _look_away(*_: object) -> None:
        """Watch over nobody."""

    front.watch = _look_away

from techtrack.config.asgi import application as asgi
from techtrack.config.wsgi import application as wsgi
from techtrack.telemetry.queries import walking

__all__ = ["asgi", "wsgi"]
SECOND = 1_000_000


class Endless:
    """Has a reading of every second from 1970 on, whatever is asked for."""

    def extent(self, assets: Sequence[int]) -> tuple[int, int]:
        """Return the ends of time, more or less."""
        return 0, 10**15

    def readings(
        self, assets: Sequence[int], *, span: tuple[int, int], codes: Sequence[str] = ()
    ) -> dict[int, Readings]:
        """Make up what is in ``span``."""
        times = np.arange(span[0], span[1], SECOND)
        return {asset: Readings(times, {"temperature": times / 1e9}) for asset in assets}


walking.store = Endless()
