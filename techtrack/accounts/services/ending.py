"""Ends sessions: one's own, one by one or all others, and those of somebody else at an administrator's word."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.events import SessionsEnded
from techtrack.accounts.models import Session, User
from techtrack.accounts.queries import session_behind
from techtrack.accounts.services.users import revoke_sessions
from techtrack.core import events
from techtrack.core.errors import NotFound


@transaction.atomic
def end_session(*, session: Session, by: Access, now: datetime) -> None:
    """End a session of the caller's own, the one in hand included.

    Raises:
        NotFound: it is somebody else's, or has ended.
    """
    own = Session.objects.filter(pk=session.pk, user=by.user_id, revoked_at=None)
    if not own.update(revoked_at=now):
        raise NotFound("it has ended already")
    events.publish(SessionsEnded(user_id=by.user_id, detail={"count": 1}))


def end_other_sessions(*, by: Access, now: datetime) -> None:
    """End every session of the caller but the one in hand."""
    revoke_sessions(user=User.objects.get(pk=by.user_id), now=now, keep=session_behind(by))


def end_sessions_of(*, user: User, by: Access, now: datetime) -> None:
    """End every session of ``user``; for administrators."""
    by.require(Role.ADMIN, None)
    revoke_sessions(user=user, now=now)
