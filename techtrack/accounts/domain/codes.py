"""Codes of second factors: those of an authenticator app (RFC 6238), and those on paper for the day it is gone."""

from __future__ import annotations

import re
from datetime import datetime

import pyotp
from pyotp.exceptions import OTPVerificationError

ISSUER = "TechTrack"
# Clocks of phones are off by a few seconds, and people type slowly: the code before and the one after count too.
STEPS_BESIDE = 1
RECOVERY_CODES = 10
# 120 random bits: what is stored of it need not be a slow hash (ASVS V6.5.2). No letter looks like another, or a digit.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
LETTERS, _GROUP = 24, 4
_CODE = re.compile(r"[0-9]{6}")


def new_seed() -> str:
    """Return 160 random bits in base32, as authenticator apps take them."""
    return pyotp.random_base32()


def seed_uri(seed: str, username: str) -> str:
    """Return the ``otpauth:`` address that an app reads from a QR code."""
    return pyotp.TOTP(seed).provisioning_uri(name=username, issuer_name=ISSUER)


def code_at(seed: str, moment: datetime) -> str:
    """Return what an app with this seed shows."""
    return pyotp.TOTP(seed).at(moment)


def is_of_app(code: str) -> bool:
    """Tell whether a code is one of six digits; those on paper are longer."""
    return bool(_CODE.fullmatch(code))


def step_of(code: str, seed: str, now: datetime) -> int | None:
    """Return the number of the half minute whose code this is, None where it is not of about now."""
    if not is_of_app(code):
        return None
    try:
        return pyotp.TOTP(seed).verify_and_get_timecode(code, for_time=now, valid_window=STEPS_BESIDE)
    except OTPVerificationError:
        return None


def grouped(letters: str) -> str:
    """Write a recovery code for people to copy: ``k3pd-8hm2-x7qr-w4vn-t6bj-a9fe``."""
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def plain_recovery_code(typed: str) -> str:
    """Return a code as it is hashed, however somebody has copied it from paper."""
    return re.sub(r"[\s-]", "", typed).lower()
