"""What the pages show, gathered in few queries: assets with their newest values, open alerts, tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.http import Http404

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Site
from techtrack.alerts import queries as explaining
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.assets.domain.units import sign
from techtrack.assets.models import Asset, AssetType, Health, Parameter, Status
from techtrack.tasks.models import Level, State, Task, TaskQuerySet
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.store.base import LatestValue
from techtrack.web.domain.display import Measure, age, in_words, natural, patience

# A panel is for reading, not for archives: the rest is counted and found by filters.
MOST_ALERTS = 100
MOST_TASKS = 100
UNFINISHED = [State.OPEN, State.IN_PROGRESS, State.ON_HOLD]
# Attributes by which whoever loaded the data says how much of it is of today and of this world.
REMARKS = ("replayed", "simulated")
# Conditions whose value and limit are those of the parameter; with the others they are rates, deviations or times.
PLAIN = {"", "above", "below", "outside", "inside", "air_quality"}
ASIDE = Q(shelved_until__isnull=False) | Q(out_of_service_until__isnull=False) | ~Q(suppressed_by="")
ROW = 3
SPARK_READINGS = 100
SPARK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Value:
    """The newest value of one parameter of an asset."""

    measure: Measure
    number: float | None
    at: datetime | None

    @property
    def text(self) -> str:
        """The value as people read it, without its unit."""
        return self.measure.show(self.number)


@dataclass(frozen=True)
class Card:
    """An asset as a page shows it; ``age`` is the seconds since it was last heard of, None for never."""

    asset: Asset
    values: list[Value]
    last_seen: datetime | None
    age: int | None
    patience: int

    @property
    def silent(self) -> bool:
        """Whether it was heard of once, and not for longer than it may be silent."""
        return self.age is not None and self.age > self.patience

    @property
    def awaited(self) -> bool:
        """Whether readings are expected: of an asset that is out of use silence is no news."""
        return self.asset.status == Status.ACTIVE

    @property
    def age_in_words(self) -> str:
        """The age as people say it."""
        return in_words(self.age or 0)

    @property
    def health(self) -> str:
        """How the asset is, judged by its open alerts."""
        return str(self.asset.state.health) if hasattr(self.asset, "state") else Health.UNKNOWN

    @property
    def remarks(self) -> list[str]:
        """What must stand wherever the asset's values stand."""
        return remarks(self.asset)

    @property
    def span(self) -> int:
        """The seconds of history that a sparkline shows: about a hundred readings."""
        expected = expected_interval(self.asset)
        return int(expected.total_seconds() * SPARK_READINGS) if expected else SPARK_SECONDS

    @property
    def is_sensor(self) -> bool:
        """Whether people call it a sensor."""
        return self.asset.kind == "sensor"


@dataclass(frozen=True, slots=True)
class Place:
    """A site with its assets; the site is None for assets that stand nowhere in particular."""

    site: Site | None
    cards: list[Card]

    @property
    def is_small(self) -> bool:
        """Whether it does not fill a row, so that several may share one."""
        return len(self.cards) < ROW


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert as a list shows it."""

    alert: Alert
    measure: Measure
    may_acknowledge: bool
    hidden_by: str = ""

    @property
    def aside(self) -> bool:
        """Whether it asks for nobody now: put aside by somebody, or explained by something."""
        alert = self.alert
        return bool(alert.shelved_until or alert.out_of_service_until or alert.suppressed_by)

    @property
    def plain(self) -> bool:
        """Whether value and limit are in the parameter's unit."""
        return self.alert.condition in PLAIN

    @property
    def value(self) -> str:
        """The value that raised it."""
        return self.measure.show(self.alert.value)

    @property
    def limit(self) -> str:
        """The limit that it passed."""
        return self.measure.show(self.alert.limit)


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task as a list shows it."""

    task: Task
    may_finish: bool


class Dictionary:
    """Names, units and precision of parameters; what an asset's type says goes before what all types share."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @cached_property
    def _shared(self) -> dict[str, Parameter]:
        return {row.code: row for row in Parameter.objects.visible_to(self._access)}

    def measure(self, asset_type: AssetType | None, code: str) -> Measure:
        """Describe a parameter of assets of a type."""
        own = next((entry for entry in _declared(asset_type) if entry.get("code") == code), {})
        shared = self._shared.get(code)
        return Measure(
            code=code,
            label=own.get("label") or (shared.name if shared else "") or code.replace("_", " "),
            unit=sign(own.get("unit") or (shared.unit if shared else "") or ""),
            precision=shared.precision if shared else None,
            labels=shared.labels if shared else {},
        )


def places(access: Access, now: datetime) -> list[Place]:
    """Return the sites that the caller may see, each with its assets in use; what fills a row goes first."""
    assets = sorted(_assets(access).exclude(status=Status.RETIRED), key=lambda asset: natural(asset.name))
    found: dict[int | None, Place] = {}
    for card in _cards(access, assets, now):
        found.setdefault(card.asset.site_id, Place(card.asset.site, [])).cards.append(card)
    return sorted(found.values(), key=_order)


def card(access: Access, asset_id: int, now: datetime) -> Card:
    """Return one asset; its values include parameters that its type declares and that never came.

    Raises:
        Http404: it does not exist, or the caller may not see it.
    """
    asset = _assets(access).filter(pk=asset_id).first()
    if asset is None:
        raise Http404
    return next(_cards(access, [asset], now, declared=True))


