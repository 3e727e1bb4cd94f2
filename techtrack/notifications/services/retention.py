"""Forgets what was told long ago."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from techtrack.notifications.models import LETTER, Delivery, DeliveryState, Group, Notice

AT_ONCE = 500
# Their links are dead by then; nobody needs to know whom they were about.
LETTERS_KEPT = timedelta(days=7)
OVER = (DeliveryState.SENT, DeliveryState.MERGED, DeliveryState.DEAD)


def forget_old(*, now: datetime) -> int:
    """Delete messages and notices older than DELIVERY_DAYS, a part of them; return how many rows that were.

    Of an alert that is still active all is kept: whoever was told of it is to hear that it is over.
    """
    limit = now - timedelta(days=settings.DELIVERY_DAYS)
    deliveries = Delivery.objects.filter(state__in=OVER, created_at__lt=limit).exclude(alerts__active=True)
    letters = Delivery.objects.filter(event=LETTER, state__in=OVER, created_at__lt=now - LETTERS_KEPT)
    notices = Notice.objects.filter(told_at__lt=limit, alert__active=False)
    # A group without notices, of which nothing is to come; locked, or a notice put into it just now would go with it.
    empty = ~Exists(Notice.objects.filter(group=OuterRef("pk")))
    groups = Group.objects.filter(empty, due_at=None).select_for_update(skip_locked=True)
    count = 0
    kinds: tuple[QuerySet[Any], ...] = (deliveries, letters, notices, groups)
    for rows in kinds:
        with transaction.atomic():
            pks: list[Any] = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
            rows.model._default_manager.filter(pk__in=pks).delete()
        count += len(pks)
    return count
