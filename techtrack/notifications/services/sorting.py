"""Puts notices into their groups and says when those are due."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import OperationalError, transaction

from techtrack.notifications import queries
from techtrack.notifications.domain.escalation import after_of
from techtrack.notifications.domain.grouping import RAISED, RETURNED, Course, Timing, graver, gravest, news_due
from techtrack.notifications.models import Group, Notice, Route
from techtrack.notifications.services.keeping import keep_routes

_log = logging.getLogger(__name__)
# While they are sorted, others who write wait.
MOST_NOTICES = 25


@transaction.atomic
def sort_notices() -> int:
    """Put new notices into their groups and say when those are due; return how many there were (MOST_NOTICES).

    Some that cannot be sorted keep no others from it: their group is due at once, and it is seen there what is wrong.
    """
    rows = Notice.objects.select_for_update(skip_locked=True, of=("self",)).filter(group=None, told_at=None)
    found = list(rows.order_by("pk")[:MOST_NOTICES])
    news: dict[tuple[int, str], list[Notice]] = defaultdict(list)
    for notice in found:
        news[notice.route_id, notice.key].append(notice)
    named = {route for route, _ in news}
    kept, routes = keep_routes(named), Route.objects.in_bulk(named)
    waiting = named & routes.keys() - kept
    # In one order, so that two who sort do not wait for each other in a circle.
    for (route, key), some in sorted(news.items()):
        if route not in routes:
            # The route was deleted while the alert was written.
            Notice.objects.filter(pk__in=[notice.pk for notice in some]).delete()
        elif route not in waiting:
            _put(routes[route], key, some)
    return sum(notice.route_id not in waiting for notice in found)


def end_round(group: Group) -> None:
    """Forget how far the telling of a group has come: what comes next is news."""
    group.opened_at = group.told_at = None
    group.severity, group.step = "", 0


def timing_of(route: Route) -> Timing:
    """When a route tells its groups."""
    after = after_of(route.escalation)
    # An alert that shares messages with none is told of at once, whatever was told of it before.
    interval = route.group_interval if route.group_by else timedelta(0)
    return Timing(route.group_wait, interval, route.repeat_every, after)


def course_of(group: Group) -> Course:
    """How far the telling of a group has come."""
    return Course(group.opened_at, group.told_at, group.step)


def _put(route: Route, key: str, news: Sequence[Notice]) -> None:
    group, made = Group.objects.get_or_create(route=route, key=key)
    if not made:
        group = Group.objects.select_for_update().get(pk=group.pk)
    since = min(notice.created_at for notice in news)
    try:
        with transaction.atomic():
            due = _due(group, route, news, made=made)
    except OperationalError:
        # The database's trouble, and not the route's: all of it is tried again.
        raise
    except Exception:  # noqa: BLE001 - one route that nobody foresaw must not keep the others from being told
        _log.exception("notices of route %s cannot be sorted", route.pk)
        due = since
    group.due_at = min(due, group.due_at or due)
    group.save()
    Notice.objects.filter(pk__in=[notice.pk for notice in news]).update(group=group)


def _due(group: Group, route: Route, news: Sequence[Notice], *, made: bool) -> datetime:
    raised = {notice.alert_id for notice in news if notice.event == RAISED}
    if raised and not made and not queries.anything_stands(group, besides=raised):
        # Nobody waits any more for what it was about: a new round begins.
        end_round(group)
    worst = gravest(notice.severity for notice in news)
    urgent = not group.severity or graver(worst, group.severity)
    firing = any(notice.event != RETURNED for notice in news)
    since = min(notice.created_at for notice in news)
    return news_due(timing_of(route), course_of(group), now=since, urgent=urgent and firing)
