"""Who may do what where: the one value that doors hand to services and querysets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from techtrack.core.errors import Forbidden


class Role(StrEnum):
    """What a person is at a site; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The place in the order of power, from 0."""
        return list(Role).index(self)

    def includes(self, other: Role) -> bool:
        """Tell whether this role may do all that ``other`` may."""
        return self.rank >= other.rank


class Scope(StrEnum):
    """What a key is for, whatever its maker may do."""

    INGEST = "ingest"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Access:
    """A caller's authority: roles everywhere and at sites, narrowed by the key that was shown, if any.

    ``only_site`` and ``only_asset`` narrow a key; ``scope`` is None for a person.
    """

    user_id: int
    username: str
    everywhere: Role | None = None
    at: Mapping[int, Role] = field(default_factory=dict)
    scope: Scope | None = None
    only_site: int | None = None
    only_asset: int | None = None
    session_id: str | None = None
    key_id: int | None = None

    @classmethod
    def of(
        cls,
        user_id: int,
        username: str,
        roles: Iterable[tuple[int | None, str | None]],
        *,
        session_id: str | None = None,
    ) -> Access:
        """Make a person's access of pairs of a site, None for all, and the role there; no role is no pair."""
        at = {site or 0: Role(role) for site, role in roles if role}
        everywhere = at.pop(0, None)
        return cls(user_id, username, everywhere=everywhere, at=at, session_id=session_id)

    @property
    def principal(self) -> str:
        """A stable name to keep records under."""
        return f"key:{self.key_id}" if self.key_id else f"user:{self.user_id}"

    def role_at(self, site_id: int | None) -> Role | None:
        """The role at a site; at no site (None) only a role for all sites counts."""
        if self.only_site is not None and site_id != self.only_site:
            return None
        roles = [role for role in (self.everywhere, self.at.get(site_id or 0)) if role]
        return max(roles, key=lambda role: role.rank, default=None)

    def allows(self, role: Role, site_id: int | None) -> bool:
        """Tell whether the caller has ``role`` or more at the site."""
        held = self.role_at(site_id)
        return held is not None and held.includes(role)

    def require(self, role: Role, site_id: int | None) -> None:
        """Pass if the caller has ``role`` or more at the site.

        Raises:
            Forbidden: it has not.

        """
        if not self.allows(role, site_id):
            where = "for all sites" if site_id is None else f"at site {site_id}"
            raise Forbidden(f"this needs the role {role.value} {where}")

    def sites(self, role: Role = Role.VIEWER) -> frozenset[int] | None:
        """The ids of the sites where the caller has ``role`` or more; None means every site, and no site too."""
        if self.everywhere and self.everywhere.includes(role):
            return None if self.only_site is None else frozenset({self.only_site})
        sites = frozenset(site for site, held in self.at.items() if held.includes(role))
        return sites if self.only_site is None else sites & {self.only_site}

    def may_use(self, door: str, *, writing: bool) -> bool:
        """Tell whether the key's scope reaches a door; a person reaches all.

        An ingest key reaches the doors for readings and nothing else; a read key changes nothing.
        Keys never administer accounts: what mints credentials needs a person.
        """
        if self.scope is None:
            return True
        if self.scope is Scope.INGEST:
            return door == "readings" and writing
        return door != "accounts" and (self.scope is Scope.WRITE or not writing)


def internal(name: str = "system") -> Access:
    """The platform's own authority, for jobs and commands that no person asked for."""
    return Access(user_id=0, username=name, everywhere=Role.ADMIN)
