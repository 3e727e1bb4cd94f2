"""A campaign against the judge: rules of all kinds, readings without end, and workers that note what clocks did.

What a clock did is no part of the log of readings; each commit of a judge leaves it in a table of the campaign's own,
in its transaction, for the oracle.
"""

from __future__ import annotations

import ast
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.core.management import call_command
from django.db import connection

from techtrack.accounts.domain.access import internal
from techtrack.alerts import rulebook, ticking
from techtrack.alerts.domain.features.base import Feature, Raw
from techtrack.alerts.domain.features.running import Running
from techtrack.alerts.domain.rule import JUDGED
from techtrack.alerts.judge import Judge
from techtrack.alerts.memory import Memory
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.assets import services as asset_services
from techtrack.assets.models import Asset
from techtrack.config.server import prepare
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.telemetry import queries, services
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from tests import factories
from tests.unit.alerts.breathing import AIR, any_air_rule
from tests.unit.alerts.oracle import SECOND, Key, Reading, Said, Ticked, Unlimited, index_name, replay, told_of_the_past
from tests.unit.alerts.watching import Walk, any_rule, proved

RULES, SCHEDULED = 8, 2
ABOVE = {"kind": "above", "limit": 78.0, "severity": "low"}
LEAST_EVENTS = 20
# What a judge finds; others hide alerts, and say so.
FOUND = ("raised", "returned", "severity_changed")
# Nobody folds away what the verdict needs.
HOLDER = "campaign"
Patch = Callable[[Any, str, Any], None]


def key_of(feature: Feature) -> Key:
    """How the oracle calls a series."""
    if isinstance(feature, Raw):
        return (feature.code,)
    if isinstance(feature, Running):
        return (*key_of(feature.of), *index_name(feature.period, feature.rounding, feature.multiplier))
    kinds = {
        "Window": ("window", "width", "statistic", "least"),
        "Forecast": ("forecast", "width", "horizon"),
        "Rate": ("rate", "over", "per"),
        "Stuck": ("stuck", "tolerance"),
        "Gap": ("gap", "seconds", "times"),
        "Deviation": ("deviation", "learn", "mean", "stddev"),
        "Signals": ("signals", "rules", "learn", "mean", "stddev"),
    }
    name, *fields = kinds[type(feature).__name__]
    assert feature.of is not None
    return (*key_of(feature.of), name, *(getattr(feature, one) for one in fields))


class Recorder:
    """Notes what clocks do to what is judged, in the transaction that keeps what came of it."""

    def __init__(self, patch: Patch = setattr) -> None:

        # The memory is kept as well: nothing else gets its id.
        self._under_way: dict[int, tuple[Memory, list[Ticked]]] = {}
        self._settle_state, self._closed = ticking.settle_state, ticking._closed
        self._save, self._settle = Memory.save, Memory.settle
        patch(ticking, "settle_state", self._note_looks)
        patch(ticking, "_closed", self._note_windows)
        patch(Memory, "save", lambda memory, **how: self._keep(memory, **how))  # noqa: PLW0108 - a method
        patch(Memory, "settle", lambda memory, now: self._forget(memory, now))  # noqa: PLW0108 - as above

    def _ticks(self, memory: Memory) -> list[Ticked]:
        return self._under_way.setdefault(id(memory), (memory, []))[1]

    def _note_looks(self, entry: Any, asset: int, looks: Iterable[tuple[int, Any]], memory: Memory) -> Any:

        looks = list(looks)
        for position, look in looks:
            silent = [entry.watch.features[entry.watch.leaves[leaf].feature] for leaf in sorted(look.silent)]
            series = key_of(silent[0]) if silent else None
            self._ticks(memory).append(Ticked(position, entry.rule_id, asset, look.at, series))
        return self._settle_state(entry, asset, looks, memory)

    def _note_windows(self, feature: Feature, track: Any, memory: Memory, plant_now: int) -> Any:

        link, columns = track.links[0]
        ends, assets = link.ends(columns), memory.book.columns[feature].panel.assets
        for row in (ends <= plant_now - track.lag)[:-1].nonzero()[0].tolist():
            tick = Ticked(memory.position, 0, int(assets[row]), int(ends[row]), key_of(feature))
            self._ticks(memory).append(tick)
        return self._closed(feature, track, memory, plant_now)

    def _keep(self, memory: Memory, **how: Any) -> Any:

        rows = [(memory.number, place, *tick[:4], repr(tick.series)) for place, tick in enumerate(self._ticks(memory))]
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO campaign_tick VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
        return self._save(memory, **how)

    def _forget(self, memory: Memory, now: datetime) -> None:
        self._under_way.pop(id(memory), None)
        self._settle(memory, now)


