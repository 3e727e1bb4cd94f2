"""A look at what a campaign has left behind: by every kind of question, before and after all of it is folded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import dj_database_url
import numpy as np
from django.db import connection

from techtrack.assets.models import Asset
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.store import segments
from techtrack.telemetry.store.compaction import Overtaken, compact
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests.campaigns import plan
from tests.campaigns.agreement import differences, hours_of
from tests.factories import NOW


def faults(seed: int, acknowledged: Sequence[int]) -> list[str]:
    """Name what is wrong in the database as it is, and then with the whole log in chunks and rollups."""
    writers, store = len(acknowledged), DatabaseStore()
    twin, found = plan.expected(store, seed, acknowledged)
    found += [*_damage(), *plan.faults(twin, store, writers)]
    fold_all()
    return found + [f"when all is folded: {fault}" for fault in plan.faults(twin, DatabaseStore(), writers)]


def contradictions() -> list[str]:
    """Name where statistics, newest values and bounds are not those of the readings that the same store gives.

    Others may fold and make days meanwhile.
    """
    found = [*_damage(), *_contradictions()]
    fold_all()
    return found + [f"when all is folded: {fault}" for fault in _contradictions()]


def fold_all() -> None:
    """Fold until nothing is left, whoever else does so at this moment."""
    folded: int | None = 0
    while folded is not None:
        # What the one who was faster has folded is right; the rest is still to be done.
        with suppress(Overtaken):
            folded = compact(NOW, force=True)


def _contradictions() -> list[str]:
    head = -1
    while head != segments.head():
        # The answers are of several snapshots: they fit together only if nothing was written in between.
        head, found = segments.head(), _differences()
    return found


def _differences() -> list[str]:
    store, twin = DatabaseStore(), MemoryStore()
    assets = list(Asset.objects.values_list("pk", flat=True))
    for asset, readings in store.readings(assets).items():
        batch = Batch(np.full(len(readings.times), asset), readings.times, readings.columns)
        twin.append(batch, kind=Kind.READINGS, origin=Origin.LIVE, now=NOW)
    span = twin.extent(assets)
    cuts = [hours_of(span), list(span)] if span else []
    return [difference[:1000] for difference in differences(twin, store, assets, cuts)]


def faults_at(database: str, seed: int, acknowledged: Sequence[int]) -> list[str]:
    """Do that with another database than the process began with."""
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    if not database:
        return []
    asked = dj_database_url.parse(database)
    connection.settings_dict |= {name: asked[name] for name in ("NAME", "HOST", "PORT", "USER", "PASSWORD")}
    return faults(seed, acknowledged)


def _damage() -> list[str]:
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        said = [row[0] for row in cursor.fetchall()]
    return [] if said == ["ok"] else said
