"""Who a password belongs to, and how it is hashed."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.http import HttpRequest

from techtrack.accounts.models import User
from techtrack.accounts.queries import find_person, second_factor_of
from techtrack.accounts.services.proving import compare_password
from techtrack.core.errors import Unavailable

CONCURRENT_HASHES = 2
LONGEST_WAIT = 3.0
_slots = BoundedSemaphore(CONCURRENT_HASHES)


class TooManyLogins(Unavailable):
    """Every slot for hashing passwords is taken, and stayed so."""

    code = "too_many_logins"


class _Slot:
    """Holds one of the slots for hashing: at 47 MiB each, a burst of logins must not take the memory."""

    def __enter__(self) -> None:
        if not _slots.acquire(timeout=LONGEST_WAIT):
            raise TooManyLogins("too many people are logging in at this moment; try again")

    def __exit__(self, *_: object) -> None:
        _slots.release()


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with 47 MiB, two passes and one lane (OWASP's first choice), a bounded number at a time."""

    time_cost = 2
    memory_cost = 48_128
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _Slot():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _Slot():
            return super().verify(password, encoded)


class NameOrEmailBackend(ModelBackend):
    """Compares a password for Django; our own doors ask ``services.prove_person``, which does more."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        name = username or kwargs.get(User.USERNAME_FIELD)
        if not name or password is None:
            return None
        user = find_person(name)
        # Nobody with a second factor comes in by a password alone, whoever asks.
        right = compare_password(user, password) and user is not None and second_factor_of(user.pk) is None
        return user if right else None
