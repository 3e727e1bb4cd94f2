"""The demo's time: a clock that starts hours back, runs fast until it meets the present, and then walks beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from techtrack.core import clock
from techtrack.demo import folder

Ints = npt.NDArray[np.int64]

# The story's first alarm comes 70 s after the clock starts, its end as the clock meets the present, in four minutes.
SPEED = 180.0
CATCH_UP = timedelta(seconds=240)
SPAN = timedelta(hours=11, minutes=45)
# After a longer sleep the demo leaves a gap, as a plant that was switched off does.
LONGEST_SLEEP = timedelta(days=3)
LOOK_AGAIN = 0.25


@dataclass(frozen=True, slots=True)
class ReplayClock:
    """It showed ``plant`` at the moment ``wall`` and runs ``speed`` times as fast as life; 0 is standing still."""

    wall: datetime
    plant: datetime
    speed: float

    @classmethod
    def starting(cls, *, plant: datetime, now: datetime) -> ReplayClock:
        """Start at ``plant``, at a speed that meets the present within CATCH_UP."""
        plant = max(plant, now - LONGEST_SLEEP)
        return cls(now, plant, max(SPEED, 1 + (now - plant) / CATCH_UP))

    def at(self, now: datetime) -> datetime:
        """Return what it shows at ``now``: never more than ``now``."""
        run = max(now - self.wall, timedelta()) * self.speed
        return now if run >= now - self.plant else self.plant + run

    def shows(self, moment: datetime) -> datetime:
        """Return when it shows ``moment``: at that moment itself, once it has met the present."""
        if self.speed <= 0:
            return datetime.max.replace(tzinfo=moment.tzinfo)
        return max(self.wall + (moment - self.plant) / self.speed, moment)

    def meets(self) -> datetime:
        """Return when it meets the present."""
        if self.speed <= 1:
            return self.wall if self.plant >= self.wall else datetime.max.replace(tzinfo=self.wall.tzinfo)
        return self.wall + (self.wall - self.plant) / (self.speed - 1)


@dataclass(frozen=True, slots=True)
class Loop:
    """A recording laid over plant time, which begins again when it is over.

    ``times`` are µs of plant time after the story's start (before it: negative), ascending; ``period`` is longer
    than the last one less the first.
    """

    times: Ints
    period: int

    @classmethod
    def of(cls, recorded: Ints, *, anchor: int, pace: float = 1.0, shift: int = 0) -> Loop:
        """Lay ``recorded`` (µs) so that ``anchor`` falls on the start plus ``shift`` µs, ``pace`` times as fast."""
        times = np.rint((recorded - anchor) / pace).astype(np.int64) + shift
        # The break before it begins again is as long as the usual one between two readings.
        rest = int(np.median(np.diff(times))) if len(times) > 1 else 0
        return cls(times, int(times[-1] - times[0]) + max(rest, 1))

    def between(self, after: int, until: int) -> tuple[Ints, Ints]:
        """Return the times with after < time <= until, ascending, and which reading of the recording each one is."""
        first, last = (after - int(self.times[-1])) // self.period, (until - int(self.times[0])) // self.period
        when, which = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for turn in range(first, last + 1):
            offset = turn * self.period
            start, end = np.searchsorted(self.times, [after - offset, until - offset], side="right")
            when.append(self.times[start:end] + offset)
            which.append(np.arange(start, end, dtype=np.int64))
        return np.concatenate(when), np.concatenate(which)


@dataclass(frozen=True, slots=True)
class State:
    """What the demo keeps of its time: when the story starts (plant time), the clock, how far it has been fed."""

    start: datetime
    clock: ReplayClock
    through: datetime


def read_state() -> State | None:
    """Return what the last run left, None before the first one."""
    try:
        return msgspec.json.decode(folder.file("clock.json").read_bytes(), type=State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_state(state: State) -> None:
    """Keep it; whoever reads at this moment reads the old state or the new one, whole."""
    folder.replace(folder.file("clock.json"), msgspec.json.encode(state))


class Follower:
    """Reads the clock of another process from its file; looks at most four times a second whether it has changed."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()
        self._changed = 0
        self._look_at: datetime | None = None
        self._clock: ReplayClock | None = None

    def __call__(self) -> datetime:
        now = self._now()
        with self._lock:
            if self._look_at is None or now >= self._look_at:
                self._look_at = now + timedelta(seconds=LOOK_AGAIN)
                self._look()
            return self._clock.at(now) if self._clock else now

    def _look(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed != self._changed and (state := read_state()):
            self._changed, self._clock = changed, state.clock


def install_plant_clock() -> None:
    """Let this process live in the demo's time."""
    clock.plant_now.follow(Follower(folder.file("clock.json"), clock.now))
