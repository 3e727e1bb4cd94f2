"""The rules that an asset type of a pack begins with."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.told import columns
from techtrack.alerts.models import Rule
from techtrack.alerts.services.rules import create_rule
from techtrack.assets import queries as assets
from techtrack.assets.models import AssetType


@transaction.atomic
def follow_pack(*, type_id: int, pack: str, by: Access, now: datetime) -> list[Rule]:
    """Create the rules of a pack for an asset type, wherever its assets stand.

    Raises:
        Forbidden: the caller is not an engineer of all sites.
        Invalid: a rule of the pack cannot be judged.

    """
    kind = AssetType.objects.visible_to(by).get(pk=type_id)
    rules = assets.pack(pack).rules
    return [create_rule(by=by, now=now, data=columns(rule) | {"asset_type": kind}) for rule in rules]
