"""Secrets that must be read back, encrypted with a key that is kept outside the database."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from techtrack.core.errors import Conflict


class Unreadable(Conflict):
    """A secret was sealed with a key that is gone: it must be given again."""

    code = "secret_unreadable"


def seal(text: str) -> str:
    """Return ``text`` encrypted and signed, so that ``unseal`` can read it back."""
    return _box(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return what was sealed.

    Raises:
        Unreadable: SECRET_KEY is another one than when it was sealed.
    """
    try:
        return _box(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable("it was encrypted with another SECRET_KEY: give the secret again") from error


def resealed(sealed: str) -> str:
    """Return what was sealed with one of SECRET_KEY_FALLBACKS sealed with SECRET_KEY; as it is where it is so already.

    Raises:
        Unreadable: it was sealed with neither.
    """
    try:
        _box(settings.SECRET_KEY).decrypt(sealed.encode())
    except InvalidToken:
        return seal(unseal(sealed))
    return sealed


@cache
def _box(*keys: str) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(_derived(key))) for key in keys])


def _derived(key: str) -> bytes:
    # A key of its own: what opens this opens nothing else that SECRET_KEY signs.
    return HKDF(SHA256(), length=32, salt=None, info=b"techtrack sealed settings").derive(key.encode())
