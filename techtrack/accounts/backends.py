"""Who a password belongs to, and how it is hashed."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db.models import Q
from django.http import HttpRequest

from techtrack.accounts.models import User
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
    """Finds a person by user name or e-mail address, in any case, and compares exactly one hash."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        name = username or kwargs.get(User.USERNAME_FIELD)
        if not name or password is None:
            return None
        user = _find(name)
        if user is None:
            # The same work as for a known name, so that the time does not tell which names exist.
            User().set_password(password)
            return None
        matches = user.check_password(password)
        return user if matches and self.user_can_authenticate(user) else None


def _find(name: str) -> User | None:
    found = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name))[:2]
    # A user name goes before an e-mail address: the name proves more, an address can be claimed by anybody.
    return min(found, key=lambda user: user.username.lower() != name.lower(), default=None)