def first_reading(asset_id: int) -> datetime | None:
    """Return when the history of an asset begins."""
    extent = telemetry.extent([asset_id])
    return extent[0] if extent else None


def open_alerts(access: Access, *, asset_id: int | None = None) -> list[AlertLine]:
    """Return the newest open alerts, of one asset or of all that the caller may see; what is put aside comes last."""
    last = ExpressionWrapper(ASIDE, output_field=BooleanField())
    rows = _alerts(access).filter(is_open=True).order_by(last, "-raised_at", "-pk")
    return _lines(access, rows if asset_id is None else rows.filter(asset=asset_id))


def closed_alerts(access: Access, *, asset_id: int) -> list[AlertLine]:
    """Return the newest alerts of an asset that are over."""
    return _lines(access, _alerts(access).filter(is_open=False, asset=asset_id)[:10])


def alert_line(access: Access, alert_id: int) -> AlertLine:
    """Return one alert.

    Raises:
        Http404: it does not exist, or the caller may not see it.
    """
    lines = _lines(access, _alerts(access).filter(pk=alert_id))
    if not lines:
        raise Http404
    return lines[0]


def happenings(alert: Alert, access: Access) -> list[AlertEvent]:
    """Return what happened to an alert, oldest first, in words that the caller may read."""
    found = list(AlertEvent.objects.filter(alert=alert).select_related("actor", "alert__asset"))
    reader = explaining.Reader(access)
    for event in found:
        event.comment, event.evidence = reader.comment_and_evidence(event)
    return found


def unfinished_tasks(access: Access, *, asset_id: int | None = None) -> list[Task]:
    """Return the work to do that the caller may see, the soonest due first."""
    rows = _tasks(access).filter(state__in=UNFINISHED)
    if asset_id is not None:
        rows = rows.filter(asset=asset_id)
    return list(rows.order_by(F("due_date").asc(nulls_last=True), "-priority", "-created_at")[:MOST_TASKS])


def task_lines(access: Access) -> list[TaskLine]:
    """Return the work to do, with what the caller may do about it; the service decides again."""
    return [TaskLine(task, _may_finish(access, task)) for task in unfinished_tasks(access)]


def done_tasks(access: Access) -> list[Task]:
    """Return what was done last."""
    return list(_tasks(access).filter(state=State.DONE).order_by(F("completed_at").desc(nulls_last=True))[:10])


def remarks(asset: Asset) -> list[str]:
    """Return what is said of the origin of the asset's data: replayed, simulated."""
    return [str(asset.attributes[name]) for name in REMARKS if asset.attributes.get(name)]


def expected_interval(asset: Asset) -> timedelta | None:
    """Return how often the asset, or else its type, is said to report."""
    return asset.expected_interval or (asset.type.expected_interval if asset.type else None)


def _order(place: Place) -> tuple[bool, bool, list[tuple[str, int]]]:
    return place.site is None, place.is_small, natural(place.site.name if place.site else "")


def _assets(access: Access) -> Any:
    return Asset.objects.visible_to(access).select_related("type", "site", "state")


def _alerts(access: Access) -> Any:
    related = ("asset__type", "asset__site", "asset__state", "acknowledged_by", "assignee", "shelved_by", "rule")
    return Alert.objects.visible_to(access).select_related(*related).order_by("-raised_at", "-pk")


def _tasks(access: Access) -> TaskQuerySet:
    return (
        Task.objects.visible_to(access)
        .select_related("asset", "alert")
        .prefetch_related("owner_rows__user", "share_rows")
    )


def _may_finish(access: Access, task: Task) -> bool:
    # As tasks.queries.may_write does, on what is already read: a list must not ask once per row.
    people = {task.created_by_id, *task.owners}
    people |= {share.user_id for share in task.shared_with if share.level == Level.WRITE}
    operates = task.asset is not None and access.allows(Role.OPERATOR, task.asset.site_id)
    return access.user_id in people or operates


def _cards(access: Access, assets: list[Asset], now: datetime, *, declared: bool = False) -> Iterator[Card]:
    words = Dictionary(access)
    newest = telemetry.latest([asset.pk for asset in assets])
    for asset in assets:
        values = list(_values(words, asset, newest.get(asset.pk, {}), declared=declared))
        last_seen = max((value.at for value in values if value.at), default=None)
        limit = patience(expected_interval(asset))
        yield Card(asset, values, last_seen, age(last_seen, now), int(limit.total_seconds()))


def _values(words: Dictionary, asset: Asset, newest: Mapping[str, LatestValue], *, declared: bool) -> Iterator[Value]:
    order = [str(entry.get("code")) for entry in _declared(asset.type)]
    codes = [code for code in order if declared or code in newest] + sorted(set(newest) - set(order))
    for code in dict.fromkeys(codes):
        latest = newest.get(code)
        yield Value(words.measure(asset.type, code), latest.value if latest else None, latest.at if latest else None)


def _declared(asset_type: AssetType | None) -> Iterable[dict[str, Any]]:
    return asset_type.parameters if asset_type else []


def _lines(access: Access, rows: Any) -> list[AlertLine]:
    words = Dictionary(access)
    alerts = list(rows[:MOST_ALERTS])
    hiders = explaining.hiders(alerts, access)
    return [
        AlertLine(
            alert,
            words.measure(alert.asset.type, alert.parameter),
            alert.acknowledged_at is None and access.allows(Role.OPERATOR, alert.asset.site_id),
            hiders.get(alert.suppressed_by, ""),
        )
        for alert in alerts
    ]
