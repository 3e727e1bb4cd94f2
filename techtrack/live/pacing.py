"""No series faster than an eye can follow: its first frame goes at once, what comes soon after waits, merged."""

from __future__ import annotations

from collections.abc import Hashable

from techtrack.live.outbox import Frame

EVERY = 0.25

News = list[tuple[tuple[str, ...], Frame]]


class Pacing:
    """Lets each series through at most once in ``every`` seconds, with its newest values. Events never wait."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        # By series when it was last told; in order of that, since whoever is told again moves to the end.
        self._told: dict[Hashable, float] = {}
        self._waiting: dict[Hashable, tuple[tuple[str, ...], Frame]] = {}

    def admit(self, news: News, now: float) -> News:
        """Return what may go now: what waited long enough, then what of ``news`` need not wait."""
        ready = self._ripe(now)
        for topics, frame in news:
            if frame.key is None:
                ready.append((topics, frame))
            elif frame.key in self._told:
                waiting = self._waiting.get(frame.key)
                self._waiting[frame.key] = (topics, waiting[1].followed_by(frame) if waiting else frame)
            else:
                self._told[frame.key] = now
                ready.append((topics, frame))
        return ready

    def due(self) -> float | None:
        """Return when something that waits may go at the earliest, None where nothing waits."""
        return next(iter(self._told.values())) + self._every if self._waiting else None

    def _ripe(self, now: float) -> News:
        ripe: News = []
        while self._told:
            key, told = next(iter(self._told.items()))
            if told + self._every > now:
                break
            del self._told[key]
            if key in self._waiting:
                ripe.append(self._waiting.pop(key))
                self._told[key] = now
        return ripe
