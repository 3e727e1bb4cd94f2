"""The rule lab: what a rule would have done with assets in a stretch of the past, and how it could be tuned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.backtest import Past, Series, episodes, replay
from techtrack.alerts.domain.condition import Circumstances, Unlimited
from techtrack.alerts.domain.conditions.control_chart import ControlChart
from techtrack.alerts.domain.features.base import chain
from techtrack.alerts.domain.features.statistics import Deviation, Signals
from techtrack.alerts.domain.kpi import Measures
from techtrack.alerts.domain.rule import JUDGED, Spec, Watch, parse_rule
from techtrack.alerts.domain.scope import Fleet, Scope
from techtrack.alerts.domain.trial import Capability, Incident, Outcome, capability, leads, load
from techtrack.alerts.domain.tuning import Advice, Settings, advise, depths, restless
from techtrack.alerts.models import Rule
from techtrack.alerts.queries.circumstances import circumstances_of
from techtrack.assets.models import Asset
from techtrack.core.clock import MICROSECOND, from_micros, to_micros
from techtrack.core.errors import Invalid
from techtrack.telemetry import queries as telemetry

# What is looked at while somebody waits (values, those of a sweep once for each cell), and at most.
MOST_AT_ONCE, MOST_VALUES, MOST_OF_AN_ASSET = 20_000_000, 2_000_000_000, 50_000_000
MOST_ASSETS, MOST_CELLS, MOST_INCIDENTS = 1000, 200, 200
AXES = ("limit", "deadband", "on_delay", "off_delay")
# What a sweep of the limit is about, by kind of the first condition.
LIMITS = {"above": "limit", "below": "limit", "rate_of_change": "limit", "air_quality": "limit", "deviation": "sigmas"}
# A rule that is active for more of the time warns nobody of anything.
TOO_OFTEN = 0.5
WARNED_DAYS, WARNED_ASSETS, WARNED_VALUES = timedelta(days=7), 3, 500_000
_PROBE = 1e-9
Span = tuple[int, int]
Changes = Mapping[str, Any]


class TooMuch(Invalid):
    """More is asked for than is looked at in one request, or at all."""

    code = "too_much"


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule (saved or not), the assets to try it with, and the stretch (µs).

    ``sweep`` has values for some of ``AXES``: numbers and durations.
    """

    rule: Rule
    assets: Sequence[int]
    span: Span
    incidents: Sequence[Incident] = ()
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    advise: bool = True

    @property
    def cells(self) -> list[dict[str, Any]]:
        """What each cell of the sweep changes; no sweep has none."""
        axes = [axis for axis in AXES if self.sweep.get(axis)]
        return (
            [dict(zip(axes, one, strict=True)) for one in product(*(self.sweep[axis] for axis in axes))] if axes else []
        )


class Baseline(NamedTuple):
    """What is normal for a series, as a deviation or a control chart has learnt it."""

    kind: str
    parameter: str
    mean: float
    stddev: float
    capability: Capability | None


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it for one asset; without an outcome ``note`` says why."""

    asset: int
    name: str
    readings: int
    outcome: Outcome | None = None
    note: str = ""
    advice: Advice | None = None
    baselines: Sequence[Baseline] = ()


@dataclass(slots=True)
class Cell:
    """One setting of the sweep, and what came of it with all assets; ``note`` where it makes no sense."""

    changes: Changes
    outcomes: list[Outcome] = field(default_factory=list)
    note: str = ""


class Preview:
    """Tries a rule with one asset after the other. ``steps`` does it; the rest tells what came of it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.found: list[Found] = []
        self.cells = [Cell(changes) for changes in asked.cells]
        self.size = len(asked.assets) * (1 + len(self.cells))

    def steps(self) -> Iterator[None]:
        """Go on by one asset, or one cell of the sweep, each time; ``size`` steps are all."""
        columns = {name: getattr(self.asked.rule, name) for name in JUDGED}
        spec = parse_rule(columns)
        codes = codes_of(spec)
        for asset, name, circumstances in _assets(self.asked.assets, spec):
            series, damaged = _series(asset, codes, self.asked.span)
            bench = _Bench(self.asked, columns, asset, circumstances, Past(series, self.asked.span[1]))
            self.found.append(bench.found(name, damaged))
            yield
            for cell in self.cells:
                if self.found[-1].outcome is not None:
                    _try(cell, bench)
                yield

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """Those of the assets that have one."""
        return [one.outcome for one in self.found if one.outcome is not None]

    @cached_property
    def measures(self) -> Measures:
        """The load on operators; identities are places in ``outcomes``."""
        return load(self.outcomes, self.asked.span)

    @cached_property
    def leads(self) -> dict[Incident, int | None]:
        """How long (µs) before its end each incident was known."""
        return leads(self.outcomes, self.asked.incidents)

    @property
    def share(self) -> float:
        """The share of the time in which it was active, of all assets together."""
        return share_of(self.outcomes)


