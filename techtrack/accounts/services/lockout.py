"""Wrong guesses: counted before they are compared, so that no number at once learns more than that number in a row."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, PositiveIntegerField, Q, When

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.domain.lockout import FORGOTTEN_AFTER, Subject, WrongGuess, wait_after
from techtrack.accounts.events import LockedOut, LockoutCleared
from techtrack.accounts.models import Lockout
from techtrack.core import events
from techtrack.core.errors import NotFound, TooMany, Unavailable

# So long a guess may take to be compared; what is pending for longer was lost with its process.
PATIENCE = timedelta(seconds=30)
LONGEST_QUEUE = 3.0
LOOK_AGAIN = 0.03


class Locked(TooMany):
    """There were too many wrong guesses; the right one is refused as well, for a while."""

    code = "locked_out"


class Busy(Unavailable):
    """As many guesses as are free are being compared at this moment."""

    code = "too_many_logins"


@contextmanager
def attempt(*subjects: Subject, now: datetime) -> Iterator[None]:
    """Run the comparing of one guess; a ``WrongGuess`` counts against all of ``subjects``.

    If nothing is raised, the person was right, and what was wrong before is forgotten, but for an address: who has
    an account could clear it again and again. Any other error leaves all as it was. Call it outside of a
    transaction: that something is being compared must be known to others at once.

    Raises:
        Locked: too many were wrong before.
        Busy: others are guessing the same at this moment, and went on doing so.

    """
    _enter(subjects, now)
    try:
        yield
    except BaseException as error:
        _leave(subjects, now, wrong=isinstance(error, WrongGuess))
        raise
    _leave(subjects, now, wrong=False)
    _forgive(subjects)


@transaction.atomic
def clear_lockout(*, lockout: Lockout, by: Access) -> None:
    """Let somebody try again at once; for administrators.

    Raises:
        NotFound: somebody else was faster.

    """
    by.require(Role.ADMIN, None)
    if not Lockout.objects.filter(pk=lockout.pk).delete()[0]:
        raise NotFound("it is gone already")
    events.publish(LockoutCleared(user_id=lockout.user_id, detail={"of": _kind(lockout)}))


def forget_failures(*, now: datetime) -> int:
    """Remove what is forgiven by now; return how many rows that were."""
    old = now - FORGOTTEN_AFTER
    return Lockout.objects.filter(Q(failed_at=None) | Q(failed_at__lt=old), tried_at__lt=old).delete()[0]


def _enter(subjects: Sequence[Subject], now: datetime) -> None:
    give_up = time.monotonic() + LONGEST_QUEUE
    while not _has_room(subjects, now):
        # As many as are free are being compared, and one of them may be right: not locked, but not yet ours either.
        if time.monotonic() > give_up:
            raise Busy("too many people are logging in at this moment; try again")
        time.sleep(LOOK_AGAIN)


def _has_room(subjects: Sequence[Subject], now: datetime) -> bool:
    """Take a place for one guess with each of the subjects, or with none."""
    with transaction.atomic():
        for subject in subjects:
            if not (_begun(subject, now) or (_introduced(subject, now) and _begun(subject, now))):
                # Whoever was counted in before this one is not.
                transaction.set_rollback(True)
                break
        else:
            return True
    _refuse_locked(subjects, now)
    return False


def _begun(subject: Subject, now: datetime) -> bool:
    number = PositiveIntegerField()
    failures = Case(When(failed_at__lt=now - FORGOTTEN_AFTER, then=0), default=F("failures"), output_field=number)
    pending = Case(When(tried_at__lt=now - PATIENCE, then=0), default=F("pending"), output_field=number)
    free = Lockout.objects.filter(Q(locked_until=None) | Q(locked_until__lte=now), key=subject.key)
    # Beyond the free ones, one at a time. One statement asks for room and takes it.
    room = free.alias(before=failures, beside=pending).filter(Q(before__lt=subject.free - F("beside")) | Q(beside=0))
    return bool(room.update(failures=failures, pending=pending + 1, tried_at=now))


def _introduced(subject: Subject, now: datetime) -> bool:
    row = Lockout(key=subject.key, user_id=subject.user_id, address=subject.address, tried_at=now)
    Lockout.objects.bulk_create([row], ignore_conflicts=True)
    return True


def _refuse_locked(subjects: Sequence[Subject], now: datetime) -> None:
    locked = Lockout.objects.filter(key__in=[subject.key for subject in subjects], locked_until__gt=now)
    ends = [until for until in locked.values_list("locked_until", flat=True) if until]
    if ends:
        seconds = (max(ends) - now).total_seconds()
        raise Locked("there were too many wrong guesses; try again later", retry_after=max(1, round(seconds)))


@transaction.atomic
def _leave(subjects: Sequence[Subject], now: datetime, *, wrong: bool) -> None:
    for subject in subjects:
        row = Lockout.objects.select_for_update().filter(key=subject.key).first()
        # It is gone where somebody was right meanwhile: what was wrong beside that counts from the beginning.
        row = row or Lockout(key=subject.key, user_id=subject.user_id, address=subject.address, tried_at=now)
        row.pending = max(row.pending - 1, 0)
        if wrong:
            _count(row, subject, now)
        if wrong or row.pk:
            row.save()


def _count(row: Lockout, subject: Subject, now: datetime) -> None:
    row.failures += 1
    row.failed_at = now
    if wait := wait_after(row.failures, subject.free):
        row.locked_until = now + wait
        detail = {"of": _kind(row), "failures": row.failures, "seconds": wait.total_seconds()}
        events.publish(LockedOut(user_id=subject.user_id, detail=detail))


def _kind(row: Lockout) -> str:
    return "address" if row.address else "person" if row.user_id else "unknown name"


def _forgive(subjects: Sequence[Subject]) -> None:
    people = {subject.user_id for subject in subjects if subject.user_id}
    names = [subject.key for subject in subjects if not subject.address]
    Lockout.objects.filter(Q(key__in=names) | Q(user__in=people)).delete()
