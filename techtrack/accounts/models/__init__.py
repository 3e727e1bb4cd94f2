"""Tables of people, places and credentials, a module per subject."""

from techtrack.accounts.models.audit import AuditCheckpoint, AuditEntry, AuditEntryQuerySet, AuditWord
from techtrack.accounts.models.credentials import ApiKey, ApiKeyQuerySet, OneTimeSecret, RefreshToken, Session
from techtrack.accounts.models.guard import Allowance, Lockout, LockoutQuerySet, RecoveryCode, SecondFactor
from techtrack.accounts.models.invitations import Invitation, InvitationQuerySet, InvitedRole
from techtrack.accounts.models.people import Membership, Site, SiteQuerySet, User, UserManager, UserQuerySet

__all__ = [
    "Allowance",
    "ApiKey",
    "ApiKeyQuerySet",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditEntryQuerySet",
    "AuditWord",
    "Invitation",
    "InvitationQuerySet",
    "InvitedRole",
    "Lockout",
    "LockoutQuerySet",
    "Membership",
    "OneTimeSecret",
    "RecoveryCode",
    "RefreshToken",
    "SecondFactor",
    "Session",
    "Site",
    "SiteQuerySet",
    "User",
    "UserManager",
    "UserQuerySet",
]
