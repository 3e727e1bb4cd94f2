"""A rule as it was written, and what it makes of it for an asset: what to look at, and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal
from zlib import crc32

from techtrack.alerts.domain.condition import (
    INFINITY,
    NOWHERE,
    SEVERITIES,
    Aggregate,
    Ask,
    Attribute,
    Circumstances,
    Clause,
    Draft,
    Leaf,
    OfTheRule,
    Unlimited,
    check_length,
    parse_conditions,
    within,
)
from techtrack.alerts.domain.conditions.air_quality import AirQuality
from techtrack.alerts.domain.conditions.no_data import NoData
from techtrack.alerts.domain.features.base import SECOND, Feature
from techtrack.alerts.domain.features.changes import Stuck
from techtrack.alerts.domain.features.windows import STATISTICS
from techtrack.alerts.domain.proving import MOST_LEAVES, can_end, can_hold, can_show, courses
from techtrack.alerts.domain.recurrence import Recurrence
from techtrack.core import params
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid

# A state keeps the last samples of each comparison as bits.
MOST_COUNTED = 64
# What of a rule changes what is judged, by the names of its columns.
JUDGED = (
    "parameter",
    "aggregate",
    "conditions",
    "deadband",
    "on_delay",
    "off_delay",
    "count",
    "no_data",
    "late_max_age",
    "schedule",
)


@dataclass(frozen=True, slots=True)
class Watch:
    """What a rule demands of an asset; times in µs, clauses gravest first.

    ``count`` is (n, of): a comparison counts once it held for n of the last so many values. ``lapsing``: one holds
    while nothing comes. ``forgets``: what held is then forgotten. ``late``: how old (µs) late data may be to be judged.
    ``made_of``: a number that is another one if what states of the rule mean is something else.
    """

    features: tuple[Feature, ...]
    leaves: tuple[Leaf, ...]
    clauses: tuple[Clause, ...]
    on_delay: int = 0
    off_delay: int = 0
    count: tuple[int, int] | None = None
    schedule: Recurrence | None = None
    lapsing: bool = False
    forgets: bool = False
    late: int = 0
    made_of: int = 0

    def quiet(self, feature: int) -> tuple[float, float]:
        """Return the closed range of a feature's values at which nothing holds that did not; ``NOWHERE`` if none."""
        low, high = -INFINITY, INFINITY
        for leaf in self.leaves:
            if leaf.feature == feature:
                least, most = leaf.comparator.quiet()
                low, high = max(low, least), min(high, most)
        return (low, high) if low <= high else NOWHERE

    @property
    def of_late(self) -> Watch | None:
        """What late data can be judged by, as feature 0: a rule of readings of one parameter as they are, else None.

        Windows and rates have gone on. Whether it was silent meanwhile is not asked: something has come.
        """
        asked = {leaf.feature for leaf in self.leaves if not leaf.lapse}
        if not self.late or len(asked) != 1 or self.features[min(asked)].of is not None:
            return None
        features = (self.features[min(asked)],)
        leaves = tuple(replace(leaf, feature=int(leaf.lapse)) for leaf in self.leaves)
        return replace(self, features=features, leaves=leaves, lapsing=False)

    def limit(self, clause: int, value: float | None) -> float | None:
        """Return the limit that a clause is about, None where it is about several things."""
        wanted = self.clauses[clause].holds
        if len(wanted) != 1 or wanted[0].bit_count() != 1:
            return None
        leaf = self.leaves[wanted[0].bit_length() - 1]
        limit = None if leaf.lapse else leaf.comparator.crossed(value)
        # Times are compared with half a microsecond to spare; that is no part of what was asked for.
        return round(limit, 6) if limit is not None and isinstance(self.features[leaf.feature], Stuck) else limit


@dataclass(frozen=True, slots=True)
class _Shape:
    """The shape of ``aggregate``."""

    window: timedelta
    statistic: str = "avg"
    min_completeness: float = 0.0


@dataclass(frozen=True, slots=True)
class CountShape:
    """The shape of ``count``."""

    n: int
    of: int


