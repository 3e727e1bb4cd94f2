"""People: made, changed and removed, with the promise that an administrator always remains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.domain.zones import check_zone
from techtrack.accounts.events import PasswordChanged, RolesChanged, SessionsEnded, UserDeleting
from techtrack.accounts.models import Membership, Session, User
from techtrack.accounts.queries import session_behind
from techtrack.accounts.services import passwords
from techtrack.accounts.services.erasure import forget_elsewhere
from techtrack.accounts.services.letters import owe
from techtrack.accounts.services.sites import hold_roles
from techtrack.accounts.services.step_up import require_recent
from techtrack.accounts.services.verification import readdressed, tell_of_address
from techtrack.core import events
from techtrack.core.errors import Conflict, Forbidden

Roles = Mapping[int | None, Role]
_COLUMNS = frozenset({"username", "first_name", "last_name", "time_zone", "is_active"})


class LastAdmin(Conflict):
    """Without this person nobody could administer the platform any more."""

    code = "last_admin"


def draft_user(*, profile: Mapping[str, Any], password: str | None, now: datetime) -> User:
    """Return a user that is not saved yet, its password checked and hashed; without one nobody can log in as it.

    Raises:
        WeakPassword: the password is not good enough for this person.

    """
    user = User(**_tidy(profile), date_joined=now, created_at=now, updated_at=now)
    if password is None:
        user.set_unusable_password()
    else:
        user.password = passwords.hashed(password, owner=user)
    return user


def create_user(*, by: Access, profile: Mapping[str, Any], password: str | None, roles: Roles, now: datetime) -> User:
    """Make an account with roles; for administrators, who vouch for its e-mail address."""
    by.require(Role.ADMIN, None)
    require_recent(by=by, now=now)
    vouched = now if profile.get("email") else None
    user = draft_user(profile={**profile, "email_verified_at": vouched}, password=password, now=now)
    with transaction.atomic():
        hold_roles()
        user.save(force_insert=True)
        _set_roles(user, roles)
    return user


def update_user(*, user: User, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> User:
    """Change an account: an administrator every one, a person the own.

    ``changes`` may hold profile fields, ``is_active``, ``roles`` (all of them, by site), ``password`` and, for
    a person who changes the own password, ``current_password``.

    Raises:
        Forbidden: the account is somebody else's, or the change is for administrators.
        UnknownTimeZone: ``time_zone`` names none.
        WrongPassword, WeakPassword: the password was not proven, or the new one is not good enough.
        AddressTaken: another account has the e-mail address that an administrator gives.
        LastAdmin: nobody would be left to administer.

    """
    _authorise(user, by, changes)
    if "time_zone" in changes:
        check_zone(changes["time_zone"], pointer="/time_zone")
    changes = _tidy(changes)
    if _is_dangerous(user, changes):
        require_recent(by=by, now=now)
    columns = _columns(user, by, changes, now)
    touches_admins = "roles" in changes or "is_active" in changes
    before = user.email if user.email_verified_at else ""
    with transaction.atomic(), keep_an_admin() if touches_admins else nullcontext():
        user.change(expected=expected, now=now, **columns)
        if "roles" in changes:
            _set_roles(user, changes["roles"])
        _end_sessions(user, by, columns, now)
        _tell(user, columns, before)
    return user


def delete_user(*, user: User, by: Access, expected: int | None, now: datetime) -> None:
    """Remove an account and what belongs to it alone, after ``UserDeleting``; for administrators.

    Raises:
        LastAdmin: nobody would be left to administer.

    """
    by.require(Role.ADMIN, None)
    require_recent(by=by, now=now)
    _remove(user, expected)


def erase_self(*, user: User, by: Access, password: str, expected: int | None, now: datetime) -> None:
    """Remove the caller's own account, proven by its password; raises as ``delete_user`` does."""
    if by.user_id != user.pk:
        raise Forbidden("only the person itself may do this")
    require_recent(by=by, now=now)
    passwords.prove(user, password, pointer="/password", now=now)
    _remove(user, expected)


def set_password(*, user: User, password: str | None, now: datetime) -> User:
    """Write a password that the caller has checked, None for none at all, and end every session of ``user``."""
    encoded = make_password(password)
    with transaction.atomic():
        user.change(expected=None, now=now, password=encoded)
        revoke_sessions(user=user, now=now)
        events.publish(PasswordChanged(user_id=user.pk))
        if password is not None:
            owe("password_changed", user=user)
    return user


@transaction.atomic
def revoke_sessions(*, user: User, now: datetime, keep: str | None = None) -> None:
    """End every session of ``user`` but the one called ``keep``."""
    rows = Session.objects.filter(user=user, revoked_at=None)
    count = (rows.exclude(pk=keep) if keep else rows).update(revoked_at=now)
    if count:
        events.publish(SessionsEnded(user_id=user.pk, detail={"count": count}))


