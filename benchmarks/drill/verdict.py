"""Holds what was acknowledged against what the database has, and what screens were told against what happened."""

from __future__ import annotations

import csv
import io
import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.drill.callers import Alarm, Gateway, Person
from benchmarks.drill.listeners import Screen


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is of what was promised, and every fault in a sentence."""

    readings: int
    lost: int
    doubled: int
    rows: int
    deleted: int
    alerts: int
    frames: int
    faults: tuple[str, ...]


def compare(acknowledged: int, found: Iterable[int]) -> tuple[int, int]:
    """Return how many of the numbers below ``acknowledged`` are missing, and how many are there more than once."""
    counts = Counter(found)
    return sum(number not in counts for number in range(acknowledged)), sum(many > 1 for many in counts.values())


def of_readings(gateways: Sequence[Gateway], url: str, key: str) -> tuple[int, int, int]:
    """Read all readings back as a file; return how many were acknowledged, are lost, and are doubled."""
    acknowledged = lost = doubled = 0
    for gateway in gateways:
        missing, twice = compare(gateway.acknowledged, _numbers(url, gateway.machine, key))
        acknowledged, lost, doubled = acknowledged + gateway.acknowledged, lost + missing, doubled + twice
    return acknowledged, lost, doubled


def _numbers(url: str, machine: int, key: str) -> list[int]:
    path = f"{url}/api/data/?equipment={machine}&parameter=number&format=csv"
    request = urllib.request.Request(path, headers={"Authorization": f"Api-Key {key}"})  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - ours
        rows = list(csv.reader(io.TextIOWrapper(answer, "utf-8")))
    place = rows[0].index("number")
    return [round(float(row[place])) for row in rows[1:] if row[place]]


def of_rows(people: Sequence[Person], database: Any, prefix: str) -> tuple[int, list[str]]:
    """Compare the machines that people made; return how many there must be, and what is wrong."""
    found = dict(database.execute("SELECT id, name FROM assets_asset WHERE name LIKE %s", [f"{prefix}%"]).fetchall())
    must = {number: name for person in people for number, name in person.made.items()}
    # What somebody was at when the drill ended may be either way.
    open_ = {number for person in people for number in person.open}
    faults = [
        f"{len(wrong)} machines are {what}, such as {sorted(wrong)[:3]}"
        for what, wrong in {
            "lost": must.keys() - found.keys() - open_,
            "there although deleted, or twice": found.keys() - must.keys() - open_,
            "not called as acknowledged": {n for n in must.keys() & found.keys() if must[n] != found[n]} - open_,
        }.items()
        if wrong
    ]
    return len(must), faults


def of_alerts(alarm: Alarm, machine: int, screens: Sequence[Screen], database: Any) -> tuple[int, int, list[str]]:
    """Compare alerts with the times that the machine ran hot, and frames with events.

    Return how many times it was raised, how many frames all screens were told, and what is wrong.
    """
    counted = "SELECT coalesce(sum(occurrences), 0) FROM alerts_alert WHERE asset_id = %s"
    (raised,) = database.execute(counted, [machine]).fetchone()
    faults = [] if raised == alarm.raised else [f"an alert was raised {raised} times, the machine {alarm.raised} hot"]
    rows = database.execute("SELECT sequence, payload FROM live_liveevent").fetchall()
    events = [(number, json.loads(said) if isinstance(said, str) else said) for number, said in rows]
    told = {number for number, said in events if said.get("type") == "alert" and said["alert"]["asset"] == machine}
    for place, screen in enumerate(screens, start=1):
        heard = [number for number, _, _ in screen.heard]
        if missed := told - set(heard):
            faults.append(f"screen {place} missed {len(missed)} of {len(told)} frames of alerts")
        if len(heard) > len(set(heard)):
            faults.append(f"screen {place} was told {len(heard) - len(set(heard))} frames twice")
        if heard != sorted(heard):
            faults.append(f"screen {place} was told frames out of order")
        if screen.resyncs:
            faults.append(f"screen {place} was told {screen.resyncs} times to begin anew")
    return int(raised), sum(len(screen.heard) for screen in screens), faults