def preview(asked: Asked) -> Preview:
    """Try a rule with all that is asked.

    Raises:
        Invalid: the rule cannot be judged.

    """
    found = Preview(asked)
    for _ in found.steps():
        pass
    return found


def share_of(outcomes: Sequence[Outcome]) -> float:
    """Return the share of the time in which alerts were active."""
    whole = sum(outcome.span[1] - outcome.span[0] for outcome in outcomes)
    return sum(outcome.active for outcome in outcomes) / whole if whole > 0 else 0.0


def codes_of(spec: Spec) -> list[str]:
    """Return the parameters that a rule looks at, those of limits from attributes included."""
    attributes = dict.fromkeys(spec.attributes, 1.0)
    try:
        watch = spec.watch(Circumstances(attributes))
    except Invalid:
        return [spec.parameter] if spec.parameter else []
    return sorted({feature.code for feature in watch.features})


def in_scope(rule: Rule, access: Access) -> list[int]:
    """Return the assets that a rule watches, of those that the caller may see."""
    visible = Asset.objects.visible_to(access).values_list("pk", "site_id", "type_id", "tags")
    fleet = Fleet(visible)
    scope = Scope(rule.site_id, rule.asset_type_id, frozenset(rule.assets), frozenset(rule.tags))
    found: list[int] = fleet.ids[fleet.rows(scope)].tolist()
    return found


def weigh(asked: Asked, *, most: int = MOST_AT_ONCE) -> int:
    """Return how many values are to be looked at.

    Raises:
        TooMuch: more than ``most``, or more of one asset than fit into memory.

    """
    if len(asked.cells) > MOST_CELLS:
        raise TooMuch(f"a sweep has at most {MOST_CELLS} cells, and this has {len(asked.cells)}", pointer="/sweep")
    if len(asked.assets) > MOST_ASSETS:
        raise TooMuch(f"at most {MOST_ASSETS} assets are tried at once", pointer="/assets")
    codes = codes_of(parse_rule({name: getattr(asked.rule, name) for name in JUDGED}))
    sizes: dict[int, int] = {}
    for (asset, _), count in telemetry.counts(asked.assets, codes=codes, span=asked.span).items():
        sizes[asset] = sizes.get(asset, 0) + count
    if max(sizes.values(), default=0) > MOST_OF_AN_ASSET:
        raise TooMuch(f"one asset has more than {MOST_OF_AN_ASSET:,} values in this time", pointer="/from")
    values = sum(sizes.values()) * (1 + len(asked.cells))
    if values > most:
        hint = "" if most == MOST_VALUES else '; ask with "background": true, or for less'
        raise TooMuch(f"this looks at {values:,} values, and {most:,} are looked at{hint}", pointer="/from")
    return values


def warning(rule: Rule, *, access: Access, now: datetime) -> str | None:
    """Say how often a rule would have been active in the last days, if that is most of the time.

    Bounded: a few assets, those heard of last, and no more of each than is read in a moment.
    """
    if not rule.enabled:
        return None
    codes = codes_of(parse_rule({name: getattr(rule, name) for name in JUDGED}))
    newest = telemetry.latest(in_scope(rule, access)[:MOST_ASSETS])
    times = {a: max((v.time for code, v in values.items() if code in codes), default=0) for a, values in newest.items()}
    assets = sorted((asset for asset in times if times[asset]), key=lambda asset: -times[asset])[:WARNED_ASSETS]
    end = to_micros(now)
    start = to_micros(now - WARNED_DAYS)
    most = max(telemetry.counts(assets, codes=codes, span=(start, end)).values(), default=0) if assets else 0
    if most > WARNED_VALUES:
        start = end - (end - start) * WARNED_VALUES // most
    found = preview(Asked(rule, assets, (start, end), advise=False))
    if found.share <= TOO_OFTEN:
        return None
    since = min(outcome.span[0] for outcome in found.outcomes)
    names = ", ".join(one.name for one in found.found if one.outcome is not None)
    return f"it would have been active for {found.share:.0%} of the time since {from_micros(since):%Y-%m-%d} ({names})"


