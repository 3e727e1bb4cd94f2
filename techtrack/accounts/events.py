"""What accounts announce."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.core.auditing import SecurityFact


@dataclass(frozen=True, slots=True)
class SiteZoneChanged:
    """The days of a site begin and end at other times now."""

    site_id: int


@dataclass(frozen=True, slots=True)
class SiteDeleting:
    """A site is about to go, in this transaction: remove what you keep of it, and tell of that."""

    site_id: int


@dataclass(frozen=True, slots=True)
class UserDeleting:
    """A person's account is about to go, in this transaction: part what is that person's from what others need."""

    user_id: int


@dataclass(frozen=True)
class LoggedIn(SecurityFact):
    """Somebody has proven who they are and got a session."""

    action = "login.succeeded"


@dataclass(frozen=True)
class LoginFailed(SecurityFact):
    """A password or a code was wrong; the name, as it was typed, is not told: people type passwords there."""

    action = "login.failed"


@dataclass(frozen=True)
class LockedOut(SecurityFact):
    """After so many wrong guesses in a row further ones are refused; nobody's name is ``user_id`` None."""

    action = "login.locked"


@dataclass(frozen=True)
class LockoutCleared(SecurityFact):
    """An administrator lets somebody try again at once."""

    action = "lockout.cleared"


@dataclass(frozen=True)
class LoggedOut(SecurityFact):
    """A person has ended the own session."""

    action = "session.logged-out"


@dataclass(frozen=True)
class TokenReused(SecurityFact):
    """A refresh token that was spent came again: somebody has a copy. Its session was ended."""

    action = "session.reuse"


@dataclass(frozen=True)
class SessionsEnded(SecurityFact):
    """So many sessions of a person were ended at once."""

    action = "session.ended"


@dataclass(frozen=True)
class PasswordChanged(SecurityFact):
    """Somebody has a new password; ``detail`` says whether a letter led to it."""

    action = "password.changed"


@dataclass(frozen=True)
class RolesChanged(SecurityFact):
    """A person is something else at some site: ``before`` and ``after`` of ``detail``."""

    action = "user.roles"


@dataclass(frozen=True)
class SecondFactorChanged(SecurityFact):
    """A second factor was enabled, disabled, its recovery codes renewed, or one of them used: ``detail`` says it."""

    action = "second-factor.changed"


@dataclass(frozen=True)
class Reauthenticated(SecurityFact):
    """A person has proven again who they are, for something dangerous."""

    action = "login.repeated"


@dataclass(frozen=True, slots=True)
class AuditNoted:
    """An entry of the audit log waits for its place in the chain."""


@dataclass(frozen=True, slots=True)
class LetterOwed:
    """A letter is to be sent: ``kind`` is verify, reset, welcome, invite, password_changed or address_changed.

    ``sealed`` is encrypted: what was typed, or an address. Whether anybody gets it is found out when it is sent.
    """

    kind: str
    user_id: int | None
    invitation_id: int | None
    sealed: str


@dataclass(frozen=True, slots=True)
class PersonalDataAsked:
    """A question: what is stored about a person? Answers are pairs of a name and an iterable of JSON objects."""

    user_id: int
