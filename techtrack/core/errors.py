"""The families of errors that services raise; how each looks on the wire is decided in core/api/problems.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input: where (JSON pointer), which kind, and a sentence for people."""

    pointer: str
    code: str
    detail: str


def member(pointer: str, name: object) -> str:
    """Return the JSON pointer (RFC 6901) to the member or item ``name`` of what ``pointer`` points to."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


class TechTrackError(Exception):
    """The root of every error that TechTrack raises on purpose; ``faults`` name the places, where there are some."""

    code = "error"
    faults: tuple[Fault, ...] = ()

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Invalid(TechTrackError):
    """The input cannot be accepted; nothing was stored."""

    code = "invalid"

    def __init__(self, detail: str, *, faults: Iterable[Fault] = (), pointer: str = "") -> None:
        super().__init__(detail)
        self.faults = tuple(faults) or (Fault(pointer, self.code, detail),)


class Unauthenticated(TechTrackError):
    """Nobody knows who is asking."""

    code = "not_authenticated"


class Forbidden(TechTrackError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(TechTrackError):
    """It does not exist, or the caller may not know that it does."""

    code = "not_found"


class Gone(TechTrackError):
    """It was there, and will not be again; the caller should forget where it was."""

    code = "gone"


class Conflict(TechTrackError):
    """The state of the thing does not allow it; look again and decide."""

    code = "conflict"


class Stale(Conflict):
    """Somebody else changed the thing since the caller read it."""

    code = "stale"


class Unprocessable(TechTrackError):
    """The request contradicts an earlier one with the same key."""

    code = "unprocessable"


class TooSlow(TechTrackError):
    """The request did not arrive in time."""

    code = "too_slow"


class Unavailable(TechTrackError):
    """Something we depend on is away; the same request may succeed later."""

    code = "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """So much waits already that this would be answered too late."""

    code = "overloaded"

    def __init__(self) -> None:
        super().__init__("more is asked than can be answered; try again", retry_after=1)


class TooMany(TechTrackError):
    """The caller asks more often than it may.

    ``policy`` is the name of the limit, how often, and in how many seconds; None where no number is promised.
    """

    code = "too_many_requests"

    def __init__(self, detail: str, *, retry_after: int, policy: tuple[str, int, int] | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.policy = policy
