"""Second factors: a code of an authenticator app, or once a recovery code, beside the password."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.crypto import get_random_string

from techtrack.accounts.domain import codes
from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.domain.lockout import WrongGuess, about_person
from techtrack.accounts.events import SecondFactorChanged
from techtrack.accounts.models import RecoveryCode, SecondFactor, User
from techtrack.accounts.queries import second_factor_of
from techtrack.accounts.services import passwords
from techtrack.accounts.services.keys import NotByKey
from techtrack.accounts.services.lockout import attempt
from techtrack.accounts.services.step_up import require_recent
from techtrack.core import events
from techtrack.core.errors import Conflict, Invalid
from techtrack.core.sealing import Unreadable, resealed, seal, unseal


class WrongCode(Invalid, WrongGuess):
    """The code is not of now, was used before, or is none."""

    code = "wrong_code"


class SecondFactorStands(Conflict):
    """There is a confirmed second factor already."""

    code = "second_factor_enabled"


class NoSecondFactor(Conflict):
    """There is nothing to confirm or to renew."""

    code = "no_second_factor"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app must be told, in letters and as an address for a QR code."""

    secret: str
    uri: str


def enrol(*, user: User, by: Access, password: str, now: datetime) -> Enrolment:
    """Give the caller a new seed, which counts from its confirmation on.

    Raises:
        WrongPassword: an open session alone must not be enough to lock its owner out.
        SecondFactorStands: the present one must be disabled first.

    """
    _refuse_others(user, by)
    passwords.prove(user, password, pointer="/password", now=now)
    seed = codes.new_seed()
    with transaction.atomic():
        SecondFactor.objects.filter(user=user, confirmed_at=None).delete()
        _, made = SecondFactor.objects.get_or_create(user=user, defaults={"sealed": seal(seed), "made_at": now})
        if not made:
            raise SecondFactorStands("a second factor is enabled already; disable it first")
    return Enrolment(seed, codes.seed_uri(seed, user.username))


def confirm(*, user: User, by: Access, code: str, now: datetime) -> list[str]:
    """Let the second factor count, shown that the app has it; return the recovery codes, which are not kept.

    Raises:
        WrongCode: the app shows another one.
        NoSecondFactor: nothing waits to be confirmed.

    """
    _refuse_others(user, by)
    waiting = SecondFactor.objects.filter(user=user, confirmed_at=None)
    factor = waiting.first()
    if factor is None:
        raise NoSecondFactor("nothing waits to be confirmed; ask for a secret first")
    with attempt(about_person(user.pk), now=now):
        step = codes.step_of(code, unseal(factor.sealed), now)
        if step is None:
            raise WrongCode("this is not the code that the app shows now", pointer="/otp")
    with transaction.atomic():
        if not waiting.filter(sealed=factor.sealed).update(confirmed_at=now, last_step=step):
            raise NoSecondFactor("the secret was replaced meanwhile; begin again")
        events.publish(SecondFactorChanged(user_id=user.pk, detail={"change": "enabled"}))
        return _new_codes(user)


@transaction.atomic
def disable(*, user: User, by: Access, now: datetime) -> None:
    """Take the second factor away: the own one, or as an administrator that of somebody who has lost it.

    Raises:
        ReauthenticationRequired: the caller's last proof was too long ago.
        NoSecondFactor: there is none.

    """
    _refuse_keys(by)
    if by.user_id != user.pk:
        by.require(Role.ADMIN, None)
    require_recent(by=by, now=now)
    RecoveryCode.objects.filter(user=user).delete()
    if not SecondFactor.objects.filter(user=user).delete()[0]:
        raise NoSecondFactor("there is no second factor")
    events.publish(SecondFactorChanged(user_id=user.pk, detail={"change": "disabled"}))


@transaction.atomic
def renew_recovery_codes(*, user: User, by: Access, now: datetime) -> list[str]:
    """Return new recovery codes; those of before are void. Raises as ``disable``."""
    _refuse_others(user, by)
    require_recent(by=by, now=now)
    if second_factor_of(user.pk) is None:
        raise NoSecondFactor("recovery codes belong to a second factor, and there is none")
    events.publish(SecondFactorChanged(user_id=user.pk, detail={"change": "codes renewed"}))
    return _new_codes(user)


def spend_code(*, factor: SecondFactor, code: str, now: datetime) -> None:
    """Take a code of the app or a recovery code, each of which is good once. Call it inside an ``attempt``.

    Raises:
        WrongCode: it is none, or was used before.

    """
    spend = _spent_step if codes.is_of_app(code) else _spent_recovery
    if not spend(factor, code, now):
        raise WrongCode("the code is wrong, or was used before", pointer="/otp")


def new_recovery_codes() -> list[str]:
    """Return codes as they are shown, once."""
    return [codes.grouped(get_random_string(codes.LETTERS, codes.ALPHABET)) for _ in range(codes.RECOVERY_CODES)]


def hash_of(code: str) -> str:
    """Return what is kept of a recovery code."""
    return digest(codes.plain_recovery_code(code))


def _spent_step(factor: SecondFactor, code: str, now: datetime) -> bool:
    step = codes.step_of(code, unseal(factor.sealed), now)
    if step is None:
        return False
    # One statement: of any number who show the same code at once, one is let in.
    return bool(SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step))


@transaction.atomic
def _spent_recovery(factor: SecondFactor, code: str, now: datetime) -> bool:
    found = RecoveryCode.objects.filter(user=factor.user_id, digest=hash_of(code))
    if not found.delete()[0]:
        return False
    events.publish(SecondFactorChanged(user_id=factor.user_id, detail={"change": "code used"}))
    return True


def _new_codes(user: User) -> list[str]:
    made = new_recovery_codes()
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=hash_of(code)) for code in made])
    return made


def _refuse_others(user: User, by: Access) -> None:
    _refuse_keys(by)
    if by.user_id != user.pk:
        raise NotByKey("only the person itself does this")


def _refuse_keys(by: Access) -> None:
    if by.scope is not None:
        raise NotByKey("a key has no second factor")


def reseal_seeds() -> int:
    """Encrypt with SECRET_KEY what was encrypted with one of SECRET_KEY_FALLBACKS; return of how many people."""
    count = 0
    for factor in SecondFactor.objects.order_by("pk"):
        # Whom no key helps any more has recovery codes, or an admin.
        with suppress(Unreadable):
            anew = resealed(factor.sealed)
            if anew != factor.sealed:
                count += SecondFactor.objects.filter(pk=factor.pk, sealed=factor.sealed).update(sealed=anew)
    return count
