"""Every write to people, sites, sessions and keys, in one module per subject."""

from techtrack.accounts.services.callers import Caller, by_key, by_token, recognise
from techtrack.accounts.services.keys import (
    create_key,
    note_key,
    revoke_key,
    revoke_keys_of_asset,
    rotate_key,
    update_key,
)
from techtrack.accounts.services.sessions import (
    BadRefreshToken,
    Tokens,
    WrongCredentials,
    log_in,
    log_out,
    note_session,
    refresh,
    register,
    start_session,
)
from techtrack.accounts.services.setup import complete_setup, issue_setup_secret
from techtrack.accounts.services.sites import create_site, delete_site, update_site
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

__all__ = [
    "TICKET_SECONDS",
    "BadRefreshToken",
    "Caller",
    "LastAdmin",
    "Tokens",
    "WrongCredentials",
    "by_key",
    "by_token",
    "complete_setup",
    "create_key",
    "create_site",
    "create_user",
    "delete_site",
    "delete_user",
    "erase_self",
    "issue_setup_secret",
    "issue_ticket",
    "keep_an_admin",
    "log_in",
    "log_out",
    "note_key",
    "note_session",
    "recognise",
    "redeem_ticket",
    "refresh",
    "register",
    "revoke_key",
    "revoke_keys_of_asset",
    "revoke_sessions",
    "rotate_key",
    "set_password",
    "start_session",
    "update_key",
    "update_site",
    "update_user",
]
