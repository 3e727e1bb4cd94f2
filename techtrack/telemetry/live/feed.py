"""New readings as frames for open sockets: of the assets that somebody looks at, the newest values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

import numpy as np
import numpy.typing as npt

from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros, isoformat
from techtrack.live.outbox import Frame
from techtrack.live.pacing import News
from techtrack.telemetry import queries
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.live.newest import Newest, newest
from techtrack.telemetry.store.base import LogEntry

# Entries read in one go, and entries behind which reading them all would never catch up: the newest are enough.
PAGE = 50
MOST_BEHIND = 200
# How long it is believed where an asset stands, in seconds.
KNOWN_FOR = 5.0
EVERY_SITE = "sites/{site}/readings"


@dataclass(frozen=True, slots=True)
class Wishes:
    """Whose readings somebody looks at, out of the names of topics."""

    assets: frozenset[int]
    sites: frozenset[int]
    everything: bool

    @classmethod
    def of(cls, topics: Iterable[str]) -> Wishes:
        """Read them; names of other kinds are passed over."""
        found: dict[str, set[int]] = {"assets": set(), "sites": set()}
        for topic in topics:
            kind, _, rest = topic.partition("/")
            number, _, what = rest.partition("/")
            if what == "readings" and kind in found and number.isdecimal():
                found[kind].add(int(number))
        return cls(frozenset(found["assets"]), frozenset(found["sites"]), EVERY_SITE in topics)

    def __bool__(self) -> bool:
        return self.everything or bool(self.assets or self.sites)

    def topics(self, asset: int, site: int) -> tuple[str, ...]:
        """Return the topics under which a frame of an asset is wanted."""
        names = []
        if asset in self.assets:
            names.append(f"assets/{asset}/readings")
        if self.everything or site in self.sites:
            names.append(f"sites/{site}/readings")
        return tuple(names)


class ReadingsFeed:
    """Follows the log from where it is now; imports are history, not news. Used by one thread at a time.

    It takes no position for granted: entries that were folded away are no longer there, and a reader that has fallen
    far behind goes on with the newest.
    """

    def __init__(self) -> None:
        self._wanted: frozenset[str] = frozenset()
        self._wishes = Wishes.of(())
        self._sites: dict[int, int] = {}
        self._sites_until = 0.0

    def position(self) -> int:
        """Return where the log ends now."""
        return queries.head()

    def since(self, position: int, wanted: frozenset[str]) -> tuple[int, News]:
        """Return how far it has read, and the frames of what came behind ``position``."""
        head = queries.head()
        if wanted is not self._wanted:
            self._wanted, self._wishes = wanted, Wishes.of(wanted)
        # Nothing new; or nobody to tell; or a restored database, which counts lower.
        if head <= position or not self._wishes:
            return head, []
        entries = queries.log(after=head - PAGE if head - position > MOST_BEHIND else position, limit=PAGE)
        last = entries[-1].position if entries else head
        batches = [entry.batch for entry in entries if _is_news(entry)]
        return (last if len(entries) == PAGE else max(last, head)), self._frames(batches, self._wishes)

    def _frames(self, batches: list[Batch], wishes: Wishes) -> News:
        if not batches:
            return []
        told = self._topics(_assets_of(batches, wishes), wishes)
        if not wishes.everything:
            ids = np.fromiter(told, np.int64, len(told))
            batches = [_only(batch, np.isin(batch.assets, ids)) for batch in batches]
        return [(told[one.asset], _frame(one)) for one in newest(batches)]

    def _topics(self, assets: list[int], wishes: Wishes) -> dict[int, tuple[str, ...]]:
        sites = self._places(assets) if wishes.everything or wishes.sites else {}
        named = {asset: wishes.topics(asset, sites.get(asset, -1)) for asset in assets}
        return {asset: topics for asset, topics in named.items() if topics}

    def _places(self, assets: list[int]) -> dict[int, int]:
        """Return the site of each asset, 0 for none, as it was at most seconds ago."""
        if monotonic() > self._sites_until:
            self._sites = {}
            self._sites_until = monotonic() + KNOWN_FOR
        if unknown := [asset for asset in assets if asset not in self._sites]:
            found = dict(Asset.objects.filter(pk__in=unknown).values_list("pk", "site_id"))
            self._sites |= {asset: found.get(asset) or 0 for asset in unknown}
        return self._sites


def _assets_of(batches: list[Batch], wishes: Wishes) -> list[int]:
    """Return the assets that may be wanted; those there are count only where whole sites are."""
    if not (wishes.everything or wishes.sites):
        return list(wishes.assets)
    found: list[int] = np.unique(np.concatenate([batch.assets for batch in batches])).tolist()
    return found


def _only(batch: Batch, there: npt.NDArray[np.bool_]) -> Batch:
    if not there.any():
        return Batch(batch.assets[:0], batch.times[:0], {})
    return Batch(
        batch.assets[there], batch.times[there], {code: column[there] for code, column in batch.values.items()}
    )


def _is_news(entry: LogEntry) -> bool:
    return entry.kind is Kind.READINGS and entry.origin is not Origin.IMPORT


def _frame(one: Newest) -> Frame:
    body = {"type": "reading", "asset": one.asset, "timestamp": isoformat(from_micros(one.at)), "values": one.values}
    return Frame(body, key=("reading", one.asset), at=one.at)
