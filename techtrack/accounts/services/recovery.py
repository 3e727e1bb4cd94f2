"""Forgotten passwords: a letter to a verified address, whose link sets a new one, once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.domain.lockout import network_of
from techtrack.accounts.events import PasswordChanged
from techtrack.accounts.models import Lockout, User
from techtrack.accounts.services import limits, links, passwords
from techtrack.accounts.services.letters import belongs_to_another, owe, spend_on
from techtrack.accounts.services.users import revoke_sessions
from techtrack.core import events
from techtrack.core.errors import Invalid, NotFound, Stale


class NoAddress(Invalid):
    """The account has no e-mail address to which a letter could go."""

    code = "no_address"


@transaction.atomic
def ask_reset(*, name: str, address: str, now: datetime) -> None:
    """Let a letter be sent to whoever has this name or verified e-mail address; nobody is told whether that is anybody.

    Who it is, is looked up when the letter is sent: here the same is done for every name.

    Raises:
        TooMany: it was asked too often from ``address``, where the caller is, or for this name.
    """
    limits.spend("reset", network_of(address), now=now)
    spend_on(name, now=now)
    owe("reset", text=name)


@transaction.atomic
def welcome(*, user: User, by: Access) -> None:
    """Let somebody set a password, at an administrator's word also through an address that is not verified yet.

    Raises:
        NoAddress: the account has none.
    """
    by.require(Role.ADMIN, None)
    if not user.email:
        raise NoAddress("this account has no e-mail address")
    owe("welcome", user=user)


def read_reset(*, key: str, now: datetime) -> User:
    """Return the account whose password a key may set.

    Raises:
        LinkNotValid: none: it was used, its time is over, or the password or the address has changed since.
    """
    facts = links.read(links.RESET, key, now=now)
    user = User.objects.filter(pk=facts["user"], is_active=True).first()
    if user is None or links.state_of(user) != facts["state"]:
        raise links.LinkNotValid
    return user


def confirm_reset(*, key: str, password: str, now: datetime) -> User:
    """Set a new password by the key of a letter, and end every session of its account.

    Raises:
        LinkNotValid: as ``read_reset`` does; also for all but one of those who use it at once.
        WeakPassword: the password is not good enough; the key stays good.
    """
    user = read_reset(key=key, now=now)
    columns: dict[str, Any] = {"password": passwords.hashed(password, owner=user)}
    if user.email_verified_at is None and not belongs_to_another(user.email, user):
        # The key has come by a letter to it.
        columns |= {"email_verified_at": now, "new_email": ""}
    with transaction.atomic():
        try:
            # The key speaks of the person as read: whoever finds that unchanged has won, and used the key up.
            user.change(expected=user.version, now=now, **columns)
        except (Stale, NotFound):
            raise links.LinkNotValid from None
        revoke_sessions(user=user, now=now)
        # Whoever reads the letters is not the one who guessed.
        Lockout.objects.filter(user=user).delete()
        events.publish(PasswordChanged(user_id=user.pk, detail={"by": "letter"}))
        owe("password_changed", user=user)
    return user
