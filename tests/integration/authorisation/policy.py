"""The written policy (docs/reference/policy.yaml), and what it demands of one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from techtrack.accounts.domain.access import Role
from tests.integration.authorisation.world import Principal, World

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "policy.yaml"
READING = {"GET", "HEAD", "OPTIONS"}
ABSENT, OWN = "absent", "own"
UNAUTHENTICATED, FORBIDDEN = 401, 403
WHO = {"anybody", "authenticated", "person", "self", "maker", "nobody"}


@dataclass(frozen=True)
class Case:
    """Who asks, and about what: the own site, the other, or nothing that is there.

    ``about_key`` tells whether the request is about the asset of the caller's key.
    """

    world: World
    who: Principal
    place: str = OWN
    about_key: bool = True

    def holds(self, grant: str) -> bool:
        """Tell whether ``grant``, in the words of the policy, includes the caller."""
        if " and " in grant:
            return all(map(self.holds, grant.split(" and ")))
        word, _, where = grant.partition(" ")
        if word in WHO:
            return self._is(word)
        role = Role(word)
        if where == "everywhere":
            return "*" in self.who.roles and self.who.roles["*"].includes(role)
        if where == "anywhere":
            return any(held.includes(role) for held in self.who.roles.values())
        return self._has(role)

    def _is(self, word: str) -> bool:
        if word == "nobody":
            return False
        if word == "maker":
            return self.place != ABSENT and self.who.user == self._side.people["operator"]
        is_person = self.who.user is not None and self.who.scope is None
        return {
            "anybody": True,
            "authenticated": not self.who.dead,
            "person": is_person and not self.who.dead,
            "self": self.place == OWN and self.who.user is not None,
        }[word]

    def _has(self, role: Role) -> bool:
        held = self.who.role_at(self._side.mark)
        there = self.place != ABSENT and (self.who.asset is None or self.about_key)
        return there and held is not None and held.includes(role)

    @property
    def _side(self) -> Any:
        home = self.world.sides[self.who.home]
        return home if self.place == OWN else self.world.other(self.who.home)


@dataclass(frozen=True)
class Row:
    """What the policy says of one operation."""

    operation: str
    at: str
    may: tuple[str, ...]
    sees: tuple[str, ...]
    keys: tuple[str, ...]
    hidden: int = 404
    needs: str = "authenticated"
    gives: tuple[int, ...] = ()
    rows: str = ""
    items: bool = False
    why: str = ""

    def statuses(self, case: Case, success: set[int], *, names: bool) -> set[int]:
        """What may be answered; ``names`` tells whether the request names something that may be absent."""
        done = set(self.gives) or success
        if "anybody" in self.may:
            return done
        if case.who.dead:
            return {UNAUTHENTICATED}
        if (case.who.scope is not None and case.who.scope not in self.keys) or not case.holds(self.needs):
            return {FORBIDDEN}
        if not self.shows(case, names=names):
            return {self.hidden}
        return done if any(map(case.holds, self.may)) else {FORBIDDEN}

    def shows(self, case: Case, *, names: bool) -> bool:
        """Tell whether the caller is told that what the request names is there."""
        if not names:
            return True
        return case.place != ABSENT and any(map(case.holds, self.may + self.sees))


@cache
def written() -> Mapping[str, Any]:
    """The file."""
    found: Mapping[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


@cache
def rows() -> dict[str, Row]:
    """Every row of an operation by its id."""
    sections = written()["operations"].values()
    return {name: _row(name, section, told) for section in sections for name, told in section["rows"].items()}


def _row(name: str, section: Mapping[str, Any], told: Mapping[str, Any]) -> Row:
    reads = told["at"].split()[0] in READING
    keys = told.get("keys", section.get("keys", ["read", "write"] if reads else ["write"]))
    return Row(
        operation=name,
        at=told["at"],
        may=_listed(told["may"]),
        sees=_listed(told.get("sees", section.get("sees", []))),
        keys=() if keys == "none" else _listed(keys),
        hidden=told.get("hidden", 404),
        needs=told.get("needs", "authenticated"),
        gives=_listed(told.get("gives", [])),
        rows=told.get("rows", ""),
        items=told.get("items", section.get("items", False)),
        why=told.get("why", ""),
    )


def _listed(told: Any) -> tuple[Any, ...]:
    return tuple(told) if isinstance(told, list) else (told,)
