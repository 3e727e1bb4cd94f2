"""The first administrator of an empty platform, made through a link that only the console shows."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction

from techtrack.accounts.domain.access import Role
from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.models import Membership, OneTimeSecret, User
from techtrack.accounts.services.users import draft_user
from techtrack.core.errors import Forbidden
from techtrack.core.models import Head

PURPOSE = "setup"
VALID_FOR = timedelta(minutes=15)


class SetupLinkSpent(Forbidden):
    """The set-up link is unknown, too old or used, or the platform has its people already."""

    code = "setup_link_spent"


@transaction.atomic
def issue_setup_secret(*, now: datetime) -> str | None:
    """Return the secret of a set-up link, the only one that is good; None where people exist already."""
    _one_at_a_time()
    if User.objects.exists():
        return None
    OneTimeSecret.objects.filter(purpose=PURPOSE).delete()
    secret = secrets.token_urlsafe(32)
    OneTimeSecret.objects.create(digest=digest(secret), purpose=PURPOSE, expires_at=now + VALID_FOR)
    return secret


def complete_setup(*, secret: str, username: str, email: str, password: str, now: datetime) -> User:
    """Make the first administrator for all sites.

    Raises:
        SetupLinkSpent: the secret opens nothing.
        WeakPassword: the password is not good enough; the link stays good.

    """
    valid = OneTimeSecret.objects.filter(digest=digest(secret), purpose=PURPOSE, expires_at__gt=now)
    # Asked before the password is hashed, so that a stranger cannot make us hash, and once more by the deletion.
    if not valid.exists():
        raise SetupLinkSpent("this set-up link is not valid any more; start the platform again for a new one")
    # Whoever has the server's console vouches for the address.
    profile = {"username": username, "email": email, "email_verified_at": now}
    user = draft_user(profile=profile, password=password, now=now)
    user.is_staff = user.is_superuser = True
    with transaction.atomic():
        _one_at_a_time()
        if not valid.delete()[0] or User.objects.exists():
            raise SetupLinkSpent("the platform has been set up already")
        user.save(force_insert=True)
        Membership.objects.create(user=user, site=None, role=Role.ADMIN)
    return user


def _one_at_a_time() -> None:
    # No row exists yet that two set-ups could both want; the number's row lock makes the second wait for the first.
    Head.take(PURPOSE)
