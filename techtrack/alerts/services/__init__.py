"""What people and time do to alerts and rules, in one module per family; what the judge does is in recording.py."""

from techtrack.alerts.services.actions import ACTIONS, Outcome, Said, acknowledge_alert, act, act_on_many
from techtrack.alerts.services.alerts import create_alert, delete_alert, follow_asset, forget_asset, update_alert
from techtrack.alerts.services.files import Effect, import_rules
from techtrack.alerts.services.packs import follow_pack
from techtrack.alerts.services.previews import (
    ask_for_preview,
    asked_of,
    cancel_preview,
    finish_preview,
    report_preview,
    take_preview,
)
from techtrack.alerts.services.rules import create_rule, delete_rule, forget_site, update_rule
from techtrack.alerts.services.telling import note_telling
from techtrack.alerts.services.timers import end_due

__all__ = [
    "ACTIONS",
    "Effect",
    "Outcome",
    "Said",
    "acknowledge_alert",
    "act",
    "act_on_many",
    "ask_for_preview",
    "asked_of",
    "cancel_preview",
    "create_alert",
    "create_rule",
    "delete_alert",
    "delete_rule",
    "end_due",
    "finish_preview",
    "follow_asset",
    "follow_pack",
    "forget_asset",
    "forget_site",
    "import_rules",
    "note_telling",
    "report_preview",
    "take_preview",
    "update_alert",
    "update_rule",
]
