"""Doors of the machine to alerts."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from techtrack.alerts import hiding, queries, services
from techtrack.alerts.models import PreviewRun
from techtrack.core import clock
from techtrack.core.models import Head

# What the judge raises while something ends, what an alert hid that has returned, a tree of assets that was changed.
LOOK_AGAIN = timedelta(seconds=5)
# How often (s) a preview tells how far it is, and is asked whether it is still wanted.
REPORT_EVERY = 0.5


def end_due() -> bool:
    """End shelving that is over, escalate what nobody took; True where there may be more to do at once."""
    return services.end_due(now=clock.now())


class Hider:
    """Hides alerts and uncovers them; any number of it may run.

    At once where work or a silence was changed, to the second where a window begins or ends, and now and then for
    all that changes without a word.
    """

    def __init__(self) -> None:
        self._seen = -1
        self._due: datetime | None = None

    def work(self) -> bool:
        """Look whether it is time, and if it is, at all alerts that are hidden or may have to be."""
        now, changes = clock.now(), Head.current(hiding.HEAD)
        if self._due is not None and changes == self._seen and now < self._due:
            return False
        change = hiding.reconcile(now=now)
        # Where there are thousands, looking may be a twentieth of the time.
        again = now + max(LOOK_AGAIN, 20 * (clock.now() - now))
        self._seen, self._due = changes, min(change, again) if change else again
        return False


def preview_next() -> bool:
    """Make the preview that waits, if one does; says whether another may wait."""
    run = services.take_preview(now=clock.now())
    if run is None:
        return False
    try:
        result = _preview(run)
    except Exception as error:
        # Whatever it was, who asked sees it there; the loop logs it and goes on.
        services.finish_preview(run=run, now=clock.now(), result=None, error=f"{type(error).__name__}: {error}")
        raise
    if result is not None:
        services.finish_preview(run=run, now=clock.now(), result=queries.report(result))
    return True


def _preview(run: PreviewRun) -> queries.Preview | None:
    """Make it; None where it was no longer wanted."""
    preview = queries.Preview(services.asked_of(run))
    told = time.monotonic()
    for done, _ in enumerate(preview.steps(), 1):
        if time.monotonic() - told >= REPORT_EVERY:
            if not services.report_preview(run=run, done=done, now=clock.now()):
                return None
            told = time.monotonic()
    return preview
