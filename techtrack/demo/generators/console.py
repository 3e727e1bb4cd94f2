"""The two commands as they are typed: options in, exit code out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from rich.console import Console
from rich.markup import escape

from techtrack.core import clock
from techtrack.core.errors import TechTrackError
from techtrack.demo.generators.faults import BadOrder, Orders, read_stretch
from techtrack.demo.generators.places import prepare
from techtrack.demo.generators.replay import NothingToReplay, Recorded, of_file, of_store, run_replay
from techtrack.demo.generators.simulate import MISTAKE, Plan, run_simulation
from techtrack.integrations.codecs.csv_table import Layout

DAY = timedelta(days=1)


def simulate(*, url: str | None, key: str | None, **options: Any) -> int:
    """Run ``techtrack simulate``; 2 is a mistake in what was asked, 1 a door that takes nothing."""
    try:
        plan = _plan(**options)
    except BadOrder as error:
        return _mistake(str(error))
    return run_simulation(plan, url=url, key=key)


def replay(*, path: Path | None, speed: float, batch: int, url: str | None, key: str | None, **options: Any) -> int:
    """Run ``techtrack replay``; exit codes as those of ``simulate``."""
    if bool(url) and not key:
        return _mistake("--url needs a --key.")
    try:
        prepare()
        recorded = _recorded(path, **options)
    except NothingToReplay as error:
        return _mistake(str(error))
    except (DatabaseError, OSError) as error:
        return _mistake(f"The platform of this folder cannot be used: {error}.")
    except TechTrackError as error:
        return _mistake(f"{error.detail[:1].upper()}{error.detail[1:]}.")
    return run_replay(recorded, speed=speed, batch=batch, url=url or "", key=key or "")


def _plan(
    *, every: float | None, rate: float | None, outage: tuple[str, ...], stuck: tuple[str, ...], **rest: Any
) -> Plan:
    if every is not None and rate is not None:
        raise BadOrder("Give --every or --rate, not both: each says what the other is.")
    if rate is not None and rate <= 0:
        raise BadOrder("--rate is more than nothing.")
    shares: dict[str, Any] = {name: rest.pop(name) for name in ("late", "duplicate", "bad", "spike")}
    orders = Orders(**shares, outages=tuple(map(read_stretch, outage)), stuck=tuple(map(read_stretch, stuck)))
    interval = rest["assets"] / rate if rate else every
    return Plan(every=1.0 if interval is None else interval, orders=orders, **rest)


def _recorded(
    path: Path | None,
    *,
    asset: str | None,
    since: str | None,
    until: str | None,
    into: str | None,
    **layout: str | None,
) -> list[Recorded]:
    if path is not None:
        if since or until or into:
            raise NothingToReplay("--from, --to and --into are for stored readings, not for a file.")
        return of_file(path, _layout(**layout), asset=asset or "")
    if not asset:
        raise NothingToReplay("Name a file, or with --asset whose stored readings are sent again.")
    end = _moment(until, clock.now())
    return of_store(asset=asset, since=_moment(since, end - DAY), until=end, into=into or "")


def _layout(*, asset_column: str | None, time: str | None, timezone: str | None) -> Layout:
    parts = tuple(part.strip() for part in (time or "").split(",") if part.strip())
    return Layout(time=parts, asset=asset_column or "", timezone=timezone or "UTC")


def _moment(text: str | None, otherwise: datetime) -> datetime:
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NothingToReplay(f"{text!r} is no time; 2026-11-21T10:00:00Z is one.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=otherwise.tzinfo)


def _mistake(sentence: str) -> int:
    Console(highlight=False).print(f"[red]{escape(sentence)}[/]")
    return MISTAKE
