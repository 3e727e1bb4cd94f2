"""Registration: accounts that people make for themselves, invited or not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from techtrack.accounts.domain.lockout import network_of
from techtrack.accounts.models import Invitation, User
from techtrack.accounts.services import invitations, limits
from techtrack.accounts.services.letters import belongs_to_another, owe, spend_on
from techtrack.accounts.services.sessions import Tokens, start_session
from techtrack.accounts.services.users import draft_user
from techtrack.core.errors import Forbidden, Invalid


class RegistrationClosed(Forbidden):
    """People do not make their own accounts here."""

    code = "registration_closed"


class AddressNeeded(Invalid):
    """Without an invitation nobody knows the e-mail address."""

    code = "required"


def register(
    *, profile: dict[str, Any], password: str, address: str, device: str, now: datetime
) -> tuple[User, Tokens]:
    """Make an account and log it in; with an ``invitation`` (its key, in ``profile``) it gets the roles of that.

    An e-mail address that another account has is claimed all the same: its owner hears of it, and nobody else.

    Raises:
        RegistrationClosed: the settings do not let people register themselves, or not without an invitation.
        LinkNotValid: the invitation is not valid any more.
        WeakPassword: the password is not good enough; the invitation stays good.
        TooMany: it was asked too often from ``address``, where the caller is, or with this e-mail address.
    """
    limits.spend("register", network_of(address), now=now)
    profile = dict(profile)
    with_key = profile.pop("invitation", "")
    user = make_account(profile=profile, password=password, invitation=with_key, now=now)
    return user, start_session(user=user, address=address, device=device, now=now)


def make_account(*, profile: dict[str, Any], password: str, invitation: str, now: datetime) -> User:
    """Make an account as ``register`` does, and open no session."""
    _refuse_closed(invited=bool(invitation))
    found = invitations.read_invitation(key=invitation, now=now, pointer="/invitation") if invitation else None
    profile = _addressed(profile, found, now)
    if profile["email_verified_at"] is None:
        spend_on(profile["email"], now=now)
    user = draft_user(profile=profile, password=password, now=now)
    with transaction.atomic():
        user.save(force_insert=True)
        if found:
            invitations.accept(invitation=found, user=user, now=now, pointer="/invitation")
        if user.email_verified_at is None:
            owe("verify", user=user)
    return user


def _refuse_closed(*, invited: bool) -> None:
    if settings.REGISTRATION == "closed":
        raise RegistrationClosed("accounts are made by an administrator here")
    if settings.REGISTRATION == "invite" and not invited:
        raise RegistrationClosed("accounts are made by invitation here")


def _addressed(profile: dict[str, Any], invitation: Invitation | None, now: datetime) -> dict[str, Any]:
    """Complete a profile by the address of the invitation, which its key has shown to be the person's."""
    email = profile.get("email") or (invitation.email if invitation else "")
    if not email:
        raise AddressNeeded("an e-mail address is needed", pointer="/email")
    shown = invitation is not None and email.lower() == invitation.email.lower() and not belongs_to_another(email, None)
    return {**profile, "email": email, "email_verified_at": now if shown else None}
