"""Background work of air quality: tests what arrives, and compares sensors with those around."""

from __future__ import annotations

import time
from collections.abc import Sequence

from techtrack.airquality.arriving import FRESH, Memory
from techtrack.airquality.quality import Flag
from techtrack.core import clock
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Conflict
from techtrack.environment import queries, services
from techtrack.environment.domain.testing import (
    HUMIDITY,
    Place,
    Plans,
    Stretch,
    Watcher,
    beginnings,
    gaps_of,
    joined,
    rows_of,
    runs_of,
)
from techtrack.environment.screening import KnownPlans
from techtrack.environment.services import CONSUMER
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Kind
from techtrack.telemetry.queries import Doubted
from techtrack.telemetry.services import Reached
from techtrack.telemetry.store.base import LogEntry

# Entries of the log that are tested at once; and how often (s) its place is written down where nothing was found.
ENTRIES, NOTED_EVERY = 20, 5.0
# After so many marks a transaction ends, in the middle of an entry as well: who sends waits for it.
TOGETHER = 500
# How far back a series is looked up that this process has not seen yet, at least; and by how much longer than its
# value may stay the same.
RECALLED_HOURS, RECALLED_MORE = 26, 2
# How long (µs) after its end an hour is compared, and how many hours are made up for.
HOUR, LATE, MOST_BEHIND = 3_600_000_000, 600_000_000, 48


class QualityControl:
    """Follows the log and marks what is doubtful. Two processes may do so: the one that is slower begins anew."""

    def __init__(self) -> None:
        self._watcher: Watcher | None = None
        self._at = self._noted = Reached(0)
        self._noted_at = 0.0
        self._known = KnownPlans()
        self.marked = 0

    def work(self) -> bool:
        """Test what has come since last time; True when there may be more."""
        try:
            return self._work()
        except Conflict:
            self._watcher = None
            return True
        except Exception:
            # Whatever failed, what is remembered may be ahead of the database.
            self._watcher = None
            raise

    def _work(self) -> bool:
        if self._watcher is None:
            self._watcher = Watcher()
            self._at = self._noted = telemetry_services.begin_within(consumer=CONSUMER)
        entries = telemetry.log(after=self._at.position, limit=ENTRIES)
        self._known.refresh()
        # Each once, in the order in which they were first touched.
        touched: dict[int, Stretch] = {}
        for entry in entries:
            self._at = self._test(entry, self._watcher, touched)
            if len(touched) >= TOGETHER:
                break
        if touched or (self._at > self._noted and time.monotonic() >= self._noted_at + NOTED_EVERY):
            self._note(_gathered(list(touched.values()), self._watcher))
        return len(entries) == ENTRIES or bool(entries and self._at.position < entries[-1].position)

    def finish(self) -> None:
        """Write down how far it has come."""
        if self._at > self._noted:
            self._note(())

    def _note(self, stretches: Sequence[Stretch]) -> None:
        self.marked += sum(stretch.position is None for stretch in stretches)
        services.flag_doubtful(stretches=stretches, passed=self._noted, to=self._at, now=clock.now())
        self._noted, self._noted_at = self._at, time.monotonic()

    def _test(self, entry: LogEntry, watcher: Watcher, touched: dict[int, Stretch]) -> Reached:
        """Test what is left of an entry, as far as a transaction takes it; return how far that is."""
        done, whole = self._at.readings, Reached(entry.position)
        batch = entry.batch.take(slice(done, None)) if done else entry.batch
        plans = self._known.of(batch) if entry.kind is Kind.READINGS else {}
        if not plans:
            return whole
        self._recall(plans, batch, watcher)
        for number, row in rows_of(batch, plans):
            for one in watcher.test(row, plans[row.asset]):
                touched[id(one)] = one
            if len(touched) >= TOGETHER and number < len(batch):
                return Reached(self._at.position, done + number)
        return whole

    @staticmethod
    def _recall(plans: dict[int, Plans], batch: Batch, watcher: Watcher) -> None:
        """Tell the watcher how assets stood that it has not seen yet, before their first reading here."""
        for ids, before in beginnings(batch, plans.keys() - watcher.known):
            _take_up(watcher, {asset: plans[asset] for asset in ids}, before=before)


def _take_up(watcher: Watcher, plans: dict[int, Plans], *, before: int) -> None:
    """Let the watcher go on with assets as they stood before a moment: what they sent, and what is marked of it."""
    longest = max((plan.checks.stuck or 0 for some in plans.values() for plan in some.values()), default=0)
    hours = max(RECALLED_HOURS, -(-longest // HOUR) + RECALLED_MORE)
    codes = sorted({HUMIDITY, *(code for some in plans.values() for code in some)})
    for place, stood in telemetry.standing(plans, codes=codes, before=before, hours=hours).items():
        watcher.memories[place] = Memory(stood.time, stood.value, stood.before, stood.since)
        watcher.last[place] = stood.time
        if place[1] == HUMIDITY:
            watcher.humidity[place[0]] = (stood.time, stood.value)
    for (asset, code, flag), mark in telemetry.doubted(plans, before=before, hours=hours).items():
        if flag != Flag.NEIGHBOURS:
            last = mark.end - 1
            stretch = Stretch(asset, code, Flag(flag), mark.start, last, mark.quality, mark.position, last, mark.number)
            watcher.take_up(stretch)
            _resume_run(watcher, (asset, code), flag, mark)
    watcher.known.update(plans)


def _resume_run(watcher: Watcher, place: Place, flag: str, mark: Doubted) -> None:
    """Go on with a value that is stuck: it is marked, so that it is none of those that are usable."""
    newest = watcher.memories.get(place, FRESH).at
    if flag != Flag.STUCK or (newest is not None and newest >= mark.end):
        return
    reading = telemetry.reading(asset_id=place[0], time=mark.end - 1)
    if reading is not None and place[1] in reading.values:
        value = reading.values[place[1]]
        watcher.memories[place] = Memory(mark.end - 1, value, value, mark.start)


def compare_neighbours() -> bool:
    """Compare the sensors' hour that ended last, once what comes late is there; says whether another hour waits."""
    newest = (to_micros(clock.now()) - LATE) // HOUR
    passed = services.compared_up_to(hour=newest - 1)
    # After a long rest the hours that were slept through stay as they are.
    hour = max(passed + 1, newest - MOST_BEHIND)
    if hour > newest:
        return False
    ends = from_micros(hour * HOUR)
    services.flag_unlike(found=queries.unlike_around(ends), ends=ends, passed=passed, now=clock.now())
    return hour < newest


def _gathered(stretches: Sequence[Stretch], watcher: Watcher) -> list[Stretch]:
    """Join what came late, where no good value lies between: a gateway may send a night of -999 after the day."""
    found = [one for one in stretches if not one.late]
    for run in runs_of((one for one in stretches if one.late), watcher.late):
        edges = gaps_of(run)
        place = (run[0].asset, run[0].code)
        there = telemetry.means([place[0]], codes=(place[1],), edges=edges) if len(edges) else {}
        good = there[place][0][::2].tolist() if place in there else [0] * (len(run) - 1)
        found += joined(run, good)
        watcher.late[run[0].key] = found[-1]
    # The last of one run may be the first of the next.
    return list({id(one): one for one in found}.values())
