"""How well assets are maintained: read in a fixed number of queries, and measured by ``domain/kpi.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import Asset, Status
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Invalid
from techtrack.tasks.domain.kpi import (
    Compliance,
    Downtime,
    Overdue,
    Planned,
    Reliability,
    Span,
    compliance,
    reliability,
)
from techtrack.tasks.domain.kpi import overdue as measure_overdue
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import Downtime as DowntimeRow
from techtrack.tasks.models import PlannedTask, Run, RunLog, State, Task

MOST_ROWS = 300_000
AT_ONCE = 5_000


class TooMuchHappened(Invalid):
    """More happened than is measured while somebody waits."""

    code = "too_much"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures are asked for: of one asset, of a site, or of all that the caller may see; in [start, end).

    Of several assets, those that are not retired.
    """

    access: Access
    start: datetime
    end: datetime
    asset_id: int | None = None
    site_id: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: of each asset, of all together, of the backlog and of plans."""

    assets: Sequence[tuple[Asset, Reliability]]
    whole: Reliability
    backlog: Overdue
    plans: Compliance


def kpi(scope: Scope, *, now: datetime) -> Report:
    """Measure maintenance.

    Raises:
        TooMuchHappened: ask for a shorter time, or for less.
    """
    assets = _assets(scope)
    found = list(zip(assets, _reliabilities(assets, scope, now), strict=True))
    whole = sum((one for _, one in found), Reliability())
    return Report(found, whole, _backlog(scope, now), _plans(scope, now))


def _assets(scope: Scope) -> QuerySet[Asset]:
    rows = Asset.objects.visible_to(scope.access)
    # What is scrapped never fails: it would make a plant better than it is.
    rows = rows.exclude(status=Status.RETIRED) if scope.asset_id is None else rows.filter(pk=scope.asset_id)
    return rows if scope.site_id is None else rows.filter(site=scope.site_id)


def _reliabilities(assets: QuerySet[Asset], scope: Scope, now: datetime) -> Iterable[Reliability]:
    # Asked of the table again, and not named one by one: SQLite takes no more than 32,766.
    ids = assets.order_by().values("pk")
    down, ran = _downtimes(ids, scope), _operating(ids, scope)
    for asset in assets:
        # Before it was there it was neither up nor down.
        start = max(scope.start, _installed(asset))
        yield reliability(
            down.get(asset.pk, ()), start=start, end=max(start, scope.end), now=now, operating=ran.get(asset.pk)
        )


def _installed(asset: Asset) -> datetime:
    day = asset.installation_date
    return datetime.combine(day, time(), UTC) if day else from_micros(0)


def _downtimes(ids: QuerySet[Any], scope: Scope) -> Mapping[int, list[Downtime]]:
    """Return the down times that reach into the time that is measured, by asset."""
    during = Q(starts_at__lt=scope.end) & (Q(ends_at=None) | Q(ends_at__gte=scope.start))
    rows = DowntimeRow.objects.filter(during, asset__in=ids).order_by("asset", "starts_at")
    found: dict[int, list[Downtime]] = defaultdict(list)
    for asset_id, start, end, planned in _bounded(rows.values_list("asset_id", "starts_at", "ends_at", "planned")):
        found[asset_id].append(Downtime(start, end, planned))
    return found


def _operating(ids: QuerySet[Any], scope: Scope) -> Mapping[int, list[Span]]:
    """Return when assets ran, of those of which telemetry tells it; from before it does they are taken to have run."""
    logs = RunLog.objects.filter(asset__in=ids).values_list("asset_id", "begins")
    found: dict[int, list[Span]] = {
        asset_id: [(scope.start, from_micros(begins))] for asset_id, begins in logs if begins is not None
    }
    start, end = to_micros(scope.start), to_micros(scope.end)
    rows = Run.objects.filter(asset__in=ids, end__gt=start, start__lt=end).order_by("asset", "start")
    for asset_id, begins, ends in _bounded(rows.values_list("asset_id", "start", "end")):
        found.setdefault(asset_id, []).append((from_micros(begins), from_micros(ends)))
    return found


def _bounded(rows: Any) -> Iterable[tuple[Any, ...]]:
    found = list(islice(rows.iterator(AT_ONCE), MOST_ROWS + 1))
    if len(found) > MOST_ROWS:
        raise TooMuchHappened("more happened in this time than is measured at once: ask for less", pointer="?from")
    return found


def _backlog(scope: Scope, now: datetime) -> Overdue:
    rows = Task.objects.visible_to(scope.access).filter(state__in=UNFINISHED)
    rows = rows if scope.asset_id is None else rows.filter(asset=scope.asset_id)
    rows = rows if scope.site_id is None else rows.filter(asset__site=scope.site_id)
    return measure_overdue(_bounded(rows.order_by().values_list("state", "due_date")), now=now)


def _plans(scope: Scope, now: datetime) -> Compliance:
    visible = Asset.objects.visible_to(scope.access).order_by()
    rows = PlannedTask.objects.filter(asset__in=visible, due__gte=scope.start, due__lt=scope.end, task__deleted_at=None)
    rows = rows if scope.asset_id is None else rows.filter(asset=scope.asset_id)
    rows = rows if scope.site_id is None else rows.filter(asset__site=scope.site_id)
    told = _bounded(rows.order_by().values_list("due", "task__state", "task__completed_at", "grace"))
    work = [Planned(due, done if state == State.DONE else None, grace) for due, state, done, grace in told]
    return compliance(work, start=scope.start, end=scope.end, now=now)
