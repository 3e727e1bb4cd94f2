"""Tables of rules, alerts, what hides them, and what the judge knows."""

from techtrack.alerts.models.alerts import STATES, STATUSES, Alert, AlertEvent, AlertQuerySet
from techtrack.alerts.models.judging import JudgeMemory, RuleFault, RuleState
from techtrack.alerts.models.lab import PreviewRun, PreviewRunQuerySet, PreviewState
from techtrack.alerts.models.muting import Silence, SilenceQuerySet, Suppression
from techtrack.alerts.models.rules import Rule, RuleQuerySet, RuleRevision

__all__ = [
    "STATES",
    "STATUSES",
    "Alert",
    "AlertEvent",
    "AlertQuerySet",
    "JudgeMemory",
    "PreviewRun",
    "PreviewRunQuerySet",
    "PreviewState",
    "Rule",
    "RuleFault",
    "RuleQuerySet",
    "RuleRevision",
    "RuleState",
    "Silence",
    "SilenceQuerySet",
    "Suppression",
]
