"""The one place where a person proves who they are: limits, lockout, one hash, and the second factor."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.lockout import WrongGuess, about_name, about_person, from_address, network_of
from techtrack.accounts.events import LoginFailed, Reauthenticated
from techtrack.accounts.models import Session, User
from techtrack.accounts.queries import find_person, second_factor_of
from techtrack.accounts.services import limits, passwords
from techtrack.accounts.services.lockout import attempt
from techtrack.accounts.services.second_factor import WrongCode, spend_code
from techtrack.core import events
from techtrack.core.errors import Forbidden, Invalid, Unauthenticated


class WrongCredentials(Unauthenticated, WrongGuess):
    """The name, the password, or both are wrong; which one is not told."""

    code = "wrong_credentials"


class SecondFactorRequired(Unauthenticated):
    """The password is right, and a code must come with it: send all of it again with ``otp``."""

    code = "second_factor_required"


def prove_person(*, username: str, password: str, otp: str, address: str, now: datetime) -> User:
    """Return whose name and password this is; with a second factor, ``otp`` is its code or a recovery code.

    Raises:
        WrongCredentials: the same, in text and in time, for a wrong password and for an unknown or inactive user.
        SecondFactorRequired: all is right, and ``otp`` is missing.
        TooMany: there were too many wrong guesses about this name or from this address.

    """
    place = network_of(address)
    limits.spend("login", place, now=now)
    user = find_person(username)
    user_id = user.pk if user else None
    subjects = about_name(username, user_id), from_address(address)
    with attempt(*subjects, now=now):
        try:
            _compare(user, password, otp, now)
        except WrongGuess:
            with transaction.atomic():
                events.publish(LoginFailed(user_id=user_id))
            raise
    # What is right is no guessing: a script that logs in all the time is not held up.
    limits.give_back("login", place)
    assert user is not None  # noqa: S101 - nobody's password was not compared as right
    return user


def reauthenticate(*, user: User, by: Access, password: str | None, otp: str | None, now: datetime) -> None:
    """Let the session count as just begun: by a code where there is a second factor, else by the password.

    Raises:
        WrongPassword, WrongCode: it is wrong or missing.
        Forbidden: a key cannot prove who shows it.

    """
    if by.scope is not None or by.session_id is None or by.user_id != user.pk:
        raise Forbidden("only a person in a session proves who they are")
    factor = second_factor_of(user.pk)
    if factor is None:
        passwords.prove(user, password, pointer="/password", now=now)
    else:
        with attempt(about_person(user.pk), now=now):
            spend_code(factor=factor, code=_given(otp), now=now)
    with transaction.atomic():
        Session.objects.filter(pk=by.session_id, revoked_at=None).update(auth_time=now)
        events.publish(Reauthenticated(user_id=user.pk))


def compare_password(user: User | None, password: str) -> bool:
    """Compare exactly one hash, whoever it is, and tell whether somebody active has this password."""
    if user is None:
        # The same work as for a known name, so that the time does not tell which names exist.
        User().set_password(password)
        return False
    return user.check_password(password) and user.is_active


def _compare(user: User | None, password: str, otp: str, now: datetime) -> None:
    if not compare_password(user, password) or user is None:
        raise WrongCredentials("no active account has this name and password")
    factor = second_factor_of(user.pk)
    if factor is None:
        return
    if not otp:
        raise SecondFactorRequired("the code of your second factor is needed as well; send it as otp")
    try:
        spend_code(factor=factor, code=otp, now=now)
    except WrongCode:
        raise WrongCredentials("no active account has this name, password and code") from None


def _given(code: str | None) -> str:
    if not code:
        raise Invalid("the code of your second factor is needed for this", pointer="/otp")
    return code
