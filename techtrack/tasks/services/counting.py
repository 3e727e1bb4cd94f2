"""Writes how assets are used: what meters count, in which stretches assets ran."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access, Role
from techtrack.core import auditing
from techtrack.core.clock import MICROSECOND, from_micros, to_micros
from techtrack.core.errors import Conflict, Invalid
from techtrack.tasks.domain.meters import Meter
from techtrack.tasks.domain.runs import SHORTEST_STOP, Spans
from techtrack.tasks.domain.tallying import key_of
from techtrack.tasks.models import AssetMeter, Run, RunLog
from techtrack.tasks.queries import counting, planning

METERS_EVERY, RUNS_EVERY = timedelta(minutes=1), timedelta(minutes=5)
WRITTEN_AT_ONCE = 500
# More are not put in in the time that is counted again.
MOST_REPLACED = 100


class NoCounter(Invalid):
    """Only what counts by itself can be replaced; all else is counted here."""

    code = "no_counter"


class NotReadYet(Conflict):
    """What it shows has not been read so far."""

    code = "not_read_yet"


def count_meter(row: AssetMeter, *, now: datetime) -> bool:
    """Count a meter (as ``counting.meters_due`` gives it) on; True where there is more to count."""
    found = counting.count_on(row, now=now)
    tally = found.record.tally
    # Whoever counted it meanwhile has counted the same readings: theirs stay.
    AssetMeter.objects.filter(pk=row.pk, steps=row.steps).update(
        total=tally.total,
        time=tally.time,
        value=tally.value,
        days=found.record.days,
        behind=found.behind,
        steps=F("steps") + 1,
        look_at=now if found.behind else now + METERS_EVERY,
    )
    return found.behind


@transaction.atomic
def replace_counter(*, row: AssetMeter, by: Access, shows: float, at: datetime, now: datetime) -> AssetMeter:
    """Note that a counter was replaced at ``at`` by one that shows ``shows``; what was counted so far stays.

    Raises:
        NoCounter: it is none.
        NotReadYet: readings from before the replacement are still to be counted.
    """
    by.require(Role.OPERATOR, row.asset.site_id)
    if row.kind != "counter":
        raise NoCounter("only a meter that counts by itself is replaced", pointer="/shows")
    held = AssetMeter.objects.select_for_update(of=("self",)).select_related("asset__type").get(pk=row.pk)
    if at > now:
        raise Invalid("this lies in the future", pointer="/at")
    if held.time is None or (held.behind and from_micros(held.time) < at):
        raise NotReadYet("earlier readings are still being counted: try again in a moment")
    if to_micros(at) <= held.time:
        raise Invalid("readings from after that were counted already: give the time of now", pointer="/at")
    said = {"time": to_micros(at), "value": shows}
    auditing.tell_changed(held, auditing.image(held, said), said)
    # Who counts these readings again needs to know.
    replaced = [*held.replaced, (said["time"], shows)][-MOST_REPLACED:]
    AssetMeter.objects.filter(pk=held.pk).update(**said, replaced=replaced, steps=F("steps") + 1, look_at=now)
    held.refresh_from_db(fields=[*said, "replaced", "steps", "look_at"])
    return held


def follow_runs(log: RunLog, *, now: datetime) -> bool:
    """Note when an asset ran since its log (as ``counting.run_logs_due`` gives it) was looked at; True where more is.

    Where its running sign is another one by now, all of it is found again.
    """
    sign = counting.sign_of(log.asset)
    if sign is None:
        _forget_runs(log, key="", now=now)
        return False
    if log.key != sign.key:
        return _forget_runs(log, key=sign.key, now=now)
    found = counting.runs_on(log, sign, now=now)
    with transaction.atomic():
        moved = RunLog.objects.filter(pk=log.pk, steps=log.steps).update(
            begins=found.begins,
            time=found.time,
            value=found.value,
            steps=F("steps") + 1,
            look_at=now if found.behind else now + RUNS_EVERY,
        )
        if moved:
            _note_runs(log.asset_id, found.spans)
    return found.behind


def _note_runs(asset_id: int, spans: Spans) -> None:
    """Add stretches to those before them, of which the last one goes on where they lie close together."""
    if not len(spans):
        return
    stop = SHORTEST_STOP // MICROSECOND
    start, end = spans[0].tolist()
    last = Run.objects.filter(asset=asset_id, end__gte=start - stop).order_by("-end").first()
    if last is not None:
        Run.objects.filter(pk=last.pk).update(end=max(end, last.end))
        spans = spans[1:]
    rows = [Run(asset_id=asset_id, start=start, end=end) for start, end in spans.tolist()]
    Run.objects.bulk_create(rows, batch_size=WRITTEN_AT_ONCE)


@transaction.atomic
def _forget_runs(log: RunLog, *, key: str, now: datetime) -> bool:
    """Begin anew with another sign, or with none; True where somebody is to find the runs by it."""
    rows = RunLog.objects.filter(pk=log.pk, steps=log.steps)
    columns = {"key": key, "begins": None, "time": None, "value": 0.0}
    if rows.update(**columns, steps=F("steps") + 1, look_at=now if key else now + RUNS_EVERY):
        Run.objects.filter(asset=log.asset_id).delete()
    return bool(key)


# -- What is to be counted ----------------------------------------------------------------------------------


def want_meters(wanted: Iterable[tuple[tuple[int, str], Meter]], *, now: datetime) -> None:
    """See to it that these meters (by asset and key) are counted."""
    there = set(AssetMeter.objects.values_list("asset_id", "key"))
    rows = [_meter(asset_id, meter, now) for (asset_id, key), meter in wanted if (asset_id, key) not in there]
    AssetMeter.objects.bulk_create(rows, ignore_conflicts=True, batch_size=WRITTEN_AT_ONCE)


def _meter(asset_id: int, meter: Meter, now: datetime) -> AssetMeter:
    return AssetMeter(
        asset_id=asset_id,
        key=key_of(meter),
        kind=meter.kind,
        parameter=meter.parameter,
        above=meter.above,
        most_per_day=meter.most_per_day,
        look_at=now,
    )


@transaction.atomic
def reconcile_counting(*, now: datetime) -> None:
    """Count what plans ask for and nothing else; follow the runs of assets that show them."""
    # In this order: of a plan that comes meanwhile no meter is idle.
    there = list(AssetMeter.objects.values_list("pk", "asset_id", "key"))
    wanted = planning.meters_wanted()
    want_meters(wanted.items(), now=now)
    idle = [pk for pk, asset, key in there if (asset, key) not in wanted]
    for start in range(0, len(idle), WRITTEN_AT_ONCE):
        AssetMeter.objects.filter(pk__in=idle[start : start + WRITTEN_AT_ONCE]).delete()
    showing, followed = counting.assets_that_show_running(), set(RunLog.objects.values_list("asset_id", flat=True))
    rows = [RunLog(asset_id=asset_id, look_at=now) for asset_id in sorted(showing - followed)]
    RunLog.objects.bulk_create(rows, ignore_conflicts=True, batch_size=WRITTEN_AT_ONCE)