@contextmanager
def keep_an_admin() -> Iterator[None]:
    """Run writes, inside a transaction, that must leave an active administrator for all sites.

    Raises:
        LastAdmin: they did not; let it leave the transaction, so that they are undone.

    """
    # Two cannot take away each other: the second waits here, and then counts what the first has left.
    hold_roles()
    active = _admins().filter(user__is_active=True)
    had_one = active.exists()
    yield
    if had_one and not active.all().exists():
        raise LastAdmin("the last administrator for all sites cannot be removed, demoted or deactivated")


def _admins() -> QuerySet[Membership]:
    return Membership.objects.filter(site=None, role=Role.ADMIN)


def _is_dangerous(user: User, changes: Mapping[str, Any]) -> bool:
    """Tell whether somebody's way in, or what it leads to, would change."""
    now = {"roles": _roles(user), "is_active": user.is_active, "email": user.email}
    return "password" in changes or any(changes.get(name, held) != held for name, held in now.items())


def _columns(user: User, by: Access, changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    columns = {name: value for name, value in changes.items() if name in _COLUMNS}
    if "email" in changes:
        columns |= readdressed(user, by, changes, now)
    if "password" in changes:
        columns["password"] = _new_password(user, by, changes, now)
    if "roles" in changes and _roles(user).get(None) == Role.ADMIN != changes["roles"].get(None):
        # Django's admin asks for these alone: who is no administrator any more must not keep a way back.
        columns |= {"is_staff": False, "is_superuser": False}
    return columns


def _tell(user: User, columns: Mapping[str, Any], before: str) -> None:
    """Owe the letters about what was changed; ``before`` is the verified address of until now."""
    if "email_verified_at" in columns or "new_email" in columns:
        tell_of_address(user, before)
    if "password" in columns:
        events.publish(PasswordChanged(user_id=user.pk))
        owe("password_changed", user=user)


def _authorise(user: User, by: Access, changes: Mapping[str, Any]) -> None:
    if by.allows(Role.ADMIN, None):
        return
    if by.user_id != user.pk:
        raise Forbidden("only an administrator changes the accounts of others")
    # Sending back what one has read is no change.
    if changes.get("is_active", user.is_active) != user.is_active or changes.get("roles", _roles(user)) != _roles(user):
        raise Forbidden("only an administrator changes roles and activity")


def _new_password(user: User, by: Access, changes: Mapping[str, Any], now: datetime) -> str:
    if by.user_id == user.pk:
        # A session left open must not be enough to take the account over.
        passwords.prove(user, changes.get("current_password"), pointer="/current_password", now=now)
    profile = {name: changes.get(name, getattr(user, name)) for name in _COLUMNS | {"email"}}
    return passwords.hashed(changes["password"], owner=User(**profile))


def _end_sessions(user: User, by: Access, columns: Mapping[str, Any], now: datetime) -> None:
    if not user.is_active:
        revoke_sessions(user=user, now=now)
    elif "password" in columns:
        revoke_sessions(user=user, now=now, keep=session_behind(by) if by.user_id == user.pk else None)


def _remove(user: User, expected: int | None) -> None:
    with transaction.atomic(), keep_an_admin():
        events.publish(UserDeleting(user.pk))
        forget_elsewhere(user)
        user.remove(expected=expected)


def add_roles(*, user: User, roles: Roles) -> None:
    """Give ``user`` roles beside those that are held, of which none becomes less; whoever calls it holds all roles."""
    held = {row.site_id: Role(row.role) for row in Membership.objects.filter(user=user)}
    more = {site: role for site, role in roles.items() if site not in held or not held[site].includes(role)}
    _set_roles(user, held | more)


def _set_roles(user: User, roles: Roles) -> None:
    before = {site: Role(row.role) for site, row in _held(user).items()}
    _write_roles(user, roles)
    if before != dict(roles):
        events.publish(RolesChanged(user_id=user.pk, detail={"before": _told(before), "after": _told(roles)}))


def _write_roles(user: User, roles: Roles) -> None:
    held = _held(user)
    Membership.objects.filter(pk__in=[held[site].pk for site in held if site not in roles]).delete()
    for site, role in roles.items():
        # A row that stays as it is keeps its identity: it may be the one that another transaction waits for.
        if site not in held:
            Membership.objects.create(user=user, site_id=site, role=role)
        elif held[site].role != role:
            Membership.objects.filter(pk=held[site].pk).update(role=role)


def _held(user: User) -> dict[int | None, Membership]:
    return {membership.site_id: membership for membership in Membership.objects.filter(user=user)}


def _told(roles: Roles) -> dict[str, str]:
    return {"all" if site is None else str(site): str(role) for site, role in roles.items()}


def _roles(user: User) -> dict[int | None, Role]:
    return {membership.site_id: Role(membership.role) for membership in user.memberships.all()}


def _tidy(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Write names as they are compared: Unicode in normal form, the host of an address in lower case."""
    tidy = dict(profile)
    if "username" in tidy:
        tidy["username"] = User.normalize_username(tidy["username"])
    if "email" in tidy:
        tidy["email"] = User.objects.normalize_email(tidy["email"])
    return tidy
