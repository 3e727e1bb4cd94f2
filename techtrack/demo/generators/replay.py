"""``techtrack replay``: readings of a file or of the store go in once more, as if they were measured now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from techtrack.accounts.domain.access import Role, internal
from techtrack.assets import queries as assets
from techtrack.core import clock
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import TechTrackError
from techtrack.demo.generators.faults import Item
from techtrack.demo.generators.sending import GivenUp, Sender, Takes
from techtrack.demo.generators.simulate import FAILED, INTERRUPTED, MISTAKE, OK, sending, tell
from techtrack.demo.replay import Door, Refused
from techtrack.integrations.codecs.csv_table import Layout, RowError, read_table
from techtrack.integrations.codecs.csv_table import Row as TableRow
from techtrack.integrations.files import Text
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services
from techtrack.telemetry.domain.reading import Batch, Origin, Row

US = internal("replay")
SECOND = 1_000_000
# What is due within so many seconds goes out together.
TICK = 0.1


class NothingToReplay(Exception):
    """There is nothing to send; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A reading as it was recorded: time in µs, and whose it becomes."""

    time: int
    asset: str | int
    values: Mapping[str, float]


class OwnDoor:
    """Our own store, through the service that every door calls: no server need run, and none is asked."""

    def __init__(self, refs: Sequence[str | int]) -> None:
        found = assets.resolve(refs=refs, access=US, role=Role.OPERATOR)
        for ref in refs:
            if ref not in found:
                raise NothingToReplay(f"There is no asset {ref!r}.")
        self._ids = {ref: found[ref].id for ref in refs}

    def send(self, items: list[Item]) -> dict[str, int]:
        """Store readings as a replay: they are judged, and marked as what they are.

        Raises:
            Refused: they cannot be stored.
        """
        rows = [Row(self._ids[item["asset"]], _micros(item["timestamp"]), item["values"]) for item in items]
        services.make_room(now=clock.now())
        try:
            receipt = services.ingest(batch=Batch.of(rows), by=US, now=clock.now(), origin=Origin.REPLAY)
        except TechTrackError as error:
            raise Refused(error.detail, passes=False) from error
        return {"accepted": receipt.accepted}


def of_file(path: Path, layout: Layout, *, asset: str) -> list[Recorded]:
    """Read a file of readings, in order of time; rows that cannot be read are left out.

    Raises:
        NothingToReplay: it holds none, or does not say whose they are.
        TechTrackError: it is no such file.
    """
    if not (asset or layout.asset):
        raise NothingToReplay("Say whose readings they are: --asset, or --asset-column.")
    with Text(path) as lines:
        table = read_table(lines, layout)
        rows = [row for row in table.rows() if not isinstance(row, RowError)]
        found = [Recorded(row.time, asset or row.asset, _values(row, table.codes)) for row in rows]
    return sorted((one for one in found if one.values), key=lambda one: one.time)


def of_store(*, asset: str, since: datetime, until: datetime, into: str) -> list[Recorded]:
    """Return what the store has of an asset, in order of time.

    Raises:
        NothingToReplay: there is no such asset.
    """
    ref = assets.resolve(refs=[asset], access=US, role=Role.VIEWER).get(asset)
    if ref is None:
        raise NothingToReplay(f"There is no asset {asset!r}.")
    found = []
    for piece in telemetry.walk(ref.id, (to_micros(since), to_micros(until))):
        for index, at in enumerate(piece.times.tolist()):
            values = {code: float(column[index]) for code, column in piece.columns.items()}
            kept = {code: value for code, value in values.items() if not np.isnan(value)}
            if kept:
                found.append(Recorded(at, into or asset, kept))
    return found


def due(recorded: Sequence[Recorded], *, start: int, speed: float) -> Iterator[tuple[float, list[Item]]]:
    """Give what is sent together, and how many seconds after the start; times move to ``start`` (µs) and on from there.

    Recorded time runs ``speed`` times as fast, so that what took an hour takes a minute at 60.
    """
    first = recorded[0].time

    def moment(one: Recorded) -> int:
        return round((one.time - first) / speed)

    for tick, ones in groupby(recorded, key=lambda one: moment(one) // round(TICK * SECOND)):
        items = [
            {"asset": one.asset, "timestamp": isoformat(from_micros(start + moment(one))), "values": dict(one.values)}
            for one in ones
        ]
        # At the end of its tick: no time lies in the future.
        yield (tick + 1) * TICK, items


def run_replay(recorded: list[Recorded], *, speed: float, batch: int, url: str, key: str) -> int:
    """Send it and tell what became of it; return the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    if not recorded:
        console.print("[red]There is nothing to replay.[/]")
        return MISTAKE
    try:
        door: Takes = Door.at(url, key) if url else OwnDoor(list(dict.fromkeys(one.asset for one in recorded)))
    except NothingToReplay as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return MISTAKE
    length = (recorded[-1].time - recorded[0].time) / SECOND
    console.print(
        f"{len(recorded):,} readings of {length:,.0f} s at {speed:g} times their speed: {length / speed:,.0f} s. "
        "Their times move to now."
    )
    return _send(console, recorded, Sender(door, batch), speed)


def _send(console: Console, recorded: list[Recorded], sender: Sender, speed: float) -> int:
    began, start = time.monotonic(), to_micros(clock.now())
    parts = list(due(recorded, start=start, speed=speed))
    code = OK
    try:
        with sending(console, len(parts), sender.tally) as moved:
            for at, items in parts:
                time.sleep(max(0.0, began + at - time.monotonic()))
                sender.add(items)
                sender.flush()
                moved()
    except GivenUp as error:
        console.print(f"[red]{escape(str(error))}[/]")
        code = FAILED
    except KeyboardInterrupt:
        console.print("Stopped.")
        code = INTERRUPTED
    sender.tally.seconds = time.monotonic() - began
    tell(console, sender.tally, {})
    return code


def _values(row: TableRow, codes: Sequence[str]) -> dict[str, float]:
    return {code: value for code, value in zip(codes, row.values, strict=True) if not np.isnan(value)}


def _micros(stamp: str) -> int:
    return to_micros(datetime.fromisoformat(stamp))