def make_table() -> None:
    """Make the table of what clocks did, empty."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS campaign_tick")
        cursor.execute(
            "CREATE TABLE campaign_tick"
            " (number bigint, place bigint, position bigint, rule bigint, asset bigint, at bigint, series text)"
        )


def ticks() -> list[Ticked]:
    """What clocks did, in the order of the commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT position, rule, asset, at, series FROM campaign_tick ORDER BY number, place")
        return [Ticked(*row[:4], ast.literal_eval(row[4])) for row in cursor.fetchall()]


def arrange(seed: int) -> list[Asset]:
    """Make machines that differ in what rules ask of them, and rules of all kinds."""
    dice = random.Random(seed)
    make_table()
    services.begin(consumer=HOLDER)
    assets = [
        factories.make_equipment("one", attributes={"t_max": 75.0}),
        factories.make_equipment("two", expected_interval=timedelta(seconds=2)),
        factories.make_equipment("three"),
    ]

    def rule() -> dict[str, Any]:
        drawn = any_rule(dice)
        for condition in drawn["conditions"]:
            if "limit" in condition and condition["kind"] != "rate_of_change" and dice.random() < 0.2:
                condition["limit"] = {"attribute": "t_max"} | dice.choice([{}, {"default": 80.0}])
        return drawn

    for number in range(RULES):
        chosen = dice.sample([asset.pk for asset in assets], dice.randint(0, 2))
        # Most are always on duty: a campaign is shorter than half an hour.
        duty = {} if number < SCHEDULED else {"schedule": None}
        factories.make_rule(assets=chosen, **proved(rule) | duty)
    # Whatever was drawn: one rule that is seldom quiet.
    factories.make_rule(parameter="t", conditions=[ABOVE])
    rulebook.turn_page()
    return assets


def arrange_air(seed: int) -> list[Asset]:
    """Make sensors, of which some say how often they send, and rules about their air."""
    dice = random.Random(seed)
    make_table()
    services.begin(consumer=HOLDER)
    asset_services.register_units(units=AIR, now=factories.NOW)
    intervals = (None, timedelta(hours=1), timedelta(minutes=30))
    sensors = [factories.make_sensor(f"sensor {every}", expected_interval=every) for every in intervals]
    for _ in range(RULES):
        chosen = dice.sample([sensor.pk for sensor in sensors], dice.randint(0, 2))
        factories.make_rule(assets=chosen, **any_air_rule(dice))
    dusty = {"kind": "air_quality", "standard": "eu_eaqi", "limit": 3, "severity": "low"}
    factories.make_rule(parameter="pm2_5", conditions=[dusty])
    rulebook.turn_page()
    return sensors


def remember() -> None:
    """Make rules that are seldom quiet, by what the judge remembers: whatever was drawn, a restart matters."""
    changing = {"kind": "rate_of_change", "limit": 30.0, "over": "PT10S", "direction": "both", "severity": "low"}
    factories.make_rule(parameter="t", conditions=[ABOVE], aggregate={"window": "PT10S", "statistic": "avg"})
    factories.make_rule(parameter="t", conditions=[changing])
    rulebook.turn_page()


def differences() -> list[str]:
    """Name each rule and asset of which something else was recorded than the oracle says."""
    log = (
        (entry.position, entry.received, [tuple(row) for row in entry.batch.rows()])
        for entry in queries.log(after=0, limit=10**6)
        if entry.kind is Kind.READINGS and entry.origin is not Origin.IMPORT
    )
    try:
        expected = replay(_readings(), log, ticks())
    except AssertionError as error:
        return [f"a clock did what it could not: {error}"]
    return [fault for key, said in expected.items() for fault in _not_recorded(*key, said)]


