"""What the judge knows of each row of a feature's column, and the readings that a derived feature lets wait.

A feature says where readings may lie so that all it gives is quiet (``Feature.calm``). As long as they lie there, it is
enough to keep them: it is fed many commits at once, when one lies elsewhere, a clock rings, or all is to be written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.blocks import Block, blocks
from techtrack.alerts.domain.features.base import (
    FOREVER,
    NEVER,
    NOTHING,
    Bounds,
    Columns,
    Feature,
    Flags,
    Samples,
    chain,
    finite,
)
from techtrack.alerts.domain.features.changes import Gap
from techtrack.alerts.domain.features.windows import Windows
from techtrack.alerts.domain.gathering import gather, in_order
from techtrack.alerts.domain.series import Column, Ints, Panel
from techtrack.telemetry.store.base import LogEntry

# So many readings wait at most.
MOST_WAITING = 65_536
# Where more than one row in so many has to be fed, all are.
FEW_ROWS = 8
NOBODY = np.zeros(1, bool)
# Of how late readings used to be, so much is believed at the next: seven eighths.
REMEMBERED = 7 / 8


@dataclass(slots=True)
class Waiting:
    """Entries that some feature was not fed yet, with when each came (plant time, µs).

    ``newest`` is the first position of those that came last, ``last`` the last.
    """

    entries: list[LogEntry] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    came: list[int] = field(default_factory=list)
    readings: int = 0
    last: int = 0
    newest: int = 0
    _laid: dict[int, list[Block]] = field(default_factory=dict)
    _narrowed: dict[tuple[object, ...], Block] = field(default_factory=dict)

    def add(self, entries: Sequence[LogEntry], read: list[Block], plant_now: int) -> None:
        """Keep what has just come; ``read`` are the same entries in blocks."""
        self._laid, self._narrowed = {self.last: read}, {}
        self.newest = entries[0].position
        self.entries += entries
        self.positions += [entry.position for entry in entries]
        self.came += [plant_now] * len(entries)
        self.readings += sum(len(entry.batch) for entry in entries)
        self.last = self.positions[-1]

    def clear(self) -> None:
        """Forget what all were fed."""
        self.entries, self.positions, self.came, self.readings, self._laid, self._narrowed = [], [], [], 0, {}, {}

    def since(self, position: int, code: str, panel: Panel) -> list[Block]:
        """Return what came of a panel's assets behind a position with values of a parameter, maybe among others."""
        if position not in self._laid:
            self._laid[position] = list(blocks(self.entries[bisect_right(self.positions, position) :]))
        found = [block for block in self._laid[position] if code in block.values]
        if len(found) <= 1:
            return found
        key = (position, id(panel), *found[0].values)
        if any(block.values.keys() != found[0].values.keys() for block in found):
            return found
        if key not in self._narrowed:
            self._narrowed[key] = Block.narrowed(found, panel)
        return [self._narrowed[key]]

    def lateness(self, samples: Samples) -> Ints:
        """Return by how much (µs) each of these was late when it came."""
        first = self.positions[0]
        # A table by position, in which other kinds of entries leave gaps, is faster than a search.
        came = np.zeros(self.last - first + 1, np.int64)
        came[np.array(self.positions) - first] = self.came
        late: Ints = np.maximum(came.take(samples.turns - first) - samples.at, 0)
        return late


