"""What people changed: earlier values of readings, and marks of quality."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from techtrack.accounts.models import User
from techtrack.telemetry.models import Correction, QualityMark


def corrections(*, asset_id: int, time: int) -> QuerySet[Correction]:
    """Return what was changed at one reading, newest first."""
    return Correction.objects.filter(asset_id=asset_id, time=time).order_by("-position")


def corrected_at(*, asset_id: int, time: int) -> Correction | None:
    """Return the last correction of a reading, None where no person has touched it."""
    return corrections(asset_id=asset_id, time=time).first()


def marks(*, asset_id: int, code: str = "", start: int, end: int) -> QuerySet[QualityMark]:
    """Return the marks on start <= time < end (µs) of an asset, newest first; with a code, those that mean it."""
    rows = QualityMark.objects.filter(asset_id=asset_id, start_at__lt=end, end_at__gt=start)
    if code:
        rows = rows.filter(Q(code=code) | Q(code=""))
    return rows.order_by("-position")


def names_of(user_ids: Iterable[int | None]) -> dict[int, str]:
    """Return the user names of those who are still there."""
    wanted = {user_id for user_id in user_ids if user_id}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "username")) if wanted else {}
