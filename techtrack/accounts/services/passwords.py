"""Passwords: whether one is good enough, whether it is the caller's own, and its hash."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from techtrack.accounts.domain.lockout import WrongGuess, about_person
from techtrack.accounts.models import User
from techtrack.accounts.services.lockout import attempt
from techtrack.core.errors import Fault, Invalid


class WeakPassword(Invalid):
    """The password is short, common, all digits, or like the person it belongs to."""

    code = "weak_password"


class WrongPassword(Invalid, WrongGuess):
    """The password given as proof is not the caller's."""

    code = "wrong_password"


class PasswordMissing(Invalid):
    """There is no password to compare; nothing was guessed."""

    code = "wrong_password"


def hashed(password: str, *, owner: User) -> str:
    """Return the hash of a password that is good enough for ``owner``, who need not be saved yet.

    Call it before the transaction: hashing is slow on purpose, and SQLite has one writer.

    Raises:
        WeakPassword: it is not; one fault for each reason.

    """
    try:
        validate_password(password, owner)
    except ValidationError as error:
        faults = [Fault("/password", one.code or WeakPassword.code, " ".join(one.messages)) for one in error.error_list]
        raise WeakPassword(" ".join(error.messages), faults=faults) from None
    return make_password(password)


def prove(user: User, password: str | None, *, pointer: str, now: datetime) -> None:
    """Pass if ``password`` is the user's own. Call it outside of a transaction, which would undo what it counts.

    Raises:
        PasswordMissing, WrongPassword: it is missing or another one.
        TooMany: there were too many wrong ones; a session left open is no place to guess.

    """
    if password is None:
        raise PasswordMissing("the password you have now is needed for this", pointer=pointer)
    with attempt(about_person(user.pk), now=now):
        if not user.check_password(password):
            raise WrongPassword("this is not your password", pointer=pointer)