@dataclass(slots=True)
class Track:
    """Of each row of a feature's column (one more for all others) what the judge knows; times in µs.

    ``seen``: the newest reading; ``awake``: how many rules have a state; ``links``: what the feature is made of, with
    what each remembers; ``lag``: how late readings use to be; ``told``: the reading after which silence was told;
    ``forgot``: the one after which rules that forget in silence were, who must not be again. ``rings``: when a clock
    must look again. ``fed``: up to which position of the log; what is behind lies in ``bounds``. ``fails``: who hears
    that the feature has failed; from then on it gives nothing.
    """

    seen: Ints
    awake: npt.NDArray[np.int16]
    links: list[tuple[Feature, Columns]]
    lag: Ints
    told: Ints
    forgot: Ints
    rings: int = FOREVER
    fed: int = 0
    bounds: Bounds | None = None
    fails: Callable[[Exception], None] | None = None

    @classmethod
    def of(cls, feature: Feature, column: Column, fails: Callable[[Exception], None] | None = None) -> Track:
        """Know nothing yet."""
        rows = len(column.panel) + 1
        never, none = np.full(rows, NEVER), np.zeros(rows, np.int64)
        track = cls(never, np.zeros(rows, np.int16), [], none, never.copy(), never.copy(), fails=fails)
        with track.guarded():
            track.links = [(link, link.blank(rows)) for link in chain(feature)[1:]]
        return track

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let what fails inside end this feature, and not all that is judged."""
        try:
            yield
        except Exception as error:
            if self.fails is None:
                raise
            # What it remembers is half of something.
            self.links, self.bounds, self.rings = [], None, FOREVER
            self.fails(error)

    @np.errstate(over="ignore", invalid="ignore")
    def feed(self, samples: Samples, *, first: int = 0) -> Samples:
        """Lead readings, or from link ``first`` on what it gives, through all that the feature is made of."""
        with self.guarded():
            for link, columns in self.links[first:]:
                samples = link.feed(columns, finite(samples))
            samples = finite(samples)
        # One that has failed, now or before, has none.
        return samples if self.links else NOTHING

    def stirred(self, column: Column, code: str, some: Iterable[Block], *, inside: bool) -> Flags | None:
        """Flag the rows of which the readings matter now; None: all may. ``inside``: it is but a matter of time."""
        if self.bounds is None:
            return None
        if inside:
            return NOBODY if all(self.bounds.spans(block.first, block.last) for block in some) else None
        flags = np.zeros(len(column.panel) + 1, bool)
        for block in some:
            if not self.bounds.spans(block.first, block.last):
                return None
            rows = block.rows(column.panel)
            flags[rows[self.bounds.outside(rows, block.values[code]) | (self.awake.take(rows) > 0)]] = True
        flags[-1] = False
        return flags if flags.sum() * FEW_ROWS <= len(column.panel) else None

    def catch_up(self, code: str, column: Column, waiting: Waiting, flags: Flags | None = None) -> Samples:
        """Feed what waits, or only the flagged rows of it; return what is derived."""
        samples = gather(code, column, waiting.since(self.fed, code, column.panel), flags)
        if len(samples.rows) and not (ordered := in_order(samples, self.seen)).all():
            samples = samples.pick(ordered)
        derived = self._taken_in(samples, waiting.lateness(samples)) if len(samples.rows) else NOTHING
        if flags is None:
            self.fed = waiting.last
            self.renew(column)
        elif self.bounds is not None:
            self.bounds.void(flags)
        return derived

    def _taken_in(self, samples: Samples, lateness: Ints) -> Samples:
        heads = samples.heads()
        starts, rows = np.flatnonzero(heads), samples.rows[heads]
        counts = np.diff(np.append(starts, len(heads)))
        self.lag[rows] = np.maximum(np.maximum.reduceat(lateness, starts), self.lag[rows] * REMEMBERED**counts)
        self.seen[rows] = samples.at[starts + counts - 1]
        derived = self.feed(samples)
        self.set_clock()
        return derived

    @np.errstate(over="ignore", invalid="ignore")
    def renew(self, column: Column) -> None:
        """Find out how far what comes next may wait."""
        if not self.links:
            return
        link, columns = self.links[0]
        low, high = column.low, column.high
        if len(self.links) > 1:
            # Rules look at what the others make of it: only nothing at all is sure to be quiet.
            low, high = np.full_like(low, np.inf), np.full_like(high, -np.inf)
        with self.guarded():
            self.bounds = link.calm(columns, low, high, int(self.seen.max()))
        if self.bounds is not None and isinstance(link, Gap):
            # The next reading sets the clock anew.
            self.bounds.void(self.told == columns["at"])

    def set_clock(self) -> None:
        """Find out when something may end although nothing comes."""
        if not self.links:
            return
        link, columns = self.links[0]
        with self.guarded():
            if isinstance(link, Gap):
                lapses = np.where(self.told == columns["at"], FOREVER, link.lapses(columns))
                self.rings = int((lapses + np.where(lapses == FOREVER, 0, self.lag))[:-1].min(initial=FOREVER))
            elif isinstance(link, Windows):
                self.rings = int((link.ends(columns) + self.lag)[:-1].min(initial=FOREVER))

    def columns(self) -> Columns:
        """Return what must survive, by name."""
        found: Columns = {"seen": self.seen[:-1], "lag": self.lag[:-1]}
        if self.links and isinstance(self.links[0][0], Gap):
            found["forgot"] = self.forgot[:-1]
        for place, (_, columns) in enumerate(self.links):
            found |= {f"{place}.{name}": column[:-1] for name, column in columns.items()}
        return found

    def take(self, known: Columns, mine: npt.NDArray[np.intp], theirs: npt.NDArray[np.intp]) -> None:
        """Take over what is known of the same assets: rows ``mine`` are rows ``theirs`` of ``known``."""
        for name, column in self.columns().items():
            if name in known:
                column[mine] = known[name][theirs]


def common_bounds(panel: Panel, parts: Iterable[tuple[Column, Track]]) -> Bounds:
    """Return where readings of a parameter may lie so that all its features let them wait; by row of ``panel``.

    Features that promise nothing are left out: they are fed at once.
    """
    low, high = np.full(len(panel) + 1, -np.inf), np.full(len(panel) + 1, np.inf)
    since, until = NEVER, FOREVER
    for column, track in parts:
        if (bounds := track.bounds) is None:
            continue
        rows, awake = column.panel.places, track.awake[:-1] > 0
        low[rows] = np.maximum(low[rows], np.where(awake, np.inf, bounds.low[:-1]))
        high[rows] = np.minimum(high[rows], np.where(awake, -np.inf, bounds.high[:-1]))
        since, until = max(since, bounds.since), min(until, bounds.until)
    return Bounds(low, high, since, until)