def _readings() -> Mapping[tuple[int, int], Reading]:

    found = {}
    for rule in Rule.objects.order_by("pk"):
        columns = {name: getattr(rule, name) for name in JUDGED}
        for asset in Asset.objects.order_by("pk"):
            if not rule.assets or asset.pk in rule.assets:
                with suppress(Unlimited):
                    found[rule.pk, asset.pk] = Reading(columns, asset.attributes, asset.expected_interval, AIR)
    return found


def _not_recorded(rule: int, asset: int, said: Sequence[Said]) -> Iterator[str]:

    judged = {"kind__in": FOUND, "alert__rule": rule, "alert__asset": asset, "alert__late": False}
    events = AlertEvent.objects.filter(**judged).order_by("pk")
    late = Alert.objects.filter(rule=rule, asset=asset, late=True).order_by("pk")
    told = [(one.kind, to_micros(one.at), one.evidence["severity"], one.evidence["value"]) for one in events]
    past = [(to_micros(one.raised_at), to_micros(one.returned_at), one.severity) for one in late if one.returned_at]
    wanted = [(one.kind, one.at, one.severity, one.value) for one in said if one.kind != "past"]
    wanted_past = [(one.since, one.at, one.severity) for one in told_of_the_past(said)]
    for name, found, due in (("events", told, wanted), ("late alerts", past, wanted_past)):
        if found != due:
            place = next((n for n, pair in enumerate(zip(found, due, strict=False)) if pair[0] != pair[1]), -1)
            conditions = Rule.objects.values("conditions", "aggregate", "count", "no_data").get(pk=rule)
            yield (
                f"rule {rule}, asset {asset}: {len(found)} {name} of {len(due)}; from {place} on found "
                f"{found[place:][:4]}, expected {due[place:][:4]}; {conditions}"
            )


# -- Processes -------------------------------------------------------------------------------------------------


def feed(seed: int) -> None:
    """Send readings of now without end: some late, some twice, with pauses, in commits of any size."""
    prepare()
    dice = random.Random(f"{seed} {os.getpid()}")
    ids = list(Asset.objects.order_by("pk").values_list("pk", flat=True))
    walk, paused = Walk(dice, ids, 0), dict.fromkeys(ids, 0.0)
    while True:
        now = clock.now()
        told = hurried(_now(walk, dice, to_micros(now)), dice)
        rows = [Row(*row) for row in told if paused[row[0]] < time.monotonic()]
        if rows:
            services.ingest(batch=Batch.of(rows), by=internal(), now=now, origin=Origin.LIVE)
        if dice.random() < 0.01:
            paused[dice.choice(ids)] = time.monotonic() + dice.uniform(2, 12)
        time.sleep(dice.uniform(0, 0.08))


def hurried(
    rows: Iterable[tuple[int, int, Mapping[str, float]]], dice: random.Random
) -> list[tuple[int, int, Mapping[str, float]]]:
    """Let the clock of an asset be ahead now and then, by up to a day, or its last reading alone."""
    rows = list(rows)
    if rows and dice.random() < 0.05:
        fast, by = rows[-1][0], dice.choice([290, 310, 3600, 86_000]) * SECOND
        alone = dice.random() < 0.5
        moved = [(asset, at + by * (asset == fast), values) for asset, at, values in rows]
        rows = [*rows[:-1], moved[-1]] if alone else moved
    return rows


def _now(walk: Walk, dice: random.Random, now: int) -> Iterator[tuple[int, int, Mapping[str, float]]]:
    for asset, _, values in walk.rows():
        late = dice.randint(0, 20_000_000) if dice.random() < 0.1 else 0
        yield asset, now - late, values


def begin(seed: int) -> list[str]:
    """Make the tables and what is judged."""
    call_command("migrate", verbosity=0, interactive=False)
    arrange(seed)
    remember()
    # Of what comes before the first look, nothing is judged.
    Judge().work()
    return []


def finish(_: int) -> list[str]:
    """Judge what is left; name what is not as the oracle says."""
    prepare()
    Recorder()
    judge = Judge()
    while judge.work():
        pass
    events = AlertEvent.objects.count()
    print(f"{queries.head()} commits of readings, {events} events, {len(ticks())} ticks")
    return differences() if events >= LEAST_EVENTS else ["hardly anything happened"]
