"""Sites: made, changed and removed by administrators for all sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.domain.zones import check_zone
from techtrack.accounts.events import SiteDeleting, SiteZoneChanged
from techtrack.accounts.models import Site
from techtrack.accounts.services.step_up import require_recent
from techtrack.core import events
from techtrack.core.errors import Conflict, Invalid
from techtrack.core.models import Head

ROLES = "roles"


class SiteInsideItself(Invalid):
    """The parent is the site itself, or stands below it."""

    code = "site_inside_itself"


class SiteInUse(Conflict):
    """Things still stand at the site."""

    code = "site_in_use"


@transaction.atomic
def create_site(*, by: Access, fields: Mapping[str, Any], now: datetime) -> Site:
    """Make a site.

    Raises:
        UnknownTimeZone: ``timezone`` names none.

    """
    by.require(Role.ADMIN, None)
    if "timezone" in fields:
        check_zone(fields["timezone"], pointer="/timezone")
    return Site.objects.create(**fields, created_at=now, updated_at=now)


@transaction.atomic
def update_site(*, site: Site, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Site:
    """Change a site.

    Raises:
        UnknownTimeZone: ``timezone`` names none.
        SiteInsideItself: the new parent stands below the site.

    """
    by.require(Role.ADMIN, None)
    if "timezone" in changes:
        check_zone(changes["timezone"], pointer="/timezone")
    if changes.get("parent") is not None:
        _check_parent(site, changes["parent"])
    before = site.timezone
    changed = site.change(expected=expected, now=now, **changes)
    if changed.timezone != before:
        events.publish(SiteZoneChanged(changed.pk))
    return changed


@transaction.atomic
def delete_site(*, site: Site, by: Access, expected: int | None, now: datetime) -> None:
    """Remove a site where nothing stands any more, with its memberships and keys.

    Raises:
        SiteInUse: something does; the message says what.

    """
    by.require(Role.ADMIN, None)
    require_recent(by=by, now=now)
    hold_roles()
    events.publish(SiteDeleting(site.pk))
    try:
        site.remove(expected=expected)
    except ProtectedError as error:
        raise SiteInUse(f"{site.name} still has {_inventory(error)}; move or remove them first") from error


def hold_roles() -> None:
    """Let nobody else change who may do what where, or the sites themselves, before this transaction ends.

    First of all that it locks: roles go with people and with sites, and of sites each may stand inside another, so
    that whoever changes one row must look at others, in an order that nobody knows beforehand.
    """
    Head.hold(ROLES)


def _check_parent(site: Site, parent: Site) -> None:
    # Two moves at once could each be right and together make a ring.
    hold_roles()
    parents = dict(Site.objects.values_list("pk", "parent"))
    above: int | None = parent.pk
    while above is not None:
        if above == site.pk:
            raise SiteInsideItself("a site cannot stand inside itself", pointer="/parent")
        above = parents.get(above)


def _inventory(error: ProtectedError) -> str:
    counted = Counter(str(one._meta.verbose_name_plural) for one in error.protected_objects)
    return ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
