"""Every write to people, sites, sessions and keys, in one module per subject."""

from techtrack.accounts.services.callers import Caller, by_key, by_token, recognise
from techtrack.accounts.services.ending import end_other_sessions, end_session, end_sessions_of
from techtrack.accounts.services.erasure import personal_data
from techtrack.accounts.services.invitations import (
    InvitationOver,
    accept_as,
    invite,
    read_invitation,
    resend_invitation,
    update_invitation,
    withdraw_invitation,
)
from techtrack.accounts.services.keys import (
    create_key,
    note_key,
    revoke_key,
    revoke_keys_of_asset,
    rotate_key,
    update_key,
)
from techtrack.accounts.services.letters import write_letter
from techtrack.accounts.services.limits import forget_full, give_back, spend
from techtrack.accounts.services.links import LinkNotValid
from techtrack.accounts.services.lockout import attempt, clear_lockout, forget_failures
from techtrack.accounts.services.proving import (
    SecondFactorRequired,
    WrongCredentials,
    prove_person,
    reauthenticate,
)
from techtrack.accounts.services.recovery import ask_reset, confirm_reset, read_reset, welcome
from techtrack.accounts.services.registration import RegistrationClosed, make_account, register
from techtrack.accounts.services.second_factor import Enrolment, confirm, disable, enrol, renew_recovery_codes
from techtrack.accounts.services.sessions import (
    BadRefreshToken,
    Tokens,
    forget_sessions,
    log_in,
    log_out,
    log_out_of,
    note_session,
    open_session,
    refresh,
    start_session,
)
from techtrack.accounts.services.setup import complete_setup, issue_setup_secret
from techtrack.accounts.services.sites import create_site, delete_site, hold_roles, update_site
from techtrack.accounts.services.step_up import ReauthenticationRequired, require_recent
from techtrack.accounts.services.tickets import TICKET_SECONDS, issue_ticket, redeem_ticket
from techtrack.accounts.services.users import (
    LastAdmin,
    create_user,
    delete_user,
    erase_self,
    keep_an_admin,
    revoke_sessions,
    set_password,
    update_user,
)
from techtrack.accounts.services.verification import AddressTaken, NothingToVerify, ask_to_verify, verify

__all__ = [
    "TICKET_SECONDS",
    "AddressTaken",
    "BadRefreshToken",
    "Caller",
    "Enrolment",
    "InvitationOver",
    "LastAdmin",
    "LinkNotValid",
    "NothingToVerify",
    "ReauthenticationRequired",
    "RegistrationClosed",
    "SecondFactorRequired",
    "Tokens",
    "WrongCredentials",
    "accept_as",
    "ask_reset",
    "ask_to_verify",
    "attempt",
    "by_key",
    "by_token",
    "clear_lockout",
    "complete_setup",
    "confirm",
    "confirm_reset",
    "create_key",
    "create_site",
    "create_user",
    "delete_site",
    "delete_user",
    "disable",
    "end_other_sessions",
    "end_session",
    "end_sessions_of",
    "enrol",
    "erase_self",
    "forget_failures",
    "forget_full",
    "forget_sessions",
    "give_back",
    "hold_roles",
    "invite",
    "issue_setup_secret",
    "issue_ticket",
    "keep_an_admin",
    "log_in",
    "log_out",
    "log_out_of",
    "make_account",
    "note_key",
    "note_session",
    "open_session",
    "personal_data",
    "prove_person",
    "read_invitation",
    "read_reset",
    "reauthenticate",
    "recognise",
    "redeem_ticket",
    "refresh",
    "register",
    "renew_recovery_codes",
    "require_recent",
    "resend_invitation",
    "revoke_key",
    "revoke_keys_of_asset",
    "revoke_sessions",
    "rotate_key",
    "set_password",
    "spend",
    "start_session",
    "update_invitation",
    "update_key",
    "update_site",
    "update_user",
    "verify",
    "welcome",
    "withdraw_invitation",
    "write_letter",
]
