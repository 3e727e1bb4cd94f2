"""Access tokens (RFC 9068 in form): short-lived, bound to a session; the only module that knows JWT."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import jwt
from django.conf import settings
from jwt.types import Options

from techtrack.core.clock import from_micros
from techtrack.core.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = AUDIENCE = "techtrack"
LEEWAY = timedelta(seconds=30)
LONGEST = 4096
_KINDS = {"iss": str, "aud": str, "sub": str, "sid": str, "jti": str, "iat": int, "nbf": int, "exp": int}
# Times are compared here, with the clock that is passed in.
_UNCHECKED: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
_LATEST = 4_102_444_800  # the year 2100, in seconds
_LONGEST_ID = 18  # digits; every such number fits a database id


class BadToken(Unauthenticated):
    """The access token is malformed, forged, of another kind, or its time is over."""

    code = "token_not_valid"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    user_id: int
    session_id: str
    expires_at: datetime


def encode_access(user_id: int, session_id: str, now: datetime) -> str:
    """Sign an access token for a session."""
    issued = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": session_id,
        "iat": issued,
        "nbf": issued,
        "exp": issued + settings.ACCESS_TOKEN_SECONDS,
        "jti": uuid.uuid4().hex,
    }
    key = settings.JWT_KEY
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id(key), "typ": TYPE})


def key_id(key: str) -> str:
    """Return the name of a key in the tokens that it signs; it tells nothing of the key."""
    return hashlib.sha256(b"kid:" + key.encode()).hexdigest()[:8]


def decode_access(token: str, now: datetime) -> Claims:
    """Read an access token.

    Raises:
        BadToken: it is not one of ours, or not one for this moment.

    """
    payload = _verified(token)
    if any(type(payload.get(name)) is not kind for name, kind in _KINDS.items()):
        raise BadToken("a claim of the token is missing or has the wrong type")
    _check_times(payload, now)
    return Claims(
        user_id=_user_id(payload["sub"]),
        session_id=_session_id(payload["sid"]),
        expires_at=from_micros(payload["exp"] * 1_000_000),
    )


def _verified(token: str) -> dict[str, Any]:
    if len(token) > LONGEST or not token.isascii():
        raise BadToken("the token is not an access token")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != TYPE:
            raise BadToken("the token is not an access token of this server")
        # One algorithm, and keys of ours alone: what the token's header names is compared, and never followed.
        payload: dict[str, Any] = jwt.decode(
            token, _key(header), algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_UNCHECKED
        )
    except (jwt.PyJWTError, ValueError, RecursionError):
        # RecursionError: the header is parsed before the signature is compared, and can be nested deeply.
        raise BadToken("the token is not valid") from None
    return payload


def _key(header: dict[str, Any]) -> str:
    keys = _keys(settings.JWT_KEY, *settings.JWT_OLD_KEYS)
    found = keys.get(header["kid"]) if isinstance(header.get("kid"), str) else None
    if found is None:
        raise BadToken("the token was signed with no key of this server")
    return found


@cache
def _keys(*keys: str) -> dict[str, str]:
    """Return keys by their id; those after the first are good for reading only."""
    return {key_id(key): key for key in keys}


def _check_times(payload: dict[str, Any], now: datetime) -> None:
    seconds = now.timestamp()
    latest_start = seconds + LEEWAY.total_seconds()
    if not seconds < payload["exp"] < _LATEST:
        raise BadToken("the token has expired")
    if payload["nbf"] > latest_start or payload["iat"] > latest_start:
        raise BadToken("the token is not valid yet")


def _user_id(sub: str) -> int:
    if not sub.isascii() or not sub.isdigit() or len(sub) > _LONGEST_ID:
        raise BadToken("the token names no user")
    return int(sub)


def _session_id(sid: str) -> str:
    try:
        return str(uuid.UUID(sid))
    except ValueError:
        raise BadToken("the token names no session") from None
