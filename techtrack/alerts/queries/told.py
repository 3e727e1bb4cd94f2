"""Reads what the history of an alert says of telling people: in full for those who may see their addresses."""

from __future__ import annotations

from typing import Any

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import User
from techtrack.alerts.domain.tidings import TELLINGS, guarded, in_words
from techtrack.alerts.models import AlertEvent


class Reader:
    """Reads events to one caller: names of channels and refusals are for operators of the site."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._names: dict[int, str] = {}

    def comment_and_evidence(self, event: AlertEvent) -> tuple[str, dict[str, Any]]:
        """Return what the caller may read of an event; needs ``event.alert.asset``."""
        if event.kind not in TELLINGS:
            return event.comment, event.evidence
        site = event.alert.asset.site_id
        if self._access.only_asset is not None or not self._access.allows(Role.OPERATOR, site):
            return in_words(event.kind, guarded(event.evidence)), guarded(event.evidence)
        return in_words(event.kind, event.evidence, name=self._name(event.evidence.get("person"))), event.evidence

    def _name(self, person: int | None) -> str:
        """The name of a person; it is not kept in the history, which outlives the account."""
        if person is None:
            return ""
        if person not in self._names:
            found = User.objects.filter(pk=person).values_list("username", flat=True).first()
            self._names[person] = found or "somebody who is gone"
        return self._names[person]
