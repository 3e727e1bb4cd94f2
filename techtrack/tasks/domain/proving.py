"""Proves a repair: after "done", telemetry must stay well for a set time while the asset runs, or work is open again.

Only time between two looks that both found the asset running counts, and only where they lie no further apart than
data may: in a gap nobody knows. What violates while the asset stands still is no evidence: many limits do not hold
then, and whoever still works on it stops and starts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from techtrack.core.errors import Invalid


class Phase(StrEnum):
    """How far the proof is; the last three are final."""

    WAITING = "waiting"  # the asset has not run yet
    VERIFYING = "verifying"
    VERIFIED = "verified"
    REFUTED = "refuted"
    EXPIRED = "expired"  # it did not run enough in time: a person decides


OVER = frozenset({Phase.VERIFIED, Phase.REFUTED, Phase.EXPIRED})


@dataclass(frozen=True, slots=True)
class Terms:
    """What is demanded, in µs: ``run`` so long, within ``patience`` of being done; further apart data are a gap."""

    run: int
    patience: int
    longest_gap: int

    def __post_init__(self) -> None:
        for name in ("run", "patience", "longest_gap"):
            if getattr(self, name) <= 0:
                raise Invalid("a duration above zero is expected", pointer=f"/{name}")
        if self.run > self.patience:
            raise Invalid("it can never run that long before patience ends", pointer="/patience")


@dataclass(frozen=True, slots=True)
class Violation:
    """What speaks against the repair: a parameter's value and the limit that it should keep."""

    parameter: str
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Look:
    """What telemetry tells of one instant ``at`` (event time, µs)."""

    at: int
    running: bool
    violation: Violation | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """Where a proof stands that began at ``since``; times in µs.

    ``seen`` is the newest look (None before the first), ``running`` what it found, ``ran`` what counted so far. Once
    over, ``ended`` says when, and of a refuted one ``violation`` why.
    """

    since: int
    phase: Phase = Phase.WAITING
    seen: int | None = None
    running: bool = False
    ran: int = 0
    ended: int | None = None
    violation: Violation | None = None


def follow(proof: Proof, looks: Iterable[Look], terms: Terms) -> Proof:
    """Take looks in the order of their times; those of work before it was done do not matter.

    What comes later than newer looks can still refute, but adds no time.
    """
    # Of one instant, what found it standing still first: it must not run for a part of it.
    for look in sorted(looks, key=lambda look: (look.at, look.running)):
        if proof.phase in OVER:
            break
        if look.at >= proof.since:
            proof = _step(proof, look, terms)
    return proof


def lapse(proof: Proof, terms: Terms, *, now: int) -> Proof:
    """Give up a proof whose patience has ended by ``now`` (µs, less what data need to come)."""
    deadline = proof.since + terms.patience
    if proof.phase in OVER or now < deadline:
        return proof
    return replace(proof, phase=Phase.EXPIRED, ended=deadline)


def _step(proof: Proof, look: Look, terms: Terms) -> Proof:
    end = proof.since + terms.patience
    if look.running and look.violation is not None and look.at <= end:
        return replace(proof, phase=Phase.REFUTED, ended=look.at, violation=look.violation)
    gained = _gained(proof, look, terms)
    enough_at = look.at - (proof.ran + gained - terms.run)
    if enough_at <= min(look.at, end):
        return replace(proof, phase=Phase.VERIFIED, seen=look.at, ran=terms.run, ended=enough_at)
    if look.at >= end:
        return replace(proof, phase=Phase.EXPIRED, seen=look.at, ended=end)
    return _seen(proof, look, gained)


def _gained(proof: Proof, look: Look, terms: Terms) -> int:
    """Return the time from the newest look to this one, where it counts."""
    # Since when a value violates nobody knows: the time that led to it is no proof.
    if proof.seen is None or look.violation is not None or not (proof.running and look.running):
        return 0
    apart = look.at - proof.seen
    return apart if 0 <= apart <= terms.longest_gap else 0


def _seen(proof: Proof, look: Look, gained: int) -> Proof:
    phase = Phase.VERIFYING if look.running else proof.phase
    if proof.seen is not None and look.at < proof.seen:
        return replace(proof, phase=phase)
    running = look.running and (proof.running or proof.seen != look.at)
    return replace(proof, phase=phase, seen=look.at, running=running, ran=proof.ran + gained)