@dataclass(frozen=True, slots=True)
class _Silence:
    """The shape of ``no_data``: what a rule makes of silence."""

    after: str
    policy: Literal["alert", "keep", "return"] = "alert"
    severity: str = "medium"


@dataclass(frozen=True, slots=True)
class Spec:
    """A rule, proved, before it is seen with any asset."""

    parameter: str
    asks: tuple[Ask, ...]
    aggregate: Aggregate | None
    deadband: float
    on_delay: int
    off_delay: int
    count: tuple[int, int] | None
    silence: _Silence | None
    late: int
    schedule: Recurrence | None

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes of assets that limits are taken from."""
        return frozenset(_attributes([ask.condition for ask in self.asks]))

    @property
    def pollutants(self) -> frozenset[str]:
        """The parameters whose units an index is looked up with."""
        return frozenset(_pollutants([ask.condition for ask in self.asks], self.parameter))

    @property
    def asks_assets(self) -> bool:
        """Whether it differs from asset to asset."""
        try:
            told = self.watch(Circumstances()) != self.watch(Circumstances(interval=SECOND))
            return told or bool(self.attributes or self.pollutants)
        except Invalid:
            # Such as a limit that is missing, or too many comparisons where the interval tells some apart.
            return True

    def watch(self, circumstances: Circumstances) -> Watch:
        """Return what is watched of assets in these circumstances.

        Raises:
            Unlimited: a limit is taken from an attribute that is not there.
            Invalid: with these limits the rule makes no sense.

        """
        draft = Draft(self.parameter, self.aggregate, self.deadband, circumstances)
        clauses = []
        for ask in self.asks:
            with within(ask.pointer):
                clauses.append(Clause(ask.kind, ask.severity, ask.condition.place(draft)))
        clauses += self._silence(draft)
        return Watch(
            tuple(draft.features),
            tuple(draft.leaves),
            tuple(sorted(clauses, key=lambda clause: -clause.rank)),
            self.on_delay,
            self.off_delay,
            self.count,
            self.schedule,
            any(leaf.lapse for leaf in draft.leaves),
            self.silence is not None and self.silence.policy == "return",
            self.late,
            crc32(repr((draft.features, draft.leaves, self.count)).encode()),
        )

    def _silence(self, draft: Draft) -> list[Clause]:
        if self.silence is None or self.silence.policy == "keep":
            return []
        # Where it returns, the leaf is there to notice silence, and in no clause.
        with within("/no_data"):
            holds = NoData(after=self.silence.after).place(draft)
        return [Clause("no_data", self.silence.severity, holds)] if self.silence.policy == "alert" else []


def parse_rule(definition: Mapping[str, Any]) -> Spec:
    """Prove a rule, given by the names and types of its columns (``JUDGED``); what is left out has its default.

    Raises:
        Invalid: it cannot be judged; faults say where and why.

    """
    spec = Spec(
        definition.get("parameter", ""),
        parse_conditions(definition.get("conditions")),
        _aggregate(definition.get("aggregate")),
        float(definition.get("deadband") or 0.0),
        _micros(definition, "on_delay"),
        _micros(definition, "off_delay"),
        _count(definition.get("count")),
        _silence(definition.get("no_data")),
        _micros(definition, "late_max_age"),
        Recurrence.parse(definition["schedule"], pointer="/schedule") if definition.get("schedule") else None,
    )
    # As it is for an asset that brings nothing along; where it must bring a limit, that is not known now.
    with suppress(Unlimited):
        _refuse_nonsense(spec, spec.watch(Circumstances()))
    return spec


def _aggregate(raw: Any) -> Aggregate | None:
    if raw is None:
        return None
    shape = params.build(_Shape, raw, pointer="/aggregate")
    check_length(shape.window, pointer="/aggregate/window")
    if shape.window <= timedelta(0):
        raise Invalid("a duration above zero is expected", pointer="/aggregate/window")
    if shape.statistic not in STATISTICS:
        raise Invalid(f"choose one of {', '.join(STATISTICS)}", pointer="/aggregate/statistic")
    if not 0 <= shape.min_completeness <= 1:
        raise Invalid("a share from 0 to 1 is expected", pointer="/aggregate/min_completeness")
    return Aggregate(shape.window // MICROSECOND, shape.statistic, shape.min_completeness)


def _count(raw: Any) -> tuple[int, int] | None:
    if raw is None:
        return None
    count = params.build(CountShape, raw, pointer="/count")
    if not 1 <= count.of <= MOST_COUNTED:
        raise Invalid(f"a number from 1 to {MOST_COUNTED} is expected", pointer="/count/of")
    if not 1 <= count.n <= count.of:
        raise Invalid("a number from 1 to `of` is expected", pointer="/count/n")
    return (count.n, count.of)


def _silence(raw: Any) -> _Silence | None:
    if raw is None:
        return None
    silence = params.build(_Silence, raw, pointer="/no_data")
    if silence.severity not in SEVERITIES:
        raise Invalid(f"choose one of {', '.join(SEVERITIES)}", pointer="/no_data/severity")
    return silence


def _micros(definition: Mapping[str, Any], name: str) -> int:
    duration: timedelta = definition.get(name) or timedelta(0)
    if duration < timedelta(0):
        raise Invalid("a duration is expected that is not negative", pointer=f"/{name}")
    check_length(duration, pointer=f"/{name}")
    return duration // MICROSECOND


def _refuse_nonsense(spec: Spec, watch: Watch) -> None:
    """Refuse clauses that can never hold, or never show beside graver ones, and what can never end."""
    compound = any(len(clause.holds) > 1 or clause.holds[0].bit_count() > 1 for clause in watch.clauses)
    if len(watch.leaves) > MOST_LEAVES or (spec.count is not None and compound):
        # Each comparison is counted for itself, so that nearly all can come together.
        return
    graph, pointers = courses(watch.leaves), _pointers(spec)
    for place, clause in enumerate(watch.clauses):
        if not can_hold(clause, graph):
            raise OfTheRule("this can never hold, whatever the values", pointer=pointers[place])
        if not can_show(place, watch.clauses, graph):
            message = "contradictory severities: wherever this holds, a graver condition (or the same) does already"
            raise OfTheRule(message, pointer=f"{pointers[place]}/severity")
    if not can_end(watch.clauses, graph):
        message = "with this deadband one of the conditions always holds: an alert would never return"
        raise OfTheRule(message, pointer="/deadband")


def _pointers(spec: Spec) -> list[str]:
    """Return where the clauses of a rule stand in it, in the order in which they are judged."""
    asked = [(ask.severity, ask.pointer) for ask in spec.asks]
    if spec.silence is not None and spec.silence.policy == "alert":
        asked.append((spec.silence.severity, "/no_data"))
    return [pointer for _, pointer in sorted(asked, key=lambda one: -SEVERITIES.index(one[0]))]


def _attributes(parts: Any) -> Sequence[str]:
    found: list[str] = []
    for part in parts:
        if isinstance(part, Attribute):
            found.append(part.attribute)
        elif isinstance(part, dict):
            found += [part["attribute"]] if isinstance(part.get("attribute"), str) else _attributes(part.values())
        elif isinstance(part, list | tuple):
            found += _attributes(part)
        elif hasattr(part, "__dataclass_fields__"):
            found += _attributes(getattr(part, name) for name in part.__dataclass_fields__)
    return found


def _pollutants(parts: Any, parameter: str) -> Sequence[str]:
    """Name the parameters of conditions that name a standard, ``parameter`` where they name none."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, AirQuality):
            found += [part.parameter or parameter] if part.standard is not None else []
        elif isinstance(part, dict):
            named = part.get("kind") == "air_quality" and part.get("standard") is not None
            found += [part.get("parameter") or parameter] if named else _pollutants(part.values(), parameter)
        elif isinstance(part, list | tuple):
            found += _pollutants(part, parameter)
        elif isinstance(getattr(part, "conditions", None), list):
            found += _pollutants(part.conditions, parameter)
    return found
