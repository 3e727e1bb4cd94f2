"""Step-up: what is dangerous asks a person with a second factor to have shown it a moment ago."""

from __future__ import annotations

from datetime import datetime, timedelta

from techtrack.accounts.domain.access import Access
from techtrack.accounts.queries import auth_time_of, second_factor_of
from techtrack.core.errors import Forbidden

RECENT = timedelta(minutes=15)


class ReauthenticationRequired(Forbidden):
    """The caller must prove again who it is, at ``/api/accounts/reauthenticate/``."""

    code = "reauthentication_required"


def require_recent(*, by: Access, now: datetime) -> None:
    """Pass if the caller's last proof is at most a quarter of an hour old.

    A person without a second factor passes: where a password is demanded, the service that demands it compares it.
    A key passes too, since a machine can prove nothing more; what no key may do is refused to keys elsewhere. And so
    does the platform itself, its commands included.

    Raises:
        ReauthenticationRequired: it is older.

    """
    if by.scope is not None or by.session_id is None or second_factor_of(by.user_id) is None:
        return
    proven = auth_time_of(by)
    if proven is None or now - proven > RECENT:
        raise ReauthenticationRequired("show who you are once more: log in, or POST /api/accounts/reauthenticate/")
