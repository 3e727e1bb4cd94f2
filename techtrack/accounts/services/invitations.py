"""Invitations: made by administrators, sent by letter, accepted once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Invitation, InvitedRole, User
from techtrack.accounts.services import links
from techtrack.accounts.services.letters import owe
from techtrack.accounts.services.sites import hold_roles
from techtrack.accounts.services.step_up import require_recent
from techtrack.accounts.services.users import add_roles
from techtrack.core.auditing import tell_changed
from techtrack.core.errors import Conflict, Invalid, NotFound, Stale

GOOD_FOR = timedelta(days=7)
Roles = Mapping[int | None, Role]


class InvitationOver(Conflict):
    """It was accepted; there is nothing to change or to send any more."""

    code = "invitation_over"


class NoRole(Invalid):
    """Whoever is invited must become something somewhere."""

    code = "no_role"


@transaction.atomic
def invite(*, by: Access, email: str, roles: Roles, now: datetime) -> Invitation:
    """Ask whoever reads the letters to ``email`` to join with ``roles``; the same whether they have an account or not.

    Raises:
        Forbidden: ``by`` does not administer every place of ``roles``.
        ReauthenticationRequired: it makes somebody powerful, and the caller's last proof was too long ago.
        NoRole: there are none.
    """
    _authorise(by, roles)
    require_recent(by=by, now=now)
    stamps = {"created_at": now, "updated_at": now}
    made = Invitation.objects.create(email=email, invited_by_id=by.user_id, expires_at=now + GOOD_FOR, **stamps)
    _write_roles(made, roles)
    owe("invite", invitation=made)
    return made


@transaction.atomic
def update_invitation(
    *, invitation: Invitation, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> Invitation:
    """Change the ``roles`` or the ``email`` of an open invitation; another address gets a letter of its own.

    Raises:
        InvitationOver: it was accepted.
        Forbidden, NoRole: as ``invite`` does.
    """
    roles = changes.get("roles", _roles(invitation))
    _authorise(by, _roles(invitation) | dict(roles))
    require_recent(by=by, now=now)
    email = changes.get("email", invitation.email)
    moved = email != invitation.email
    if roles == {}:
        raise NoRole("at least one role is needed", pointer="/roles")
    # Locked: it is not accepted while it changes.
    _hold(invitation)
    invitation.change(expected=expected, now=now, email=email, **({"expires_at": now + GOOD_FOR} if moved else {}))
    _write_roles(invitation, roles)
    if moved:
        owe("invite", invitation=invitation)
    return invitation


@transaction.atomic
def resend_invitation(*, invitation: Invitation, by: Access, now: datetime) -> Invitation:
    """Send the letter again, with seven more days; raises as ``update_invitation`` does."""
    _authorise(by, _roles(invitation))
    _hold(invitation)
    invitation.change(expected=None, now=now, expires_at=now + GOOD_FOR)
    owe("invite", invitation=invitation)
    return invitation


@transaction.atomic
def withdraw_invitation(*, invitation: Invitation, by: Access, expected: int | None) -> None:
    """Remove an invitation: its link opens nothing any more. What was accepted stays accepted."""
    _authorise(by, _roles(invitation))
    invitation.remove(expected=expected)


def read_invitation(*, key: str, now: datetime, pointer: str = "/key") -> Invitation:
    """Return the open invitation that a key is for.

    Raises:
        LinkNotValid: there is none: it was accepted, withdrawn, or its time is over; or who invited may not any more.
    """
    facts = links.read(links.INVITE, key, now=now, pointer=pointer)
    found = Invitation.objects.select_related("invited_by").filter(pk=facts["invitation"]).first()
    good = found and found.open(now) and links.mark_of(found.email) == facts["to"]
    if not (found and good and _stands(found)):
        raise links.LinkNotValid(pointer=pointer)
    return found


@transaction.atomic
def accept(*, invitation: Invitation, user: User, now: datetime, pointer: str = "/key") -> None:
    """Give ``user`` the roles of an invitation, if nobody was faster; none that is held becomes less.

    Raises:
        LinkNotValid: somebody was, or it has changed since it was read.
    """
    hold_roles()
    try:
        # As it was read, when it was open: of any number of people at once one changes it.
        invitation.change(expected=invitation.version, now=now, accepted_at=now, accepted_by=user)
    except (Stale, NotFound):
        raise links.LinkNotValid(pointer=pointer) from None
    add_roles(user=user, roles=_roles(invitation))


def accept_as(*, key: str, by: Access, now: datetime) -> User:
    """Accept an invitation with the account that the caller has; raises as ``read_invitation`` does."""
    user = User.objects.get(pk=by.user_id)
    accept(invitation=read_invitation(key=key, now=now), user=user, now=now)
    return user


def _authorise(by: Access, roles: Roles) -> None:
    if not roles:
        raise NoRole("at least one role is needed", pointer="/roles")
    # An administrator of a place is everything there: who may invite to it has every role that is given.
    for site in roles:
        by.require(Role.ADMIN, site)


def _stands(invitation: Invitation) -> bool:
    """Tell whether who invited could still do so."""
    may = invitation.invited_by.access()
    roles = _roles(invitation)
    return bool(roles) and all(may.allows(Role.ADMIN, site) for site in roles)


def _hold(invitation: Invitation) -> None:
    held = Invitation.objects.select_for_update(of=("self",)).filter(pk=invitation.pk, accepted_at=None)
    if not held.exists() and Invitation.objects.filter(pk=invitation.pk).exists():
        raise InvitationOver("this invitation was accepted")


def _roles(invitation: Invitation) -> dict[int | None, Role]:
    return {row.site_id: Role(row.role) for row in InvitedRole.objects.filter(invitation=invitation)}


def _write_roles(invitation: Invitation, roles: Roles) -> None:
    held = _roles(invitation)
    before, after = ({str(site or "all"): str(role) for site, role in one.items()} for one in (held, roles))
    tell_changed(invitation, {"roles": before}, {"roles": after})
    InvitedRole.objects.filter(invitation=invitation).delete()
    InvitedRole.objects.bulk_create(
        InvitedRole(invitation=invitation, site_id=site, role=role) for site, role in roles.items()
    )
