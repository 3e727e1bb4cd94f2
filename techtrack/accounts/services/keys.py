"""API and device keys: made by people, shown once, narrowed to what a machine needs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.crypto import get_random_string

from techtrack.accounts.domain import credentials
from techtrack.accounts.domain.access import Access, Role, Scope
from techtrack.accounts.domain.addresses import normal_networks
from techtrack.accounts.models import ApiKey, Site
from techtrack.accounts.services.step_up import require_recent
from techtrack.core.errors import Forbidden, Invalid

NOTED_EVERY = timedelta(minutes=1)
LONGEST_OVERLAP = timedelta(days=7)
# What the maker must be at the key's site: a key is never worth more than the hand that made it.
NEEDED = {Scope.READ: Role.VIEWER, Scope.INGEST: Role.OPERATOR, Scope.WRITE: Role.OPERATOR}


class NotByKey(Forbidden):
    """Credentials are handed out to people only: a leaked key must not breed."""

    code = "not_by_key"


class NotYourKey(Forbidden):
    """The key carries the authority of somebody else."""

    code = "not_your_key"


class AlreadyExpired(Invalid):
    """The key would be dead before its first use."""

    code = "already_expired"


@transaction.atomic
def create_key(  # noqa: PLR0913 - a key is this many decisions, each of them named by the caller
    *,
    by: Access,
    name: str,
    scope: Scope,
    site: Site | None,
    asset_id: int | None,
    expires_at: datetime | None,
    allowed_addresses: Sequence[str],
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key with the authority of ``by``, narrowed; return it with its text, which is not kept.

    Raises:
        Forbidden: ``by`` is a key itself, or lacks the role that the scope needs at the site.
        Invalid: the expiry has passed, or an address is none.

    """
    _authorise(by, scope, site)
    require_recent(by=by, now=now)
    _check_expiry(expires_at, now)
    prefix, text = _mint()
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        digest=credentials.digest(text),
        scope=scope,
        site=site,
        asset_id=asset_id,
        expires_at=expires_at,
        allowed_addresses=normal_networks(allowed_addresses, pointer="/allowed_addresses"),
        created_by_id=by.user_id,
        created_at=now,
        updated_at=now,
    )
    return key, text


@transaction.atomic
def update_key(*, key: ApiKey, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> ApiKey:
    """Change what a key is called and how far it reaches; raises as ``create_key`` does."""
    _authorise(by, changes.get("scope", key.scope), changes.get("site", key.site))
    require_recent(by=by, now=now)
    fields = dict(changes)
    if "expires_at" in fields and fields["expires_at"] != key.expires_at:
        _check_expiry(fields["expires_at"], now)
    if "allowed_addresses" in fields:
        fields["allowed_addresses"] = normal_networks(fields["allowed_addresses"], pointer="/allowed_addresses")
    return key.change(expected=expected, now=now, **fields)


@transaction.atomic
def rotate_key(
    *, key: ApiKey, by: Access, overlap: timedelta = timedelta(0), expected: int | None, now: datetime
) -> tuple[ApiKey, str]:
    """Give a key a new text; the old one opens as before for ``overlap``, and the one before that nothing.

    Raises:
        NotYourKey: only the maker gets the text, since whoever has it acts with the maker's authority.
        Invalid: the overlap is longer than a week.

    """
    _refuse_keys(by)
    if by.user_id != key.created_by_id:
        raise NotYourKey("only its maker rotates a key; an administrator may revoke it")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid(f"0 to {LONGEST_OVERLAP.days} days are expected", pointer="/overlap")
    require_recent(by=by, now=now)
    prefix, text = _mint()
    fields: dict[str, Any] = {"prefix": prefix, "digest": credentials.digest(text), "last_used": None}
    old = (key.prefix, key.digest, now + overlap) if overlap else (None, "", None)
    fields |= zip(("old_prefix", "old_digest", "old_until"), old, strict=True)
    # Of the version that was read: what overlaps is the text of before, not one that somebody has just made.
    return key.change(expected=key.version if expected is None else expected, now=now, **fields), text


@transaction.atomic
def revoke_key(*, key: ApiKey, by: Access, expected: int | None) -> None:
    """Remove a key; what it opened closes."""
    _refuse_keys(by)
    if by.user_id != key.created_by_id:
        by.require(Role.ADMIN, None)
    key.remove(expected=expected)


@transaction.atomic
def revoke_keys_of_asset(*, asset_id: int) -> None:
    """Remove the keys of an asset that goes away."""
    ApiKey.objects.filter(asset_id=asset_id).delete()


def note_key(*, key: ApiKey, now: datetime) -> None:
    """Remember that the key is in use; written once a minute, so that a gateway's every request is no write."""
    if key.last_used is None or now - key.last_used >= NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used=now)


def _authorise(by: Access, scope: str, site: Site | None) -> None:
    _refuse_keys(by)
    needed = NEEDED[Scope(scope)]
    if site is not None:
        by.require(needed, site.pk)
    elif by.sites(needed) == frozenset():
        raise Forbidden(f"this needs the role {needed.value} at one site at least")


def _refuse_keys(by: Access) -> None:
    if by.scope is not None:
        raise NotByKey("keys are made and changed by people, not by keys")


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise AlreadyExpired("a time in the future is expected", pointer="/expires_at")


def _mint() -> tuple[str, str]:
    prefix = get_random_string(credentials.PREFIX_LENGTH, credentials.PREFIX_ALPHABET)
    return prefix, credentials.write_key(prefix, secrets.token_urlsafe(32))