# -- One asset ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bench:
    """One asset with its readings, on which settings are tried."""

    asked: Asked
    columns: Changes
    asset: int
    circumstances: Circumstances
    past: Past

    def watch(self, changes: Changes) -> Watch:
        """Return what the rule watches with some settings changed; raises Invalid."""
        return parse_rule(varied(self.columns, changes)).watch(self.circumstances)

    @cached_property
    def restless(self) -> int:
        """How soon (µs) after a return a raise is a repeat."""
        return restless(self.watch({}), self.past)

    def outcome(self, watch: Watch) -> Outcome:
        """Try it."""
        told = episodes(replay(watch, self.past), watch)
        ranks = [watch.clauses[one.clause].rank for one in told]
        reraise = self.asked.rule.reraise_window // MICROSECOND
        return Outcome(self.asset, self._known, told, ranks, reraise, self.restless)

    def found(self, name: str, damaged: int) -> Found:
        """Try the rule as it is, and look how it could be calmer."""
        series = [one for code in self._codes if (one := self.past.series(code)) is not None]
        readings = max((len(one.at) for one in series), default=0)
        try:
            watch = self.watch({})
        except Invalid as error:
            return Found(self.asset, name, readings, note=error.detail)
        if not readings:
            return Found(self.asset, name, 0, note="there are no readings of it in this time")
        outcome = self.outcome(watch)
        note = f"{damaged} hours of it are damaged and were left out" if damaged else ""
        advice = self._advice(watch, outcome) if self.asked.advise else None
        return Found(self.asset, name, readings, outcome, note, advice, self._baselines(watch))

    @cached_property
    def _codes(self) -> list[str]:
        return codes_of(parse_rule(self.columns))

    @cached_property
    def _known(self) -> Span:
        firsts = [int(one.at[0]) for code in self._codes if (one := self.past.series(code)) is not None]
        return min(firsts), self.asked.span[1]

    def _advice(self, watch: Watch, outcome: Outcome) -> Advice | None:
        if not outcome.repeats:
            return None
        base = Settings(self.columns["deadband"], watch.on_delay, watch.off_delay)
        try:
            probe = self.watch({"deadband": _PROBE})
            units = [leaf.comparator.deadband / _PROBE for leaf in probe.leaves]
        except Invalid:
            units = [0.0] * len(watch.leaves)
        behind = depths(watch, self.past, outcome, units)
        return advise(base, outcome, depths=behind, incidents=self.asked.incidents, attempt=self._attempt)

    def _attempt(self, settings: Settings) -> Outcome | None:
        delays = {name: timedelta(microseconds=getattr(settings, name)) for name in ("on_delay", "off_delay")}
        try:
            return self.outcome(self.watch({"deadband": settings.deadband, **delays}))
        except Invalid:
            return None

    def _baselines(self, watch: Watch) -> list[Baseline]:
        found = []
        for feature in watch.features:
            for link in chain(feature):
                memory = self.past.memory(link) if isinstance(link, Deviation | Signals) else None
                if memory is None or not isinstance(link, Deviation | Signals):
                    continue
                mean, stddev = (float(one[0]) for one in link.scale(memory, np.zeros(1, np.intp)))
                kind = "control_chart" if isinstance(link, Signals) else "deviation"
                able = self._capability(mean, stddev) if kind == "control_chart" else None
                found.append(Baseline(kind, link.code, mean, stddev, able))
        return found

    def _capability(self, mean: float, stddev: float) -> Capability | None:
        for ask in parse_rule(self.columns).asks:
            if isinstance(ask.condition, ControlChart):
                return capability(mean, stddev, lsl=ask.condition.lsl, usl=ask.condition.usl)
        return None


def varied(columns: Changes, changes: Changes) -> dict[str, Any]:
    """Return the columns of a rule with settings changed; ``limit`` is that of the first condition.

    Raises:
        Invalid: that has none.

    """
    told = {**columns, **{name: value for name, value in changes.items() if name != "limit"}}
    if "limit" in changes:
        first, *others = columns["conditions"]
        name = LIMITS.get(first.get("kind", ""))
        if name is None:
            message = f"the first condition, {first.get('kind')}, has no single limit"
            raise Invalid(message, pointer="/sweep/limit")
        told["conditions"] = [{**first, name: changes["limit"]}, *others]
    return told


def _try(cell: Cell, bench: _Bench) -> None:
    try:
        cell.outcomes.append(bench.outcome(bench.watch(cell.changes)))
    except Unlimited:
        return
    except Invalid as error:
        cell.note = error.detail


def _assets(ids: Sequence[int], spec: Spec) -> Iterator[tuple[int, str, Circumstances]]:
    known = circumstances_of(ids, pollutants=spec.pollutants)
    for pk, name in Asset.objects.filter(pk__in=list(known)).order_by("pk").values_list("pk", "name"):
        yield pk, name, known[pk]


def _series(asset: int, codes: Sequence[str], span: Span) -> tuple[dict[str, Series], int]:
    """Return the usable values of each parameter, and how many hours cannot be read."""
    damaged: set[int] = set()
    parts: dict[str, list[tuple[Any, Any]]] = {code: [] for code in codes}
    for readings in telemetry.walk(asset, span, codes=codes, damaged=damaged):
        for code in codes:
            parts[code].append(readings.usable(code))
    found = {}
    for code, pieces in parts.items():
        if pieces:
            found[code] = Series(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
    return found, len(damaged)
