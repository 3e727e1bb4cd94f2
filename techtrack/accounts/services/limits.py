"""How often one may knock at the doors where credentials are handed out; exact, whoever counts, in whatever process.

A bucket that refills evenly (GCRA): one number per door and caller, moved on by one conditional UPDATE.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Greatest

from techtrack.accounts.models import Allowance
from techtrack.core.clock import to_micros
from techtrack.core.errors import TooMany

WINDOW = 60
_WINDOW_MICROS = WINDOW * 1_000_000


def spend(door: str, subject: str, *, now: datetime) -> None:
    """Take one of what ``subject`` may ask of ``door`` in a minute.

    Raises:
        TooMany: nothing is left at this moment.

    """
    quota = settings.LIMITS[door]
    if not quota:
        return
    name, moment, step = _name(door, subject), to_micros(now), _WINDOW_MICROS // quota
    if _taken(name, moment, step, quota):
        return
    Allowance.objects.bulk_create([Allowance(name=name, full_at=moment)], ignore_conflicts=True)
    if _taken(name, moment, step, quota):
        return
    full_at = Allowance.objects.filter(name=name).values_list("full_at", flat=True).first() or moment
    wait = full_at - (quota - 1) * step - moment
    raise TooMany(
        f"{quota} a minute at most; try again later",
        retry_after=max(1, -(-wait // 1_000_000)),
        policy=(door, quota, WINDOW),
    )


def give_back(door: str, subject: str) -> None:
    """Let what was spent last not count."""
    if quota := settings.LIMITS[door]:
        rows = Allowance.objects.filter(name=_name(door, subject))
        rows.update(full_at=F("full_at") - _WINDOW_MICROS // quota)


def forget_full(*, now: datetime) -> int:
    """Remove what says nothing any more; return how many rows that were."""
    return Allowance.objects.filter(full_at__lt=to_micros(now)).delete()[0]


def _taken(name: str, moment: int, step: int, quota: int) -> bool:
    # The question and the taking are one statement: of any number at once no more win than there is room for.
    rows = Allowance.objects.filter(name=name, full_at__lte=moment + (quota - 1) * step)
    return bool(rows.update(full_at=Greatest(F("full_at"), moment) + step))


def _name(door: str, subject: str) -> str:
    return f"{door}:{subject}"[:100]
