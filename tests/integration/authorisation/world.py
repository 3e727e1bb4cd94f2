"""Two sites that are each other's mirror, the people and keys of each, and one object of every resource at both.

Whatever belongs to a site carries its mark (``quokka`` or ``wombat``) in every text and its own range of ids, so that
an answer which tells of the other one is seen by a plain search.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.models import Site, User
from tests import factories

NOW = factories.NOW
MARKS = ("quokka", "wombat")
# Of a site's rows, and of what is not there: as many digits, so that answers are as long.
FIRST_ID = {"quokka": 71_300_001, "wombat": 82_600_001}
# Of what belongs to no site.
COMMON_ID = 61_400_001
ABSENT = 5_000_000
READING = {"quokka": 71.317, "wombat": 82.613}


@dataclass
class Side:
    """One of the two sites: its rows by the names that the examples use, and its people by role."""

    mark: str
    site: Site
    names: dict[str, Any] = field(default_factory=dict)
    people: dict[str, User] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    belongings: dict[int, set[str]] = field(default_factory=dict)

    def tells(self, text: str, *, to: Principal | None = None) -> set[str]:
        """What in ``text`` can only be of this site; what is the reader's own is none of its secrets."""
        found = self.ids.intersection(re.findall(r"\d{8}", text))
        if to is not None and to.user is not None:
            found -= self.belongings.get(to.user.pk, set())
            text = re.sub(rf"\S*{self.mark}-{to.user.pk}|{to.user.username}(@example.org)?", "", text)
        secrets = {str(READING[self.mark]), *(name for name in map(str, self.names.values()) if "-" in name)}
        found |= {secret for secret in secrets if secret in text}
        return found | ({self.mark} if self.mark in text.lower() else set())


@dataclass(frozen=True)
class Principal:
    """Somebody who asks: the headers, who that is, and what the policy must know of it.

    ``roles`` are by mark of a site, ``*`` standing for all; ``home`` is the site whose rows are the own ones.
    """

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    user: User | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    scope: Scope | None = None
    asset: int | None = None
    dead: bool = False
    home: str = MARKS[0]
    own: dict[str, Any] = field(default_factory=dict)

    def role_at(self, mark: str) -> Role | None:
        """The role at a site."""
        held = [self.roles[name] for name in (mark, "*") if name in self.roles]
        return max(held, key=lambda role: role.rank, default=None)


@dataclass
class World:
    """Everything."""

    sides: dict[str, Side]
    principals: dict[str, Principal]
    mine: dict[int, dict[str, Any]]

    def other(self, mark: str) -> Side:
        """The site that is not this one."""
        return self.sides[MARKS[1 - MARKS.index(mark)]]

    def names(self, principal: Principal, place: str) -> dict[str, Any]:
        """What the names in an example stand for, asked by ``principal`` about its own site, the other, or nowhere."""
        home = self.sides[principal.home]
        far = self.other(principal.home)
        side = home if place == "own" else far
        owner = principal.user.pk if principal.user and place == "own" else side.people["operator"].pk
        found = side.names | self.mine.get(owner, {}) | principal.own
        if place != "own" and "session" in principal.own:
            found |= {"session": self.session_of(owner)}
        if principal.asset and place == "own":
            found |= {"asset": principal.asset}
        return {name: absent(value) for name, value in found.items()} if place == "absent" else found

    def session_of(self, user_id: int) -> str:
        """The session of a person, one of nobody where there is none."""
        own = [
            one.own["session"] for one in self.principals.values() if one.user and one.user.pk == user_id and one.own
        ]
        return own[0] if own else str(uuid.UUID(int=4 << 76))

    def hidden_from(self, principal: Principal) -> list[Side]:
        """The sites of which the caller must learn nothing."""
        return [side for mark, side in self.sides.items() if principal.dead or principal.role_at(mark) is None]


def absent(value: Any) -> Any:
    """Something like ``value`` that is not there, as long."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return value
    if isinstance(value, int):
        return value + ABSENT
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
        return str(uuid.UUID(int=uuid.UUID(value).int ^ 0xFFFF))
    number = re.sub(r"^\d+(?=-)", lambda found: str(int(found[0]) + ABSENT), value)
    return number.replace(MARKS[0], "dugong").replace(MARKS[1], "dugong")
