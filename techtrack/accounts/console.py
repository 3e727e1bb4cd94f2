"""The audit log at a terminal: proven, or taken as it is after a backup was restored."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from techtrack.accounts.domain.chain import Broken
from techtrack.accounts.services import audit_proof, audit_seal
from techtrack.core import clock

INTACT, BROKEN = 0, 1


def verify_audit_log(*, say: Callable[[str], None]) -> int:
    """Prove the log and say in plain words what was found; return the exit code."""
    verdict = audit_proof.verify()
    if not verdict.intact:
        where = "" if verdict.position is None else f" at position {verdict.position}"
        say(f"The audit log is broken{where}: {verdict.detail}.")
        say(f"Entries proven before that: {verdict.entries}.")
        return BROKEN
    say(f"The audit log is intact: {verdict.entries} entries, from {verdict.first} to {verdict.last}.")
    say(f"Its head is {verdict.hash}.")
    if verdict.noted is None:
        say(f"No head is noted in {settings.AUDIT_HEAD}: that nothing is missing at the end cannot be proven here.")
    return INTACT


def accept_audit_log(*, reason: str, say: Callable[[str], None]) -> int:
    """Note the head of the log anew, and record that and why; return the exit code."""
    try:
        head = audit_seal.accept_head(reason=reason, now=clock.now())
    except Broken as error:
        say(f"The audit log does not hold in itself: {error.detail}.")
        return BROKEN
    say(f"The audit log ends at {head.position}; that is noted, with the reason.")
    return INTACT
