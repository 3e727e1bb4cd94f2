"""E-mail addresses: claimed by their owners, shown to be theirs by a letter, replaced once the new one is shown too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.accounts.services import limits, links, passwords
from techtrack.accounts.services.letters import belongs_to_another, owe, spend_on
from techtrack.core.errors import Conflict, Invalid


class AddressTaken(Conflict):
    """Another account has this address; only its owner can be told, who has read the letter."""

    code = "address_taken"


class NothingToVerify(Invalid):
    """There is no address, or it is verified already."""

    code = "nothing_to_verify"


def readdressed(user: User, by: Access, changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the columns to write for a new e-mail address, as it was tidied.

    An administrator vouches for the addresses of others. One's own takes the password, and replaces a verified one
    only when it is verified itself: until then letters and alerts go to the old one.

    Raises:
        WrongPassword: a person changes the own address without proving to be that person.
        TooMany: letters went to the new address too often.
        AddressTaken: an administrator gives somebody an address that another account has.
    """
    email = changes["email"]
    if email.lower() == user.email.lower():
        return {"email": email}
    if by.user_id != user.pk:
        if email and belongs_to_another(email, user):
            raise AddressTaken("another account has this e-mail address")
        return {"email": email, "email_verified_at": now if email else None, "new_email": ""}
    # A session left open must not be enough to take the account over.
    passwords.prove(user, changes.get("current_password"), pointer="/current_password", now=now)
    if email:
        spend_on(email, now=now)
    if email and user.email and user.email_verified_at:
        return {"new_email": email}
    return {"email": email, "email_verified_at": None, "new_email": ""}


def tell_of_address(user: User, old: str) -> None:
    """Owe the letters about a new address of ``user``; ``old`` is the verified one of before, if there was one."""
    if user.new_email or (user.email and user.email_verified_at is None):
        owe("verify", user=user)
    if old and (user.new_email or user.email != old):
        owe("address_changed", user=user, text=old)


@transaction.atomic
def ask_to_verify(*, user: User, now: datetime) -> None:
    """Let the letter be sent again that verifies the address of ``user``.

    Raises:
        NothingToVerify: it is verified, or there is none.
        TooMany: it was asked for too often.
    """
    if not user.new_email and (user.email_verified_at or not user.email):
        raise NothingToVerify("there is no e-mail address that waits to be verified")
    limits.spend("letters", f"user:{user.pk}", now=now)
    owe("verify", user=user)


@transaction.atomic
def verify(*, key: str, now: datetime) -> User:
    """Take a key out of a letter as proof that the address it went to is its account's; return the account.

    Raises:
        LinkNotValid: the key is not valid, or the account uses another address by now.
        AddressTaken: another account has shown it before.
    """
    facts = links.read(links.VERIFY, key, now=now)
    # Locked, so that two letters, or a change of the address, cannot each see what was there before the other.
    user = User.objects.select_for_update(of=("self",)).filter(pk=facts["user"], is_active=True).first()
    if user is None:
        raise links.LinkNotValid
    if user.email and links.mark_of(user.email) == facts["to"] and user.email_verified_at:
        # Opened twice, or by a mail server before its reader: the answer is the same.
        return user
    address = next((one for one in (user.new_email, user.email) if one and links.mark_of(one) == facts["to"]), None)
    if address is None:
        raise links.LinkNotValid
    if belongs_to_another(address, user):
        raise AddressTaken("another account of yours has this e-mail address; log in to that one")
    return user.change(expected=None, now=now, email=address, email_verified_at=now, new_email="")
