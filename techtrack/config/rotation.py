"""Rotates the key that access tokens are signed with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from techtrack.accounts.tokens import key_id
from techtrack.config.env import BadSetting, rotate_secret


def rotate_jwt_key(*, say: Callable[[str], None]) -> int:
    """Put a new key in place of the kept one, which stays good for reading; return the exit status.

    A process knows the keys with which it started: it takes the new one when it is started again. Until all are, one
    that was may sign what another cannot read yet; clients renew such a token, as one that has run out.

    Raises:
        BadSetting: the key is not the platform's own, but comes from the environment.
    """
    path: Path = settings.HOME / "secrets" / "jwt_key"
    if not path.exists() or path.read_text(encoding="utf-8").strip() != settings.JWT_KEY:
        raise BadSetting(
            "TECHTRACK_JWT_KEY comes from the environment: put the new key there, and the present one into "
            "TECHTRACK_JWT_OLD_KEYS."
        )
    before = key_id(settings.JWT_KEY)
    rotate_secret(path)
    say(f"New tokens are signed with key {key_id(path.read_text(encoding='utf-8').strip())} after the next start.")
    say(f"Tokens of key {before} stay good until they run out; rotate again to throw it away.")
    return 0
