"""What goes on beside requests: the audit log is sealed, and what is too old of it goes."""

from __future__ import annotations

import logging

from django.conf import settings

from techtrack.accounts import browsers, services
from techtrack.accounts.services import audit, audit_seal, second_factor
from techtrack.core import clock

_log = logging.getLogger(__name__)


def seal_audit_log() -> bool:
    """Give entries of the audit log their place in the chain; True if more are waiting."""
    return audit_seal.seal_entries()


def forget_old_entries() -> bool:
    """Delete what is too old of the audit log; True if more is due."""
    return audit.forget_old_entries(now=clock.now())


def forget_old_guesses() -> bool:
    """Delete wrong guesses, allowances and sessions that say nothing any more; nothing is left to do at once."""
    now = clock.now()
    if settings.SECRET_KEY_FALLBACKS and (count := second_factor.reseal_seeds()):
        _log.warning("second factors of %s people were sealed with an older key, and are now with SECRET_KEY", count)
    services.forget_failures(now=now)
    services.forget_full(now=now)
    services.forget_sessions(now=now)
    browsers.forget_cookies()
    return False
