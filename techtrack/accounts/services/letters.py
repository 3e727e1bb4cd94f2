"""Letters to people: owed in the transaction of their cause, and written when they are sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from techtrack.accounts.domain.letters import Desk, Letter
from techtrack.accounts.events import LetterOwed
from techtrack.accounts.models import Invitation, User
from techtrack.accounts.queries import find_person
from techtrack.accounts.services import limits, links
from techtrack.core import events
from techtrack.core.sealing import seal, unseal


def owe(kind: str, *, user: User | None = None, invitation: Invitation | None = None, text: str = "") -> None:
    """Let a letter be sent; ``text`` is what else its writer must know, and is stored sealed.

    Nothing is looked up: whether anybody gets it shows neither in the answer nor in its time.
    """
    of_user, of_invitation = user.pk if user else None, invitation.pk if invitation else None
    events.publish(LetterOwed(kind, user_id=of_user, invitation_id=of_invitation, sealed=seal(text)))


def spend_on(address: str, *, now: datetime) -> None:
    """Take one of the letters that strangers may have sent to an address, or to whoever has a name, in a minute.

    Raises:
        TooMany: nothing is left; the same for those who are here and for those who are not.
    """
    limits.spend("letters", f"to:{links.mark_of(address)}", now=now)


def write_letter(owed: LetterOwed, *, now: datetime) -> Letter | None:
    """Return a letter as it is to be sent now; None where there is nobody, or nothing any more, to write to.

    Its key is made here, of what the database says and of SECRET_KEY: it lies nowhere.
    """
    desk = Desk(settings.PUBLIC_URL)
    if owed.kind == "invite":
        return _invitation(desk, owed, now)
    if owed.kind == "reset":
        user = _resettable(unseal(owed.sealed))
        return _reset(desk, user, links.RESET_FOR, now) if user else None
    user = User.objects.filter(pk=owed.user_id or 0, is_active=True).first()
    return _to_person(desk, owed, user, now) if user else None


def _to_person(desk: Desk, owed: LetterOwed, user: User, now: datetime) -> Letter | None:
    if owed.kind == "verify":
        return _verification(desk, user, now)
    if owed.kind == "welcome":
        return _reset(desk, user, links.WELCOME_FOR, now) if user.email else None
    if owed.kind == "address_changed":
        return desk.address_changed(unseal(owed.sealed), username=user.username)
    return desk.password_changed(user.email, username=user.username) if user.email_verified_at and user.email else None


def _verification(desk: Desk, user: User, now: datetime) -> Letter | None:
    to = user.new_email or (user.email if user.email_verified_at is None else "")
    if not to:
        return None
    if belongs_to_another(to, user):
        return desk.taken(to, username=user.username)
    facts = {"user": user.pk, "to": links.mark_of(to)}
    return desk.verify(to, username=user.username, key=links.written(links.VERIFY, facts, until=now + links.VERIFY_FOR))


def _reset(desk: Desk, user: User, good_for: timedelta, now: datetime) -> Letter:
    facts = {"user": user.pk, "state": links.state_of(user)}
    key = links.written(links.RESET, facts, until=now + good_for)
    return desk.reset(user.email, username=user.username, key=key, hours=round(good_for / timedelta(hours=1)))


def _invitation(desk: Desk, owed: LetterOwed, now: datetime) -> Letter | None:
    found = Invitation.objects.select_related("invited_by").filter(pk=owed.invitation_id or 0).first()
    if found is None or not found.open(now):
        return None
    inviter = found.invited_by.get_full_name() or found.invited_by.username
    key = links.written(
        links.INVITE, {"invitation": found.pk, "to": links.mark_of(found.email)}, until=found.expires_at
    )
    return desk.invite(found.email, inviter=inviter, key=key, until=found.expires_at)


def _resettable(name: str) -> User | None:
    """Whoever has this name and a verified address: another could be anybody's."""
    user = find_person(name)
    return user if user and user.is_active and user.email and user.email_verified_at else None


def belongs_to_another(address: str, user: User | None) -> bool:
    """Tell whether somebody else has shown that an address is theirs."""
    others = User.objects.exclude(pk=user.pk) if user else User.objects.all()
    return others.filter(email__iexact=address, email_verified_at__isnull=False).exists()
