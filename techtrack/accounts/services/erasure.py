"""Erasure: what is left of a person elsewhere when the account goes, and what the person may take along before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session as BrowserSession

from techtrack.accounts.domain.access import Access
from techtrack.accounts.events import PersonalDataAsked
from techtrack.accounts.models import (
    ApiKey,
    Invitation,
    Lockout,
    Membership,
    OneTimeSecret,
    RecoveryCode,
    SecondFactor,
    Session,
    User,
)
from techtrack.accounts.services.step_up import require_recent
from techtrack.core import events
from techtrack.core.models import IdempotencyRecord
from techtrack.core.rows import Section, naming

SECRETS = {"password", "digest", "old_digest", "sealed", "key"}


def personal_data(*, by: Access, now: datetime) -> Iterator[Section]:
    """Return everything stored about the caller, table by table: its name and its rows, without secrets.

    Raises:
        ReauthenticationRequired: a person with a second factor has not shown it a moment ago.
    """
    require_recent(by=by, now=now)
    return _sections(by.user_id)


def _sections(person: int) -> Iterator[Section]:
    yield naming(User, person, "pk", hidden=SECRETS)
    yield naming(Membership, person, "user")
    for model in (Session, SecondFactor, RecoveryCode, OneTimeSecret, Lockout):
        yield naming(model, person, "user", hidden=SECRETS)
    yield naming(ApiKey, person, "created_by", hidden=SECRETS)
    yield naming(Invitation, person, "invited_by", "accepted_by")
    yield naming(LogEntry, person, "user")
    # What rungs above this one know of the person.
    yield from events.ask(PersonalDataAsked(person))


def forget_elsewhere(user: User) -> None:
    """Remove what names ``user`` and no foreign key leads to; call it in the transaction that removes the account."""
    keys = ApiKey.objects.filter(created_by=user).values_list("pk", flat=True)
    principals = [f"user:{user.pk}", *(f"key:{pk}" for pk in keys)]
    words = [user.username, user.email, user.new_email, user.first_name, user.last_name, user.get_full_name()]
    IdempotencyRecord.forget(principals, words)
    Invitation.objects.filter(accepted_by=user).delete()
    if user.email and user.email_verified_at:
        Invitation.objects.filter(email__iexact=user.email).delete()
    about = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=about, object_id=str(user.pk)).update(object_repr="", change_message="")
    _end_browsers(user)


def _end_browsers(user: User) -> None:
    """Remove the person's browser sessions: their table does not say whose they are."""
    engine: Any = import_module(settings.SESSION_ENGINE)
    if engine.SessionStore is not BrowserSession.get_session_store_class():
        return
    mine = [
        row.session_key
        for row in BrowserSession.objects.iterator()
        if str(row.get_decoded().get(SESSION_KEY)) == str(user.pk)
    ]
    BrowserSession.objects.filter(pk__in=mine).delete()
