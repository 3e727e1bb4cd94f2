"""Every write of air quality, in one module per subject."""

from techtrack.environment.services.flags import CONSUMER, flag_doubtful
from techtrack.environment.services.neighbours import AlreadyCompared, compared_up_to, flag_unlike
from techtrack.environment.services.settings import (
    SettingsExist,
    create_settings,
    delete_settings,
    follow_change,
    hold_sensors,
    update_settings,
)

__all__ = [
    "CONSUMER",
    "AlreadyCompared",
    "SettingsExist",
    "compared_up_to",
    "create_settings",
    "delete_settings",
    "flag_doubtful",
    "flag_unlike",
    "follow_change",
    "hold_sensors",
    "update_settings",
]
