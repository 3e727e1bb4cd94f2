"""Who may write destinations and routes."""

from __future__ import annotations

from typing import Any

from techtrack.accounts.domain.access import Access, Role


def require_engineer(by: Access, *sites: Any) -> None:
    """Pass an engineer at every one of the sites; None stands for all sites."""
    for site in sites:
        by.require(Role.ENGINEER, site.pk if site else None)
