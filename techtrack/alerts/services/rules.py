"""Rules as resources, and the revisions that they leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts import hiding
from techtrack.alerts.domain.condition import worst_first
from techtrack.alerts.domain.rule import JUDGED, parse_rule
from techtrack.alerts.domain.terms import parse_escalation, refuse_idle, severities_of
from techtrack.alerts.events import RuleChanged
from techtrack.alerts.memory import COMMITS
from techtrack.alerts.models import Alert, AlertEvent, Rule, RuleRevision, RuleState
from techtrack.alerts.recording import withdraw
from techtrack.alerts.services.telling import happening, publish
from techtrack.assets.models import Asset
from techtrack.core import events
from techtrack.core.errors import Forbidden
from techtrack.core.models import Head

WRITTEN_AT_ONCE = 500
# What says how grave alerts are, and become.
GRAVE = ("escalation", "conditions", "no_data")


@transaction.atomic
def create_rule(*, by: Access, now: datetime, data: dict[str, Any]) -> Rule:
    """Create a rule from the columns in ``data``; its conditions are kept worst first.

    Raises:
        Invalid: it cannot be judged; the pointer names the place.

    """
    site = data.get("site")
    _require_engineer(by, site and site.pk, data.get("assets", []))
    rule = Rule.objects.create(created_at=now, updated_at=now, **_proven(data))
    _keep_revision(rule, by=by, now=now)
    events.publish(RuleChanged(rule_id=rule.pk))
    return rule


@transaction.atomic
def update_rule(*, rule: Rule, by: Access, changes: dict[str, Any], expected: int | None, now: datetime) -> Rule:
    """Write ``changes`` as a new revision; the caller must be engineer of what the rule watched and is to watch.

    Raises:
        Invalid: it cannot be judged; the pointer names the place.
        Stale: somebody else was faster.

    """
    _require_engineer(by, rule.site_id, rule.assets)
    site = changes.get("site", rule.site)
    _require_engineer(by, site and site.pk, changes.get("assets", rule.assets))
    changes = _proven(changes, rule)
    hiding.check_inhibition(rule=rule.pk, inhibited_by=changes.get("inhibited_by", ()))
    other_series = changes.get("parameter", rule.parameter) != rule.parameter
    before = rule.definition, rule.updated_at
    rule.change(expected=expected, now=now, **changes)
    _revise(rule, *before, by=by, now=now)
    facts: list[object] = [RuleChanged(rule_id=rule.pk)]
    if other_series:
        # What was found in one series nobody would ever see return in another.
        facts += _withdraw_all(rule.pk, now, "the rule was changed to watch another parameter")
        RuleState.objects.filter(rule=rule.pk).delete()
    publish(facts)
    if other_series:
        # Last of all, as the judge does: it finds that it was overtaken and reads its states anew.
        Head.take(COMMITS)
    return rule


@transaction.atomic
def delete_rule(*, rule: Rule, by: Access, expected: int | None, now: datetime) -> None:
    """Delete the rule; what it found is over, since nobody would ever see it return."""
    _require_engineer(by, rule.site_id, rule.assets)
    publish(_removed(rule, expected=expected, now=now))


@transaction.atomic
def forget_site(*, site_id: int, now: datetime) -> None:
    """Delete the rules of a site, in the transaction in which it goes."""
    rules = list(Rule.objects.filter(site=site_id).order_by("pk"))
    publish([fact for rule in rules for fact in _removed(rule, expected=None, now=now)])


def _removed(rule: Rule, *, expected: int | None, now: datetime) -> list[object]:
    """Remove a rule, with what it found; return the facts to publish."""
    pk = rule.pk
    # The rule first, as the judge does: who locks in one order does not deadlock.
    Rule.objects.select_for_update().filter(pk=pk).first()
    facts = _withdraw_all(pk, now, "the rule was deleted")
    rule.remove(expected=expected)
    return [*facts, RuleChanged(rule_id=pk)]


def _revise(rule: Rule, before: dict[str, Any], since: datetime, *, by: Access, now: datetime) -> None:
    """Keep what a rule says now, if that is something else, and note it with its open alerts.

    Its row is locked by the change, so that revisions are counted without gap.
    """
    last = RuleRevision.objects.filter(rule=rule).first()
    if last is None:
        # Made before revisions were kept: what it said so far is the first.
        last = _keep_revision(rule, by=None, now=since, definition=before)
    if last.definition == rule.definition:
        return
    Rule.objects.filter(pk=rule.pk).update(revision=F("revision") + 1)
    rule.refresh_from_db(fields=["revision"])
    _keep_revision(rule, by=by, now=now)
    alerts = Alert.objects.filter(rule=rule.pk, is_open=True).order_by("pk")
    evidence = {"revision": rule.revision}
    rows = [happening(alert, "rule_changed", by=by, now=now, before=alert.state, evidence=evidence) for alert in alerts]
    AlertEvent.objects.bulk_create(rows, batch_size=WRITTEN_AT_ONCE)


def _keep_revision(
    rule: Rule, *, by: Access | None, now: datetime, definition: dict[str, Any] | None = None
) -> RuleRevision:
    return RuleRevision.objects.create(
        rule=rule,
        number=rule.revision,
        definition=definition or rule.definition,
        created_at=now,
        by_id=by.user_id or None if by else None,
    )


def _withdraw_all(rule_id: int, now: datetime, why: str) -> list[object]:
    watched = Alert.objects.filter(rule=rule_id, active=True).order_by().values_list("asset", flat=True).distinct()
    told = (withdraw(rule_id=rule_id, asset_id=asset, at=now, now=now, why=why) for asset in watched)
    return [fact for facts in told for fact in facts]


def _require_engineer(by: Access, site_id: int | None, assets: Sequence[int]) -> None:
    """Pass an engineer of the rule's site; without one, of each asset it names; else of all sites.

    A key bound to one asset sees no rules, so it makes none.
    """
    if by.only_asset is not None:
        raise Forbidden("this key is bound to one asset")
    sites: set[int | None] = {site_id}
    if site_id is None and assets:
        sites = set(Asset.objects.filter(pk__in=assets).values_list("site_id", flat=True)) or sites
    for site in sites:
        by.require(Role.ENGINEER, site)


def _proven(data: dict[str, Any], rule: Rule | None = None) -> dict[str, Any]:
    """Return ``data`` as it is kept, once the rule that it makes (of ``rule``) can be judged."""
    # What was proved before is proved: a rule whose plug-in is gone can still be switched off.
    if rule is None or any(name in data and data[name] != getattr(rule, name) for name in JUDGED):
        held = {name: getattr(rule or Rule(), name) for name in JUDGED}
        parse_rule(held | {name: data[name] for name in JUDGED if name in data})
    grave = {name: data.get(name, getattr(rule or Rule(), name)) for name in GRAVE}
    if rule is None or any(grave[name] != getattr(rule, name) for name in GRAVE):
        refuse_idle(parse_escalation(grave["escalation"]), severities_of(grave["conditions"], grave["no_data"]))
    return data | ({"conditions": worst_first(data["conditions"])} if "conditions" in data else {})
